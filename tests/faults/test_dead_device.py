"""A device that dies for good: what ran there is tried on another, in bounded time."""

from __future__ import annotations

from tests.duts import bench, write_inventory
from tests.functional.sandbox import Sandbox, wait_until
from tests.functional.ssh_device import left


def started_place(box: Sandbox) -> str:
    """Wait until a test runs on a device; return which one."""

    def started() -> list[str]:
        moves = [each for each in box.records() if each["type"] == "move"]
        running = {each["task"] for each in moves if each["phase"] == "STARTED"}
        starts = [each for each in moves if each["phase"] == "STARTING"]
        return [each["place"] for each in starts if each["task"] in running]

    journal = box.base / "latest/journal.jsonl"
    found = wait_until(lambda: journal.exists() and started(), "a test that runs")
    return str(found[0])


def test_what_ran_on_a_device_that_dies_for_good_is_tried_on_another(sandbox):
    box = sandbox
    box.env["NRUNNER_SSH_PATIENCE"] = "2"
    box.write("long.sh", "#!/bin/sh\necho begun\nsleep 1.5\n")
    with bench(2) as devices:
        inventory = write_inventory(box.here.parent / "duts.toml", devices)
        box.env["NRUNNER_SSH_INVENTORY"] = str(inventory)
        running = box.start("run", "--spawner", "ssh", *["long.sh"] * 3)
        place = started_place(box)
        victim = next(dut for dut in devices if place == f"ssh:{dut.name}")
        victim.cut_power()
        end = running.wait(90)
        assert end.code == 0, end.out + end.err
        tries = [each["attempts"] for each in box.results()["tests"]]
        (twice,) = [each for each in tries if len(each) == 2]
        assert (twice[0]["environment"], twice[0]["cause"]) == (place, "infra")
        assert (twice[1]["status"], twice[1]["environment"] == place) == ("PASS", False)
        assert left([dut for dut in devices if dut is not victim]) == []
