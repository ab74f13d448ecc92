"""Which tests a Go package has: asked of ``go test -list``, once for each package.

Go builds the package for that, so what does not build is known before anything runs. Which of its
files a test is in is read from the files. Not responsible for which references are Go's
(``nrunner.resolver.golang``).
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from nrunner.record import dataclass, replace
from nrunner.resolver.base import Context
from nrunner.resolver.bounded import BoundedError, run_bounded
from nrunner.runners.go_source import names_in

__all__ = ["Package", "Packages", "found_in"]

_WANTED = ("Test", "Fuzz", "Example")
_QUOTED = 3
"""How many lines of go's complaints are repeated."""


@dataclass(frozen=True, slots=True)
class Package:
    """What is known of a package."""

    names: frozenset[str] = frozenset()
    problem: str = ""
    """Why go does not tell."""


class Packages:
    """Packages by their folder, each asked about once."""

    def __init__(self) -> None:
        self._known: dict[Path, Package] = {}

    def of(self, folder: Path, context: Context) -> Package:
        """Return what is in the package in a folder."""
        found = self._known.get(folder)
        if found is None:
            found = self._known[folder] = _ask(folder, context)
        return found


def found_in(file: Path) -> list[str]:
    """Return the names of what may be tests in a file; raise OSError."""
    return names_in(file.read_text("utf-8", "replace"))


def _ask(folder: Path, context: Context) -> Package:
    if shutil.which("go", path=context.env.get("PATH")) is None:
        return Package(problem="there is no go on PATH that could run it")
    argv = ["go", "test", "-vet=off", "-list", ".", "."]
    with tempfile.TemporaryDirectory(prefix="nrunner-") as scratch:
        said, complaints = Path(scratch, "stdout"), Path(scratch, "stderr")
        here = replace(context, base_dir=folder)
        try:
            ending = run_bounded(argv, here, stderr=complaints, stdout=said)
        except BoundedError as error:
            return Package(problem=str(error))
        if ending != "exited with status 0":
            told = _complaint(said, complaints)
            return Package(problem=f"go test -list {ending}" + (f": {told}" if told else ""))
        words = said.read_text("utf-8", "replace").split("\n")
    return Package(frozenset(word for word in words if word.startswith(_WANTED)))


def _complaint(said: Path, complaints: Path) -> str:
    """Return what go says is wrong; where that is not its own word, what the program printed."""
    for path in (complaints, said):
        lines = [line.strip() for line in path.read_text("utf-8", "replace").splitlines()]
        told = [line for line in lines if line and line[0] != "#"]
        if told:
            return "; ".join(told[:_QUOTED])
    return ""
