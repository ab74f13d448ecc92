import errno
import io
import os
import re
import sys
from pathlib import Path

import click
import pytest

from nrunner.cli.group import LazyGroup, cli
from nrunner.cli.main import main
from nrunner.errors import ConfigError, ExitCode, LinkError, SpawnError


@pytest.fixture
def command(monkeypatch):
    """Return a way to make `nrunner run` do something else."""

    def put(action):
        @click.command("run")
        def fake():
            return action()

        monkeypatch.setattr(LazyGroup, "get_command", lambda self, ctx, name: fake)

    return put


def failing(error):
    def action():
        raise error

    return action


def test_what_a_command_returns_is_the_exit_code(command):
    command(lambda: ExitCode.TESTS_FAILED | ExitCode.INTERRUPTED)
    assert main(["run"]) == 9
    command(lambda: None)
    assert main(["run"]) == 0


def test_an_expected_error_is_one_message_and_its_exit_code(command, capsys):
    command(failing(ConfigError("use x:3: key is unknown")))
    assert main(["run"]) == ExitCode.USAGE
    assert capsys.readouterr().err == "nrunner: could not use x:3: key is unknown\n"


def test_debug_shows_the_traceback_of_an_expected_error(command, capsys):
    command(failing(ConfigError("do it")))
    assert main(["--debug", "run"]) == ExitCode.USAGE
    assert "Traceback" in capsys.readouterr().err


def test_expected_errors_in_a_group_are_each_told_once(command, capsys):
    group = ExceptionGroup("x", [SpawnError("a"), ExceptionGroup("y", [LinkError("b")])])
    command(failing(ExceptionGroup("z", [group, SpawnError("a")])))
    assert main(["run"]) == ExitCode.JOB_FAILED
    assert capsys.readouterr().err == "nrunner: could not a\nnrunner: could not b\n"


def test_an_unforeseen_error_is_a_bug_with_its_traceback_in_a_file(
    command, capsys, tmp_path, monkeypatch
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    command(failing(ZeroDivisionError("oh\nno")))
    assert main(["run"]) == ExitCode.JOB_FAILED
    error = capsys.readouterr().err
    match = re.fullmatch(
        r"nrunner: this is a bug in nrunner: ZeroDivisionError: oh "
        r"\(the traceback is in (.*nrunner-bug-.*\.txt)\)\n",
        error,
    )
    assert match
    assert "ZeroDivisionError: oh" in Path(match[1]).read_text()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EAGAIN, errno.ENOMEM, errno.ENOSPC])
def test_what_the_machine_lacks_is_no_bug(command, capsys, number):
    lack = OSError(number, os.strerror(number), "/some/file")
    command(failing(ExceptionGroup("x", [lack])))
    assert main(["run"]) == ExitCode.JOB_FAILED
    expected = f"nrunner: could not go on: {os.strerror(number)} (/some/file)\n"
    assert capsys.readouterr().err == expected


def test_a_bug_within_a_group_of_expected_errors_stays_a_bug(command, capsys):
    command(failing(ExceptionGroup("x", [SpawnError("a"), ZeroDivisionError("b")])))
    assert main(["--debug", "run"]) == ExitCode.JOB_FAILED
    assert "this is a bug in nrunner: ExceptionGroup" in capsys.readouterr().err


def test_ctrl_c_before_a_job_begins_is_an_interruption(command, capsys):
    command(failing(KeyboardInterrupt()))
    assert main(["run"]) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == "nrunner: interrupted\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["run", "--max-paralel-tasks", "1"], "no such option.*--max-parallel-tasks"),
        (["rum"], "no such command 'rum'"),
        (["--nothing"], "no such option.*--nothing"),
        (["run", "--json"], "option '--json' requires an argument"),
        (
            ["completion", "tcsh"],
            "invalid value for 'SHELL': 'tcsh' is not one of 'bash', 'zsh', 'fish'",
        ),
    ],
)
def test_a_wrong_command_line_is_told_with_a_hint_on_help(capsys, argv, message):
    assert main(argv) == ExitCode.USAGE
    error = capsys.readouterr().err
    assert re.search(f"^nrunner: {message}", error, re.IGNORECASE | re.DOTALL)
    assert "--help'" in error
    assert "Traceback" not in error


def test_without_a_command_the_help_is_shown_and_nothing_is_fine_about_it(capsys):
    assert main([]) == ExitCode.USAGE
    assert "Commands:" in capsys.readouterr().err


def test_version_and_help_end_well(capsys):
    from nrunner import __version__

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"nrunner {__version__}\n"
    assert main(["--help"]) == 0
    assert main(["run", "-h"]) == 0


def test_every_listed_command_can_be_loaded_and_says_what_it_does():
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert command.help


class Closed(io.StringIO):
    """A stream whose reader went away."""

    encoding = "utf-8"

    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")


def test_a_reader_that_went_away_changes_no_exit_code(command, capsys, monkeypatch):
    def action():
        from nrunner.cli.output import say

        say("one")
        say("two")
        return ExitCode.TESTS_FAILED

    command(action)
    monkeypatch.setattr(sys, "stdout", Closed())
    assert main(["run"]) == ExitCode.TESTS_FAILED
    assert capsys.readouterr().err == ""


def test_a_full_disk_under_standard_output_is_told(command, capfd, monkeypatch):
    def action():
        from nrunner.cli.output import say

        say("one")

    command(action)
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["run"]) == ExitCode.JOB_FAILED
    assert "could not write to standard output: no space left" in capfd.readouterr().err


def test_standard_output_that_was_closed_before_is_no_error(command, monkeypatch):
    def action():
        from nrunner.cli.output import say

        say("one")

    command(action)
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["run"]) == 0


def test_text_that_the_terminal_cannot_show_is_escaped(command, monkeypatch):
    def action():
        from nrunner.cli.output import say

        say("é\udcff")

    command(action)
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert main(["run"]) == 0
    assert raw.getvalue() == b"\\xe9\\udcff\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_ask_us(capsys, shell):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"_NRUNNER_COMPLETE={shell}_complete" in script
    assert "nrunner" in script


def test_completion_knows_commands_and_flags(capsys, monkeypatch):
    monkeypatch.setenv("_NRUNNER_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "nrunner r")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert main([]) == 0
    assert capsys.readouterr().out == (
        "plain,run\nplain,replay\nplain,report\nplain,reap\nplain,runner\n"
    )
    monkeypatch.setenv("COMP_WORDS", "nrunner run --max")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert main([]) == 0
    assert capsys.readouterr().out == "plain,--max-parallel-tasks\n"
