"""The command ``nrunner`` as click knows it: its subcommands, loaded when used.

Not responsible for the errors of subcommands (``nrunner.cli.main``).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from nrunner import __version__
from nrunner.cli.front import ABOUT, COMMANDS, EPILOG
from nrunner.cli.output import say_error
from nrunner.errors import ExitCode
from nrunner.termination import terminations_interrupt

__all__ = ["LazyGroup", "cli", "complete", "invoke"]


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


@click.command(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help=ABOUT,
    # Lines that stay as they are, unless the terminal is too narrow for them.
    epilog="\b\n" + "\n".join(EPILOG),
)
@click.version_option(__version__, prog_name="nrunner", message="%(prog)s %(version)s")
@click.option("--config", metavar="FILE", expose_value=False, help="Read settings from a file.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Do nothing: what there is to do is done by subcommands."""


def complete(instruction: str) -> int:
    """Tell a shell how a command line could go on."""
    from click.shell_completion import shell_complete

    return shell_complete(cli, {}, "nrunner", "_NRUNNER_COMPLETE", instruction)


def invoke(arguments: list[str]) -> int:
    """Read a command line and do what it says; return the exit code."""
    try:
        context = cli.make_context("nrunner", list(arguments), obj=tuple(arguments))
        with context, terminations_interrupt():
            result = cli.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.Abort as error:
        raise KeyboardInterrupt from error
    except click.ClickException as error:
        return _misused(error)
    return result if isinstance(result, int) else ExitCode.OK


def _explained(error: click.ClickException) -> str:
    """Return what is wrong, and for a flag of Avocado's that is not there also why not."""
    from nrunner.cli.familiar import LEFT_OUT

    flag = error.option_name if isinstance(error, click.NoSuchOption) else ""
    if flag in LEFT_OUT:
        return f"no such option: {flag}: {LEFT_OUT[flag]}"
    return error.format_message()


def _misused(error: click.ClickException) -> int:
    """Say what is wrong with the command line; without any command, show the help."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return ExitCode.USAGE
    message = _explained(error)
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "nrunner"
    say_error(f"{message[:1].lower()}{message[1:]}\nTry '{path} --help'.")
    return ExitCode.USAGE
