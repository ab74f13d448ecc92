"""Tests that have their device rebooted, and devices that reboot by themselves: real ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.duts import Dut, bench, write_inventory
from tests.functional.sandbox import End, Sandbox, wait_until
from tests.functional.ssh_device import left

COUNTS = """#!/bin/sh
echo "boot $NRUNNER_REBOOT_COUNT ${AUTOPKGTEST_REBOOT_MARK-none}"
cat /proc/sys/kernel/random/boot_id >>/boots
[ "$NRUNNER_REBOOT_COUNT" -ge 2 ] || %s
[ $(sort -u /boots | wc -l) = 3 ]
"""


@pytest.fixture(scope="module")
def devices() -> Iterator[list[Dut]]:
    with bench(2, downtime=0.05) as found:
        yield found


@pytest.fixture
def box(sandbox: Sandbox, devices: list[Dut]) -> Iterator[Sandbox]:
    """Return a sandbox whose runs find an inventory with the devices."""
    write_inventory(inventory(sandbox), devices)
    sandbox.env["NRUNNER_SSH_INVENTORY"] = str(inventory(sandbox))
    yield sandbox
    for dut in devices:
        dut.path("/boots").unlink(missing_ok=True)
        dut.path("/once").unlink(missing_ok=True)
    assert left(devices) == []


def inventory(box: Sandbox) -> Path:
    return box.here.parent / "duts.toml"


def run(box: Sandbox, *argv: str) -> End:
    return box.run("run", "--spawner", "ssh", *argv)


def test_a_test_sees_the_boots_that_it_asked_for(box, devices):
    box.write("t.sh", COUNTS % 'tmt-reboot -c "reboot -f" "half done"')
    before = [dut.boots for dut in devices]
    end = run(box, "t.sh")
    assert end.code == 0, end.out + end.err
    assert sum(dut.boots for dut in devices) == sum(before) + 2
    (test,) = box.results()["tests"]
    assert len(test["attempts"]) == 1
    (folder,) = (box.job / "test-results").glob("1-*")
    outputs = [(folder / name / "stdout").read_text() for name in ("boot-0", "boot-1", ".")]
    assert outputs == ["boot 0 none\n", "boot 1 half done\n", "boot 2 half done\n"]
    assert end.out.count("asked for a reboot with mark 'half done'") == 2
    assert box.run("dut", "list").out.count("free") == 2


def test_who_goes_on_with_a_job_goes_on_with_a_test_whose_device_is_down(box, devices, root):
    """It is the one among the examples, which knows the boot that it came from."""
    shutil.copy(root / "examples" / "devices" / "boots.sh", box.here / "t.sh")
    boots = sum(dut.boots for dut in devices)
    killed = box.start("run", "--spawner", "ssh", "t.sh")
    killed.wait_said("NOTICE .*asked for a reboot")
    wait_until(lambda: sum(dut.boots for dut in devices) > boots, "the reboot")
    killed.process.kill()
    killed.wait()
    end = box.run("jobs", "resume")
    assert end.code == 0, end.out + end.err
    (test,) = box.results()["tests"]
    assert len(test["attempts"]) == 1
    assert sum(dut.boots for dut in devices) == boots + 1


def test_a_device_that_reboots_by_itself_is_told_with_what_its_console_said(box, devices):
    sick, well = (dut.name for dut in devices)
    ends = f"while ! [ -e {devices[0].path('/once')} ]; do sleep 0.05; done"
    hook = ["sh", "-c", f"echo starting; {ends}; echo Kernel panic: no; exec sleep 99"]
    lines = inventory(box).read_text()
    inventory(box).write_text(
        lines.replace(f"[dut.{sick}]", f"[dut.{sick}]\nconsole = {json.dumps(hook)}")
    )
    reboots = ">/once; sync; sleep 0.3; reboot; sleep 99"
    box.write("t.sh", f"#!/bin/sh\n[ $(uname -n) = {well} ] && exec sleep 0.5\n{reboots}\n")
    end = run(box, "t.sh", "t.sh", "--max-parallel-tasks", "2")
    assert end.code == 0, end.out + end.err
    attempts = [each for test in box.results()["tests"] for each in test["attempts"]]
    (lost,) = [each for each in attempts if each["environment"] == f"ssh:{sick}"]
    assert lost["cause"] == "infra"
    # Whether the test's end was still told before the device went down is a race.
    told = "has rebooted by itself: what ran there is gone (its console: Kernel"
    assert told in lost["detail"] or "killed together with its agent" in lost["detail"]
    assert "quarantined" in box.run("dut", "list", sick).out
    (box.here.parent / "xdg_state_home" / "nrunner" / "duts.json").unlink(missing_ok=True)
