"""``nrunner completion``: the script that makes a shell complete our commands and options.

Not responsible for the completing itself: click does it when the script asks.
"""

from __future__ import annotations

import click

from nrunner.cli.output import say

__all__ = ["completion"]


_HELP = """Print what makes SHELL (bash, zsh or fish) complete nrunner's commands and options.

\b
nrunner completion bash > ~/.local/share/bash-completion/completions/nrunner
nrunner completion zsh > ~/.zfunc/_nrunner      (a folder of your fpath)
nrunner completion fish > ~/.config/fish/completions/nrunner.fish
"""


@click.command(help=_HELP)
@click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a completion script."""
    from click.shell_completion import get_completion_class

    from nrunner.cli.group import cli

    found = get_completion_class(shell)
    if found is not None:
        # Not source(): that asks a bash for its version, and there may be none here.
        made = found(cli, {}, "nrunner", "_NRUNNER_COMPLETE")
        say(made.source_template % made.source_vars())
