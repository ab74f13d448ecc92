"""Training, with a device that is told what becomes of each restart."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from nrunner.dutcare import Said, Step
from nrunner.duthealth import Failed, Sound, Taken
from nrunner.errors import LinkError, SpawnError
from nrunner.inventory import Dut, Hooks, Secret
from nrunner.training import (
    Loop,
    Occupied,
    Plan,
    Tally,
    Training,
    Untrainable,
    way_to_restart,
)

FINE = (Step("reach", "answers"), Step("lease", "free", happening=Sound()))
TAKEN = (Step("lease", "held", happening=Taken("a job")),)
SICK = (Step("look over", "0 MiB free", False, Failed("0 MiB free")),)


class Lab:
    """A device that does at each restart what it is told."""

    def __init__(self, *fates: str) -> None:
        self.fates = list(fates)
        self.boots = 1
        self.commands: list[str] = []
        self.found = FINE
        self.is_up = True

    async def boot_id(self, within: float) -> str:
        if not self.is_up:
            raise LinkError("reach it: no answer")
        return f"boot-{self.boots}"

    async def run(self, command: str, within: float) -> Said:
        self.commands.append(command)
        if not command.startswith("reboot"):
            return Said(int(command.startswith("false")), "said so")
        fate = self.fates.pop(0)
        self.boots += fate != "stays"
        self.is_up = fate != "dies"
        self.found = {"sick": SICK, "taken": TAKEN}.get(fate, FINE)
        if fate == "refuses":
            return Said(1, "x\nreboot: not permitted\n")
        raise LinkError("run a command: it hung up")

    async def examine(self) -> AsyncIterator[Step]:
        for step in self.found:
            yield step


def train(lab: Lab, tmp_path, dut=Dut("one", "192.0.2.1"), **more) -> list[Loop]:  # noqa: B008
    plan = Plan(len(lab.fates), tmp_path / "logs", boot_within=0.3, **more)

    async def main() -> list[Loop]:
        return [loop async for loop in Training(dut, lab, plan).loops()]  # type: ignore[arg-type]

    return asyncio.run(main())


def logs(tmp_path) -> dict[str, str]:
    return {path.name: (path / "log").read_text() for path in sorted((tmp_path / "logs").iterdir())}


def test_loops_that_pass_leave_no_logs(tmp_path):
    loops = train(Lab("", "", ""), tmp_path, checks=("true",))
    assert [(loop.number, loop.failure) for loop in loops] == [(1, ""), (2, ""), (3, "")]
    assert logs(tmp_path) == {}


def test_each_way_to_fail_is_told_and_its_log_is_kept(tmp_path):
    loops = train(Lab("", "sick", "stays", "dies"), tmp_path)
    assert [loop.failure for loop in loops] == [
        "",
        "look over: 0 MiB free",
        "could not see one back within 0.3 s: it did not go down",
        "could not see one back within 0.3 s: could not reach it: no answer",
    ]
    kept = logs(tmp_path)
    assert list(kept) == ["loop-0002", "loop-0003", "loop-0004"]
    assert "look over: 0 MiB free" in kept["loop-0002"]


def test_a_device_that_cannot_be_told_to_reboot_is_neither_qualified_nor_not(tmp_path):
    with pytest.raises(Untrainable, match=r"reboot one: reboot: not permitted \(its user has to"):
        train(Lab("", "refuses", ""), tmp_path)
    assert "status 1 x\nreboot: not permitted" in logs(tmp_path)["loop-0002"]


@pytest.mark.parametrize(
    ("hooks", "why"),
    [
        (Hooks(power_cycle=("./pdu",)), r"run power_cycle of one: \./pdu: no such file"),
        (
            Hooks(power_cycle=("true",), secrets={"TOKEN": Secret(None, "NOT_SET_ANYWHERE")}),
            "read the secret TOKEN of one: the variable NOT_SET_ANYWHERE is not set",
        ),
    ],
)
def test_a_device_whose_hook_cannot_be_started_here_is_neither_qualified_nor_not(
    tmp_path, hooks, why
):
    with pytest.raises(Untrainable, match=why):
        train(Lab("", ""), tmp_path, Dut("one", "192.0.2.1", hooks=hooks))
    ((folder, log),) = logs(tmp_path).items()
    assert folder == "loop-0001"
    assert re.search(f"power_cycle: could not {why}", log)


def test_a_hook_that_fails_is_a_failure_of_the_loop(tmp_path):
    dut = Dut("one", "192.0.2.1", hooks=Hooks(power_cycle=("false",)))
    loops = train(Lab("", ""), tmp_path, dut)
    why = "could not run power_cycle of one: it ended with status 1 (it printed nothing)"
    assert [loop.failure for loop in loops] == [why, why]


def test_checks_of_people_must_succeed_there(tmp_path):
    lab = Lab("")
    (loop,) = train(lab, tmp_path, checks=("uname -r", "false it is", "never"))
    assert loop.failure == "'false it is' ended with status 1"
    assert lab.commands[1:] == ["uname -r", "false it is"]
    assert "$ false it is\nsaid so" in logs(tmp_path)["loop-0001"]


def test_the_first_failure_may_be_the_last(tmp_path):
    assert len(train(Lab("", "sick", ""), tmp_path, stops_early=True)) == 2


def test_a_device_that_somebody_takes_meanwhile_is_left_to_them(tmp_path):
    lab = Lab("", "taken", "")
    with pytest.raises(Occupied, match="it was taken meanwhile: held"):
        train(lab, tmp_path)
    assert lab.fates == [""]


def test_a_device_that_is_off_fails_at_once_unless_its_power_can_be_switched(tmp_path):
    lab = Lab("")
    lab.is_up = False
    (loop,) = train(lab, tmp_path)
    assert loop.failure == "could not reach it: no answer"
    assert lab.commands == []


@pytest.mark.parametrize(
    ("hooks", "way"),
    [
        (Hooks(), "reboot"),
        (Hooks(power_on=("x",)), "reboot"),
        (Hooks(power_on=("x",), power_off=("x",)), "power_off and power_on"),
        (Hooks(power_on=("x",), power_off=("x",), power_cycle=("x",)), "power_cycle"),
    ],
)
def test_power_is_switched_where_there_are_hooks_for_that(hooks, way):
    assert way_to_restart(Dut("one", "192.0.2.1", hooks=hooks)) == way


def test_a_device_is_qualified_only_if_every_loop_was_done_and_passed():
    tally = Tally(2).plus(Loop(1, 1.0))
    assert not tally.is_qualified
    assert tally.plus(Loop(2, 1.0)).is_qualified
    failed = tally.plus(Loop(2, 1.0, "no answer")).plus(Loop(3, 1.0, "other"))
    assert (failed.passed, failed.failed) == (1, 2)
    assert failed.first_failure == "loop 2: no answer"
    assert not failed.plus(Loop(4, 1.0)).is_qualified


def test_errors_of_the_library_are_failures_of_the_loop(tmp_path):
    class Strange(Lab):
        async def boot_id(self, within):
            raise SpawnError("trust one: it shows another key")

    (loop,) = train(Strange(""), tmp_path)
    assert loop.failure == "could not trust one: it shows another key"
