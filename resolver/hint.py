"""Files of which a hint file says what kind of test they are.

Not responsible for what hint files look like (``nrunner.resolver.hint_file``).
"""

from __future__ import annotations

import os
from pathlib import Path

from nrunner.errors import ConfigError
from nrunner.record import replace
from nrunner.resolver.base import HINTS, Answer, Context, Resolution
from nrunner.runnable import Runnable

__all__ = ["HintResolver"]


class HintResolver:
    """Takes the files that a hint is about."""

    name = "hint"
    description = "files whose kind .nrunner.hint or .avocado.hint says"
    priority = 100

    def __init__(self) -> None:
        self._known: dict[Path, dict[str, Runnable]] = {}

    def resolve(self, reference: str, context: Context) -> Resolution:
        """Answer with what the hint says of a file."""
        hints = self._hints(context.base_dir)
        found = hints.get(os.path.normpath(reference)) if hints else None
        if found is None:
            return Resolution(reference, Answer.NOT_MINE, resolver=self.name)
        runnable = replace(found, config=context.config)
        return Resolution(reference, Answer.SUCCESS, (runnable,), resolver=self.name)

    def _hints(self, folder: Path) -> dict[str, Runnable]:
        if folder not in self._known:
            self._known[folder] = _normal(folder)
        return self._known[folder]


def _normal(folder: Path) -> dict[str, Runnable]:
    if not any((folder / name).exists() for name in HINTS):
        return {}
    from nrunner.resolver.hint_file import read_hints

    try:
        return {os.path.normpath(path): each for path, each in read_hints(folder).items()}
    except ConfigError:  # told by whoever reads them before anything is resolved
        return {}
