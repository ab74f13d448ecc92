"""``nrunner runner link``: our runner executables under the names that Avocado looks for.

They are no entry points, since those of a package that stands beside Avocado in one environment
would replace its own. Not responsible for the executables (``nrunner.runners.executable``).
"""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path

import click

from nrunner.cli.output import say
from nrunner.errors import ExitCode, NrunnerError, UsageError
from nrunner.runners.registry import KINDS, REQUIREMENT_KINDS

__all__ = ["link"]

_USUAL = sorted(KINDS - REQUIREMENT_KINDS | {"noop"})


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("kinds", nargs=-1, metavar="[KIND]...")
def link(folder: Path, kinds: tuple[str, ...]) -> int:
    """Make links avocado-runner-KIND in FOLDER that lead to nrunner-runner-KIND.

    With FOLDER first on PATH, Avocado and other tools run these kinds by nrunner's executables.
    Without KIND there is one for each kind of test. What is there already is only replaced if it
    is such a link.
    """
    targets = {kind: _target(kind) for kind in dict.fromkeys(kinds) or _USUAL}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for kind, target in targets.items():
            _make(folder / f"avocado-runner-{kind}", target)
    except OSError as error:
        raise NrunnerError(f"make links in {folder}: {error.strerror}") from error
    for kind, target in targets.items():
        say(f"{folder / f'avocado-runner-{kind}'} -> {target}")
    return ExitCode.OK


def _target(kind: str) -> Path:
    """Return the path of our executable for a kind; raise UsageError."""
    if kind not in KINDS:
        raise UsageError(f"link kind {kind!r}: known are {', '.join(sorted(KINDS))}")
    name = f"nrunner-runner-{kind}"
    found = Path(sysconfig.get_path("scripts"), name)
    if not found.is_file():
        elsewhere = shutil.which(name)
        if elsewhere is None:
            raise NrunnerError(f"find {name} in {found.parent} or on PATH: is nrunner installed?")
        found = Path(elsewhere).absolute()
    return found


def _make(path: Path, target: Path) -> None:
    if os.path.lexists(path):
        is_ours = path.is_symlink() and path.readlink().name == target.name
        if not is_ours:
            raise NrunnerError(f"make {path}: something else is there")
        path.unlink()
    path.symlink_to(target)
