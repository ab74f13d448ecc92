import io
from importlib import metadata

import pytest

from nrunner.errors import ExitCode, PluginError, UsageError
from nrunner.results import registry
from nrunner.results.compact import Compact
from nrunner.results.console import Console
from nrunner.results.terminal import Terminal
from nrunner.testing.sample import sample_job


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def points(monkeypatch):
    found = []
    monkeypatch.setattr(
        metadata, "entry_points", lambda group: found if group == "nrunner.results" else []
    )

    def add(name, value):
        found.append(metadata.EntryPoint(name, value, "nrunner.results"))

    return add


@pytest.mark.parametrize("name", ["json", "xunit", "tap", "ctrf", "html", "tmt", "trace"])
def test_our_writers_are_found_by_name(name, points):
    points(name, "no_such_module:Thing")
    assert registry.find_writer(name).name == name


def test_an_unknown_writer_gets_the_nearest_name():
    with pytest.raises(UsageError, match="did you mean 'json'") as caught:
        registry.find_writer("jsno")
    assert caught.value.exit_code == ExitCode.USAGE


def test_a_plugins_writer_is_loaded(points):
    points("other", "nrunner.results.tap:TapReport")
    assert registry.find_writer("other").file_name == "results.tap"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_module:Thing", "ModuleNotFoundError"),
        ("nrunner.results.tap:Missing", "AttributeError"),
        ("math:sqrt", "TypeError"),
        ("nrunner.task:TaskLimits", "it has no name, description, file_name, write"),
    ],
)
def test_a_broken_plugin_is_named(points, value, reason):
    points("other", value)
    with pytest.raises(PluginError, match=f"plugin 'other' of results \\({value}, .*{reason}"):
        registry.find_writer("other")


@pytest.mark.parametrize("names", [["app"], ["none"], ["test", "app"]])
def test_names_that_can_be_shown_are_taken(names):
    assert registry.check_show(names) == frozenset(names)


def test_showing_nothing_in_particular_shows_the_job():
    assert registry.check_show([]) == {"app"}


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["tset"], r"show 'tset': choose from none, app, test; did you mean 'test'\?"),
        (["\n"], r"show '\\n': choose from"),
        (["none", "app"], "show 'none' and something else"),
    ],
)
def test_names_that_cannot_be_shown_are_refused(names, sentence):
    with pytest.raises(UsageError, match=sentence):
        registry.check_show(names)


def test_a_terminal_gets_the_live_console(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert isinstance(registry.make_console(Screen(), show=["app"], quiet=False), Terminal)


@pytest.mark.parametrize(
    ("term", "no_color", "stream"),
    [
        ("dumb", "", Screen()),
        ("", "", Screen()),
        ("xterm", "1", Screen()),
        ("xterm", "", io.StringIO()),
    ],
)
def test_anything_else_gets_plain_lines(monkeypatch, term, no_color, stream):
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("NO_COLOR", no_color)
    console = registry.make_console(stream, show=["app"], quiet=False)
    assert isinstance(console, Console)


def test_who_wants_it_quiet_hears_of_failures_alone(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(registry.make_console(Screen(), show=["app"], quiet=True), Compact)
    assert isinstance(registry.make_console(Screen(), show=["none"], quiet=True), Console)


@pytest.mark.parametrize(
    ("environ", "count"),
    [
        ({}, 1),
        ({"CI": "true"}, 1),
        ({"CI": "true", "GITHUB_ACTIONS": "true"}, 2),
        ({"CI": "1", "GITLAB_CI": "true"}, 2),
    ],
)
def test_the_system_that_runs_us_is_told_of_failures(monkeypatch, environ, count):
    for name in ("CI", "GITHUB_ACTIONS", "GITLAB_CI"):
        monkeypatch.setenv(name, environ.get(name, ""))
    assert len(registry.listeners_for(io.StringIO(), ["app"], quiet=False)) == count


def test_showing_none_prints_nothing(monkeypatch):
    stream = io.StringIO()
    registry.make_console(stream, show=["none"], quiet=False).job_opened(sample_job())
    assert stream.getvalue() == ""


def test_a_closed_stream_gets_a_console_that_raises_nothing(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Screen()
    stream.close()
    stream.isatty = io.StringIO.isatty.__get__(stream)
    registry.make_console(stream, show=["app"], quiet=False).notice("x")
