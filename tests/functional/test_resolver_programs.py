"""Programs that print recipes are run only if that is allowed, and within bounds."""

from __future__ import annotations

import json
import signal
import time

import pytest

from tests.functional.sandbox import Sandbox, wait_until

PRINTS = """#!/bin/sh
echo "run with: $*" >>ran
printf '[{"kind": "noop", "identifier": "%s"}, {"kind": "exec-test", "uri": "/bin/true"}]' "$2"
"""


def test_a_program_that_prints_recipes_is_asked_only_if_that_is_allowed(sandbox: Sandbox) -> None:
    sandbox.write("prints", PRINTS)
    assert sandbox.run("list", "./prints").out == "exec-test  ./prints\n"
    assert not (sandbox.here / "ran").exists()
    words = ("--resolver-run-executables", "--resolver-exec-arguments", "a 'b c'")
    listed = sandbox.run("list", "./prints", *words)
    assert (listed.code, listed.out) == (0, "noop       b c\nexec-test  /bin/true\n")
    assert (sandbox.here / "ran").read_text() == "run with: a b c\n"
    end = sandbox.run("run", "./prints", *words)
    assert (end.code, [each["name"] for each in sandbox.results()["tests"]]) == (
        0,
        ["b c", "/bin/true"],
    )


def test_a_program_that_prints_no_recipe_is_a_test_and_the_reason_is_listed(
    sandbox: Sandbox,
) -> None:
    sandbox.write("text", "#!/bin/sh\necho hello\n")
    sandbox.write("wrong", """#!/bin/sh\necho '[{"kind": 3}]'\n""")
    sandbox.write("fails", "#!/bin/sh\necho '[]'\nexit 3\n")
    end = sandbox.run("list", "-v", "--resolver-run-executables", "text", "wrong", "fails")
    assert end.code == 0
    lines = [each.split(None, 2) for each in end.lines if each.startswith("exec-runnables")]
    assert {name: reason for _, name, reason in lines} == {
        "text": "what it prints is no recipe: text:1:1: not JSON: expecting value",
        "wrong": (
            'what it prints is no recipe: wrong:1: key "[0].kind": expected a string, got a number'
        ),
        "fails": "it ends with status 3, and no recipe",
    }


def test_a_program_that_does_not_end_is_ended_with_all_it_started(sandbox: Sandbox) -> None:
    sandbox.write("hangs", "#!/bin/sh\nsleep 60 &\nsleep 60\n")
    begun = time.monotonic()
    env = {"NRUNNER_RESOLVER_DISCOVERY_TIMEOUT": "0.3"}
    end = sandbox.run("list", "-v", "--resolver-run-executables", "hangs", env=env)
    assert time.monotonic() - begun < 10
    assert "did not answer within 0.3 s" in end.out
    wait_until(lambda: not sandbox.running(), "what it started is ended")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize(
    "words",
    [
        ("list", "--resolver-run-executables", "hangs"),
        ("run", "--resolver-run-executables", "hangs"),
        ("run", "--python", "./hangs", "hangs.robot"),
    ],
    ids=" ".join,
)
def test_what_is_asked_does_not_outlive_who_is_ended_while_asking(
    sandbox: Sandbox, words: tuple[str, ...], number: signal.Signals
) -> None:
    sandbox.write("hangs", "#!/bin/sh\nsleep 60 &\n: >asked\nsleep 60\n")
    sandbox.write("hangs.robot", "*** Test Cases ***\nA\n    No Operation\n", executable=False)
    run = sandbox.start(*words)
    wait_until((sandbox.here / "asked").exists, "it is asked")
    run.signal(number)
    end = run.wait()
    told = (-9, "") if number is signal.SIGKILL else (8, "nrunner: interrupted\n")
    assert (end.code, end.err) == told
    wait_until(lambda: not sandbox.running(), "what it started is ended")


def test_hints_are_taken_and_are_run_if_nothing_else_is_named(sandbox: Sandbox) -> None:
    sandbox.write("check", "#!/bin/sh\necho 1..1\necho not ok 1 - odd\n")
    hint = "[kinds]\ntap = ./che*\n[tap]\nuri = $testpath\n"
    sandbox.write(".avocado.hint", hint, executable=False)
    for words in (("check",), ()):
        end = sandbox.run("run", *words)
        [test] = sandbox.results()["tests"]
        assert (end.code, test["kind"], test["status"]) == (1, "tap", "FAIL")
    sandbox.write(".nrunner.hint", "[kinds]\nx = y\n", executable=False)
    end = sandbox.run("run", "check")
    assert (end.code, end.err) == (
        4,
        "nrunner: could not use .nrunner.hint: there is no section [x] for a kind that it names\n",
    )


def test_the_list_for_programs_has_recipes_that_run(sandbox: Sandbox) -> None:
    """What ``list --json -`` prints is itself made of recipes."""
    sandbox.write("prints", PRINTS)
    out = sandbox.run("list", "--json", "-", "./prints", "--resolver-run-executables").out
    assert [each["kind"] for each in json.loads(out)["tests"]] == ["noop", "exec-test"]
