"""`nrunner run --spawner ssh`: verdicts, which device a test gets, and what is left of a job."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.duts import Dut, bench, write_inventory
from tests.functional.sandbox import End, Sandbox, wait_until
from tests.functional.ssh_device import WORK, left
from tests.lame_link import lame_link

PRINTS = '#!/bin/sh\necho said\necho complained >&2\necho kept > "$AVOCADO_TEST_OUTPUTDIR/file"\n'

LARGE = f"find /{WORK}/jobs -name large -size +20000k 2>/dev/null; true"


@pytest.fixture(scope="module")
def devices() -> Iterator[list[Dut]]:
    with bench(3) as found:
        yield found


@pytest.fixture
def box(sandbox: Sandbox, devices: list[Dut]) -> Sandbox:
    """Return a sandbox whose runs find an inventory with all devices."""
    path = write_inventory(sandbox.here.parent / "duts.toml", devices)
    sandbox.env["NRUNNER_SSH_INVENTORY"] = str(path)
    return sandbox


def run(box: Sandbox, *argv: str) -> End:
    """Run nrunner on devices."""
    return box.run("run", "--spawner", "ssh", *argv)


def verdicts(box: Sandbox) -> dict[str, str]:
    return {each["name"]: each["status"] for each in box.results()["tests"]}


def places(box: Sandbox) -> Counter[str]:
    """Return how many attempts there were at each place."""
    tests = box.results()["tests"]
    return Counter(each["environment"] for test in tests for each in test["attempts"])


def test_the_examples_end_as_they_do_here_and_nothing_is_left(box, devices, root):
    shutil.copytree(root / "examples", box.here, dirs_exist_ok=True)
    cases = sorted(path.name for path in box.here.glob("test_*.py"))
    references = ["programs", "tap", "recipes", "failing", *cases]
    here = box.run("run", *references)
    expected = verdicts(box)
    there = run(box, *references)
    assert (there.code, verdicts(box)) == (here.code, expected), there.out + there.err
    assert len(expected) > 14
    assert set(places(box)) == {f"ssh:{dut.name}" for dut in devices}
    assert left(devices) == []
    assert box.run("dut", "list").out.count("free") == 3


def test_what_a_test_writes_is_brought_here(box, devices):
    box.write("t.sh", PRINTS)
    assert run(box, "t.sh").code == 0
    (folder,) = (box.job / "test-results").glob("1-*")
    assert (folder / "stdout").read_text() == "said\n"
    assert (folder / "stderr").read_text() == "complained\n"
    assert (folder / "output/file").read_text() == "kept\n"


def test_devices_that_are_not_there_cost_no_test_an_attempt(box, devices):
    box.write("t.sh", "#!/bin/sh\nsleep 0.2\n")
    devices[0].cut_power()
    try:
        end = run(box, *["t.sh"] * 4)
    finally:
        devices[0].switch_on()
    assert end.code == 0, end.out + end.err
    assert set(places(box)) == {f"ssh:{dut.name}" for dut in devices[1:]}
    assert sum(places(box).values()) == 4
    told = box.results()["facts"]["places"]
    assert [told[f"ssh:{dut.name}"]["state"] for dut in devices[1:]] == ["used", "used"]


def test_another_machine_under_the_same_address_gets_nothing(box, devices):
    box.write("t.sh", PRINTS)
    key = devices[0].host_key
    devices[0].swap_host_key()
    try:
        end = run(box, "--dut", devices[0].name, "t.sh")
    finally:
        write_inventory(box.here.parent / "duts.toml", devices)
    assert devices[0].host_key != key
    (test,) = box.results()["tests"]
    assert (test["status"], test["cause"]) == ("ERROR", "infra"), end.out
    assert "no place is left" in test["fail_reason"]
    assert "host key" in test["fail_reason"]
    (told,) = box.results()["facts"]["places"].values()
    assert (told["state"], told["opened"]) == ("given up", 0)
    assert "host key" in told["reason"]
    assert left(devices[:1]) == []


def test_a_test_gets_a_device_with_the_tags_that_it_asks_for(box, devices):
    path = Path(box.env["NRUNNER_SSH_INVENTORY"])
    text = path.read_text()
    for number, tags in enumerate(("['x86']", "['arm64', 'rc']", "['arm64']")):
        name = f"[dut.{devices[number].name}]"
        head, tail = text.split(name)
        text = head + name + tail.replace("tags = []", f"tags = {tags}", 1)
    path.write_text(text)
    recipes = [
        {"kind": "noop", "identifier": name, "requirements": [{"type": "dut", "tags": tags}]}
        for name, tags in (("any", []), ("arm", ["arm64", "!rc"]), ("none", ["riscv"]))
    ]
    box.write("needy.json", json.dumps(recipes), executable=False)
    end = run(box, "needy.json")
    found = {each["name"]: each for each in box.results()["tests"]}
    assert found["arm"]["attempts"][0]["environment"] == f"ssh:{devices[2].name}", end.out
    assert (found["none"]["status"], found["none"]["cause"]) == ("SKIP", "unsuitable")
    assert "it is not tagged riscv" in found["none"]["fail_reason"]
    chosen = run(box, "--dut-tags", "arm64,!rc", *["needy.json"])
    assert set(places(box)) == {f"ssh:{devices[2].name}"}, chosen.out


def test_a_device_that_is_retired_is_left_alone(box, devices):
    assert box.run("dut", "list").code == 0
    memory = Path(box.env["XDG_STATE_HOME"]) / "nrunner/duts.json"
    run(box, "--dut", devices[0].name, "/bin/true")
    known = json.loads(memory.read_text())
    (entry,) = known.values()
    retired = {**entry, "state": "retired", "reason": "it smokes"}
    memory.write_text(json.dumps(dict.fromkeys(known, retired)))
    end = run(box, "--dut", devices[0].name, "/bin/true")
    (test,) = box.results()["tests"]
    assert "it is retired: it smokes" in test["fail_reason"], end.out


def test_a_device_that_runs_out_of_room_takes_itself_out_of_service(box, devices):
    two = devices[:2]
    box.write("fills.sh", "#!/bin/sh\nhead -c 28M /dev/zero >/root/filling\n")
    box.write("t.sh", "#!/bin/sh\nsleep 0.2\n")
    for dut in two:
        dut.fill_disk(leave=34 << 20)
    try:
        names = [word for dut in two for word in ("--dut", dut.name)]
        end = run(box, *names, "fills.sh", *["t.sh"] * 4)
        listed = box.run("dut", "list").out
    finally:
        for dut in two:
            dut.free_disk()
            dut.run("rm", "-f", "/root/filling")
    assert end.code == 0, end.out + end.err
    assert "before a test begins" in listed
    assert listed.count("quarantined") == 1
    tests = {each["id"]: each for each in box.results()["tests"]}
    (filled,) = [each["attempts"] for name, each in tests.items() if "fills" in name]
    sick = filled[0]["environment"]
    tries = [each["attempts"] for name, each in tests.items() if "fills" not in name]
    assert {each[-1]["environment"] for each in tries} == {
        f"ssh:{dut.name}" for dut in two if f"ssh:{dut.name}" != sick
    }
    assert sum(len(each) - 1 for each in tries) <= 1
    assert left(two) == []


def test_a_job_that_is_interrupted_while_files_are_fetched_ends_in_time(box, devices):
    first = devices[0]
    writes = 'head -c 20M /dev/urandom > "$AVOCADO_TEST_OUTPUTDIR/large"'
    box.write("t.sh", f"#!/bin/sh\n{writes}\nuntil [ -e /root/fetch ]; do sleep 0.02; done\n")
    with lame_link(first.address, first.port) as link:
        text = write_inventory(box.here.parent / "duts.toml", [first]).read_text()
        text = text.replace(f'"{first.address}"', f'"{link.address}"')
        path = Path(box.env["NRUNNER_SSH_INVENTORY"])
        path.write_text(text.replace(f"port = {first.port}", f"port = {link.port}"))
        running = box.start("run", "--spawner", "ssh", "t.sh")
        wait_until(lambda: first.run("sh", "-c", LARGE), "what the test has written")
        link.rate = 1e6
        carried = link.carried
        first.run("touch", "/root/fetch")
        wait_until(lambda: link.carried > carried + 300_000, "files that are fetched")
        begun = time.monotonic()
        running.signal(signal.SIGINT)
        end = running.wait()
        took = time.monotonic() - begun
    first.run("rm", "/root/fetch")
    assert took < 15, end.out + end.err
    assert end.code & 8
    assert left([first]) == []


def test_where_there_is_no_python_programs_run_and_other_tests_are_unsuitable(box, root):
    shutil.copytree(root / "examples", box.here, dirs_exist_ok=True)
    box.write("bare-name.sh", "#!/bin/sh\ntest -e mylib.py\n")
    with bench(1, sort="busybox", user="tester") as devices:
        write_inventory(box.here.parent / "duts.toml", devices)
        end = run(box, "bare-name.sh", "programs/sorted.sh", "tap/arithmetic.t", "test_text.py")
    results = {each["name"]: (each["status"], each["cause"]) for each in box.results()["tests"]}
    programs = {name: each for name, each in results.items() if "test_text" not in name}
    assert set(programs.values()) == {("PASS", "test")}, end.out
    assert len(programs) == 3
    assert {each for name, each in results.items() if name not in programs} == {
        ("SKIP", "unsuitable")
    }


def test_files_that_are_too_many_to_be_brought_end_all_tests_at_once_and_blame_no_device(box):
    box.env["NRUNNER_SSH_TREE_MOST_BYTES"] = "100"
    box.write("large", "x" * 1000)
    box.write("t.sh", "#!/bin/sh\ntrue\n")
    end = run(box, *["t.sh"] * 8)
    tests = box.results()["tests"]
    assert {(each["status"], each["cause"]) for each in tests} == {("ERROR", "malformed")}, end.out
    assert "most of them in 'large'" in tests[0]["fail_reason"]
    assert box.run("dut", "list").out.count("free") == 3
