"""Many tasks: all of them end, the counts add up, and nothing is kept for each but its line."""

from __future__ import annotations

import json

from tests.functional.sandbox import Sandbox, check_moves


def test_a_thousand_noops_run_to_the_end(sandbox: Sandbox) -> None:
    sandbox.write("noops.json", json.dumps([{"kind": "noop"}] * 1000), executable=False)
    end = sandbox.run("run", "noops.json")
    assert end.code == 0
    assert "PASS 1000 |" in end.out
    assert sum(line.endswith(" s)") for line in end.lines) == 1000
    data = sandbox.results()
    assert (data["total"], data["pass"]) == (1000, 1000)
    assert [each["id"] for each in data["tests"]][::999] == ["0001-noop", "1000-noop"]
    assert len(check_moves(sandbox.records())) == 1000
    assert list((sandbox.job / "test-results").iterdir()) == []


def test_three_hundred_programs_run_to_the_end(sandbox: Sandbox) -> None:
    programs = [{"kind": "exec-test", "uri": f"/bin/{name}"} for name in ("true", "false")]
    sandbox.write("programs.json", json.dumps(programs * 150), executable=False)
    end = sandbox.run("run", "programs.json")
    assert end.code == 1
    data = sandbox.results()
    assert (data["total"], data["pass"], data["failures"]) == (300, 150, 150)
    assert [each["status"] for each in data["tests"]] == ["PASS", "FAIL"] * 150
    assert len(check_moves(sandbox.records())) == 300
    sandbox.wait_nothing_runs()


def test_many_that_wait_for_one_requirement_share_its_fulfilment(sandbox: Sandbox) -> None:
    """Two hundred tasks need what a plugin makes, once; another one cannot be made, tried once."""
    sandbox.plug_in(
        "nrunner-runner-counted",
        '#!/bin/sh\n[ "$1" = task-run ] || exit 0\n'
        'for word in "$@"; do case $word in good|bad) echo $word >> made;; esac; done\n'
        "sleep 0.2\n",
    )
    needs = [{"type": "counted", "uri": "good"}, {"type": "counted", "uri": "bad"}]
    runnables = [{"kind": "noop", "requirements": [need]} for need in needs * 100]
    sandbox.write("needy.json", json.dumps(runnables), executable=False)
    end = sandbox.run("run", "needy.json")
    assert end.code == 0
    # It never says that it is finished, so nobody gets what they need; but nobody is lost.
    data = sandbox.results()
    assert {(each["status"], each["cause"]) for each in data["tests"]} == {("SKIP", "requirement")}
    assert sorted((sandbox.here / "made").read_text().split()) == ["bad", "good"]
    check_moves(sandbox.records())
