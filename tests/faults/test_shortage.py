"""Too few descriptors, processes, or room: said in words, with honest verdicts, and never a hang.

Means that are short only for a moment are in test_shortage_passes, a full disk for the results in
test_full_disk.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.faults.stranger import STRANGER
from tests.functional.sandbox import End, Run, Sandbox, check_moves

ROOT = os.geteuid() == 0
NAPS = 20


def naps(box: Sandbox, *more: dict[str, Any], count: int = NAPS) -> str:
    """Write tests that sleep a little and say a word; return their file."""
    box.write("nap.sh", "#!/bin/sh\necho word\nsleep 0.05\n")
    recipes = [{"kind": "exec-test", "uri": "./nap.sh"}] * count
    box.write("naps.json", json.dumps([*recipes, *more]), executable=False)
    return "naps.json"


def limited(number: int, most: int) -> Any:
    """Return what sets a limit in a child."""
    return lambda: resource.setrlimit(number, (most, most))


def check(box: Sandbox, results: Sequence[str], causes: Sequence[str] = ("test", "infra")) -> None:
    data = box.results()
    assert {each["status"] for each in data["tests"]} <= {*results}
    assert {each["cause"] for each in data["tests"]} <= {*causes}
    check_moves(box.records())
    box.wait_nothing_runs()


@pytest.mark.parametrize("files", [8, 16, 31])
def test_a_job_that_can_open_too_few_files_is_not_begun_and_says_what_it_needs(
    sandbox: Sandbox, files: int
) -> None:
    end = sandbox.start(
        "run", naps(sandbox), preexec_fn=limited(resource.RLIMIT_NOFILE, files)
    ).wait()
    assert (end.code, end.out) == (2, "")
    assert end.err == (
        f"nrunner: could not run a job: the limit on open files is {files},"
        " it has to be 32 at least (ulimit -n)\n"
    )
    assert not sandbox.base.exists() or not list(sandbox.base.glob("job-*"))


@pytest.mark.parametrize(("files", "at_once"), [(32, "one test runs"), (64, "5 tests run")])
def test_with_few_descriptors_fewer_tests_run_at_once_and_all_are_run(
    sandbox: Sandbox, files: int, at_once: str
) -> None:
    sandbox.plug_in(
        "nrunner-runner-speaks",
        "#!/usr/bin/env python3\n"
        "import socket, sys\n"
        "words = sys.argv\n"
        "peer = socket.socket(socket.AF_UNIX)\n"
        "peer.connect(words[words.index('-s') + 1])\n"
        "name = words[words.index('-i') + 1].encode()\n"
        'said = b\'{"id": "%s", "time": 1, "status": "finished", "result": "pass"}\'\n'
        "peer.sendall(said % name)\n",
    )
    sandbox.write(
        "test_it.py",
        "import unittest\nclass T(unittest.TestCase):\n"
        + "".join(f"    def test_{number}(self): pass\n" for number in range(5)),
        executable=False,
    )
    speaks = [{"kind": "speaks", "uri": str(number)} for number in range(3)]
    run = sandbox.start(
        *("run", naps(sandbox, *speaks, count=8), "test_it.py", "--max-parallel-tasks", "10"),
        preexec_fn=limited(resource.RLIMIT_NOFILE, files),
    )
    end = run.wait()
    assert end.code == 0, end.out
    assert f"NOTICE     : at most {at_once} at once, for want of file descriptors\n" in end.out
    check(sandbox, ["PASS"], ["test"])
    outputs = [each["outputs"] for each in sandbox.results()["tests"][:8]]
    assert all((sandbox.job / each["stdout"]).read_text() == "word\n" for each in outputs)


@pytest.fixture
def stranger(sandbox: Sandbox) -> Iterator[Sandbox]:
    """A sandbox of another user, so that processes are counted for it alone."""
    naps(sandbox)
    if ROOT:
        for path in (sandbox.here.parent, *sandbox.here.parent.rglob("*")):
            os.chown(path, STRANGER, STRANGER)
    return sandbox


# Whoever runs the tests may have hidden the interpreter from others: reading is allowed.
_RIGHTS = ("-all,+dac_read_search",) * 3
_AS_STRANGER = (
    *("setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"),
    *(f"--inh-caps={_RIGHTS[0]}", f"--ambient-caps={_RIGHTS[1]}", f"--bounding-set={_RIGHTS[2]}"),
)


def run_as_stranger(box: Sandbox, processes: int, *arguments: str) -> End:
    """Run nrunner as a user who may have so many processes."""
    words = [*(_AS_STRANGER if ROOT else ()), "prlimit", f"--nproc={processes}", "--"]
    words += [sys.executable, "-m", "nrunner", *arguments]
    process = subprocess.Popen(
        words,
        cwd=box.here,
        env=box.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    return Run(box, process).wait(30)


@pytest.mark.parametrize(
    ("processes", "reason"),
    [
        (1, "could not start an agent in .*: Resource temporarily unavailable"),
        (2, ".*it hung up: the agent .*: cannot start: Resource temporarily unavailable"),
        (3, "cannot execute '.*nap.sh': resource temporarily unavailable"),
    ],
    ids=["no guardian", "no agent", "no test"],
)
def test_where_no_process_can_be_started_every_test_is_in_error_and_the_job_ends(
    stranger: Sandbox, processes: int, reason: str
) -> None:
    """Each hopes for a while, but not each of them one after the other."""
    if not ROOT:
        assert resource.getrlimit(resource.RLIMIT_NPROC)[1] != 0
        processes = 1
    end = run_as_stranger(stranger, processes, "run", "naps.json", "--max-parallel-tasks", "4")
    assert end.code == 1
    assert end.err == ""
    data = stranger.results()
    assert data["causes"]["infra"] == data["errors"] == NAPS
    assert data["time"] < 15
    details = {each["detail"] for each in data["tests"]}
    assert all(re.fullmatch(reason, each) for each in details) or not ROOT, details
    check_moves(stranger.records())
    stranger.wait_nothing_runs()


def in_namespace(box: Sandbox, script: str, *arguments: str) -> End:
    """Run nrunner in a namespace of mounts that a script has prepared."""
    users = [] if ROOT else ["--user", "--map-root-user"]
    words = ["unshare", *users, "--mount", "sh", "-ec", script + '\nexec "$@"', "sh"]
    done = subprocess.run(
        [*words, sys.executable, "-m", "nrunner", *arguments],
        cwd=box.here,
        env=box.env,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return End(done.returncode, done.stdout, done.stderr)


def test_a_folder_for_sockets_without_room_is_passed_over(sandbox: Sandbox) -> None:
    small = sandbox.here / "small"
    small.mkdir(mode=0o700)
    sandbox.env["XDG_RUNTIME_DIR"] = sandbox.env["TMPDIR"] = str(small)
    script = (
        f'mount -t tmpfs -o size=4k,mode=0700 none "{small}"; head -c 4096 /dev/zero > "{small}/f"'
    )
    end = in_namespace(sandbox, script, "run", naps(sandbox))
    assert end.code == 0, end
    check(sandbox, ["PASS"], ["test"])


def test_where_no_folder_for_sockets_has_room_the_job_does_not_begin(sandbox: Sandbox) -> None:
    name = f"nrunner-{os.geteuid()}"
    script = f"""
for place in /tmp/{name} /var/tmp/{name}; do
    mkdir -p -m 700 "$place"
    mount -t tmpfs -o size=4k,mode=0700 none "$place"
    head -c 4096 /dev/zero > "$place/filler"
done"""
    end = in_namespace(sandbox, script, "run", naps(sandbox))
    assert (end.code, end.out) == (2, "")
    assert end.err.startswith("nrunner: could not make a private folder for sockets (")
    assert end.err.count("No space left on device") == 2


def test_a_folder_for_sockets_that_gets_full_costs_those_alone_that_need_another(
    sandbox: Sandbox,
) -> None:
    """A test fills it: a runner that has to be given a socket cannot be, until there is room."""
    small = sandbox.here / "small"
    small.mkdir(mode=0o700)
    sandbox.env["XDG_RUNTIME_DIR"] = str(small)
    sandbox.write("fills.sh", f'#!/bin/sh\nhead -c 1000000 /dev/zero > "{small}/f" || :\n')
    sandbox.write("frees.sh", f'#!/bin/sh\nrm "{small}/f"\n')
    sandbox.write("nap.sh", "#!/bin/sh\necho word\n")
    script = f'mount -t tmpfs -o size=400k,mode=0700 none "{small}"'
    words = ("./fills.sh", "./nap.sh", "./frees.sh", "./nap.sh", "--max-parallel-tasks", "1")
    end = in_namespace(sandbox, script, "run", *words)
    assert end.code == 0, end
    check(sandbox, ["PASS"], ["test"])


@pytest.mark.parametrize("place", ["cache", "shared memory", "temporary"])
def test_places_that_cannot_be_written_cost_nothing(sandbox: Sandbox, place: str) -> None:
    cache = Path(sandbox.env["XDG_CACHE_HOME"])
    cache.mkdir()
    scripts = {
        "cache": f'mount -t tmpfs -o ro none "{cache}"',
        "shared memory": "mount -t tmpfs -o size=4k,mode=0 none /dev/shm",
        "temporary": f'export TMPDIR="{sandbox.here}/no/such/folder"',
    }
    end = in_namespace(sandbox, scripts[place], "run", naps(sandbox, count=3))
    assert (end.code, end.err) == (0, "")
    check(sandbox, ["PASS"], ["test"])
