"""What is asked of a device, done by the agent's file under every Python that a device may have.

There is no SSH here: each word is a process of this machine, with a work folder of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nrunner.runners.procfs import boot_id
from nrunner.spawners.agentfile import agent_file
from nrunner.spawners.ssh.agent import PYTHON, SHELL, Asked
from nrunner.spawners.ssh.words import read_answer
from tests.contract.shell_spawner import applets
from tests.functional.sandbox import wait_until

WITHIN = 20.0


class Device:
    def __init__(self, python: str, folder: Path) -> None:
        self.python = python
        self.work = str(folder / "work")
        self.archive = str(agent_file(folder / "cache"))

    @contextmanager
    def word(self, command: str) -> Iterator[subprocess.Popen[bytes]]:
        pipe = subprocess.PIPE
        with subprocess.Popen(command, shell=True, stdin=pipe, stdout=pipe) as process:
            yield process

    def ask(self, word: str, argument: str) -> Any:
        with self.word(PYTHON.command(self.python, self.archive, word, argument)) as process:
            assert process.stdout is not None
            said = process.stdout.read()
        found = read_answer(said)
        assert found is not None, said
        return found[0]

    def start(self, job: str) -> Any:
        asked = Asked(self.work, f"{job}.1", job, "me@here", "secret", 1, may_group=False)
        command, data = PYTHON.start(self.python, self.archive, asked)
        with self.word(command) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(data)
            process.stdin.flush()
            return json.loads(process.stdout.readline().partition(b":")[2])


@pytest.fixture
def device(portable_python: Path, tmp_path: Path) -> Device:
    Path(tmp_path / "work").mkdir(mode=0o700)
    return Device(str(portable_python), tmp_path)


def test_an_agent_is_started_leased_reached_and_removed(device):
    folder = device.start("one")["folder"]
    assert device.start("two")["holder"]["job"] == "one"
    lease = device.ask("lease", device.work).fields
    assert (lease["held"], lease["answers"], lease["holder"]["who"]) == (True, True, "me@here")
    hello = {"type": "hello", "protocol": 1, "token": "secret", "epoch": 4, "acknowledged": 0}
    with device.word(PYTHON.command(device.python, device.archive, "relay", folder)) as relay:
        assert relay.stdin is not None
        assert relay.stdout is not None
        assert json.loads(relay.stdout.readline().partition(b":")[2])["ok"] is True
        relay.stdin.write(json.dumps(hello).encode() + b"\n")
        relay.stdin.flush()
        assert json.loads(relay.stdout.readline())["type"] == "hello"
    assert relay.returncode == 0
    assert device.ask("look", folder).fields["alive"] is True
    gone = device.ask("remove", folder).fields
    assert (gone["alive"], gone["lease"]["held"]) == (False, False)
    assert [path.name for path in Path(device.work, "lease").iterdir()] == ["lock"]
    assert [*Path(device.work, "jobs").iterdir()] == []


def test_who_holds_a_device_is_ended_by_force_and_named(device):
    folder = device.start("one")["folder"]
    released = device.ask("release", device.work).fields
    assert released["held"] is False
    assert 1 <= len(released["ended"]) <= 2  # one may end by itself then
    assert all("dut start" in each for each in released["ended"])
    # What is left is removed by whoever comes next.
    assert device.start("two")["folder"] != folder
    assert not Path(folder).exists()
    device.ask("release", device.work)


def test_an_agent_outlives_who_hangs_up_before_it_has_answered(device):
    folder = device.start("one")["folder"]
    hello = {"type": "hello", "protocol": 1, "token": "secret", "epoch": 1, "acknowledged": 0}
    for _ in range(30):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(f"{folder}/socket")
            peer.sendall(json.dumps(hello).encode() + b"\n" + b'{"type":"ping"}\n' * 100)
    assert device.ask("look", folder).fields["alive"] is True
    device.ask("remove", folder)


class Sh:
    """A device without Python."""

    def __init__(self, folder: Path, work: Path, path: str = os.environ["PATH"]) -> None:
        self.work = str(work)
        self.environ = {**os.environ, "PATH": path}
        file = SHELL.file(folder)
        self.archive = str(folder / file.name)
        Path(self.archive).write_bytes(file.data)

    def ask(self, word: str, argument: str) -> Any:
        command = SHELL.command("", self.archive, word, argument)
        none = subprocess.DEVNULL
        said = subprocess.run(
            command, shell=True, env=self.environ, stdin=none, capture_output=True
        )
        found = read_answer(said.stdout)
        assert found is not None, said
        return found[0].fields

    def start(self, job: str) -> Any:
        asked = Asked(self.work, f"{job}.1", job, "me@here", "secret", 1, may_group=False)
        command, data = SHELL.start("", self.archive, asked)
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, shell=True, env=self.environ, stdin=pipe, stdout=pipe
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(data)
            process.stdin.close()
            answer = json.loads(process.stdout.readline().partition(b":")[2])
            process.stdout.close()
            if "held" in answer:
                process.wait(WITHIN)
            else:
                process.returncode = 0  # it stays, as the agent
            return answer


@pytest.mark.parametrize("name", ["plain", "lab,2", "a}b", "it's", "a b", "é"])
def test_where_work_is_done_may_be_called_anything(tmp_path, name):
    """And nothing else is removed: not what has the first half of its name."""
    beside = [tmp_path / name.partition(sign)[0] / "precious" for sign in ",}' " if sign in name]
    for each in beside:
        each.mkdir(parents=True)
    (tmp_path / name).mkdir(mode=0o700)
    device = Sh(tmp_path, tmp_path / name)
    folder = device.start("one")["folder"]
    wait_until(lambda: device.ask("lease", device.work)["answers"], "it answers")
    assert device.start("two")["holder"]["job"] == "one"
    assert device.start("one")["folder"] == folder, "who begins anew is not held up"
    device.ask("remove", folder)
    wait_until(lambda: not device.ask("lease", device.work)["held"], "it is given back")
    assert all(each.is_dir() for each in beside)


def test_nothing_but_the_folder_of_a_job_is_removed(tmp_path):
    device = Sh(tmp_path, tmp_path / "work")
    (tmp_path / "precious").mkdir()
    said = device.ask("remove", str(tmp_path / "precious"))
    assert "it is no job's folder" in said["error"]
    assert (tmp_path / "precious").is_dir()


@pytest.fixture(params=["flock", "no-flock"])
def path(request, tmp_path) -> str:
    """Return where a device without Python has its programs: with and without that of locks."""
    if request.param == "flock":
        return os.environ["PATH"]
    found = applets(tmp_path)
    (found / "flock").unlink(missing_ok=True)
    return str(found)


def test_who_takes_a_device_while_another_job_is_removed_from_it_keeps_it(tmp_path, path):
    """In that moment in which the other one has let go, and its note is about to be removed."""
    slow = tmp_path / "slow"
    slow.mkdir()
    os.mkfifo(slow / "here")
    os.mkfifo(slow / "go")
    # Applets would be found by a shell of busybox before any program.
    (slow / "sh").symlink_to(str(shutil.which("dash")))
    (slow / "rm").write_text(
        f'#!/bin/sh\ncase "$*" in *lease/holder*) : >{slow}/here; : <{slow}/go ;; esac\n'
        f'exec {shutil.which("rm")} "$@"\n'
    )
    (slow / "rm").chmod(0o700)
    device = Sh(tmp_path, tmp_path / "work", path)
    remover = Sh(tmp_path, tmp_path / "work", f"{slow}:{path}")
    folder = device.start("one")["folder"]
    with ThreadPoolExecutor() as pool:
        removal = pool.submit(remover.ask, "remove", folder)
        (slow / "here").read_text()
        said = device.start("two")
        (slow / "go").write_text("")
        removal.result()
    if "folder" not in said:  # it was kept out for that long
        said = device.start("two")
    assert device.ask("lease", device.work)["holder"]["job"] == "two"
    assert device.start("three")["holder"]["job"] == "two"
    device.ask("remove", said["folder"])


def test_what_is_left_of_who_had_a_device_is_removed_by_force(tmp_path, path):
    device = Sh(tmp_path, tmp_path / "work", path)
    lease = tmp_path / "work" / "lease"
    lease.mkdir(parents=True)
    (lease / "lock").touch()
    (lease / "holder").write_text("{}")
    (lease / "held-before").symlink_to("1.1")
    (lease / f"held-{boot_id()}").symlink_to("0.1")
    (lease / f"held-{boot_id()}.break").mkdir()
    assert device.ask("release", device.work)["held"] is False
    assert [each.name for each in lease.iterdir()] == ["lock"]


def test_what_jobs_have_left_is_removed_even_if_some_of_it_still_runs(tmp_path):
    device = Sh(tmp_path, tmp_path / "work")
    left = tmp_path / "work" / "jobs" / "killed.1"
    left.mkdir(parents=True)
    environ = {"NRUNNER_ATTEMPT": "killed:1:1", "TMPDIR": f"{left}/slots"}
    with subprocess.Popen(["sleep", "100"], env=environ) as payload:
        folder = device.start("one")["folder"]
        assert payload.wait(WITHIN) == -signal.SIGKILL
    assert [str(each) for each in left.parent.iterdir()] == [folder]
    device.ask("remove", folder)
