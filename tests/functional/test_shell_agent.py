"""The agent of sh and real payloads, hostile ones included, under the shells of small systems."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from nrunner.errors import LinkError, RequirementError
from nrunner.runnable import Requirement, Runnable
from nrunner.runners import killing
from nrunner.runners.procfs import read_process
from nrunner.spawners.base import SpawnerContext
from nrunner.spawners.shell_agent import agent_script
from nrunner.spawners.shell_link import ShellLink
from nrunner.spawners.shell_words import cut
from nrunner.testing.talk import Talk
from tests.contract.shell_spawner import SHELLS, ShellHandle, ShellSpawner

ROOT = Path(__file__).resolve().parents[2]
JOB = f"shell-{os.getpid()}"
WITHIN = 40.0


class Scene:
    """An agent, and a conversation with it."""

    def __init__(self, folder: Path, handle: ShellHandle, **settings: Any) -> None:
        self.folder = folder
        self.handle = handle
        self.settings = {
            "job_id": JOB,
            "base_dir": str(folder),
            "results_dir": str(folder),
            "slots_dir": str(folder / "slots"),
            "slots": 2,
            **settings,
        }
        self.talk = Talk(handle, self.settings)

    async def end(self, number: int, *words: str, **limits: float) -> Mapping[str, Any]:
        """Run a script of sh with arguments; return its last event."""
        self.talk.run(number, Runnable("exec-test", "/bin/sh", ("-c", *words)), **limits)
        return await self.talk.hear(number, "ended")

    def read(self, number: int, name: str = "stdout") -> bytes:
        return (self.talk.log_dir(number) / name).read_bytes()


@asynccontextmanager
async def scene(
    folder: Path,
    shell: str,
    prepare: str = "",
    adapt: Callable[[ShellHandle], None] = lambda _handle: None,
    **settings: Any,
) -> AsyncIterator[Scene]:
    """`adapt` is called with the handle before that is used."""
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    context = SpawnerContext(JOB, runtime, folder / "cache", 2)
    handle = await ShellSpawner(context, SHELLS[shell], prepare).open("shell")
    adapt(handle)
    it = Scene(folder, handle, **settings)
    try:
        await it.talk.environment.open()
        yield it
        await it.talk.environment.close()
    finally:
        await handle.destroy()
    assert killing.marked(JOB) == []


Body = Callable[[Scene], Coroutine[Any, Any, None]]


@pytest.fixture
def shell() -> str:
    """Return the shell of the agent; tests of what shells do differently ask for all of them."""
    return "busybox"


@pytest.fixture
def play(shell, tmp_path) -> Callable[[Body], None]:
    """Return what runs a test with an agent of its own."""

    def run(body: Body) -> None:
        async def main() -> None:
            async with asyncio.timeout(WITHIN), scene(tmp_path, shell) as it:
                await body(it)

        asyncio.run(main())

    return run


everywhere = pytest.mark.parametrize("shell", list(SHELLS))


ODD = (
    *(
        "",
        " ",
        "a b",
        "'",
        '"',
        "$HOME `id` $(id) \\ \\n",
        "-n",
        "*",
        "~",
        "#",
        "=",
        "\n",
        "a\n\nb\n",
    ),
    "".join(map(chr, range(1, 32))) + "\x7f",
    os.fsdecode(bytes(range(128, 256))),
    "äöü€",
)


@everywhere
def test_arguments_arrive_as_they_are(play):
    async def body(it: Scene) -> None:
        assert (await it.end(1, "printf '%s\\0' \"$@\"", "sh", *ODD))["result"] == "pass"
        assert it.read(1) == b"".join(os.fsencode(each) + b"\0" for each in ODD)

    play(body)


def test_an_order_longer_than_what_a_pipe_takes_at_once_arrives(play):
    async def body(it: Scene) -> None:
        long = "0123456789 '" * 5000
        assert (await it.end(1, 'printf %s "$1"', "sh", long))["result"] == "pass"
        assert it.read(1).decode() == long

    play(body)


@everywhere
def test_variables_arrive_as_they_are_and_ours_stay_with_us(play):
    async def body(it: Scene) -> None:
        wanted = {"ODD": "\n'\"$x\\", "odd.name": "1", "IFS": "x", "task": "mine", "PPID": "7"}
        kwargs = {"FROM_KWARGS": "a b", "status": "s"}
        config = {"runner.env": wanted}
        runnable = Runnable("exec-test", "/usr/bin/env", ("-0",), kwargs, config=config)
        it.talk.run(1, runnable)
        assert (await it.talk.hear(1, "ended"))["result"] == "pass"
        found = dict(os.fsdecode(each).split("=", 1) for each in it.read(1).split(b"\0") if each)
        for name, value in {**wanted, **kwargs}.items():
            assert found.pop(name) == value
        assert found.pop("NRUNNER_ATTEMPT") == f"{JOB}:1:1"
        assert found.pop("NRUNNER_TEST_WORKDIR") == found.pop("TMPDIR")
        found = {name for name in found if not name.startswith(("AVOCADO_", "NRUNNER_"))}
        assert found - {"PWD", "OLDPWD", "SHLVL", "_"} == {"PATH", "SOME"}

    play(body)


def test_an_environment_can_be_cleared(play):
    async def body(it: Scene) -> None:
        config = {"runner.exectest.clear_env": True}
        it.talk.run(1, Runnable("exec-test", "/usr/bin/env", config=config))
        await it.talk.hear(1, "ended")
        lines = it.read(1).decode().splitlines()
        assert f"NRUNNER_ATTEMPT={JOB}:1:1" in lines
        assert any(line.startswith("PATH=") and line.endswith("applets") for line in lines)
        assert not any(line.startswith("SOME=") for line in lines)

    play(body)


EXITS = {
    "exit 0": 0,
    "exit 200": 200,
    "exit 137": 137,
    "exit 143": 143,
    "kill -KILL $$": -9,
    "kill -TERM $$": -15,
    "kill -INT $$": -2,
    "kill -PIPE $$": -13,
    "ulimit -c 0; kill -SEGV $$": -11,
}


@everywhere
def test_a_signal_is_told_from_an_exit_status(play):
    """SIGINT among them: it is ignored by what a shell starts in the background."""

    async def body(it: Scene) -> None:
        for number, (script, returncode) in enumerate(EXITS.items(), 1):
            end = await it.end(number, script)
            assert (script, end["returncode"]) == (script, returncode)
            assert end["result"] == ("fail" if returncode else "pass")
            assert "leaks" not in end

    play(body)


def test_what_was_printed_is_kept_however_much_it_is(play):
    async def body(it: Scene) -> None:
        script = "head -c 30000000 /dev/zero; echo oops >&2; printf 'no newline'"
        end = await it.end(1, f"export PATH=/bin:/usr/bin; {script}")
        assert end["outputs"] == ["stdout", "stderr"]
        assert len(it.read(1)) == 30000010
        assert it.read(1, "stderr") == b"oops\n"

    play(body)


@everywhere
def test_a_disk_without_room_for_output_is_no_failure_of_a_test(tmp_path, shell):
    slots = tmp_path / "slots"
    slots.mkdir()
    # Since mounts are the agent's own, we do not see what it keeps, nor take it away.
    prepare = f"/bin/mount -t tmpfs -o size=64k tmpfs {slots}"
    fill, clear = f"cat /dev/zero > {slots}/filler 2>/dev/null", f"rm {slots}/filler"
    trouble = "its results cannot be kept: no space left where its output is"

    async def main() -> None:
        async with asyncio.timeout(WITHIN), scene(tmp_path, shell, prepare) as it:
            assert (await it.end(1, "echo said && exit 3"))["returncode"] == 3
            assert (await it.end(2, f"{fill}; echo said"))["trouble"] == trouble
            assert (await it.end(3, "echo said; exit 0"))["trouble"] == trouble
            assert (await it.end(4, f"{fill}; {clear}; echo said"))["result"] == "pass"
            assert (await it.end(5, "cat /dev/zero"))["trouble"] == trouble

    asyncio.run(main())


@everywhere
def test_nothing_begins_where_less_is_free_than_is_asked_for(tmp_path, shell):
    slots = tmp_path / "slots"
    slots.mkdir()
    prepare = f"/bin/mount -t tmpfs -o size=128k tmpfs {slots}"
    least = 64 << 10

    async def main() -> None:
        async with (
            asyncio.timeout(WITHIN),
            scene(tmp_path, shell, prepare, least_free=least) as it,
        ):
            fill = f"/bin/dd if=/dev/zero of={slots}/filler bs=64k count=1 2>/dev/null"
            assert (await it.end(1, fill))["result"] == "pass"
            assert (await it.end(2, f"echo >> {slots}/filler"))["result"] == "pass"
            it.talk.run(3, Runnable("exec-test", "/bin/sh", ("-c", "exit 0")))
            head = await it.talk.hear(3, "not_started")
            left = (128 << 10) - least - os.sysconf("SC_PAGE_SIZE")
            has = f"the disk with {slots} has {left >> 10} KiB free, 64 are needed"
            assert head["cause"] == "infra"
            assert head["reason"] == f"{has} before a test begins"

    asyncio.run(main())


@everywhere
def test_who_fails_while_there_is_no_room_for_its_own_files_is_told_of_it(tmp_path, shell):
    # Our own folder is likely to be in there, and what we run may be.
    back = "".join(
        f"/bin/mkdir -p {each}\n/bin/mount --bind /mnt/{each.relative_to('/tmp')} {each}\n"
        for each in (tmp_path, ROOT)
        if each.is_relative_to("/tmp")
    )
    prepare = f"""
        /bin/mount --bind /tmp /mnt
        /bin/mount -t tmpfs -o size=64k tmpfs /tmp
        {back}
    """

    async def main() -> None:
        async with asyncio.timeout(WITHIN), scene(tmp_path, shell, prepare) as it:
            assert (await it.end(1, "exit 3"))["fail_reason"] == "exited with status 3"
            end = await it.end(2, "cat /dev/zero > /tmp/filler")
            assert end["result"] == "fail"
            assert end["fail_reason"] == "exited with status 1 (no space left in /tmp)"
            assert (await it.end(3, ":"))["result"] == "pass"

    asyncio.run(main())


def test_a_silent_test_leaves_no_file(play):
    async def body(it: Scene) -> None:
        end = await it.end(1, ":")
        assert "outputs" not in end
        assert not it.talk.log_dir(1).exists()
        assert sorted(each.name for each in (it.folder / "slots").iterdir()) == ["1"]

    play(body)


def test_what_a_test_wants_to_keep_is_kept_and_the_rest_is_not(play):
    async def body(it: Scene) -> None:
        script = "echo 1 > $NRUNNER_TEST_OUTPUTDIR/.kept; echo 2 > $NRUNNER_TEST_WORKDIR/.gone"
        assert (await it.end(1, script))["outputs"] == ["output"]
        assert (it.talk.log_dir(1) / "output" / ".kept").read_text() == "1\n"
        again = "ls -A $NRUNNER_TEST_OUTPUTDIR $NRUNNER_TEST_WORKDIR | grep -v : | grep ."
        assert (await it.end(2, f"PATH=/bin:/usr/bin; {again}"))["returncode"] == 1

    play(body)


@everywhere
def test_a_folder_that_a_test_shuts_is_open_for_the_next(tmp_path, shell):
    # To root nothing is shut.
    prepare = f'exec {shutil.which("unshare")} --map-user=1000 "$@"'
    work, output = "$NRUNNER_TEST_WORKDIR", "$NRUNNER_TEST_OUTPUTDIR"
    write = f"echo 1 > {work}/file && echo 1 > {output}/kept"

    async def main() -> None:
        async with asyncio.timeout(WITHIN), scene(tmp_path, shell, prepare, slots=1) as it:
            number = 1
            for mode in ("500", "000"):
                end = await it.end(number, f"{write}; /bin/chmod {mode} {work} {output}")
                assert end["outputs"] == ["output"]
                assert (it.talk.log_dir(number) / "output" / "kept").read_text() == "1\n"
                await it.end(number + 1, f"/bin/chmod {mode} {work} {output}")
                end = await it.end(number + 2, f"test ! -e {work}/file && {write}")
                assert (end["result"], end["outputs"]) == ("pass", ["output"])
                number += 3

    asyncio.run(main())


@everywhere
@pytest.mark.parametrize("harm", ["/bin/rm -r", "/bin/chmod 0"])
def test_a_test_without_the_folder_of_its_slot_ends_like_any_other(tmp_path, shell, harm):
    # To root nothing is shut.
    prepare = f'exec {shutil.which("unshare")} --map-user=1000 "$@"'
    work, output = "$NRUNNER_TEST_WORKDIR", "$NRUNNER_TEST_OUTPUTDIR"

    async def main() -> None:
        async with asyncio.timeout(WITHIN), scene(tmp_path, shell, prepare, slots=1) as it:
            end = await it.end(1, f"{harm} {tmp_path}/slots/1; echo said")
            assert (end["result"], end.get("trouble")) == ("pass", None)
            assert it.read(1) == b"said\n"
            end = await it.end(2, f"echo 1 > {work}/file && echo 1 > {output}/kept")
            assert (end["result"], end["outputs"]) == ("pass", ["output"])

    asyncio.run(main())


def test_a_daemon_that_is_left_is_named_and_ended(play):
    async def body(it: Scene) -> None:
        script = "PATH=/bin:/usr/bin; (setsid sh -c 'trap \"\" TERM HUP; sleep 1000' &) ; sleep 0.1"
        end = await it.end(1, script, grace=0.1)
        assert end["result"] == "pass"
        assert any("sleep 1000" in leak["command"] for leak in end["leaks"])
        assert not any(_lives(leak["pid"]) for leak in end["leaks"])

    play(body)


def test_who_ignores_a_signal_is_killed_with_all_its_family(play):
    async def body(it: Scene) -> None:
        family = "setsid sleep 1000 & (sleep 1001 & sleep 1002); sleep 1003"
        script = f"PATH=/bin:/usr/bin; trap '' TERM; {family}"
        end = await it.end(1, script, timeout=0.3, grace=0.2)
        assert (end["stop"], end["stop_detail"]) == ("timeout", "past its 0.3 s limit")
        assert end["returncode"] == -9
        assert 0.4 < end["elapsed"] < 3
        assert killing.marked(JOB) == []

    play(body)


@pytest.mark.parametrize("limits", [{}, {"silence": 1.0}])
def test_who_is_due_as_something_else_is_has_its_grace(play, limits):
    async def body(it: Scene) -> None:
        script = "trap 'echo cleaned; exit 0' TERM; while :; do /bin/sleep 0.01; done"
        runnable = Runnable("exec-test", "/bin/sh", ("-c", script))
        for number in (1, 2):
            it.talk.run(number, runnable, timeout=1.0, grace=WITHIN, **limits)
        for number in (1, 2):
            end = await it.talk.hear(number, "ended")
            assert (end["stop"], end["returncode"]) == ("timeout", 0)
            assert it.read(number) == b"cleaned\n"

    play(body)


def test_who_is_silent_for_too_long_is_ended_and_who_is_slow_is_reported(play):
    async def body(it: Scene) -> None:
        path = "PATH=/bin:/usr/bin"
        it.talk.run(1, Runnable("exec-test", "/bin/sh", ("-c", "exec sleep 1000")), silence=0.3)
        talking = f"{path}; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $i; sleep 0.15; done"
        assert (await it.end(2, talking, silence=1.5, slow=0.2))["result"] == "pass"
        assert (await it.talk.hear(1, "ended"))["stop"] == "silence"
        assert it.talk.said(2) == ["started", "slow", "ended"]

    play(body)


def test_fifty_tests_one_after_the_other_and_two_at_once_run_once_each(play):
    async def body(it: Scene) -> None:
        for number in range(1, 51):
            it.talk.run(number, Runnable("exec-test", "/bin/sh", ("-c", f"echo {number}; exit 0")))
        for number in range(1, 51):
            assert (await it.talk.hear(number, "ended"))["result"] == "pass"
            assert it.read(number) == b"%d\n" % number
            assert it.talk.said(number) == ["started", "ended"]

    play(body)


def test_a_cancelled_test_that_still_waits_never_starts(play):
    async def body(it: Scene) -> None:
        for number in (1, 2, 3):
            it.talk.run(number, Runnable("exec-test", "/bin/sh", ("-c", "exec sleep 1000")))
        it.talk.cancel(3)
        assert (await it.talk.hear(3, "not_started"))["cause"] == "cancelled"
        for number in (1, 2):
            it.talk.cancel(number)
            assert (await it.talk.hear(number, "ended"))["stop"] == "cancelled"

    play(body)


@pytest.mark.parametrize("sort", ["missing", "no-such-command", "folder", "forbidden"])
def test_a_program_that_cannot_be_started_is_malformed(tmp_path, sort):
    (tmp_path / "folder").mkdir()
    (tmp_path / "forbidden").write_text("#!/bin/sh\n")
    reasons = {
        "missing": "there is no program",
        "no-such-command": "here or on PATH",
        "folder": "it is a folder",
        "forbidden": "permission denied",
    }
    uri = sort if sort == "no-such-command" else f"./{sort}"

    async def main() -> None:
        async with asyncio.timeout(WITHIN), scene(tmp_path, "busybox") as it:
            it.talk.run(1, Runnable("exec-test", uri))
            head = await it.talk.hear(1, "not_started")
            assert head["cause"] == "malformed"
            assert reasons[sort] in head["reason"]
            assert (await it.end(2, "exit 0"))["result"] == "pass"

    asyncio.run(main())


def test_kinds_are_judged_here_and_those_that_need_python_are_unsuitable(play):
    async def body(it: Scene) -> None:
        tap = "printf '1..2\\nok 1\\nnot ok 2 - second\\n'"
        it.talk.run(1, Runnable("tap", "/bin/sh", ("-c", tap)))
        it.talk.run(2, Runnable("noop"))
        it.talk.run(3, Runnable("python-unittest", "test_x.py"))
        it.talk.run(4, Runnable("strange", "x"))
        it.talk.run(5, Runnable("exec-test"))
        end = await it.talk.hear(1, "ended")
        assert (end["result"], end["fail_reason"]) == ("fail", "1 of 2 tests failed: 2 (second)")
        assert (await it.talk.hear(2, "ended"))["result"] == "pass"
        for number in (3, 4):
            head = await it.talk.hear(number, "not_started")
            assert head["cause"] == "unsuitable"
            assert "no Python in this environment" in head["reason"]
        assert (await it.talk.hear(5, "not_started"))["cause"] == "malformed"
        asked = ("exec-test", "tap", "python-unittest", "strange")
        probed = await it.talk.environment.probe(asked)
        assert [probed[kind] for kind in asked] == [True, True, False, False]
        numbers = [head["seq"] for head in it.talk.events]
        assert numbers == list(range(1, len(numbers) + 1))

    play(body)


def test_requirements_are_looked_for_where_the_test_runs(play):
    async def body(it: Scene) -> None:
        (it.folder / "here").touch()
        ask = it.talk.environment.fulfil
        fields = {"id": "r", "log_dir": str(it.folder / "r")}
        await ask(Requirement("file", "here"), fields)
        await ask(Requirement("command", "sed"), fields)
        await ask(Requirement("noop"), fields)
        await ask(Requirement("exec-test", "/bin/sh", ("-c", "exit 0")), fields)
        for wanted, reason in (
            (Requirement("file", "gone"), "'gone': no such file"),
            (Requirement("command", "python3"), "no command 'python3' on PATH"),
            (Requirement("exec-test", "/bin/sh", ("-c", "exit 3")), "exited with status 3"),
            (Requirement("exec-test", "./gone"), "there is no program"),
            (Requirement("package", "x"), "no Python in this environment"),
        ):
            with pytest.raises(RequirementError, match=reason):
                await ask(wanted, fields)

        async def read(_offset: int) -> bytes:
            return b""

        with pytest.raises(RequirementError, match="bring a file to an environment without Python"):
            await it.talk.environment.put({"path": "/x", "size": 0}, read)
        assert it.talk.events == []

    play(body)


@pytest.mark.parametrize("later", [0.0, 0.3])
def test_a_requirement_that_is_a_program_is_met_once_though_the_stream_is_cut(play, later):
    """Whether it has ended by the time that the stream is back, or not."""

    async def body(it: Scene) -> None:
        holding = asyncio.ensure_future(it.talk.environment.wait_gone())
        wait = f"until [ -e {it.folder}/go ]; do sleep 0.01; done"
        script = f"PATH=/bin; echo x >> {it.folder}/met; {wait}"
        wanted = Requirement("exec-test", "/bin/sh", ("-c", script))
        fields = {"id": "r", "log_dir": str(it.folder / "r")}
        asking = asyncio.ensure_future(it.talk.environment.fulfil(wanted, fields))
        while not (it.folder / "met").exists():  # noqa: ASYNC110 - made by another process
            await asyncio.sleep(0.005)
        it.talk.cut()
        await asyncio.sleep(later)
        (it.folder / "go").touch()
        assert await asking is True
        assert (it.folder / "met").read_text() == "x\n"
        holding.cancel()
        await asyncio.wait([holding])

    play(body)


def test_who_stops_or_kills_its_parent_harms_nobody_but_itself(play):
    async def body(it: Scene) -> None:
        it.talk.run(1, Runnable("exec-test", "/bin/sh", ("-c", "exec sleep 1.5")))
        stopped = await it.end(2, "kill -STOP $PPID")
        assert stopped["result"] == "pass"
        killed = await it.end(3, "kill -KILL $PPID; exec sleep 1000")
        assert killed["result"] == ""
        assert "was killed" in killed["trouble"]
        assert (await it.end(4, "kill -TERM $PPID; exit 3"))["returncode"] == 3
        assert (await it.talk.hear(1, "ended"))["result"] == "pass"

    play(body)


@pytest.mark.parametrize("victim", ["main", "first", "group"])
def test_an_agent_that_is_killed_takes_everything_with_it(tmp_path, victim):
    async def main() -> None:
        async with asyncio.timeout(WITHIN), scene(tmp_path, "busybox") as it:
            environment = it.talk.environment
            assert (await it.end(1, "echo over"))["result"] == "pass"
            stubborn = (
                "trap '' TERM; PATH=/bin:/usr/bin; setsid sleep 1000 & while :; do sleep 1; done"
            )
            it.talk.run(2, Runnable("exec-test", "/bin/sh", ("-c", stubborn)))
            await it.talk.hear(2, "started")
            first = it.handle.process.pid
            if victim == "group":
                os.killpg(first, signal.SIGKILL)
            else:
                os.kill(environment.hello["pid"] if victim == "main" else first, signal.SIGKILL)
            assert await it.handle.wait_gone()
            if victim == "main":
                assert killing.marked(JOB) == []  # its guard has seen to it
            await it.handle.destroy()
            assert killing.marked(JOB) == []
            left = await it.handle.remains()
            assert left is not None
            story = [(head["task"], head["event"]) for head in left.events]
            assert story == [(1, "started"), (1, "ended"), (2, "started")]
            assert left.taken == frozenset()

    asyncio.run(main())


@everywhere
def test_an_agent_whose_guard_was_killed_ends_everything_by_itself(play):
    async def body(it: Scene) -> None:
        guard = read_process(it.talk.environment.hello["pid"])
        assert guard is not None
        os.kill(guard.parent, signal.SIGKILL)
        stubborn = "trap '' TERM; while :; do PATH=/bin sleep 1; done"
        it.talk.run(1, Runnable("exec-test", "/bin/sh", ("-c", stubborn)))
        await it.talk.hear(1, "started")
        with it.handle.agent.told_to_leave():
            async with asyncio.timeout(5):
                await it.handle.wait_gone()
        assert killing.marked(JOB) == []

    play(body)


def test_a_stream_that_is_cut_again_and_again_loses_nothing_and_runs_nothing_twice(play):
    async def body(it: Scene) -> None:
        holding = asyncio.ensure_future(it.talk.environment.wait_gone())
        for number in range(1, 13):
            script = f"echo x >> {it.folder}/ran-{number}; PATH=/bin sleep 0.05"
            it.talk.run(number, Runnable("exec-test", "/bin/sh", ("-c", script)))
        for _ in range(4):
            await asyncio.sleep(0.1)
            it.talk.cut()
        for number in range(1, 13):
            await it.talk.hear(number, "ended")
            assert it.talk.said(number) == ["started", "ended"]
            assert (it.folder / f"ran-{number}").read_text() == "x\n"
        holding.cancel()
        await asyncio.wait([holding])

    play(body)


@everywhere
def test_why_a_test_was_stopped_is_known_though_much_was_forgotten_and_the_stream_is_cut(play):
    """What was said until then is acknowledged, and in nobody's way any more."""

    async def body(it: Scene) -> None:
        async def until(is_so: Callable[[], bool]) -> None:
            while not is_so():  # noqa: ASYNC110 - another process does it
                await asyncio.sleep(0.01)

        holding = asyncio.ensure_future(it.talk.environment.wait_gone())
        wait = f": > {it.folder}/waits; until [ -e {it.folder}/go ]; do sleep 0.01; done"
        script = f"trap : TERM; PATH=/bin; {wait}"
        it.talk.run(1, Runnable("exec-test", "/bin/sh", ("-c", script)), grace=60)
        await until((it.folder / "waits").exists)
        it.talk.cancel(1)
        spool = it.handle.home / "spool"
        await until(lambda: "stopped 1 1 cancelled" in spool.read_text())
        for number in range(2, 300):
            it.talk.run(number, Runnable("noop"))
        await until(lambda: "event 1 1 1 " not in spool.read_text())
        assert it.talk.said(1) == ["started"]
        it.talk.cut()
        (it.folder / "go").touch()
        end = await it.talk.hear(1, "ended")
        assert (end["stop"], end["stop_detail"]) == ("cancelled", "cancelled by the test")
        assert end["result"] == ""
        holding.cancel()
        await asyncio.wait([holding])

    play(body)


@everywhere
def test_what_is_paused_stands_still_and_so_do_its_limits(play):
    async def body(it: Scene) -> None:
        script = "PATH=/bin; while :; do echo x; sleep 0.02; done"
        it.talk.run(1, Runnable("exec-test", "/bin/sh", ("-c", script)), timeout=1.5, grace=0.1)
        await it.talk.hear(1, "started")
        file = it.folder / "slots" / "1.1.out"
        while not file.stat().st_size:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        assert await it.talk.environment.pause() >= 1
        size = file.stat().st_size
        await asyncio.sleep(1.7)
        assert file.stat().st_size == size > 0
        await it.talk.environment.resume()
        end = await it.talk.hear(1, "ended")
        assert end["stop"] == "timeout"
        assert end["elapsed"] > 1.4
        # It went on: without the pause there is time for some sixty of these.
        assert len(it.read(1)) > size + 2 * 5

    play(body)


class Channel:
    """The streams of a relay, as an SSH channel would carry them."""

    def __init__(self, words: tuple[str, ...], home: Path, link: ShellLink) -> None:
        self._link = link
        self._waiting: list[bytes] | None = []
        self._process: asyncio.subprocess.Process | None = None
        self._task = asyncio.ensure_future(self._carry((*words, str(agent_script())), home))

    async def _carry(self, words: tuple[str, ...], home: Path) -> None:
        pipe = asyncio.subprocess.PIPE
        self._process = process = await asyncio.create_subprocess_exec(
            *words, "relay", str(home), stdin=pipe, stdout=pipe
        )
        assert process.stdin is not None
        assert process.stdout is not None
        waiting, self._waiting = self._waiting or [], None
        process.stdin.writelines(waiting)
        while data := await process.stdout.read(7):
            self._link.heard(data)
        await process.wait()
        self._link.hung_up()

    def send(self, said: bytes) -> None:
        room = "9" * 10  # for the number that the relay puts in front
        for piece in cut(room, said):
            line = piece[len(room) + 1 :]
            if self._waiting is not None:
                self._waiting.append(line)
            else:
                assert self._process is not None
                assert self._process.stdin is not None
                self._process.stdin.write(line)

    def close(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    async def wait_closed(self) -> None:
        await self._task


def test_a_stream_of_bytes_will_do_where_no_file_is_shared(tmp_path):
    """What a test printed is fetched through the relay, in the middle of everything else."""
    channels: list[Channel] = []

    async def body(it: Scene) -> None:
        words = SHELLS["busybox"]

        async def connect(factory: Callable[[], asyncio.Protocol]) -> None:
            def reach(link: ShellLink) -> Channel:
                channels.append(Channel(words, it.handle.home, link))
                return channels[-1]

            ShellLink(factory(), reach, shares_files=False)

        it.handle.connect = connect  # type: ignore[method-assign]
        it.talk = Talk(it.handle, it.settings, epoch=2)
        await it.talk.environment.open()
        holding = asyncio.ensure_future(it.talk.environment.wait_gone())
        odd = "printf '\\000\\377\\n odd '; head -c 70000 /dev/zero; echo err >&2"
        quiet = Runnable("exec-test", "/bin/sh", ("-c", ":"))
        it.talk.run(1, Runnable("exec-test", "/bin/sh", ("-c", f"PATH=/usr/bin; {odd}")))
        it.talk.run(2, quiet)
        it.talk.run(3, Runnable("tap", "/bin/sh", ("-c", "echo 1..1; echo ok 1")))
        it.talk.run(
            4, Runnable("exec-test", "/bin/sh", ("-c", "PATH=/bin; head -c 65536 /dev/zero"))
        )
        for number in (1, 2, 3, 4):
            end = await it.talk.hear(number, "ended")
            assert end["result"] == "pass"
            assert "trouble" not in end
        assert it.read(1) == b"\0\377\n odd " + bytes(70000)
        assert it.read(1, "stderr") == b"err\n"
        assert it.read(4) == bytes(65536)
        inside = it.handle.home / "slots"
        assert not (inside / "1.1.out").exists()
        it.talk.cut()
        assert (await it.end(5, "echo again"))["outputs"] == ["stdout"]
        assert len(channels) == 2
        numbers = [head["seq"] for head in it.talk.events]
        assert numbers == list(range(1, len(numbers) + 1))
        holding.cancel()
        await asyncio.wait([holding])
        await it.talk.environment.close()
        for channel in channels:
            await channel.wait_closed()

    async def main() -> None:
        async with asyncio.timeout(WITHIN), scene(tmp_path, "busybox") as it:
            await body(it)

    asyncio.run(main())


def test_an_agent_that_has_left_is_not_there_to_be_reached(play):
    async def body(it: Scene) -> None:
        await it.talk.environment.close()
        await it.handle.wait_gone()
        with pytest.raises(LinkError):
            await it.handle.connect(asyncio.Protocol)
        assert not _lives(it.handle.process.pid)

    play(body)


def _lives(pid: int) -> bool:
    process = read_process(pid)
    return process is not None and process.is_alive
