"""Surveys of odd commands and files: all that can be had is kept, and what cannot is named.

What each must come to stands in ``odd_survey``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from nrunner.runners.survey import file_names
from tests.functional.model import Content
from tests.functional.odd_survey import COMMANDS, FILES, TIMEOUT, Entry, make_files
from tests.functional.sandbox import Sandbox, check_moves

NAMES = file_names([each.text for each in COMMANDS], [each.text for each in FILES])


def survey(sandbox: Sandbox, **lists: list[str]) -> dict[str, Any]:
    """Make a survey as a task; return what became of it."""
    recipe = {"kind": "sysinfo", "uri": "pre", "kwargs": {"sysinfo": lists}}
    sandbox.write("facts.json", json.dumps(recipe), executable=False)
    sandbox.env["NRUNNER_SYSINFO_COLLECT_COMMANDS_TIMEOUT"] = f"{TIMEOUT:g}"
    sandbox.run("run", "facts.json")
    [test] = sandbox.results()["tests"]
    check_moves(sandbox.records())
    sandbox.wait_nothing_runs()
    assert isinstance(test, dict)
    return test


def test_odd_commands_and_files_spoil_nothing_of_a_survey(sandbox: Sandbox) -> None:
    make_files(sandbox.here)
    commands, files = [each.text for each in COMMANDS], [each.text for each in FILES]
    test = survey(sandbox, commands=commands, files=files)
    assert (test["status"], test["detail"]) == ("PASS", "")
    assert test["time_elapsed"] < 10 * TIMEOUT
    folder = sandbox.job / test["outputs"]["output"] / "sysinfo/pre"
    text = (folder / "left-out.txt").read_text("utf-8")
    entries = list(zip(NAMES, (*COMMANDS, *FILES), strict=True))
    wrong = [each for name, entry in entries for each in differences(folder, name, entry, text)]
    assert wrong == []
    kept = {name for name, entry in entries if entry.kept is not None}
    assert {each.name for each in folder.iterdir()} == {*kept, "left-out.txt"}
    assert len(re.findall(r"^.+: .+$", text, re.M)) == sum(1 for _, each in entries if each.said)


def test_a_command_that_ends_the_survey_is_told_and_leaves_nothing(sandbox: Sandbox) -> None:
    test = survey(sandbox, commands=["sleep 300", "kill -KILL $PPID", "echo never"], files=[])
    assert (test["status"], test["cause"]) == ("ERROR", "contract")
    assert test["detail"] == "killed by signal 9 (SIGKILL) without a report"


def test_a_survey_of_a_job_that_is_ended_costs_no_more_than_that(sandbox: Sandbox) -> None:
    sandbox.write("commands", "kill -KILL $PPID\n", executable=False)
    sandbox.env["NRUNNER_SYSINFO_COLLECTIBLES_COMMANDS"] = "commands"
    assert sandbox.run("run", "/bin/true", "--sysinfo").code == 0
    told = (sandbox.job / "job.log").read_text()
    assert told.count("system information is not complete: it was ended by signal 9") == 2
    sandbox.wait_nothing_runs()


def test_a_command_that_leaves_a_daemon_is_told(sandbox: Sandbox) -> None:
    # Only once it has a session of its own it is not ended with the command.
    command = "setsid sleep 300 & until grep -q sleep /proc/$!/comm; do :; done; echo begun"
    test = survey(sandbox, commands=[command], files=[])
    assert (test["status"], test["attempts"][0]["leaks"][0]["command"]) == ("WARN", "sleep 300")
    folder = sandbox.job / test["outputs"]["output"] / "sysinfo/pre"
    assert (folder / file_names([command], [])[0]).read_text() == "begun\n"


def differences(folder: Path, name: str, entry: Entry, text: str) -> list[str]:
    """Return in what one entry differs from what it must come to."""
    shown = name if entry in COMMANDS else entry.text.encode("utf-8", "backslashreplace").decode()
    said = re.search(f"^{re.escape(shown)}: (.*)$", text, re.M)
    found = []
    if not re.fullmatch(entry.said, said[1] if said else ""):
        found.append(f"{entry.text!r}: said: {said}")
    if entry.kept is not None and not holds(folder / name, entry.kept):
        found.append(f"{entry.text!r}: kept: {(folder / name).read_bytes()[:100]!r}")
    return found


def holds(path: Path, content: Content) -> bool:
    if isinstance(content, int):
        return path.stat().st_size == content
    data = path.read_bytes()
    return data == content if isinstance(content, bytes) else content(data)
