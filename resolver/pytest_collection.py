"""What the user's own pytest collects: it is asked once for all references that may need it.

Not responsible for what runs in the interpreter that is asked (``nrunner.runners.pytest_collect``),
nor for which files are pytest's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nrunner.record import dataclass, field
from nrunner.resolver.base import Context

__all__ = ["Collected", "CollectedTest", "Collection"]

_ENOUGH = 3
"""After so many times the same, whatever is wrong is wrong with all."""


@dataclass(frozen=True, slots=True)
class CollectedTest:
    """One test, or several of the same address."""

    names: str
    """``TestA::test_b[1]``."""
    tags: tuple[str, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()
    """Docstrings that hold directives, each with the path of its file."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What pytest has to say of a file."""

    tests: tuple[CollectedTest, ...] = ()
    deselected: int = 0
    skip: str = ""
    """Why the file asked to be skipped as a whole."""
    error: str = ""
    kwargs: Mapping[str, str] = field(default_factory=dict)
    """Where its configuration is, if the file alone would not lead there."""


class Collection:
    """Answers about files; pytest is started when the first is asked for."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._asked: dict[str, None] = {}
        self._files: dict[str, dict[str, Any]] = {}
        self._error = ""
        """Why there is no answer at all."""
        self._errors: dict[str, str] = {}
        """Why there is none for what was asked about, by path."""

    @property
    def is_begun(self) -> bool:
        """Whether pytest was asked."""
        return bool(self._asked)

    @property
    def has_failed(self) -> bool:
        """Whether pytest gave no answer at all."""
        return bool(self._error)

    def of(self, file: str, foreseen: Iterable[str]) -> Collected:
        """Return what pytest says of a file; it is asked about what is foreseen, too."""
        if not self._is_covered(file, self._asked):
            paths = list(map(self._path, foreseen))
            # What is named itself is collected whatever its name is.
            self._ask(paths if self._is_covered(file, paths) else [*paths, self._path(file)])
        return self.known(file)

    def _is_covered(self, file: str, paths: Iterable[str]) -> bool:
        path = self._path(file)
        return any(path == each or path.startswith(each + os.sep) for each in paths)

    def known(self, file: str) -> Collected:
        """Return what pytest has said of a file until now."""
        if self._error:
            return Collected(error=self._error)
        path = self._path(file)
        told = self._files.get(path)
        if told is not None:
            return _collected(told)
        return Collected(error=self._errors.get(path) or self._error_above(path))

    def _path(self, file: str) -> str:
        return os.path.normpath(os.path.join(self._context.base_dir, file))  # noqa: PTH118

    def _error_above(self, path: str) -> str:
        """Return what kept pytest from looking into a folder that holds the file."""
        while path not in ("/", str(self._context.base_dir)):
            path = os.path.dirname(path)  # noqa: PTH120
            told = (self._files.get(each, {}) for each in (path, f"{path}/__init__.py"))
            errors = [self._errors.get(path), *(each.get("error") for each in told)]
            found = next((str(each) for each in errors if each), "")
            if found:
                return found
        return ""

    def _ask(self, paths: Iterable[str]) -> None:
        wanted = list(dict.fromkeys(paths))
        self._asked.update(dict.fromkeys(wanted))
        answer = self._answer(wanted)
        if "files" in answer:
            self._files.update(answer["files"])
        elif answer.get("lacking") or len(wanted) == 1:
            self._error = str(answer["error"])
        else:
            self._ask_apart(wanted)  # what is wrong with one is nothing to the others

    def _ask_apart(self, paths: Sequence[str]) -> None:
        for path in paths:
            alike = set(self._errors.values())
            if len(self._errors) == _ENOUGH and len(alike) == 1 and not self._files:
                self._error = alike.pop()
                return
            answer = self._answer([path])
            self._files.update(answer.get("files", {}))
            if "error" in answer:
                self._errors[path] = str(answer["error"])

    def _answer(self, paths: Iterable[str]) -> dict[str, Any]:
        from nrunner.resolver.bounded import BoundedError
        from nrunner.resolver.python_question import LoaderError, ask
        from nrunner.runners.self_command import self_command

        base_dir = str(self._context.base_dir)
        spec = {"base_dir": base_dir, "paths": [_relative(each, base_dir) for each in paths]}
        try:
            return ask(self_command("pytest-collect", self._context.python), spec, self._context)
        except LoaderError as error:
            # Whoever crashes may do so because of one file.
            return {"error": str(error), "lacking": isinstance(error.__cause__, BoundedError)}


def _relative(path: str, base_dir: str) -> str:
    """Return a path as somebody would type it: so it is in what pytest says of it."""
    return os.path.relpath(path, base_dir) if path.startswith(base_dir + os.sep) else path


def _collected(told: Mapping[str, Any]) -> Collected:
    tests = (
        CollectedTest(
            str(each["names"]),
            tuple(each.get("tags", ())),
            tuple((str(text), str(file)) for text, file in each.get("texts", ())),
        )
        for each in told["tests"]
    )
    return Collected(
        tuple({each.names: each for each in tests}.values()),
        int(told.get("deselected", 0)),
        str(told.get("skip", "")),
        str(told.get("error", "")),
        {key: str(told[key]) for key in ("inifile", "rootdir") if key in told},
    )
