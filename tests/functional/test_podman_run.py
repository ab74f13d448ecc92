"""`nrunner run --spawner podman`: verdicts, and what is left of a job in containers."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nrunner.runnable import Requirement
from nrunner.spawners.podman.layers import LAYER_LABEL, layer_key
from tests.containers import busybox_image, containers_of, oci_runtime, podman, python_image
from tests.functional.sandbox import Run, Sandbox, wait_until

SLEEPS = "#!/bin/sh\necho begun\nsleep 30\n"


@pytest.fixture
def box(sandbox: Sandbox) -> Iterator[Sandbox]:
    """Return a sandbox whose runs find podman's storage, and make containers of our image."""
    sandbox.env |= {
        "NRUNNER_PODMAN_IMAGE": python_image(),
        "NRUNNER_PODMAN_RUNTIME": oci_runtime(),
        "NRUNNER_PODMAN_PULL": "never",
    }
    if os.geteuid() != 0:
        sandbox.env["HOME"] = os.environ["HOME"]
    yield sandbox
    for each in containers_of(job_id(sandbox)) if sandbox.job.exists() else ():
        podman("rm", "-f", "-t", "0", each.split()[0])


def job_id(box: Sandbox) -> str:
    """Return the id of the latest job."""
    return (box.job / "id").read_text().strip()


def run(box: Sandbox, *argv: str) -> Run:
    """Start nrunner in containers."""
    return box.start("run", "--spawner", "podman", *argv)


def verdicts(box: Sandbox) -> dict[str, str]:
    """Return the result of each test by its name."""
    return {each["name"]: each["status"] for each in box.results()["tests"]}


def container_pids(box: Sandbox) -> list[int]:
    """Return the first process of each container of the job that runs."""
    names = podman("ps", "-q", "--filter", f"label=nrunner.job={job_id(box)}").split()
    said = [podman("inspect", "-f", "{{.State.Pid}}", name) for name in names]
    return [int(pid) for pid in said if pid != "0"]


def check_nothing_left(box: Sandbox, *, sockets: bool = False) -> None:
    """Nothing is left of the job: containers, mounts, processes, sockets.

    A job that was killed has its control socket still.
    """
    assert containers_of(job_id(box)) == []
    box.wait_nothing_runs(10)
    mounts = Path("/proc/self/mountinfo").read_text()
    assert job_id(box) not in mounts
    assert str(box.here) not in mounts
    left = [path for path in box.job.rglob("*") if path.is_socket()]
    assert sockets or left == []


def test_what_a_requirement_prints_in_a_container_is_kept(box: Sandbox) -> None:
    needs = [
        {"type": "exec-test", "uri": "/bin/sh", "args": ["-c", f"{script} # {box.mark}"]}
        for script in ("echo made", "echo broken; exit 3")
    ]
    recipes = [{"kind": "noop", "requirements": [need]} for need in needs]
    box.write("needy.json", json.dumps(recipes), executable=False)
    end = run(box, "needy.json").wait()
    assert [each["status"] for each in box.results()["tests"]] == ["PASS", "SKIP"], end
    logs = box.job.glob("test-results/requirements/*/stdout")
    assert sorted(path.read_text() for path in logs) == ["broken\n", "made\n"]
    check_nothing_left(box)
    base = podman("image", "inspect", "-f", "{{.Id}}", python_image())
    key = layer_key(base, [Requirement.from_json(needs[0])])
    layer = podman("images", "-q", "--filter", f"label={LAYER_LABEL}={key}")
    podman("rmi", "-f", layer)


def test_the_examples_end_as_they_do_outside(box: Sandbox, root: Path) -> None:
    shutil.copytree(root / "examples", box.here, dirs_exist_ok=True)
    cases = sorted(path.name for path in box.here.glob("test_*.py"))
    references = ["programs", "tap", "recipes", *cases]
    outside = box.run("run", *references)
    expected = verdicts(box)
    inside = run(box, *references).wait()
    assert (inside.code, verdicts(box)) == (outside.code, expected), inside.out + inside.err
    assert len(expected) > 10
    check_nothing_left(box)


def test_each_attempt_has_a_container_of_its_own_and_a_suite_may_share_one(box: Sandbox) -> None:
    box.write(
        "t.sh", "#!/bin/sh\necho x >> /root/trace\ncat /root/trace /proc/sys/kernel/hostname\n"
    )
    names = ["t.sh"] * 4
    assert run(box, *names, "--max-parallel-tasks", "1").wait().code == 0
    output = [path.read_text().split() for path in sorted(box.job.glob("test-results/*/stdout"))]
    assert [each[:-1] for each in output] == [["x"]] * 4
    assert len({each[-1] for each in output}) == 4
    check_nothing_left(box)
    shared = run(box, *names, "--max-parallel-tasks", "1", "--podman-reuse", "suite").wait()
    assert shared.code == 0
    output = [path.read_text().split() for path in sorted(box.job.glob("test-results/*/stdout"))]
    assert sorted(len(each) - 1 for each in output) == [1, 2, 3, 4]
    assert len({each[-1] for each in output}) == 1
    check_nothing_left(box)


def test_what_a_test_keeps_is_in_its_folder(box: Sandbox) -> None:
    keeps = '#!/bin/sh\necho said\necho kept > "$AVOCADO_TEST_OUTPUTDIR/file"\n'
    box.write("t.sh", keeps)
    assert run(box, "t.sh").wait().code == 0
    (folder,) = (box.job / "test-results").glob("1-*")
    assert (folder / "stdout").read_text() == "said\n"
    assert (folder / "output" / "file").read_text() == "kept\n"
    assert (folder / "stdout").stat().st_uid == os.geteuid()


def test_an_image_that_is_not_there_is_told_of_and_nothing_runs(box: Sandbox) -> None:
    box.write("t.sh", "#!/bin/sh\n")
    done = run(box, "t.sh", "--spawner-podman-image", "localhost/nrunner-test-nothing:1").wait()
    assert done.code == 1
    assert "use image localhost/nrunner-test-nothing:1: it is not there" in done.out
    (each,) = box.results()["tests"]
    assert (each["status"], each["cause"]) == ("ERROR", "infra")


def test_the_devices_of_the_machine_stay_as_they_are(box: Sandbox) -> None:
    if os.geteuid() == 0:
        os.chown("/dev/null", 0, 0)  # others may have given it away
    null = Path("/dev/null")
    before = null.stat()
    assert run(box, "/bin/true").wait().code == 0
    after = null.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (
        before.st_uid,
        before.st_gid,
        before.st_mode,
    )


def test_a_test_names_its_own_image(box: Sandbox) -> None:
    needs = '"""\n        :nrunner: requires={"type": "podman-image", "uri": "%s"}\n        """\n'
    text = "import os, unittest\nclass T(unittest.TestCase):\n"
    for name, image in (("own", python_image()), ("gone", "localhost/nrunner-test-nothing:1")):
        text += f"    def test_{name}(self):\n        {needs % image}"
    box.write("test_x.py", text)
    done = run(box, "test_x.py", "--podman-image", busybox_image()).wait()
    found = {each["name"]: each for each in box.results()["tests"]}
    own, gone = found["test_x.py:T.test_own"], found["test_x.py:T.test_gone"]
    assert own["status"] == "PASS", done.out
    assert (gone["status"], gone["cause"]) == ("SKIP", "requirement")
    assert "use image localhost/nrunner-test-nothing:1: it is not there" in gone["fail_reason"]
    check_nothing_left(box)


def test_programs_run_in_an_image_without_python(box: Sandbox) -> None:
    box.write("t.sh", '#!/bin/sh\necho said\necho kept > "$AVOCADO_TEST_OUTPUTDIR/file"\n')
    box.write(
        "test_x.py", "import unittest\nclass T(unittest.TestCase):\n    def test(self): pass\n"
    )
    done = run(box, "t.sh", "test_x.py", "--podman-image", busybox_image()).wait()
    assert verdicts(box) == {"t.sh": "PASS", "test_x.py:T.test": "SKIP"}, done.out
    (folder,) = box.job.glob("test-results/*t.sh*")
    assert (folder / "stdout").read_text() == "said\n"
    assert (folder / "output" / "file").read_text() == "kept\n"
    check_nothing_left(box)


def test_tests_that_attack_their_container_harm_nobody_else(box: Sandbox) -> None:
    hostile = {
        "socket": "rm -rf /run/nrunner/* /run/nrunner.pyz; echo gone",
        "root": "rm -rf / 2>/dev/null; exit 1",
        "here": f"rm -rf {box.here}/* ; ls {box.here} | grep -q fine.sh",
        "kill": "kill -9 -1",
        "memory": "dd if=/dev/zero of=/tmp/full bs=1M count=200 2>/dev/null; echo filled",
        "fine": "echo fine",
    }
    for name, text in hostile.items():
        box.write(f"{name}.sh", f"#!/bin/sh\n{text}\n")
    names = [f"{name}.sh" for name in hostile]
    limits = ("--podman-memory", "64M", "--podman-pids", "50")
    done = run(box, *names, *limits, "--max-parallel-tasks", "2").wait()
    found = verdicts(box)
    assert {name: found[f"{name}.sh"] for name in ("socket", "root", "here", "fine")} == {
        "socket": "PASS",
        "root": "FAIL",
        "here": "PASS",
        "fine": "PASS",
    }, done.out
    by_name = {each["name"]: each for each in box.results()["tests"]}
    assert found["kill.sh"] in ("FAIL", "ERROR"), by_name["kill.sh"]
    assert "memory" in json.dumps(by_name["memory.sh"]), by_name["memory.sh"]
    check_nothing_left(box)


@pytest.mark.parametrize("image", [python_image, busybox_image])
def test_what_a_container_may_write_is_bounded_and_that_is_told(
    box: Sandbox, image: Callable[[], str]
) -> None:
    fill = 'dd if=/dev/zero of="$1" bs=64k count=200 2>/dev/null'
    box.write("fill.sh", f"#!/bin/sh\n{fill}\n")
    box.write("neat.sh", '#!/bin/sh\necho 1 > "$AVOCADO_TEST_OUTPUTDIR/a" && echo 1 > /tmp/b\n')
    places = ("/tmp/full", "/root/full", "/var/tmp/full")
    for number, path in enumerate(places):
        recipe = {"kind": "exec-test", "uri": "./fill.sh", "args": [path]}
        box.write(f"{number}.json", json.dumps(recipe), executable=False)
    names = [f"{number}.json" for number in range(len(places))]
    words = ("--podman-image", image(), "--podman-disk", "1M", "--max-parallel-tasks", "2")
    done = run(box, *names, "neat.sh", *words).wait()
    tests = box.results()["tests"]
    assert [each["status"] for each in tests] == ["FAIL", "FAIL", "FAIL", "PASS"], done.out
    reasons = [each["fail_reason"] for each in tests[:3]]
    assert reasons[0].endswith("(no space left in /tmp)")
    assert "no space" not in reasons[1] + reasons[2]
    check_nothing_left(box)


def test_an_interrupted_job_leaves_nothing(box: Sandbox) -> None:
    box.write("t.sh", SLEEPS)
    job = run(box, "t.sh", "t.sh")
    job.wait_started(2)
    job.signal(signal.SIGINT)
    assert job.wait().code & 8
    check_nothing_left(box)


def test_a_container_that_is_killed_is_no_failure_of_its_test(box: Sandbox) -> None:
    gate = box.here / "go"
    box.write("t.sh", f"#!/bin/sh\necho begun; until [ -e {gate} ]; do sleep 0.02; done\n")
    job = run(box, "t.sh", "--max-parallel-tasks", "1")
    job.wait_started(1)
    for pid in container_pids(box):
        os.kill(pid, signal.SIGKILL)
    gate.touch()
    done = job.wait()
    (each,) = box.results()["tests"]
    assert len(each["attempts"]) == 2, done.out
    assert "killed by SIGKILL" in json.dumps(each)
    check_nothing_left(box)


def test_a_podman_service_that_is_killed_is_no_failure_of_a_test(box: Sandbox) -> None:
    box.write("t.sh", "#!/bin/sh\necho begun; sleep 0.5\n")
    job = run(box, *["t.sh"] * 4, "--max-parallel-tasks", "2")
    job.wait_started(2)
    services = [pid for pid, text in box.running().items() if "system service" in text]
    assert services != []
    for pid in services:
        os.kill(pid, signal.SIGKILL)
    done = job.wait()
    assert done.code == 0, done.out
    assert set(verdicts(box).values()) <= {"PASS", "WARN"}
    check_nothing_left(box)


def test_a_job_goes_on_after_its_controller_was_killed(box: Sandbox) -> None:
    box.env["NRUNNER_AGENT_ORPHAN_DEADLINE"] = "20"
    box.write("t.sh", '#!/bin/sh\necho "ran $NRUNNER_ATTEMPT"\nsleep 1\n')
    job = run(box, *["t.sh"] * 6, "--max-parallel-tasks", "2")
    job.wait_started(3)
    job.signal(signal.SIGKILL)
    job.wait()
    assert container_pids(box) != [], "nothing ran on that could be taken over"
    done = box.run("jobs", "resume")
    assert done.code == 0, done.out + done.err
    output = [path.read_text() for path in box.job.glob("test-results/*/stdout")]
    assert len(output) == 6
    assert all(text.count("ran ") == 1 for text in output), "something ran twice"
    assert set(verdicts(box).values()) == {"PASS"}
    check_nothing_left(box)


def test_what_a_killed_job_left_is_reaped(box: Sandbox) -> None:
    box.write("t.sh", SLEEPS)
    job = run(box, "t.sh", "--max-parallel-tasks", "1")
    job.wait_started(1)
    job.signal(signal.SIGKILL)
    job.wait()
    wait_until(lambda: not container_pids(box), "its agent ended by itself")
    left = containers_of(job_id(box))
    done = box.run("reap")
    assert done.code == 0
    # Any job that begins meanwhile, on the same machine, does the same.
    assert not left or job_id(box) in done.out
    check_nothing_left(box, sockets=True)


def test_reaping_by_hand_leaves_alone_what_is_not_ours(box: Sandbox) -> None:
    name = f"nrunner-test-{os.getpid()}"
    labels = [f"--label=nrunner.{each}=x" for each in ("job", "boot")]
    podman("create", "--name", name, "--network=none", *labels, python_image(), "true")
    try:
        done = box.run("reap")
        assert "REMOVED    :" in done.out, done.err
        assert name not in done.out
        assert podman("container", "exists", name) == ""
    finally:
        podman("rm", name)
