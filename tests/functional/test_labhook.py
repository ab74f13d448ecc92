"""Commands of the lab, as real processes."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from nrunner.errors import SpawnError
from nrunner.inventory import Dut, Hooks, Secret
from nrunner.labhook import Console, run_hook
from nrunner.runners.procfs import own_children, read_process
from tests.functional.sandbox import wait_until


def a_dut(folder: Path, script: str, **secrets: Secret) -> Dut:
    command = ("sh", "-c", script)
    hooks = Hooks(power_cycle=command, console=command, secrets=secrets, folder=folder)
    return Dut("board", "192.0.2.7", 2222, hooks=hooks, where="duts.toml:1")


def alive(pid: int) -> bool:
    process = read_process(pid)
    return process is not None and process.is_alive


def cycle(dut: Dut, within: float = 10) -> str:
    return asyncio.run(run_hook(dut, "power_cycle", within))


def test_a_hook_runs_beside_the_inventory_and_is_told_which_device_it_is_for(tmp_path):
    (tmp_path / "x").touch()
    script = 'ls; echo "$NRUNNER_DUT $NRUNNER_DUT_ADDRESS $NRUNNER_DUT_PORT"; echo bad >&2'
    assert cycle(a_dut(tmp_path, script)).split() == ["x", "board", "192.0.2.7", "2222", "bad"]


def test_secrets_reach_a_hook_and_are_neither_printed_nor_on_a_command_line(tmp_path):
    (tmp_path / "token").write_text("hunter2\n")
    script = '[ "$T" = hunter2 ] && tr "\\0" " " </proc/$$/cmdline && echo "is $T"'
    said = cycle(a_dut(tmp_path, script, T=Secret(tmp_path / "token")))
    assert said.endswith("is ***\n")
    assert "is $T" in said


def test_what_a_failing_hook_said_last_is_its_reason_without_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB", "hunter2")
    script = 'echo first; echo "login with $T refused" >&2; exit 3'
    with pytest.raises(SpawnError) as caught:
        cycle(a_dut(tmp_path, script, T=Secret(None, "LAB")))
    expected = "run power_cycle of board: it ended with status 3 (login with *** refused)"
    assert str(caught.value) == expected


def test_a_hook_that_is_not_there_or_cannot_be_run_is_named(tmp_path):
    with pytest.raises(SpawnError, match=r"run power_cycle of board: duts.toml:1 has no power_cyc"):
        cycle(Dut("board", "192.0.2.7", where="duts.toml:1"))
    hooks = Hooks(power_cycle=("./nothing",), folder=tmp_path)
    with pytest.raises(SpawnError, match=r"of board: ./nothing: no such file"):
        cycle(Dut("board", "192.0.2.7", hooks=hooks))


@pytest.mark.parametrize("way", ["too slow", "cancelled as it starts", "cancelled"])
def test_a_hook_ends_with_all_it_has_started(tmp_path, monkeypatch, way):
    monkeypatch.setattr("nrunner.labhook._GRACE", 0.3)
    script = "trap '' TERM; sh -c 'trap \"\" TERM; sleep 99' & echo $! >pids; echo $$ >>pids; wait"

    def pids() -> list[int]:
        path = tmp_path / "pids"
        return [int(each) for each in path.read_text().splitlines()] if path.exists() else []

    def begun() -> None:
        wait_until(lambda: len(pids()) == 2, "it has begun")

    before = own_children()

    async def main() -> None:
        within = 1.5 if way == "too slow" else 30
        hook = asyncio.ensure_future(run_hook(a_dut(tmp_path, script), "power_cycle", within))
        if way == "cancelled as it starts":
            while own_children() == before:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)
            begun()  # and here nothing goes on in the meantime
            hook.cancel()
        elif way == "cancelled":
            await asyncio.to_thread(begun)
            hook.cancel()
        await hook

    with pytest.raises(SpawnError if way == "too slow" else asyncio.CancelledError):
        asyncio.run(main())
    assert len(pids()) == 2
    wait_until(lambda: not any(map(alive, pids())), "both are killed")


def test_what_a_console_prints_is_kept_without_secrets(tmp_path):
    (tmp_path / "token").write_text("hunter2")
    script = 'echo $$ >pid; echo "login $T"; echo booting; exec sleep 99'
    dut = a_dut(tmp_path, script, T=Secret(tmp_path / "token"))

    async def main() -> str:
        console = Console(dut)
        await console.open(tmp_path / "log")
        await asyncio.to_thread(wait_until, lambda: "booting" in console.tail(), "the console")
        await console.close()
        return console.tail(8)

    assert asyncio.run(main()) == "booting\n"
    assert (tmp_path / "log").read_text() == "login ***\nbooting\n"
    assert not alive(int((tmp_path / "pid").read_text()))


def test_a_console_that_breaks_harms_nobody(tmp_path):
    async def main() -> str:
        console = Console(a_dut(tmp_path, "echo last words; exit 1"))
        await console.open()
        await asyncio.to_thread(wait_until, console.tail, "the console")
        await console.close()
        return console.tail()

    assert asyncio.run(main()) == "last words\n"
    silent = Console(Dut("board", "192.0.2.7"))
    with pytest.raises(SpawnError, match=r"its entry has no console"):
        asyncio.run(silent.open())


def test_a_hook_that_leaves_something_running_in_another_session_is_not_waited_for(tmp_path):
    script = f"{sys.executable} -c 'import os,time; os.setsid(); time.sleep(5)' & echo $! >pid"
    assert cycle(a_dut(tmp_path, script), 4) == ""
