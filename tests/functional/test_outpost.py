"""Environments that see none of our files: real agents, real files, and a link that breaks."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nrunner.berth import Berth
from nrunner.environment import Key
from nrunner.runnable import Requirement, Runnable
from nrunner.runners.spool import read_remains
from nrunner.spawners.base import SpawnerContext
from nrunner.testing.distant_spawner import DistantSpawner

BIG = 3 << 20


class Stay:
    """A berth at a distant place, what it was told, and when the files of that were here."""

    def __init__(self, folder: Path, *, spawner: DistantSpawner | None = None, epoch=1, **more):
        self.folder = folder
        self.results = folder / "job-results" / "job-1" / "test-results"
        self.base = folder / "base"
        self.base.mkdir(exist_ok=True)
        runtime = folder / "run"
        runtime.mkdir(mode=0o700, exist_ok=True)
        context = SpawnerContext(f"outpost-{os.getpid()}", runtime, folder / "cache", 2)
        self.spawner = spawner or DistantSpawner(context)
        (self.offer,) = self.spawner.offers()
        settings = {
            "job_id": context.job_id,
            "results_dir": str(self.results),
            "slots_dir": str(folder / "slots"),
            "base_dir": str(self.base),
            **more,
        }
        self.berth = Berth(self.offer, self.spawner, settings, self, epoch=epoch)
        self.heads: list[Mapping[str, Any]] = []
        self.seen: dict[int, list[str]] = {}
        """The files that were here when the end of a task was told."""
        self.address: Mapping[str, Any] = {}
        self.lost: list[Key] = []
        self.notices: list[str] = []
        self.records = True
        self._news = asyncio.Event()

    def opened(self, _berth: Berth, _generation: int, address: Mapping[str, Any]) -> bool:
        self.address = json.loads(json.dumps(address))
        return True

    def closing(self, _berth: Berth, _why: str) -> None:
        """Nobody is told: there is one place."""

    def heard(self, _berth: Berth, heads: Sequence[Mapping[str, Any]]) -> bool:
        if not self.records:
            return False
        self.heads.extend(heads)
        for head in heads:
            if head["event"] == "ended":
                self.seen[head["task"]] = self.files(head["task"])
        self._news.set()
        return True

    def missing(self, _berth: Berth, keys: Sequence[Key]) -> None:
        self.lost.extend(keys)

    def order(self, task: int, script: str | Runnable) -> dict[str, Any]:
        if isinstance(script, str):
            script = Runnable("exec-test", "/bin/sh", ("-c", script))
        return {
            "task": task,
            "attempt": 1,
            "id": f"{task}-x",
            "runnable": script.to_json(),
            "log_dir": str(self.results / f"{task}-x"),
        }

    def run(self, task: int, script: str | Runnable) -> None:
        self.berth.run_nowait(self.order(task, script))

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file where references are relative to."""
        (self.base / path).parent.mkdir(parents=True, exist_ok=True)
        (self.base / path).write_text(text)
        (self.base / path).chmod(mode)

    @property
    def tree(self) -> Path:
        """Return what there is of it where tests run."""
        return Path(self.spawner.handles[0].folder) / "tree"

    async def hear(self, task: int, event: str = "ended") -> Mapping[str, Any]:
        while True:
            self._news.clear()
            for head in self.heads:
                if (head["task"], head["event"]) == (task, event):
                    return head
            await self._news.wait()

    def files(self, task: int) -> list[str]:
        folder = self.results / f"{task}-x"
        return sorted(str(each.relative_to(folder)) for each in folder.rglob("*"))

    def read(self, task: int, name: str = "stdout") -> bytes:
        return (self.results / f"{task}-x" / name).read_bytes()

    def unacknowledged(self) -> list[int]:
        """Return the tasks whose ends the agent could not forget yet, if it restarted its spool."""
        left = read_remains(f"{self.spawner.handles[0].folder}/spool")
        assert left is not None
        return [head["task"] for head in left.events if head["event"] == "ended"]

    def far(self) -> list[str]:
        """Return what there is of attempts where they ran."""
        return sorted(each.name for each in Path(self.spawner.handles[0].folder).glob("logs-*"))


def stay(folder: Path, body, **more) -> None:
    async def main() -> None:
        here = Stay(folder, **more)
        holding = asyncio.ensure_future(_hold(here))
        try:
            async with asyncio.timeout(40):
                await body(here)
        finally:
            await here.berth.close()
            await asyncio.wait([holding], timeout=5)
            holding.cancel()
            await here.berth.clear()
            await here.spawner.close()
        assert [*(folder / "run").iterdir()] == []

    asyncio.run(main())


async def _hold(here: Stay) -> None:
    await here.berth.wait_wanted()
    await here.berth.hold()


def test_what_a_test_wrote_is_here_before_its_end_is_told(tmp_path):
    async def body(here: Stay) -> None:
        here.run(
            1,
            "echo out; echo err >&2; mkdir $AVOCADO_TEST_OUTPUTDIR/a; "
            "echo kept > $AVOCADO_TEST_OUTPUTDIR/a/b",
        )
        end = await here.hear(1)
        assert end["outputs"] == ["stdout", "stderr", "output"]
        assert here.seen[1] == ["output", "output/a", "output/a/b", "stderr", "stdout"]
        assert here.read(1) == b"out\n"
        assert here.read(1, "output/a/b") == b"kept\n"
        assert here.far() == []

    stay(tmp_path, body)


def test_a_test_that_leaves_nothing_asks_for_nothing(tmp_path):
    async def body(here: Stay) -> None:
        here.run(1, "true")
        end = await here.hear(1)
        assert end["result"] == "pass"
        assert here.files(1) == []
        assert here.berth.environment is not None
        assert here.berth.environment.requests == 0

    stay(tmp_path, body)


def test_a_test_that_writes_little_asks_for_nothing_either(tmp_path):
    async def body(here: Stay) -> None:
        here.run(1, "echo hello; mkdir -p $AVOCADO_TEST_LOGDIR; echo log > $AVOCADO_TEST_LOGFILE")
        await here.hear(1)
        assert here.seen[1] == ["debug.log", "stdout"]
        assert here.read(1, "debug.log") == b"log\n"
        assert here.berth.environment is not None
        assert here.berth.environment.requests == 0

    stay(tmp_path, body)


def test_only_regular_files_are_brought_and_what_is_left_out_is_said(tmp_path):
    script = (
        "cd $AVOCADO_TEST_OUTPUTDIR; ln -s /etc/passwd link; mkfifo pipe; ln -s /etc etc; "
        "echo good > good; mkdir empty"
    )

    async def body(here: Stay) -> None:
        here.run(1, script)
        end = await here.hear(1)
        assert end["outputs"] == ["output", "left-out.txt"]
        assert here.seen[1] == ["left-out.txt", "output", "output/good"]
        assert here.read(1, "left-out.txt").decode().splitlines() == [
            "Not brought here:",
            "output/etc: it is a link",
            "output/link: it is a link",
            "output/pipe: it is no regular file",
        ]

    stay(tmp_path, body)


def test_no_more_is_brought_than_is_allowed(tmp_path):
    script = (
        "cd $AVOCADO_TEST_OUTPUTDIR; head -c 100000 /dev/zero > big; "
        "for i in 1 2 3 4; do echo $i > $i; done"
    )

    async def body(here: Stay) -> None:
        here.run(1, script)
        await here.hear(1)
        assert here.seen[1] == ["left-out.txt", "output", *(f"output/{each}" for each in "123")]
        assert here.read(1, "left-out.txt").decode().splitlines()[1:] == [
            "output/4: there are more than 3 files",
        ]
        here.run(2, "cd $AVOCADO_TEST_OUTPUTDIR; head -c 60000 /dev/zero > a; cp a b; echo c > c")
        await here.hear(2)
        assert here.seen[2] == ["left-out.txt", "output", "output/a", "output/c"]
        assert (
            "output/b: it has 60000 bytes, which makes more"
            in here.read(2, "left-out.txt").decode()
        )

    stay(tmp_path, body, fetch_most_files=3, fetch_most_bytes=100_001)


def test_large_files_hold_back_nobody_and_no_slot(tmp_path):
    """Over a slow link others end, and the next test has begun, before the files are here."""

    async def body(here: Stay) -> None:
        here.run(1, "true")
        await here.hear(1)
        here.spawner.line.rate = 8 << 20
        here.run(
            2,
            f"cd $AVOCADO_TEST_OUTPUTDIR; head -c {BIG} /dev/urandom > big; sha256sum big",
        )
        for task in range(3, 9):
            here.run(task, "sleep 0.02")
        await here.hear(2)
        ends = [head["task"] for head in here.heads if head["event"] == "ended"]
        assert ends[-1] == 2
        assert here.seen[2] == ["output", "output/big", "stdout"]
        digest = hashlib.sha256(here.read(2, "output/big")).hexdigest()
        assert here.read(2).decode().split()[0] == digest

    stay(tmp_path, body)


def test_a_link_that_breaks_while_files_are_fetched_costs_nothing_but_time(tmp_path):
    async def body(here: Stay) -> None:
        here.run(1, "true")
        await here.hear(1)
        line = here.spawner.line
        line.rate = 16 << 20
        here.run(2, f"seq 600000 | head -c {BIG}; seq 9 > $AVOCADO_TEST_OUTPUTDIR/b")
        for _ in range(3):
            await line.wait_received(BIG // 5)
            line.cut()
        await here.hear(2)
        assert line.connections == 4
        text = "".join(f"{number}\n" for number in range(1, 600001))
        assert here.read(2) == text.encode()[:BIG]
        assert here.seen[2] == ["output", "output/b", "stdout"]
        assert [head["event"] for head in here.heads if head["task"] == 2] == ["started", "ended"]

    stay(tmp_path, body)


def test_who_goes_on_with_a_job_fetches_again_what_was_on_its_way(tmp_path):
    """The controller dies while it fetches: the next one hears of the end, and has the files."""

    async def main() -> None:
        here = Stay(tmp_path)
        holding = asyncio.ensure_future(_hold(here))
        here.run(1, "true")
        await here.hear(1)
        here.spawner.line.rate = 1 << 20
        here.run(2, f"head -c {BIG} /dev/zero")
        here.run(3, "echo three")
        await here.hear(3)
        here.spawner.line.is_silent = True  # nothing that this controller says matters any more
        holding.cancel()
        await asyncio.wait([holding])
        later = Stay(tmp_path, epoch=2)
        for task in (2, 3):
            later.berth.expect(later.order(task, "unused"))
        assert await later.berth.adopt(here.address, {(2, 1): True, (3, 1): True}) is None
        staying = asyncio.ensure_future(later.berth.hold())
        assert (await later.hear(2))["result"] == "pass"
        await later.hear(3)
        assert later.read(2) == bytes(BIG)
        assert later.read(3) == b"three\n"
        assert later.lost == []
        await later.berth.close()
        await asyncio.wait([staying])
        await here.spawner.handles[0].wait_gone()
        await here.spawner.close()
        await later.spawner.close()

    asyncio.run(main())


def test_the_end_of_a_test_counts_though_its_files_went_with_its_environment(tmp_path):
    async def body(here: Stay) -> None:
        here.run(1, "true")
        await here.hear(1)
        here.spawner.line.rate = 1 << 20
        here.run(2, f"head -c {BIG} /dev/zero")
        await here.spawner.line.wait_received(5000)
        assert here.berth.is_holding
        await here.spawner.handles[0].destroy()
        end = await here.hear(2)
        assert end["result"] == "pass"
        assert end["outputs"] == ["stdout", "left-out.txt"]
        assert "the rest: could not ask the agent: " in here.read(2, "left-out.txt").decode()

    stay(tmp_path, body)


def test_who_cancels_does_not_wait_for_files(tmp_path):
    async def body(here: Stay) -> None:
        here.run(1, "true")
        await here.hear(1)
        here.spawner.line.rate = 1 << 20
        here.run(2, f"head -c {BIG} /dev/zero")
        await here.spawner.line.wait_received(5000)
        assert here.berth.is_holding
        here.berth.cancel_nowait(2, 1, kill=True)
        assert (await here.hear(2))["result"] == "pass"
        assert "it was cancelled" in here.read(2, "left-out.txt").decode()
        here.spawner.line.rate = 0

    stay(tmp_path, body)


def test_what_requirements_print_comes_home(tmp_path):
    async def body(here: Stay) -> None:
        wanted = Requirement("exec-test", "/bin/sh", ("-c", "echo prepared"))
        await here.berth.fulfil(wanted, 10.0)
        [log] = (here.results / "requirements").rglob("stdout")
        assert log.read_text() == "prepared\n"

    stay(tmp_path, body)


def test_a_file_that_is_required_is_brought_into_the_tree_there(tmp_path):
    async def body(here: Stay) -> None:
        (here.base / "lib.txt").write_text("content")
        wanted = Requirement("file", "to/lib.txt", (), {"from": "lib.txt"})
        assert await here.berth.fulfil(wanted, 10.0)
        far = Path(here.spawner.handles[0].folder)
        assert (far / "tree" / "to" / "lib.txt").read_text() == "content"
        assert not (here.base / "to").exists()

    stay(tmp_path, body)


def test_tests_run_once_each_though_their_link_is_cut_again_and_again(tmp_path):
    counter = tmp_path / "counter"

    async def body(here: Stay) -> None:
        line = here.spawner.line
        for task in range(1, 41):
            padding = "seq 9000" if task % 7 == 0 else "true"
            here.run(task, f"echo {task} >> {counter}; {padding}; sleep 0.0{task % 6}")
        chance = random.Random(7)

        async def cut() -> None:
            while True:
                await asyncio.sleep(chance.uniform(0.05, 0.2))
                line.cut_for(chance.uniform(0.0, 0.05))

        cutting = asyncio.ensure_future(cut())
        for task in range(1, 41):
            assert (await here.hear(task))["result"] == "pass"
        cutting.cancel()
        line.restore()
        assert line.connections > 2
        assert sorted(map(int, counter.read_text().split())) == [*range(1, 41)]
        for task in range(1, 41):
            told = [head["event"] for head in here.heads if head["task"] == task]
            assert told == ["started", "ended"]
            text = "".join(f"{number}\n" for number in range(1, 9001)) if task % 7 == 0 else ""
            assert here.files(task) == (["stdout"] if text else [])
            assert not text or here.read(task).decode() == text

    stay(tmp_path, body)


def test_who_goes_on_with_a_job_waits_for_a_link_that_is_lost(tmp_path):
    async def main() -> None:
        here = Stay(tmp_path)
        holding = asyncio.ensure_future(_hold(here))
        gate = tmp_path / "gate"
        here.run(1, f"{until(gate)}; echo one")
        await here.hear(1, "started")
        here.spawner.line.is_down = True
        here.spawner.line.cut()
        holding.cancel()
        await asyncio.wait([holding])
        later = Stay(tmp_path, epoch=2)
        later.spawner.line.is_down = True
        later.berth.expect(later.order(1, "unused"))
        assert await later.berth.adopt(here.address, {(1, 1): True}) is None
        assert later.spawner.line.connections == 0
        gate.touch()
        staying = asyncio.ensure_future(later.berth.hold())
        asyncio.get_running_loop().call_later(0.3, later.spawner.line.restore)
        assert (await later.hear(1))["result"] == "pass"
        assert later.read(1) == b"one\n"
        await later.berth.close()
        await asyncio.wait([staying])
        await here.spawner.handles[0].wait_gone()
        for each in (here, later):
            await each.spawner.close()

    asyncio.run(main())


# The tree.


def test_tests_find_the_files_of_the_folder_that_they_are_relative_to(tmp_path):
    async def body(here: Stay) -> None:
        here.write("lib/help.py", "WORD = 'helped'\n")
        here.write(
            "tests/test_it.py",
            "import unittest\nfrom lib.help import WORD\n"
            "class T(unittest.TestCase):\n    def test(self):\n        print(WORD)\n",
        )
        here.write("check.sh", "#!/bin/sh\npwd; cat data/x; ls -A\n", 0o755)
        here.write("data/x", "content\n")
        here.write(".git/config", "secret")
        (here.base / "link").symlink_to("data/x")
        here.run(1, Runnable("exec-test", "./check.sh"))
        here.run(2, Runnable("python-unittest", "tests/test_it.py:T.test"))
        here.run(3, Runnable("exec-test", str(here.base / "check.sh")))
        here.run(4, Runnable("exec-test", "/bin/cat", (str(here.base / "link"),)))
        for task in (1, 3):
            assert (await here.hear(task))["result"] == "pass"
            pwd, content, *names = here.read(task).decode().split()
            assert (pwd, content) == (str(here.tree), "content")
            assert {"check.sh", "data", "lib", "link", "tests"} == set(names) - {"__pycache__"}
        assert (await here.hear(2))["result"] == "pass"
        assert b"helped" in here.read(2)
        await here.hear(4)
        assert here.read(4) == b"content\n"

    stay(tmp_path, body)


def test_who_needs_nothing_of_the_folder_does_not_wait_for_it(tmp_path):
    async def body(here: Stay) -> None:
        here.write("check.sh", "#!/bin/sh\n", 0o755)
        here.run(1, "echo hello")
        await here.hear(1)
        assert [*here.tree.iterdir()] == []
        here.run(2, Runnable("exec-test", "check.sh"))
        assert (await here.hear(2))["result"] == "pass"
        assert [each.name for each in here.tree.iterdir()] == ["check.sh"]

    stay(tmp_path, body)


def test_a_folder_that_is_too_large_ends_those_who_need_it_and_nobody_else(tmp_path):
    async def body(here: Stay) -> None:
        for number in range(5):
            here.write(f"data/{number}", "x")
        here.run(1, Runnable("exec-test", "data/1"))
        here.run(2, "true")
        assert (await here.hear(2))["result"] == "pass"
        refusal = await here.hear(1, "not_started")
        assert refusal["cause"] == "malformed"
        assert "it has more than 4 files, most of them in 'data'" in refusal["reason"]

    stay(tmp_path, body, tree_most_files=4)


def test_a_link_that_breaks_while_the_tree_is_brought_costs_nothing_but_time(tmp_path):
    async def body(here: Stay) -> None:
        for number in range(300):
            here.write(f"data/{number // 50}/{number}", f"{number}\n" * 50)
        here.write("big", "0123456789abcdef" * (1 << 16))
        here.run(1, "true")
        await here.hear(1)
        line = here.spawner.line
        line.rate = 8 << 20
        here.run(2, Runnable("exec-test", "/bin/sh", ("-c", "cat data/*/* | wc -l; wc -c < big")))
        for _ in range(4):
            await line.wait_sent(150_000)
            line.cut()
        assert (await here.hear(2))["result"] == "pass"
        assert line.connections == 5
        assert here.read(2).split() == [b"15000", b"1048576"]

    stay(tmp_path, body)


def test_who_goes_on_with_a_job_brings_what_is_not_there_yet(tmp_path):
    """The controller dies while it brings the tree: what is there stays, the rest follows."""

    async def main() -> None:
        here = Stay(tmp_path)
        for number in range(100):
            here.write(f"data/{number}", "x" * 20_000)
        holding = asyncio.ensure_future(_hold(here))
        here.run(1, "true")
        await here.hear(1)
        here.spawner.line.rate = 1 << 20
        want = Runnable("exec-test", "/bin/sh", ("-c", "cat data/* | wc -c"))
        here.run(2, want)
        await here.spawner.line.wait_sent(300_000)
        while len([*here.tree.rglob("*")]) <= 5:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        holding.cancel()
        await asyncio.wait([holding])
        here.spawner.line.is_silent = True
        assert len([*here.tree.rglob("*")]) < 100
        inode = (here.tree / "data" / "0").stat().st_ino
        later = Stay(tmp_path, epoch=2)
        later.berth.expect(later.order(2, want))
        later.berth.order_later(later.order(2, want))
        assert await later.berth.adopt(here.address, {(2, 1): False}) is None
        staying = asyncio.ensure_future(later.berth.hold())
        assert (await later.hear(2))["result"] == "pass"
        assert later.read(2).strip() == b"2000000"
        assert (here.tree / "data" / "0").stat().st_ino == inode
        assert later.lost == []
        await later.berth.close()
        await asyncio.wait([staying])
        await here.spawner.handles[0].wait_gone()
        for each in (here, later):
            await each.spawner.close()

    asyncio.run(main())


def test_a_test_that_waits_for_the_tree_can_be_cancelled(tmp_path):
    async def body(here: Stay) -> None:
        here.write("big", "0" * 3_000_000)
        here.run(1, "true")
        await here.hear(1)
        here.spawner.line.rate = 1 << 20
        here.run(2, Runnable("exec-test", "big"))
        here.berth.cancel_nowait(2, 1, kill=False)
        assert (await here.hear(2, "not_started"))["cause"] == "cancelled"

    stay(tmp_path, body)


# Output of what runs.


async def written(path: Path, size: int) -> bytes:
    """Return what is in a file once there is enough."""
    for _ in range(4000):
        found = content(path)
        if len(found) >= size:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(f"{path} has {len(found)} bytes")


def until(gate: Path) -> str:
    """Return what a script waits with for a file."""
    return f"until [ -e {gate} ]; do sleep 0.01; done"


def content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def test_what_a_test_prints_can_be_read_while_it_runs_by_whoever_asks(tmp_path):
    """Only then anything is sent; a link that breaks in between loses nothing of it."""

    async def body(here: Stay) -> None:
        gate, end = tmp_path / "gate", tmp_path / "end"
        here.run(1, f"echo one; {until(gate)}; echo two; {until(end)}")
        assert "slot" not in await here.hear(1, "started")
        environment = here.berth.environment
        assert environment is not None
        assert environment.requests == 0
        slot = Path(here.berth.follow_nowait(1, "stdout"))
        assert slot.is_relative_to(tmp_path / "slots")
        assert await written(slot / "stdout", 4) == b"one\n"
        here.spawner.line.cut()
        gate.touch()
        assert await written(slot / "stdout", 8) == b"one\ntwo\n"
        while environment.requests < 3:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        end.touch()
        await here.hear(1)
        assert here.read(1) == b"one\ntwo\n"
        assert content(slot / "stdout") == b""
        here.run(2, "echo silent")
        await here.hear(2)
        assert environment.requests == 3

    stay(tmp_path, body)


def test_much_output_is_followed_to_its_last_byte(tmp_path):
    async def body(here: Stay) -> None:
        gate = tmp_path / "gate"
        here.run(1, f"seq 200000; {until(gate)}")
        await here.hear(1, "started")
        slot = Path(here.berth.follow_nowait(1, "stdout"))
        here.berth.follow_nowait(1, "stderr")
        text = "".join(f"{number}\n" for number in range(1, 200001)).encode()
        assert await written(slot / "stdout", len(text)) == text
        gate.touch()
        await here.hear(1)
        assert here.read(1) == text

    stay(tmp_path, body)
