"""The command ``nrunner``: its subcommands, loaded when used, and what happens to errors.

All errors end here: expected ones as one message and their exit code, others as a bug with a
file that holds the traceback. Not responsible for what a subcommand does.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from nrunner import __version__
from nrunner.cli.output import finish, say_error
from nrunner.errors import ExitCode, NrunnerError

__all__ = ["LazyGroup", "cli", "main", "start"]


class LazyGroup(click.Group):
    """A group that imports the module of a subcommand only to run it or to show its help."""

    def __init__(self, *args: Any, lazy: dict[str, tuple[str, str]], **more: Any) -> None:
        super().__init__(*args, **more)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which they were given."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand."""
        if cmd_name not in self._lazy:
            return None
        module, _, attribute = self._lazy[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of subcommands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._lazy.items()])


_COMMANDS = {
    "run": ("nrunner.cli.run:run", "Run tests."),
    "list": ("nrunner.cli.listing:list_tests", "List the tests that references lead to."),
    "jobs": ("nrunner.cli.jobs:jobs", "Look at earlier jobs."),
    "plugins": ("nrunner.cli.plugins:plugins", "List resolvers, runners, spawners and results."),
    "config": ("nrunner.cli.config:config", "Show each setting and where it came from."),
    "completion": ("nrunner.cli.completion:completion", "Print a completion script for a shell."),
}


@click.command(
    cls=LazyGroup,
    lazy=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes add up: 1 tests failed, 2 the job failed, 4 wrong usage, 8 interrupted.",
)
@click.version_option(__version__, prog_name="nrunner", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Run tests of every kind, many at once, wherever they must run."""


def start() -> NoReturn:
    """Run the command line as a process of its own, to the end of that process.

    Ends without taking apart what the interpreter holds, which the kernel does faster than Python.
    """
    code = main()
    if _others_run():
        sys.exit(code)
    # What was registered to be done at the end is done; there is no other way to ask for it.
    atexit._run_exitfuncs()  # noqa: SLF001
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def _others_run() -> bool:
    """Say whether there are threads that Python waits for at its end."""
    threading = sys.modules.get("threading")
    return threading is not None and threading.active_count() > 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; the only place where errors are shown."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if os.environ.get("_NRUNNER_COMPLETE"):
        return _complete(os.environ["_NRUNNER_COMPLETE"])
    code = _guarded(arguments)
    return finish(code)


def _complete(instruction: str) -> int:
    from click.shell_completion import shell_complete

    return shell_complete(cli, {}, "nrunner", "_NRUNNER_COMPLETE", instruction)


def _guarded(arguments: list[str]) -> int:
    debug = "--debug" in arguments[:1]
    try:
        return _invoke(arguments)
    except KeyboardInterrupt:
        say_error("interrupted")
        return ExitCode.INTERRUPTED
    except Exception as error:
        expected = _expected(error)
        if not expected:
            return _bug(error, debug)
        if debug:
            _show_traceback()
        return _say_all(expected)


def _expected(error: Exception) -> list[NrunnerError]:
    """Return the expected errors that `error` is or holds; none if there is any other in it."""
    if isinstance(error, NrunnerError):
        return [error]
    if not isinstance(error, ExceptionGroup):
        return []
    inner = [_expected(each) for each in error.exceptions]
    return [each for found in inner for each in found] if all(inner) else []


def _say_all(errors: Sequence[NrunnerError]) -> int:
    code = ExitCode.OK
    for message in dict.fromkeys(str(each) for each in errors):
        say_error(f"could not {message}")
    for each in errors:
        code |= each.exit_code
    return code


def _invoke(arguments: list[str]) -> int:
    try:
        with cli.make_context("nrunner", list(arguments), obj=tuple(arguments)) as context:
            result = cli.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.Abort as error:
        raise KeyboardInterrupt from error
    except click.ClickException as error:
        return _misused(error)
    return result if isinstance(result, int) else ExitCode.OK


def _misused(error: click.ClickException) -> int:
    """Say what is wrong with the command line; without any command, show the help."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return ExitCode.USAGE
    message = error.format_message()
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "nrunner"
    say_error(f"{message[:1].lower()}{message[1:]}\nTry '{path} --help'.")
    return ExitCode.USAGE


def _show_traceback() -> None:
    import traceback

    traceback.print_exc()


def _bug(error: Exception, debug: bool) -> int:
    """Report an error that nobody foresaw: one line, and the traceback where it does not scare."""
    import tempfile
    import traceback

    what = f"{type(error).__name__}: {error}".split("\n")[0]
    where = "the traceback is above"
    if debug:
        traceback.print_exc()
    else:
        try:
            with tempfile.NamedTemporaryFile(
                "w", prefix="nrunner-bug-", suffix=".txt", delete=False, errors="backslashreplace"
            ) as file:
                traceback.print_exc(file=file)
            where = f"the traceback is in {file.name}"
        except OSError:
            where = "nrunner --debug ... shows the traceback"
    say_error(f"this is a bug in nrunner: {what} ({where})")
    return ExitCode.JOB_FAILED
