"""Links to devices that are cut again and again: every test runs once, and nobody is blamed."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.duts import Dut, bench, write_inventory
from tests.functional.sandbox import Sandbox
from tests.functional.ssh_device import left

TESTS = 40
SHORTEST, LONGEST = 0.5, 2.5
"""Seconds that a link is cut."""


@contextmanager
def nemesis(duts: list[Dut], seed: int) -> Iterator[Counter[str]]:
    """Cut the links of devices, each for itself, until it is left; give how often."""
    over, cuts = threading.Event(), Counter[str]()

    def cut_again_and_again(dut: Dut, rolls: random.Random) -> None:
        while not over.wait(rolls.uniform(0.3, 2.0)):
            dut.cut_link()
            cuts[dut.name] += 1
            over.wait(rolls.uniform(SHORTEST, LONGEST))
            dut.restore_link()

    rolls = random.Random(seed)
    works = [
        threading.Thread(target=cut_again_and_again, args=(dut, random.Random(rolls.random())))
        for dut in duts
    ]
    for each in works:
        each.start()
    try:
        yield cuts
    finally:
        over.set()
        for each in works:
            each.join()


def test_every_test_runs_once_whenever_a_link_is_cut(sandbox: Sandbox) -> None:
    script = "#!/bin/sh\necho begun >> /root/counted-${0##*/}\nsleep 0.%d\necho done\n"
    names = [f"t{number:02}.sh" for number in range(TESTS)]
    for number, name in enumerate(names):
        sandbox.write(name, script % (number % 4))
    with bench(3) as duts:
        inventory = write_inventory(sandbox.here.parent / "duts.toml", duts)
        sandbox.env["NRUNNER_SSH_INVENTORY"] = str(inventory)
        with nemesis(duts, seed=7) as cuts:
            end = sandbox.run("run", "--spawner=ssh", *names)
        results = sandbox.results()
        assert (end.code, results["pass"]) == (0, TESTS), end.out + end.err
        assert {len(each["attempts"]) for each in results["tests"]} == {1}
        assert sum(cuts.values()) > 2
        counted = [path for dut in duts for path in dut.path("/root").glob("counted-*")]
        assert sorted(path.name for path in counted) == sorted(f"counted-{name}" for name in names)
        assert {path.read_text() for path in counted} == {"begun\n"}
        for dut in duts:
            dut.run("sh", "-c", "rm -f /root/counted-*")
        assert left(duts) == []
    outputs = sandbox.job.glob("test-results/*/stdout")
    assert sorted(path.read_text() for path in outputs) == ["done\n"] * TESTS
