"""The installed runner executables: nothing stays behind, nothing is held in memory."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nrunner.testing.receiver import receiving

ROOT = Path(__file__).resolve().parents[2]

FAMILY = """
echo $$ >> pids
sh -c 'echo $$ >> pids; trap "" TERM; sleep 60 & echo $! >> pids; wait; sleep 60' &
{last}
"""


def executable(kind: str) -> str:
    path = shutil.which(f"nrunner-runner-{kind}", path=str(Path(sys.executable).parent))
    assert path is not None, f"nrunner-runner-{kind} is not installed beside {sys.executable}"
    return path


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def wait_for_pids(folder: Path, count: int) -> list[int]:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if (folder / "pids").exists():
            pids = (folder / "pids").read_text().split()
            if len(pids) == count:
                return [int(pid) for pid in pids]
        time.sleep(0.02)
    raise AssertionError("the payload did not start")


def gone(pids: list[int]) -> bool:
    until = time.monotonic() + 5
    while any(map(is_alive, pids)) and time.monotonic() < until:
        time.sleep(0.02)
    return not any(map(is_alive, pids))


def words(folder: Path, script: str, uri: str) -> list[str]:
    start = [executable("exec-test"), "task-run", "-i", "1", "-u", "/bin/sh", "-a", "-c"]
    return [*start, "-a", script, f"output_dir={folder}/out", "-s", uri]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_runner_that_is_asked_to_end_leaves_no_process(tmp_path: Path, number: int) -> None:
    with receiving(tmp_path / "sock") as receiver:
        script = FAMILY.format(last="wait; sleep 60")
        process = subprocess.Popen(words(tmp_path, script, receiver.uri), cwd=tmp_path)
        with process:
            pids = wait_for_pids(tmp_path, 3)
            process.send_signal(number)
            assert process.wait(30) == 0
        assert gone(pids)
        last = receiver.messages()[-1]
    assert (last["status"], last["result"]) == ("finished", "interrupted")


def test_what_a_test_leaves_running_ends_with_it(tmp_path: Path) -> None:
    with receiving(tmp_path / "sock") as receiver:
        script = FAMILY.format(last="while [ $(wc -l < pids) -lt 3 ]; do sleep 0.02; done; exit 0")
        done = subprocess.run(words(tmp_path, script, receiver.uri), cwd=tmp_path, timeout=50)
        assert done.returncode == 0
        assert gone(wait_for_pids(tmp_path, 3))
        assert receiver.messages()[-1]["result"] == "pass"


@pytest.mark.parametrize(
    "kind",
    [
        "dry-run",
        "exec-test",
        "golang",
        "noop",
        "pytest",
        "python-unittest",
        "robot",
        "sysinfo",
        "tap",
    ],
)
def test_each_kind_has_an_executable_of_its_own(kind: str) -> None:
    said = subprocess.run([executable(kind), "capabilities"], capture_output=True, timeout=50)
    assert json.loads(said.stdout)["runnables"] == [kind]


@pytest.mark.parametrize(
    "output",
    ["yes some noise that is no TAP at all | head -c 60000000", "head -c 60000000 /dev/zero"],
    ids=["lines", "one endless line"],
)
def test_a_flood_of_output_is_not_held_in_memory(tmp_path: Path, output: str) -> None:
    start = [executable("tap"), "runnable-run", "-u", "/bin/sh", "-a", "-c"]
    limit = 64 << 20
    with (tmp_path / "messages").open("wb") as messages:
        done = subprocess.run(
            [*start, "-a", f"echo 1..1; echo ok 1; {output}", f"output_dir={tmp_path}/out"],
            stdout=messages,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
            timeout=50,
        )
    assert done.returncode == 0
    with (tmp_path / "messages").open("rb") as messages:
        messages.seek(-200, os.SEEK_END)
        assert b'"result": "pass"' in messages.read()


def test_only_the_runner_that_is_asked_for_is_loaded(portable_python: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r});"
        "from nrunner.runners import registry; registry.runner('noop');"
        "print(*[name for name in sys.modules if name.startswith('nrunner.runners.')])"
    )
    start = [str(portable_python), "-I", "-S", "-c", code]
    loaded = subprocess.run(start, capture_output=True, text=True, timeout=50).stdout
    assert set(loaded.split()) == {f"nrunner.runners.{n}" for n in ("base", "registry", "noop")}
