"""A series of measurements, with tools of a few lines."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.peer import Installed, Shed
from benchmarks.series import Outcome, Series
from benchmarks.tool import Broken, Case, Command, Reading, Site, Tool


def _tool(name: str, log: Path, script: str = "true", told: int = 0) -> Tool:
    """Return a tool that writes its name and number of tests to a log, and tells a count."""

    def prepare(site: Site) -> Command:
        write = f'echo {name} {site.tests} "$PWD" >> {log}'
        return Command(("sh", "-c", f"{write}; {script}"))

    def read(site: Site, output: str) -> Reading:
        return Reading(told or site.tests, {"bytes": float(len(output))})

    return Tool(name, name, prepare, read)


def _measure(folder: Path, *tools: Tool, rounds: int = 2, memory: bool = False) -> list[Outcome]:
    shed = Shed(folder / "cache", sys.executable, may_install=False)
    for tool in tools:
        shed.installed[tool.peer] = Installed(tool.peer, Path("/bin"))
    case = Case("W9", "x", tools, 5, memory=memory)
    return Series(case, shed, rounds, folder, lambda text: None).measure()


def test_tools_take_turns_and_the_first_round_does_not_count(tmp_path):
    log = tmp_path / "log"
    outcomes = _measure(tmp_path, _tool("a", log), _tool("b", log))
    ran = [line.split()[:2] for line in log.read_text().splitlines()]
    assert ran == [["a", "1"], ["a", "5"], ["b", "1"], ["b", "5"]] * 3
    for outcome in outcomes:
        assert len(outcome.seconds) == len(outcome.one) == len(outcome.cpu) == 2
        assert all(seconds > 0 for seconds in outcome.seconds)


def test_every_run_gets_a_new_folder_that_is_gone_afterwards(tmp_path):
    log = tmp_path / "log"
    _measure(tmp_path, _tool("a", log))
    folders = [line.split()[2] for line in log.read_text().splitlines()]
    assert len(set(folders)) == len(folders)
    assert not any(Path(folder).exists() for folder in folders)


def test_a_tool_that_ran_fewer_tests_is_out_and_the_others_go_on(tmp_path):
    log = tmp_path / "log"
    bad, good = _measure(tmp_path, _tool("bad", log, told=4), _tool("good", log))
    assert "ran 4 tests, not 1" in bad.broken
    assert bad.seconds == []
    assert len(good.seconds) == 2
    assert good.broken == ""


def test_a_tool_that_fails_is_out_with_its_last_words(tmp_path):
    [outcome] = _measure(tmp_path, _tool("a", tmp_path / "log", "echo no luck; exit 3"))
    assert "status 3" in outcome.broken
    assert "no luck" in outcome.broken


def test_a_tool_that_cannot_be_started_is_out(tmp_path):
    tool = Tool("a", "a", lambda site: Command(("/no/such/program",)))
    [outcome] = _measure(tmp_path, tool)
    assert "/no/such/program" in outcome.broken


@pytest.mark.parametrize("error", [Broken("as said"), KeyError("pass"), ValueError("no JSON")])
def test_a_tool_whose_report_cannot_be_read_is_out(tmp_path, error):
    def read(site: Site, output: str) -> Reading:
        raise error

    [outcome] = _measure(tmp_path, Tool("a", "a", lambda site: Command(("true",)), read))
    assert str(error) in outcome.broken


def test_what_a_tool_tells_of_itself_is_kept_for_each_round(tmp_path):
    [outcome] = _measure(tmp_path, _tool("a", tmp_path / "log", "echo four"))
    assert outcome.figures == {"bytes": [5.0, 5.0]}


def test_memory_is_of_the_tool_and_not_of_who_started_it(tmp_path):
    tool = _tool("a", tmp_path / "log", "sleep 0.2")
    [outcome] = _measure(tmp_path, tool, rounds=1, memory=True)
    assert outcome.memory is not None
    assert 0 < outcome.memory.main < 8000  # KiB; this interpreter holds several times that
    assert outcome.memory.whole > 0


def test_the_first_output_is_timed_where_it_is_watched(tmp_path):
    words = ("sh", "-c", "echo now; sleep 0.2; echo later")
    tool = Tool("a", "a", lambda site: Command(words, watch_output=True))
    [outcome] = _measure(tmp_path, tool, rounds=1)
    assert outcome.first_output[0] < outcome.seconds[0]


def test_nothing_of_the_callers_environment_is_passed_on(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    tool = _tool("a", tmp_path / "log", 'test -z "$PYTHONDONTWRITEBYTECODE" && test -d "$TMPDIR"')
    [outcome] = _measure(tmp_path, tool, rounds=1)
    assert outcome.broken == ""
