"""``nrunner runner check``: what it says of good executables and of bad ones; our examples."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from nrunner.runnable import Runnable
from nrunner.testing.executable_check import Check, Found, Subject, checks
from tests import avocado
from tests.functional.sandbox import Sandbox
from tests.functional.test_third_party_runner import SAY

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "runners.md").read_text("utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)
    assert found
    return found[1]


def example(language: str, folder: Path) -> None:
    """Put the executable of the documentation into a folder."""
    program = folder / "nrunner-runner-contains"
    if language == "sh":
        program.write_text(block("sh"))
        program.chmod(0o755)
        return
    (folder / "main.go").write_text(block("go"))
    env = {**os.environ, "GO111MODULE": "off", "GOFLAGS": ""}
    subprocess.run(["go", "build", "-o", program, "main.go"], cwd=folder, env=env, check=True)


def test_the_documented_command_says_what_the_documentation_says(sandbox: Sandbox) -> None:
    example("sh", sandbox.here)
    found = re.search(r"    \$ (nrunner runner check (?:.*\\\n)*.*)\n((?:    .*\n)+)", DOCS)
    assert found
    command = found[1].replace("\\\n", "")
    said = found[2].replace("\n    ", "\n").removeprefix("    ")
    end = sandbox.run(*shlex.split(command)[1:])
    assert end.out == said
    assert end.code == 0


@pytest.mark.parametrize("language", ["sh", "go"])
def test_the_documented_executables_are_good_and_run_tests(sandbox: Sandbox, language: str) -> None:
    example(language, sandbox.bin)
    sandbox.write("notes.txt", 'a "word" more', executable=False)
    subject = Subject(
        str(sandbox.bin / "nrunner-runner-contains"),
        "contains",
        {
            "passing": Runnable("contains", "/etc/passwd", ("root",)),
            "failing": Runnable("contains", "/etc/passwd", ("nobody at all",)),
        },
    )
    assert not [each for each in checks(subject) if each.found is Found.FAILS]
    words = ("word", "less", "re")
    recipes = [{"kind": "contains", "uri": "notes.txt", "args": [word]} for word in words]
    sandbox.write("words.json", json.dumps(recipes), executable=False)
    sandbox.run("run", "words.json")
    tests = sandbox.results()["tests"]
    assert [each["status"] for each in tests] == ["PASS", "FAIL", "PASS"]
    assert {each["cause"] for each in tests} == {"test"}


SAID = '{"runnables": ["bad"], "commands": ["task-run"], "configuration_used": []}'
CAPABLE = f"if [ $verb = capabilities ]; then echo '{SAID}'; exit; fi\n"
STARTS = '"status": "started", "output_dir": "x", "job_id": "job"'
ENDS = '"status": "finished", "result": "pass", "job_id": "job"'
GOOD = f"say '{STARTS}' '{ENDS}'"
BAD = {
    "says nothing of itself": (GOOD, "it says what it can do", "capabilities printed no object"),
    "has another kind": (
        CAPABLE.replace("bad", "good") + GOOD,
        "it says what it can do",
        '"runnables" does not have bad',
    ),
    "lists no strings": (
        CAPABLE.replace('["task-run"]', "[1]") + GOOD,
        "it says what it can do",
        '"commands" is no list of strings: [1]',
    ),
    "is silent": (CAPABLE, "a good task passes", "it sent nothing"),
    "sends no JSON": (f"{CAPABLE}say '}} {{'", "a good task passes", "it sent what is no JSON"),
    "forgets to start": (f"{CAPABLE}say '{ENDS}'", "a good task passes", "it began with {"),
    "forgets to finish": (f"{CAPABLE}say '{STARTS}'", "a good task passes", "it ended with {"),
    "finishes twice": (
        f"{CAPABLE}say '{STARTS}' '{ENDS}' '{ENDS}'",
        "a good task passes",
        "started and finished come once each",
    ),
    "forgets its job": (
        CAPABLE + GOOD.replace(', "job_id": "job"', ""),
        "a good task passes",
        "messages are about ",
    ),
    "fails": (CAPABLE + GOOD.replace("pass", "fail"), "a good task passes", "it ended with 'fail'"),
    "passes always": (CAPABLE + GOOD, "a bad task fails", "it ended with 'pass'"),
    "exits as its test": (f"{CAPABLE}{GOOD}\nexit 3", "a good task passes", "exited with 3"),
    "hangs": (f"{CAPABLE}say '{STARTS}'; kill -9 $$", "a good task passes", "exited with -9"),
}


@pytest.mark.parametrize(("text", "where", "reason"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_said_where_it_shows(
    tmp_path: Path, text: str, where: str, reason: str
) -> None:
    program = tmp_path / "nrunner-runner-bad"
    program.write_text(f"{SAY}{text}\n")
    program.chmod(0o755)
    given = {sort: Runnable("bad", "x") for sort in ("passing", "failing")}
    failed = [each for each in checks(Subject(str(program), "bad", given)) if _fails(each)]
    [found] = [each for each in failed if each.text.startswith(where)]
    assert reason in found.reason


def _fails(check: Check) -> bool:
    return check.found is Found.FAILS


def test_avocados_executable_is_good_but_for_an_advice(sandbox: Sandbox) -> None:
    """It is ended by SIGTERM without a word, and leaves its child running, which we end."""
    end = sandbox.run("runner", "check", str(avocado.programs() / "avocado-runner-tap"))
    assert end.code == 0
    *good, last = end.lines
    assert [line.split()[0] for line in good] == ["ok"] * 5
    assert last.startswith("advice  one that is asked to end ends its payload and says so: ")
    for pid, command in sandbox.running().items():
        assert "sleep 60" in command
        os.kill(pid, 9)


def test_a_check_that_fails_makes_the_exit_code(sandbox: Sandbox) -> None:
    sandbox.plug_in("nrunner-runner-shut", "#!/bin/sh\nexit 1\n")
    end = sandbox.run("runner", "check", "nrunner-runner-shut")
    assert end.code == 1
    assert "FAILED  it says what it can do: capabilities printed no object: nothing" in end.out
    assert "skipped a good task passes: nothing was given that is passing (--passing)" in end.out
