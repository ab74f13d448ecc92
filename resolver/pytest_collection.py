"""What the user's own pytest collects: it is asked once for all references that may need it.

Not responsible for what runs in the interpreter that is asked (``nrunner.runners.pytest_collect``),
nor for which files are pytest's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from nrunner.record import dataclass, field
from nrunner.resolver.base import Context

__all__ = ["Collected", "CollectedTest", "Collection"]


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
        path = self._path(file)
        if not any(path == each or path.startswith(each + os.sep) for each in self._asked):
            self._ask([*foreseen, file])
        return self.known(file)

    def known(self, file: str) -> Collected:
        """Return what pytest has said of a file until now."""
        if self._error:
            return Collected(error=self._error)
        path = self._path(file)
        told = self._files.get(path)
        if told is not None:
            return _collected(told)
        return Collected(error=self._error_above(path))

    def _path(self, file: str) -> str:
        return os.path.normpath(os.path.join(self._context.base_dir, file))  # noqa: PTH118

    def _error_above(self, path: str) -> str:
        """Return what kept pytest from looking into a folder that holds the file."""
        while path not in ("/", str(self._context.base_dir)):
            path = os.path.dirname(path)  # noqa: PTH120
            for place in (path, f"{path}/__init__.py"):
                error = self._files.get(place, {}).get("error")
                if error:
                    return str(error)
        return ""

    def _ask(self, paths: Iterable[str]) -> None:
        from nrunner.resolver.python_question import LoaderError, ask
        from nrunner.runners.self_command import self_command

        wanted = list(dict.fromkeys(map(self._path, paths)))
        self._asked.update(dict.fromkeys(wanted))
        base_dir = str(self._context.base_dir)
        spec = {"base_dir": base_dir, "paths": [_relative(each, base_dir) for each in wanted]}
        try:
            answer = ask(self_command("pytest-collect", self._context.python), spec, self._context)
        except LoaderError as error:
            answer = {"error": str(error)}
        self._error = str(answer.get("error", ""))
        self._files.update(answer.get("files", {}))


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
