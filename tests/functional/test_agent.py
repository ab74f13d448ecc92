"""Real agents: every interpreter, payloads that misbehave, and ends that nobody asked for."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest

from nrunner.berth import Berth
from nrunner.environment import run_frame
from nrunner.errors import LinkError, RecipeError, RequirementError
from nrunner.runnable import Requirement, Runnable
from nrunner.runners import cgroup, procfs
from nrunner.runners.content_cache import ContentCache
from nrunner.runners.content_stock import entries, remove, tidy
from nrunner.runners.incoming import LONGEST_PIECE
from nrunner.runners.registry import KINDS
from nrunner.runners.wire import PROTOCOL_VERSION
from nrunner.spawners import process_handle
from nrunner.spawners.agentfile import agent_file
from nrunner.spawners.base import Offer, Spawner, SpawnerContext
from nrunner.spawners.process import make_spawner
from nrunner.spawners.process_handle import ProcessHandle
from nrunner.testing.talk import Talk
from tests.functional.file_server import serving
from tests.functional.sandbox import wait_until

Body = Callable[[Talk, ProcessHandle], Coroutine[Any, Any, None]]

UNITTEST = """
import sys, unittest
class T(unittest.TestCase):
    def test_good(self): print("out"); print("err", file=sys.stderr)
    def test_bad(self): self.assertEqual(1, 2)
    @unittest.skip("not today")
    def test_skipped(self): pass
"""

NEVER_UP = """
import time
if "zygote" in open("/proc/self/cmdline").read():
    time.sleep(600)
"""


class Agents:
    """Starts agents in a folder, and finds what is left of them."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.job_id = f"job-{secrets.token_hex(8)}"
        self.runtime = folder / "run"
        self.runtime.mkdir(mode=0o700)
        self.slots = folder / "slots"
        self._context = SpawnerContext(self.job_id, self.runtime, cache, 2)

    def talk(self, body: Body, within: float = 40, **settings: Any) -> None:
        """Run `body` with an agent that was greeted; nothing is left of it afterwards."""

        async def main() -> None:
            spawner = make_spawner(self._context)
            handle = await spawner.open("process")
            assert isinstance(handle, ProcessHandle)
            talk = Talk(handle, {**self.settings(), **settings})
            try:
                await talk.environment.open()
                await body(talk, handle)
            finally:
                await talk.environment.close()
            assert self.remains() == []

        async def bounded() -> None:
            async with asyncio.timeout(within):
                await main()

        asyncio.run(bounded())

    def spawner(self) -> Spawner:
        return make_spawner(self._context)

    def remains(self) -> list[str]:
        """Return what is left: processes with the job's mark or folder, and the folder's files."""
        mark, folder = f"{self.job_id}:", str(self.folder)
        found = [path.name for path in self.runtime.iterdir()]
        for pid in procfs.snapshot():
            named = procfs.mark_of(pid, "NRUNNER_ATTEMPT") or ""
            if folder in procfs.command_of(pid) or named.startswith(mark):
                found.append(f"{pid} {procfs.command_of(pid)}")
        return found

    def settings(self) -> dict[str, Any]:
        return {
            "job_id": self.job_id,
            "base_dir": str(self.folder),
            "results_dir": str(self.folder),
            "slots_dir": str(self.slots),
            "slots": 2,
        }


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def agents(tmp_path, cache):
    return Agents(tmp_path, cache)


def shell(script: str, **config: Any) -> Runnable:
    return Runnable("exec-test", "/bin/sh", ("-c", script), config=config)


def is_gone(pid: int) -> bool:
    """Whether a process can do nothing any more; somebody may still have to wait for it."""
    process = procfs.read_process(pid)
    return process is None or not process.is_alive


def guardian_of(handle: ProcessHandle) -> int:
    return handle.pid


def agent_of(talk: Talk) -> int:
    return int(talk.environment.hello["pid"])


# The same on every interpreter.


def test_an_agent_of_any_interpreter_runs_every_kind_alike(
    agents, portable_python, monkeypatch, tmp_path
):
    monkeypatch.setattr(sys, "executable", str(portable_python))
    (tmp_path / "test_x.py").write_text(UNITTEST)
    (tmp_path / "data").write_text("")
    tap = tmp_path / "ok.t"
    tap.write_text("#!/bin/sh\necho 1..2; echo ok 1; echo not ok 2 - broken\n")
    tap.chmod(0o755)
    wanted: dict[int, tuple[Runnable, Mapping[str, Any]]] = {
        1: (Runnable("noop"), {"result": "pass"}),
        2: (shell("echo hello"), {"result": "pass", "returncode": 0, "outputs": ["stdout"]}),
        3: (shell("exit 3"), {"result": "fail", "returncode": 3}),
        4: (shell("kill -SEGV $$"), {"result": "fail", "returncode": -11}),
        5: (Runnable("tap", str(tap)), {"result": "fail", "outputs": ["stdout"]}),
        6: (Runnable("file", "data"), {"result": "pass"}),
        7: (Runnable("python-unittest", "test_x.py:T.test_good"), {"result": "pass"}),
        8: (Runnable("python-unittest", "test_x.py:T.test_bad"), {"result": "fail"}),
        9: (Runnable("python-unittest", "test_x.py:T.test_skipped"), {"result": "skip"}),
        10: (Runnable("exec-test", "/no/such/file"), {"cause": "malformed"}),
    }

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        version = portable_python.name.removeprefix("python")
        assert talk.environment.hello["python"].startswith(version.partition("-")[0][:4] or "3")
        for number, (runnable, _) in wanted.items():
            talk.run(number, runnable)
        for number, (_, expected) in wanted.items():
            name = "not_started" if "cause" in expected else "ended"
            end = await talk.hear(number, name)
            assert {key: end.get(key) for key in expected} == expected, end
        assert (talk.log_dir(2) / "stdout").read_bytes() == b"hello\n"
        assert (talk.log_dir(7) / "stdout").read_bytes().startswith(b"out\n")
        assert not talk.log_dir(1).exists()

    agents.talk(body, config={})


def test_an_agent_imports_little_before_it_can_be_spoken_to(cache):
    heavy = {"argparse", "contextlib", "ctypes.util", "dataclasses", "hashlib", "inspect"} | {
        *("logging", "pathlib", "random", "shutil", "ssl", "subprocess", "tempfile", "threading"),
        *("typing", "unittest", "uuid"),
        *("nrunner.messages", "nrunner.runners.reception", "nrunner.runners.zygote"),
    }
    source = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import nrunner.runners.guardian, nrunner.runners.agent, nrunner.runners.noop\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", source, agent_file(cache)],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    assert sorted(heavy & set(done.stdout.split())) == []


LEFT_OUT = ("__main__.py", "pytest_plugins.py", "pytest_result.py", "pytest_session.py")
"""What is run at once, and what is loaded only in an interpreter that has pytest."""


def test_the_zipapp_runs_bare_and_imports_the_portable_set_alone(portable_python, cache):
    """Without site-packages, from a folder that holds nothing else."""
    source = (
        "import runpy, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from importlib import import_module\n"
        "import zipfile\n"
        "names = [n for n in zipfile.ZipFile(sys.argv[1]).namelist() if n.endswith('.py')]\n"
        "for name in names:\n"
        f"    if not name.endswith({LEFT_OUT}):\n"
        "        import_module(name[:-3].replace('/', '.').replace('.__init__', ''))\n"
        "print('\\n'.join(f'{n} {getattr(m, \"__file__\", None)}' "
        "for n, m in sys.modules.items()))\n"
    )
    archive = agent_file(cache)
    done = subprocess.run(
        [portable_python, "-I", "-S", "-c", source, archive],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    modules = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    ours = {name for name in modules if name.partition(".")[0] == "nrunner"}
    assert {"nrunner.runners.agent", "nrunner.runners.guardian", "nrunner.messages"} <= ours
    assert all(modules[name].startswith(str(archive)) for name in ours)
    tops = {name.partition(".")[0] for name in modules} - {"nrunner", "__main__"}
    assert {top for top in tops if "site-packages" in str(modules.get(top))} == set()
    known = sys.stdlib_module_names | {"__mp_main__"}
    assert {top for top in tops if top not in known and not top.startswith("_")} == set()


def test_the_zipapp_says_how_it_is_used(portable_python, cache):
    done = subprocess.run(
        [portable_python, "-I", "-S", agent_file(cache)], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")


# Slots and output.


def test_slots_are_used_again_and_no_output_of_one_task_shows_up_in_another(agents):
    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        for number in range(1, 21):
            script = f'echo {number}; echo {number} >"$TMPDIR/x"; ls "$TMPDIR" | wc -l'
            talk.run(number, shell(script if number % 2 else "true"))
        for number in range(1, 21):
            end = await talk.hear(number, "ended")
            if number % 2:
                text = (talk.log_dir(number) / "stdout").read_text()
                assert text.split() == [str(number), "1"]
            else:
                assert "outputs" not in end
                assert not talk.log_dir(number).exists()
        assert len(list(agents.slots.iterdir())) <= 2

    agents.talk(body)
    assert not agents.slots.exists()


def test_nothing_is_removed_that_the_agent_did_not_make(agents):
    """Whatever folder it is told to use, and whatever looks like a slot of its own there."""
    precious = [
        agents.slots / "1" / "stdout",
        agents.slots / "1" / "work" / "x",
        agents.slots / "y",
    ]
    for path in precious:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("kept")
    mode = agents.slots.stat().st_mode

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        for number in (1, 2, 3):
            talk.run(number, shell('echo x >"$TMPDIR/x"; echo out'))
            await talk.hear(number, "ended")

    agents.talk(body)
    assert [path.read_text() for path in precious] == ["kept"] * 3
    assert sorted(path.name for path in agents.slots.iterdir()) == ["1", "y"]
    assert agents.slots.stat().st_mode == mode


def test_nothing_runs_until_it_is_said_where_it_may_write(agents):
    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        talk.run(1, shell("true"))
        end = await talk.hear(1, "not_started")
        assert end["cause"] == "infra"
        assert "where attempts may write" in end["reason"]

    agents.talk(body, slots_dir="")


def test_tests_run_while_much_that_another_printed_is_read(agents):
    """There are a million lines of TAP to be read, each of which may be the wrong one."""

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        script = f"seq -f 'ok %.0f' 1000000; echo not ok; echo 1..1000001; > {agents.folder}/said"
        talk.run(1, Runnable("tap", "/bin/sh", ("-c", script)))
        while not (agents.folder / "said").exists():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.002)
        for number in range(2, 7):
            talk.run(number, Runnable("exec-test", "/bin/true"))
            await talk.hear(number, "ended")
            assert "ended" not in talk.said(1), "they waited for a verdict"
        talk.cancel(1)
        end = await talk.hear(1, "ended")
        assert (end["result"], end["fail_reason"]) == ("fail", "1 of 1000001 tests failed: 1000001")
        assert "stop" not in end, "it was over before it was cancelled"

    agents.talk(body)


def test_nobody_waits_long_for_the_verdict_of_what_was_to_be_killed(agents):
    """Eight million lines take many seconds to read."""

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        said = agents.folder / "said"
        script = f"yes ok | head -n 8000000; echo $$ > {said}.new; mv {said}.new {said}"
        talk.run(1, Runnable("tap", "/bin/sh", ("-c", script)))
        while not said.exists() or not is_gone(int(said.read_text())):  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        talk.cancel(1, kill=True)
        end = await talk.hear(1, "ended")
        assert (end["result"], end["stop"]) == ("", "cancelled")
        assert end["returncode"] == 0
        assert "stdout" in end["outputs"]
        talk.run(2, shell("true"))
        assert (await talk.hear(2, "ended"))["result"] == "pass", "its slot is still taken"

    agents.talk(body, slots=1)


def test_more_is_queued_than_runs_and_what_waits_can_be_cancelled(agents):
    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        for number in (1, 2, 3, 4):
            talk.run(number, shell("exec sleep 1000") if number < 3 else shell("true"))
        await talk.hear(2, "started")
        talk.cancel(4)
        assert (await talk.hear(4, "not_started"))["cause"] == "cancelled"
        assert talk.said(3) == []
        talk.cancel(1)
        await talk.hear(3, "ended")
        assert talk.said(4) == ["not_started"]

    agents.talk(body)


def test_what_cannot_be_started_may_have_a_reason_that_is_longer_than_a_frame(agents):
    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        talk.run(1, Runnable("python-unittest", "x.py:T", kwargs={"exclude": "é" * 400_000}))
        refused = await talk.hear(1, "not_started")
        assert refused["cause"] == "malformed"
        assert refused["reason"].startswith('kwarg "exclude": expected a list, got \'éé')
        talk.run(2, shell("true"))
        assert (await talk.hear(2, "ended"))["result"] == "pass"

    agents.talk(body)


# Ending everything.


def test_an_agent_that_is_killed_leaves_word_of_what_it_was_about_to_start(agents):
    """Its zygote never comes up, so nothing was said of the attempt yet."""
    file = agents.folder / "test_it.py"
    file.write_text(UNITTEST)
    start = agents.folder / "start"
    start.mkdir()
    (start / "sitecustomize.py").write_text(NEVER_UP)
    config = {"runner.env": {"PYTHONPATH": str(start)}}

    async def body(talk: Talk, handle: ProcessHandle) -> None:
        talk.run(1, Runnable("python-unittest", f"{file}:T.test_good", config=config))
        await talk.environment.probe([])  # it has seen the order, too
        (agent,) = procfs.children_of(guardian_of(handle))
        os.kill(agent, signal.SIGKILL)
        await handle.wait_gone()
        left = await handle.remains()
        assert left is not None
        assert left.taken == {(1, 1)}
        assert left.events == ()

    agents.talk(body)


def test_what_is_killed_before_anybody_forked_it_is_told_of_as_started(agents):
    """The interpreter of its zygote hangs as it starts."""
    hangs, asked = agents.folder / "python", agents.folder / "asked"
    hangs.write_text(f"#!/bin/sh\ntouch {asked}\nexec sleep 1000\n")
    hangs.chmod(0o755)
    runnable = Runnable("python-unittest", "x.py:T.test", config={"runner.python": str(hangs)})

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        talk.run(1, runnable)
        await asyncio.to_thread(wait_until, asked.exists, "it is started")
        talk.cancel(1, kill=True)
        assert (await talk.hear(1, "ended"))["stop"] == "cancelled"
        assert talk.said(1) == ["started", "ended"]

    agents.talk(body)


STOPPER = """
import os, signal, time, unittest
class T(unittest.TestCase):
    def test_stops(self):
        os.kill(os.getppid(), signal.SIGSTOP)
        open("stopped", "w").close()
        time.sleep(1000)
    def test_waits(self):
        pass
"""


@pytest.mark.parametrize("kill", [False, True])
def test_what_is_ended_that_a_copy_of_its_zygote_never_forked_is_told_of_as_started(agents, kill):
    (agents.folder / "test_it.py").write_text(STOPPER)

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        talk.run(1, Runnable("python-unittest", "test_it.py:T.test_stops"))
        stopped = agents.folder / "stopped"
        await asyncio.to_thread(wait_until, stopped.exists, "its zygote is stopped")
        talk.run(2, Runnable("python-unittest", "test_it.py:T.test_waits"), grace=0.1)
        await talk.environment.probe([])  # it has been ordered
        talk.cancel(2, kill=kill)
        assert (await talk.hear(2, "ended"))["stop"] == "cancelled"
        assert talk.said(2) == ["started", "ended"]

    agents.talk(body)


def test_what_lingers_when_its_attempt_is_killed_is_a_leak(agents):
    """It had not had its time to end by itself: that is no reason to keep quiet about it."""

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        talk.run(1, shell("sleep 1000 &"))
        pid = (await talk.hear(1, "started"))["pid"]
        while procfs.read_process(pid) is not None:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.002)
        talk.cancel(1, kill=True)
        end = await talk.hear(1, "ended")
        assert end["result"] == "pass"
        # Which may still be the shell that is about to become it, or in the middle of that.
        (leak,) = end["leaks"]
        assert "sleep" in leak["command"]

    agents.talk(body)


def test_what_a_test_leaves_behind_is_named_and_ended(agents):
    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        talk.run(1, shell("sleep 1000 & until grep -qx sleep /proc/$!/comm; do :; done"))
        end = await talk.hear(1, "ended")
        assert end["result"] == "pass"
        (leak,) = end["leaks"]
        assert leak["command"] == "sleep 1000"
        assert is_gone(leak["pid"])

    agents.talk(body)


def test_what_a_series_says_at_length_as_it_is_torn_down_is_told_in_short(agents):
    file = agents.folder / "test_it.py"
    file.write_text(
        "import unittest\n"
        "def tearDownModule(): raise OSError('\N{GRINNING FACE}' * 3000)\n"
        "class T(unittest.TestCase):\n"
        "    def test_it(self): pass\n"
    )
    config = {"runner.isolation": "module"}
    order = {
        "task": 1,
        "attempt": 1,
        "id": "1-x",
        "runnable": Runnable("python-unittest", f"{file}:T.test_it", config=config).to_json(),
        "log_dir": str(agents.folder / "1-x"),
        "series": "it",
        "next": f"{file}:T.test_that_never_comes",
    }

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        talk.environment.run_nowait((1, 1), run_frame(order))
        assert (await talk.hear(1, "ended"))["result"] == "pass"
        text = (await talk.hear(0, "notice"))["text"]
        assert text.startswith("after 1-x: tearDownModule (test_it): OSError: \N{GRINNING FACE}")
        assert text.endswith("\N{GRINNING FACE}")
        assert len(text) < 1100

    agents.talk(body)


def test_a_daemon_without_session_mark_or_ears_is_ended(agents):
    daemon = "trap '' TERM HUP INT; while :; do sleep 0.2; done"
    hide = f"import os; os.setsid(); os.execve('/bin/sh', ['sh', '-c', {daemon!r}], {{}})"
    script = f'( "{sys.executable}" -I -S -c "$0" & ) ; sleep 0.3'

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        talk.run(1, Runnable("exec-test", "/bin/sh", ("-c", script, hide)))
        end = await talk.hear(1, "ended")
        assert len(end["leaks"]) >= 1
        assert all(is_gone(leak["pid"]) for leak in end["leaks"])

    agents.talk(body)


def test_what_ends_by_itself_within_a_moment_is_no_leak(agents):
    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        talk.run(1, shell("while kill -0 $$ 2>/dev/null; do :; done &"))
        assert "leaks" not in await talk.hear(1, "ended")

    agents.talk(body)


def test_a_test_that_is_over_is_not_past_a_limit_that_passes_while_its_rest_is_ended(agents):
    """Its main process ended in time: what it left is a leak, not a timeout."""

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        talk.run(1, shell("trap '' TERM; sleep 1000 & exit 0"), timeout=0.5, grace=0.8)
        end = await talk.hear(1, "ended")
        assert end["result"] == "pass"
        assert "stop" not in end
        assert len(end["leaks"]) == 1

    agents.talk(body)


def test_a_limit_of_silence_counts_from_the_last_output(agents):
    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        talk.run(1, shell("for i in 1 2 3 4 5; do echo; sleep 0.2; done; sleep 1000"), silence=0.7)
        end = await talk.hear(1, "ended")
        assert end["stop"] == "silence"
        assert 1 < end["elapsed"] < 8

    agents.talk(body)


def test_a_slow_test_is_announced_and_goes_on(agents):
    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        talk.run(1, shell("while [ ! -e go ]; do sleep 0.02; done"), slow=0.1)
        assert (await talk.hear(1, "slow"))["elapsed"] >= 0.1
        (agents.folder / "go").touch()
        assert (await talk.hear(1, "ended"))["result"] == "pass"

    agents.talk(body)


def test_limits_hold_while_nobody_is_connected(agents):
    async def body(talk: Talk, handle: ProcessHandle) -> None:
        talk.acknowledges = False
        talk.run(1, shell("exec sleep 1000"), timeout=1.0, grace=0.1)
        pid = (await talk.hear(1, "started"))["pid"]
        talk.cut()
        again = Talk(handle, agents.settings(), epoch=2)
        wait_until(lambda: is_gone(pid), "it is ended")
        await again.environment.open()
        assert (await again.hear(1, "ended"))["stop"] == "timeout"

    agents.talk(body)


# Ends that nobody asked for.


def test_an_agent_that_is_killed_takes_everything_with_it(agents):
    async def body(talk: Talk, handle: ProcessHandle) -> None:
        talk.run(1, shell("trap '' TERM; while :; do sleep 0.2; done"))
        talk.run(2, shell("setsid sleep 1000 & exec sleep 1000"))
        await talk.hear(1, "started")
        await talk.hear(2, "started")
        os.kill(agent_of(talk), signal.SIGKILL)
        assert "exited with status 1" in await handle.wait_gone()

    agents.talk(body)


def test_a_payload_that_kills_its_parent_ends_the_environment_and_nothing_else(agents):
    async def body(talk: Talk, handle: ProcessHandle) -> None:
        talk.run(1, shell("kill -9 $PPID; exec sleep 1000"))
        assert await handle.wait_gone()

    agents.talk(body)


def test_an_agent_that_nobody_has_greeted_ends_with_whoever_started_it(agents, tmp_path):
    """A controller that is killed at once leaves nothing behind for any time."""
    starter = (
        "import asyncio, sys; from pathlib import Path\n"
        "from nrunner.spawners.base import SpawnerContext\n"
        "from nrunner.spawners.process import make_spawner\n"
        "context = SpawnerContext('job', Path(sys.argv[1]), Path(sys.argv[2]), 1)\n"
        "handle = asyncio.run(make_spawner(context).open('process'))\n"
        "print(handle.pid, flush=True); sys.stdin.read()\n"
    )
    words = [sys.executable, "-c", starter, str(agents.runtime), str(tmp_path / "cache")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        guardian = int(process.stdout.readline())
        assert not is_gone(guardian)
        process.kill()
    wait_until(lambda: is_gone(guardian), "the guardian has left", 5)
    wait_until(lambda: not list(agents.runtime.iterdir()), "its folder is gone", 5)


def test_a_guardian_that_is_killed_takes_its_agent_with_it(agents, monkeypatch):
    ended_by_force: list[str] = []
    monkeypatch.setattr(process_handle, "_remove_remains", ended_by_force.append)

    async def body(talk: Talk, handle: ProcessHandle) -> None:
        talk.run(1, shell("trap '' TERM; while :; do sleep 0.2; done"))
        await talk.hear(1, "started")
        os.kill(guardian_of(handle), signal.SIGKILL)
        await handle.wait_gone()
        wait_until(lambda: is_gone(agent_of(talk)), "the agent has left", 5)

    agents.talk(body)
    assert len(ended_by_force) == 1  # and that did nothing


def test_what_outlives_an_agent_and_its_guardian_is_ended_with_the_environment(agents):
    """If it is in a control group: otherwise nobody knows of it any more."""

    async def body(talk: Talk, handle: ProcessHandle) -> None:
        talk.run(1, shell("trap '' TERM; while :; do sleep 0.2; done"))
        payload = (await talk.hear(1, "started"))["pid"]
        both = guardian_of(handle), agent_of(talk)
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in both:
                os.kill(pid, number)
        await handle.wait_gone()
        assert not is_gone(payload)
        group = cgroup.own_folder()
        await handle.destroy()
        if group is None or not os.access(group, os.W_OK):
            os.killpg(payload, signal.SIGKILL)
        assert is_gone(payload)

    agents.talk(body)


def test_an_agent_that_hangs_is_ended_by_force_and_leaves_nothing(agents):
    async def body(talk: Talk, handle: ProcessHandle) -> None:
        talk.run(1, shell("trap '' TERM; while :; do sleep 0.2; done"))
        await talk.hear(1, "started")
        os.kill(agent_of(talk), signal.SIGSTOP)
        await handle.destroy()

    agents.talk(body)


def test_an_agent_that_never_had_a_controller_does_not_wait_for_ever(cache):
    """Its patience is not waited for here; it is bounded before anybody says hello."""
    from nrunner.runners import agent

    assert 0 < agent._UNTIL_FIRST_HELLO <= 60


# What is said to it.


def say(handle: ProcessHandle, *frames: bytes) -> list[Mapping[str, Any]]:
    """Send frames on a connection of their own; return what comes back until it is closed."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(5)
        peer.connect(str(handle._folder / "socket"))
        peer.sendall(b"".join(frames))
        peer.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := peer.recv(1 << 16):
            answer += piece
    return [json.loads(line) for line in answer.splitlines()]


def hello(handle: ProcessHandle, **fields: Any) -> bytes:
    head = {
        "type": "hello",
        "protocol": PROTOCOL_VERSION,
        "token": handle.token,
        "epoch": 1,
        "acknowledged": 0,
        **fields,
    }
    return json.dumps(head).encode() + b"\n"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"token": ""}, "wrong token"),
        ({"token": "\ud800"}, "malformed hello"),
        ({"token": ["x"]}, "wrong token"),
        ({"protocol": PROTOCOL_VERSION + 2}, "too far"),
        ({"protocol": "new"}, "malformed hello"),
        ({"protocol": None}, "malformed hello"),
        ({"epoch": 0}, "older"),
        ({"epoch": "x"}, "older"),
        ({"acknowledged": []}, "malformed hello"),
        ({"type": "run"}, "say hello first"),
    ],
    ids=str,
)
def test_a_hello_that_is_not_right_is_refused_and_harms_nobody(agents, fields, reason):
    async def body(talk: Talk, handle: ProcessHandle) -> None:
        if "acknowledged" in fields:
            fields["epoch"] = 0
        (answer,) = await asyncio.to_thread(say, handle, hello(handle, **fields))
        assert answer["type"] == "refused"
        assert reason in answer["reason"] or "older" in answer["reason"]
        talk.run(1, shell("true"))
        await talk.hear(1, "ended")

    agents.talk(body)


GARBAGE = (
    b"\n",
    b"{\n",
    b"[]\n",
    b'"x"\n',
    b"\xff\xfe\n",
    b"[" * 5000 + b"\n",
    b'{"type": []}\n',
    b'{"type": "explode"}\n',
    b'{"type": "run"}\n',
    b'{"type": "run", "task": 1, "attempt": 1, "id": "x", "log_dir": "/x", "runnable": []}\n',
    b'{"type": "cancel"}\n',
    b'{"type": "ack", "seq": "x"}\n',
    b'{"type": "fulfil", "request": 1, "requirement": 7}\n',
    b'{"type": "fulfil", "request": 2, "requirement": {"kind": "file", "uri": "\\u0000"}}\n',
    b'{"type": "probe", "kinds": 3}\n',
    b'{"type": "probe", "kinds": ["\\ud800", "a/b", ""]}\n',
    b'{"type": "ack", "seq": 1, "body": -1}\n',
    b'{"type": "ack", "seq": 1, "body": "x"}\n',
    b"x" * (2 << 20) + b"\n",
)


def test_frames_that_make_no_sense_cost_themselves_alone(agents):
    async def body(talk: Talk, handle: ProcessHandle) -> None:
        frames = [hello(handle, epoch=2), *GARBAGE]
        ask = b'{"type": "probe", "request": 99, "kinds": ["noop"]}\n'
        answers = await asyncio.to_thread(say, handle, *frames, ask)
        assert answers[0]["type"] == "hello"
        assert answers[0]["kinds"] == sorted(KINDS)
        assert answers[-1] == {"type": "reply", "request": 99, "kinds": {"noop": True}}
        again = Talk(handle, agents.settings(), epoch=3)
        await again.environment.open()
        again.run(5, shell("true"))
        assert (await again.hear(5, "ended"))["result"] == "pass"
        await again.environment.close()

    agents.talk(body)


def test_a_frame_that_is_cut_off_in_the_middle_is_forgotten(agents):
    async def body(talk: Talk, handle: ProcessHandle) -> None:
        await asyncio.to_thread(say, handle, hello(handle, epoch=2), b'{"type": "shutd')
        again = Talk(handle, agents.settings(), epoch=3)
        await again.environment.open()
        with pytest.raises(LinkError, match="older"):
            await Talk(handle, agents.settings(), epoch=2).environment.open()
        await again.environment.close()

    agents.talk(body)


# Requirements.


def test_requirements_are_met_or_not_several_at_a_time(agents, tmp_path):
    """A third one begins when the first of two has ended: no answer goes to another question."""
    (tmp_path / "here").write_text("")

    def fields(name: str) -> dict[str, Any]:
        return {"id": name, "log_dir": str(tmp_path / name), "limits": {"timeout": 10}}

    def program(script: str) -> Requirement:
        return Requirement("exec-test", "/bin/sh", ("-c", script))

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        ask = talk.environment.fulfil
        quick = asyncio.ensure_future(ask(program("sleep 0.1"), fields("quick")))
        await asyncio.sleep(0)
        waits = "while [ ! -e go ]; do sleep 0.02; done; exit 5"
        slow = asyncio.ensure_future(ask(program(waits), fields("slow")))
        await quick
        await ask(program("echo out"), fields("third"))
        await ask(Requirement("file", "here"), fields("file"))
        with pytest.raises(RequirementError, match="nowhere"):
            await ask(Requirement("file", "nowhere"), fields("file"))
        assert not slow.done()
        (tmp_path / "go").touch()
        with pytest.raises(RequirementError, match="status 5"):
            await slow
        assert (tmp_path / "third" / "stdout").read_text() == "out\n"

    agents.talk(body)


def test_what_a_requirement_made_is_there_for_as_long_as_the_agent_lives(
    agents, tmp_path, portable_python, monkeypatch
):
    monkeypatch.setattr(sys, "executable", str(portable_python))
    (tmp_path / "a.bin").write_text("it is here")
    cache = ContentCache(str(tmp_path / "content"))
    fields = {"id": "asset", "log_dir": str(tmp_path / "log"), "limits": {"timeout": 10}}

    def order(number: int, name: str) -> tuple[tuple[int, int], bytes]:
        needs = [{"type": "asset", "name": name, "locations": [name]}]
        order = {"task": number, "attempt": 1, "id": f"{number}-x", "needs": needs}
        runnable = shell("cat $NRUNNER_ASSET_A_BIN").to_json()
        log_dir = str(tmp_path / str(number))
        return (number, 1), run_frame({**order, "runnable": runnable, "log_dir": log_dir})

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        asset = Requirement("asset", "a.bin", (), {"locations": ["a.bin"]})
        await talk.environment.fulfil(asset, fields)
        [entry] = entries(cache)
        assert entry.in_use
        assert not remove(cache, entry.digest)
        talk.environment.run_nowait(*order(1, "a.bin"))
        assert (await talk.hear(1, "ended"))["result"] == "pass"
        assert (tmp_path / "1" / "stdout").read_text() == "it is here"
        talk.environment.run_nowait(*order(2, "gone"))
        refused = await talk.hear(2, "not_started")
        assert refused["cause"] == "infra"
        assert "'gone' was removed from the cache meanwhile" in refused["reason"]

    agents.talk(body, config={"cache.dir": cache.at()})
    [entry] = entries(cache)
    assert not entry.in_use


# Files that are put there.


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def fields_of(where: Path, data: bytes, **more: Any) -> dict[str, Any]:
    digest = hashlib.sha256(data).hexdigest()
    return {"path": str(where), "size": len(data), "mode": 0o754, "sha256": digest, **more}


def pieces_of(data: bytes, cut: Callable[[], None] = lambda: None, at: int = -1) -> Any:
    cuts = [at]

    async def read(offset: int) -> bytes:
        if offset in cuts:  # once: what did not arrive is asked for again
            cuts.clear()
            cut()
        return data[offset : offset + LONGEST_PIECE]

    return read


@pytest.mark.parametrize("size", [0, 5, LONGEST_PIECE, 3 * LONGEST_PIECE + 7])
def test_a_file_is_put_there_once_whatever_its_size(agents, tmp_path, size):
    data, path = os.urandom(size), tmp_path / "new" / "folder" / "file"

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        put = talk.environment.put
        assert await put(fields_of(path, data), pieces_of(data)) is True
        assert path.read_bytes() == data
        assert path.stat().st_mode & 0o7777 == 0o754
        before = path.stat()
        assert await put(fields_of(path, data), pieces_of(data)) is False
        assert path.stat() == before
        other = data[::-1] + b"x"
        assert await put(fields_of(path, other), pieces_of(other)) is True
        assert path.read_bytes() == other
        assert names_in(path.parent) == ["file"]

    agents.talk(body)


@pytest.mark.parametrize("piece", [0, 1, 2, 3])
def test_a_file_arrives_whole_though_the_link_is_cut_between_any_two_pieces(
    agents, tmp_path, piece
):
    data, path = os.urandom(3 * LONGEST_PIECE + 7), tmp_path / "files" / "file"

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        holding = asyncio.ensure_future(talk.environment.wait_gone())
        read = pieces_of(data, talk.cut, piece * LONGEST_PIECE)
        assert await talk.environment.put(fields_of(path, data), read) is True
        assert path.read_bytes() == data
        assert names_in(path.parent) == ["file"]
        holding.cancel()
        await asyncio.wait([holding])

    agents.talk(body)


def test_what_is_not_what_it_should_be_is_not_put_there(agents, tmp_path):
    path, data = tmp_path / "file", b"new content"
    path.write_text("old")
    (tmp_path / "folder").mkdir()

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        async def refused(fields: Mapping[str, Any], data: bytes) -> str:
            with pytest.raises(RequirementError) as caught:
                await talk.environment.put(fields, pieces_of(data))
            return str(caught.value)

        wrong = hashlib.sha256(b"other data!").hexdigest()
        reason = await refused(fields_of(path, data), b"other data!")
        assert f"its sha256 is {wrong}, not {hashlib.sha256(data).hexdigest()}" in reason
        assert "is not the next one" in await refused(fields_of(path, b"short"), data)
        assert "is a directory" in await refused(fields_of(tmp_path / "folder", data), data)
        assert "file exists" in await refused(fields_of(path / "below", data), data)
        for odd in ("file", "/tmp/../etc/x", "/tmp//x", "/a\0b", "/tmp/"):
            reason = await refused(fields_of(path, data, path=odd), data)
            assert "expected a path from the root, without detours" in reason
        assert "malformed" in await refused(fields_of(path, data, size=-1), data)
        assert path.read_text() == "old"
        assert names_in(tmp_path) == ["file", "folder", "run"]

    agents.talk(body)


def test_what_was_put_halfway_is_gone_with_the_agent(agents, tmp_path):
    data, path = os.urandom(2 * LONGEST_PIECE), tmp_path / "files" / "file"

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        halfway = asyncio.Event()

        async def read(offset: int) -> bytes:
            if offset:
                halfway.set()
                await asyncio.Event().wait()
            return data[:LONGEST_PIECE]

        putting = asyncio.ensure_future(talk.environment.put(fields_of(path, data), read))
        await halfway.wait()
        assert len(names_in(path.parent)) == 1
        assert not path.exists()
        putting.cancel()

    agents.talk(body)
    assert names_in(path.parent) == []


def test_a_file_is_brought_to_where_files_are_not_shared(agents, tmp_path):
    (tmp_path / "mylib.py").write_text("content")
    (tmp_path / "mylib.py").chmod(0o751)
    offer = Offer("process", 1, shares_files=False)
    wanted = Requirement("file", "there/lib.py", (), {"from": "mylib.py"})
    wrong = Requirement("file", "there/lib.py", (), {"from": "mylib.py", "sha256": "0" * 64})

    async def main() -> None:
        berth = Berth(offer, agents.spawner(), agents.settings(), Nobody())
        keeping = asyncio.ensure_future(keep(berth))
        assert await berth.fulfil(wanted, 10) is True
        there = tmp_path / "there" / "lib.py"
        assert (there.read_text(), there.stat().st_mode & 0o777) == ("content", 0o751)
        before = there.stat()
        assert await berth.fulfil(wanted, 10) in (False, True)
        assert there.stat() == before
        with pytest.raises(RequirementError, match=f"cannot be brought: .*, not {'0' * 64}"):
            await berth.fulfil(wrong, 10)
        await berth.close()
        await keeping

    async def keep(berth: Berth) -> None:
        await berth.wait_wanted()
        await berth.hold()

    asyncio.run(asyncio.wait_for(main(), 20))


def test_an_asset_is_fetched_here_for_environments_that_do_not_see_our_cache(
    agents, tmp_path, monkeypatch
):
    """Each of two such environments has it in a cache of its own, and a server is asked once."""
    ours = {"cache.dir": str(tmp_path / "ours")}
    offer = Offer("process", 1, shares_files=False)

    async def in_environment(home: str, url: str, **more: str) -> tuple[bool, bool]:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / home))
        wanted = Requirement("asset", "data.bin", (), {"locations": [url], **more})
        settings = {**agents.settings(), "our_config": ours}
        berth = Berth(offer, agents.spawner(), settings, Nobody())
        keeping = asyncio.ensure_future(berth.hold())
        try:
            return await berth.fulfil(wanted, 10), await berth.fulfil(wanted, 10)
        finally:
            await berth.close()
            await keeping

    with serving() as server:
        for home in ("theirs", "others"):
            changed = asyncio.run(asyncio.wait_for(in_environment(home, server.url("good")), 20))
            assert changed == (True, False)
            [entry] = entries(ContentCache(str(tmp_path / home / "nrunner" / "content")))
            assert entry.names == ("data.bin",)
            assert entry.size == len(server.data)
            assert not list(Path("/var/tmp").glob(f".nrunner-{entry.digest[:32]}*"))
        assert server.asked == {"good": 1}
        assert len(entries(ContentCache(ours["cache.dir"]))) == 1
        with pytest.raises(RequirementError, match=r"be fetched: .* HTTP 404 not found"):
            asyncio.run(in_environment("theirs", server.url("gone")))
        with pytest.raises(RecipeError, match="unknown key 'sha265'"):
            asyncio.run(in_environment("theirs", server.url("good"), sha265="0"))
    log = tmp_path / "requirements" / "process-1-fetched"
    assert f"fetched {len(server.data)} bytes" in log.read_text()


def test_what_is_fetched_here_has_its_limit(agents, tmp_path):
    offer = Offer("process", 1, shares_files=False)
    settings = {**agents.settings(), "our_config": {"cache.dir": str(tmp_path / "ours")}}

    async def main(url: str) -> None:
        wanted = Requirement("asset", "data.bin", (), {"locations": [url]})
        berth = Berth(offer, agents.spawner(), settings, Nobody())
        keeping = asyncio.ensure_future(berth.hold())
        with pytest.raises(RequirementError, match=r"past its 0.5 s limit"):
            await berth.fulfil(wanted, 0.5)
        await berth.close()
        await keeping

    with serving() as server:
        asyncio.run(asyncio.wait_for(main(server.url("waits")), 20))
        # Whatever fetched it is gone before the server goes on.
        tidy(ContentCache(str(tmp_path / "ours")))
        assert ContentCache(str(tmp_path / "ours")).names("partial") == []


class Nobody:
    """Hears what happens at a berth."""

    def opened(self, *_: Any) -> bool:
        return True

    def heard(self, *_: Any) -> bool:
        return True

    def missing(self, *_: Any) -> None: ...

    def closing(self, *_: Any) -> None: ...

    def notice(self, _text: str) -> None: ...


# Runners in any language.


def test_a_runner_executable_speaks_for_itself(agents, tmp_path, monkeypatch):
    runner = tmp_path / "nrunner-runner-strange"
    runner.write_text(
        f"#!{sys.executable} -IS\n"
        "import json, socket, sys\n"
        "words = sys.argv\n"
        "peer = socket.socket(socket.AF_UNIX)\n"
        "peer.connect(words[words.index('-s') + 1])\n"
        "name, uri = words[words.index('-i') + 1], words[words.index('-u') + 1]\n"
        "def say(**fields):\n"
        "    peer.sendall(json.dumps({'id': name, 'time': 1.0, **fields}).encode() + b'\\n')\n"
        "say(status='started', output_dir='/x')\n"
        "print('for the log', flush=True)\n"
        "say(status='running', type='whiteboard', log={'__base64_encoded__': 'Ym9hcmQ='})\n"
        "if uri != 'silent':\n"
        "    say(status='finished', result=uri)\n"
        "import os; os._exit(0 if uri != 'crash' else 7)\n"
    )
    runner.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        assert await talk.environment.probe(["strange", "stranger"]) == {
            "strange": True,
            "stranger": False,
        }
        for number, uri in enumerate(("pass", "fail", "silent", "pass", "skip"), 1):
            talk.run(number, Runnable("strange", uri))
        results = [(await talk.hear(number, "ended")) for number in range(1, 6)]
        assert [each["result"] for each in results] == ["pass", "fail", "", "pass", "skip"]
        assert results[0]["whiteboard"] == "board"
        assert results[2]["contract"]
        assert "runner.log" in results[0]["outputs"]
        assert (talk.log_dir(1) / "runner.log").read_text() == "for the log\n"

    agents.talk(body)


def test_a_runner_executable_may_leave_more_files_than_are_named(agents, tmp_path, monkeypatch):
    runner = tmp_path / "nrunner-runner-prolific"
    runner.write_text(
        f"#!{sys.executable} -IS\n"
        "import json, os, socket, sys\n"
        "words = sys.argv\n"
        "folder = next(each for each in words if each.startswith('output_dir='))[11:]\n"
        "os.makedirs(folder, exist_ok=True)\n"
        "for number in range(6000):\n"
        "    open(f'{folder}/{number:0200}', 'w').close()\n"
        "print('for the log', flush=True)\n"
        "peer = socket.socket(socket.AF_UNIX)\n"
        "peer.connect(words[words.index('-s') + 1])\n"
        "name = words[words.index('-i') + 1]\n"
        "last = {'id': name, 'time': 1.0, 'status': 'finished', 'result': 'pass'}\n"
        "peer.sendall(json.dumps(last).encode() + b'\\n')\n"
    )
    runner.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        talk.run(1, Runnable("prolific", "x"))
        end = await talk.hear(1, "ended")
        assert end["result"] == "pass"
        assert len(end["outputs"]) == 1000
        assert end["outputs"][:2] == ["runner.log", f"{0:0200}"]
        assert (await talk.hear(1, "notice"))["text"] == "1-x left 6001 files; 1000 are named"
        assert len(list(talk.log_dir(1).iterdir())) == 6001

    agents.talk(body)
