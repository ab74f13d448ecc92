"""Jobs on devices whose controller, connection or device comes to an end in the middle."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.duts import Dut, bench, write_inventory
from tests.functional.sandbox import Sandbox, wait_until
from tests.functional.ssh_device import left

RAN = "root/ran"
"""Where tests on a device count that they ran."""


@pytest.fixture(scope="module")
def whole() -> Iterator[list[Dut]]:
    with bench(2) as found:
        yield found


@pytest.fixture(scope="module")
def bare() -> Iterator[list[Dut]]:
    with bench(1, sort="busybox") as found:
        yield found


@pytest.fixture(params=["whole", "bare"])
def devices(request: pytest.FixtureRequest) -> Iterator[list[Dut]]:
    """Devices with Python, and one that has busybox alone."""
    found: list[Dut] = request.getfixturevalue(request.param)
    yield found
    for dut in found:
        dut.run("rm", "-f", f"/{RAN}")
    assert left(found) == []


def box_for(sandbox: Sandbox, devices: list[Dut], *scripts: str) -> Sandbox:
    """Have a job of scripts ready, each of which counts that it ran."""
    path = write_inventory(sandbox.here.parent / "duts.toml", devices)
    sandbox.env["NRUNNER_SSH_INVENTORY"] = str(path)
    recipes = [
        {"kind": "exec-test", "uri": "/bin/sh", "args": ["-c", f"echo {n} >>/{RAN}; {script}"]}
        for n, script in enumerate(scripts)
    ]
    sandbox.write("t.json", json.dumps(recipes), executable=False)
    return sandbox


def ran(devices: list[Dut]) -> Counter[str]:
    """Return how often each test ran."""
    paths = [dut.path(RAN) for dut in devices]
    return Counter(word for path in paths if path.exists() for word in path.read_text().split())


def job(box: Sandbox, *argv: str):
    return box.start("run", "--spawner", "ssh", *argv, "t.json")


def test_a_job_goes_on_where_its_controller_was_killed(sandbox, devices):
    scripts = ("echo said; sleep 0.8", "echo said; sleep 0.8", "echo said")
    box = box_for(sandbox, devices, *scripts)
    run = job(box)
    run.wait_started(1)
    wait_until(lambda: ran(devices), "a test that runs")
    run.process.kill()
    run.wait()
    end = box.run("jobs", "resume", str(box.job))
    assert end.code == 0, end.out + end.err
    assert ran(devices) == {"0": 1, "1": 1, "2": 1}
    texts = [path.read_text() for path in Path(box.job / "test-results").glob("*/stdout")]
    assert texts == ["said\n"] * 3


def test_what_nobody_comes_back_for_leaves_nothing(sandbox, devices):
    box = box_for(sandbox, devices, "trap '' TERM; echo said; while :; do sleep 0.1; done")
    box.env["NRUNNER_SSH_ORPHAN_DEADLINE"] = "1"
    run = job(box)
    wait_until(lambda: ran(devices), "a test that runs")
    (dut,) = (dut for dut in devices if dut.path(RAN).exists())
    dut.run("rm", f"/{RAN}")
    begun = time.monotonic()
    run.process.kill()
    run.wait()
    wait_until(lambda: not left(devices), "the orphan to leave")
    assert time.monotonic() - begun > 1


def test_a_job_that_is_interrupted_ends_in_time(sandbox, devices):
    box = box_for(sandbox, devices, *["trap '' TERM; while :; do sleep 0.1; done"] * 3)
    run = job(box, "--grace", "60")
    wait_until(lambda: ran(devices), "a test that runs")
    begun = time.monotonic()
    run.process.send_signal(signal.SIGINT)
    run.wait_said("NOTICE")
    run.process.send_signal(signal.SIGINT)
    end = run.wait()
    assert time.monotonic() - begun < 20
    assert end.code & 8, end.out + end.err


def test_a_job_whose_links_are_cut_ends_in_time_and_what_it_left_ends_by_itself(sandbox, whole):
    box = box_for(sandbox, whole, "sleep 60", "sleep 60")
    box.env["NRUNNER_SSH_ORPHAN_DEADLINE"] = "3"
    run = job(box)
    run.wait_started(2)
    wait_until(lambda: len(ran(whole)) == 2, "both run")
    for dut in whole:
        dut.cut_link()
    run.process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    assert run.wait().code == 8
    assert time.monotonic() - begun < 20
    assert {each["status"] for each in box.results()["tests"]} == {"INTERRUPT"}
    for dut in whole:
        dut.restore_link()
        dut.run("rm", "-f", f"/{RAN}")
    wait_until(lambda: left(whole) == [], "nothing is left")


def test_connections_that_break_again_and_again_cost_no_test_anything(sandbox, whole):
    box = box_for(sandbox, whole, *["sleep 0.3; echo said"] * 10)
    run = job(box)
    for count in (1, 4, 7):
        wait_until(lambda count=count: ran(whole).total() >= count, f"{count} tests that ran")
        for dut in whole:
            dut.restart_sshd()
    end = run.wait()
    assert end.code == 0, end.out + end.err
    assert ran(whole) == {str(number): 1 for number in range(10)}
    for dut in whole:
        dut.run("rm", "-f", f"/{RAN}")
    assert left(whole) == []
