"""Tests of Go: ``x_test.go``, ``x_test.go:TestName`` and ``folder:TestName``.

Each test is a Runnable; with ``--isolation=module`` each file is one. Without asking (``--static``)
what looks like a test is taken for one. Not responsible for what go says
(``nrunner.resolver.go_package``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nrunner.resolver.base import Answer, Context, Resolution
from nrunner.resolver.reference import is_file, is_folder, shown
from nrunner.runnable import Runnable

if TYPE_CHECKING:
    from nrunner.resolver.go_package import Packages

__all__ = ["GolangResolver"]

_SUFFIX = "_test.go"


class GolangResolver:
    """Takes Go's files of tests, and tests in them."""

    name = "golang"
    description = "tests of Go: x_test.go, x_test.go:TestName, folder:TestName"
    priority = 45

    def __init__(self) -> None:
        self._packages: Packages | None = None

    def expect(self, _references: Sequence[str], _context: Context) -> None:
        """Forget what go said: in another suite it may say something else."""
        self._packages = None

    def resolve(self, reference: str, context: Context) -> Resolution:
        """Answer with one Runnable per test."""
        target, _, name = reference.removeprefix("golang:").partition(":")
        if target.endswith(_SUFFIX) and is_file(context.base_dir, target):
            return self._of_files(reference, [target], name, context)
        if name and is_folder(context.base_dir, target):
            entries = sorted((context.base_dir / target).glob(f"*{_SUFFIX}"))
            files = [f"{target.rstrip('/')}/{each.name}" for each in entries]
            if files:
                return self._of_files(reference, files, name, context)
        return self._no(reference)

    def _of_files(
        self, reference: str, files: Sequence[str], name: str, context: Context
    ) -> Resolution:
        from nrunner.resolver.go_package import Packages, found_in

        names = {}
        for file in files:
            try:
                names[file] = found_in(context.base_dir / file)
            except OSError as error:
                return self._no(reference, f"{shown(file)}: {error.strerror}", Answer.CORRUPT)
        if not any(names.values()):
            return self._no(reference, "it has no function that is a test")
        if not context.static:
            self._packages = self._packages or Packages()
            package = self._packages.of((context.base_dir / files[0]).parent, context)
            if package.problem:
                reason = f"{shown(files[0])}: {package.problem}"
                return self._no(reference, reason, Answer.CORRUPT)
            names = {
                file: [each for each in found if each in package.names]
                for file, found in names.items()
            }
            if not any(names.values()):
                return self._no(reference, "go test -list names none of its functions")
        runnables = _runnables(names, name, context)
        if not runnables:
            return self._no(reference, _missing(reference, names, name), Answer.CORRUPT)
        return Resolution(reference, Answer.SUCCESS, runnables, resolver=self.name)

    def _no(self, reference: str, reason: str = "", answer: Answer = Answer.NOT_MINE) -> Resolution:
        return Resolution(reference, answer, reason=reason, resolver=self.name)


def _runnables(names: dict[str, list[str]], name: str, context: Context) -> tuple[Runnable, ...]:
    if name:
        # What is within a test is known to go alone, once it runs.
        outer = name.partition("/")[0]
        return tuple(
            Runnable("golang", f"{file}:{name}") for file, found in names.items() if outer in found
        )
    if context.isolation == "module":
        return tuple(Runnable("golang", file) for file, found in names.items() if found)
    return tuple(
        Runnable("golang", f"{file}:{each}") for file, found in names.items() for each in found
    )


def _missing(reference: str, names: dict[str, list[str]], name: str) -> str:
    import difflib

    place = reference.removeprefix("golang:").removesuffix(f":{name}")
    reason = f"{shown(place)}: there is no test {shown(name)} in it"
    known = [each for found in names.values() for each in found]
    near = difflib.get_close_matches(name, known, 1, 0.5)
    return f"{reason}; did you mean {shown(place)}:{near[0]}?" if near else reason
