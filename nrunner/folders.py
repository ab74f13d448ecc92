"""The folders of environments that see nothing else of a job's: made, emptied and removed.

An attempt there writes its logs into the folder of its environment, and they are brought to where
they belong once it is over. Whoever runs there may put anything in their place: what is no folder
is left behind. Not responsible for when an environment ends (``nrunner.berth``).
"""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nrunner.errors import SpawnError
from nrunner.offload import offload
from nrunner.runners.removal import remove_tree

__all__ = ["Folders"]

_Key = tuple[int, int]


class Folders:
    """Those of the environments at one berth, one after the other."""

    def __init__(self) -> None:
        self._ways: dict[_Key, tuple[str, str]] = {}
        """Where the logs of attempts are written, and where they belong."""
        self._old: list[str] = []
        self._folder = ""

    def make(self, folder: str) -> str:
        """Make the folder of an environment that is about to be opened, and return it.

        Raise SpawnError if that is not possible.
        """
        try:
            Path(folder).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            Path(folder).mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise SpawnError(f"make {folder}: {error.strerror}") from error
        self._folder = folder
        return folder

    def redirected(self, order: Mapping[str, Any], folder: str) -> Mapping[str, Any]:
        """Return an order with the folder for its logs below that of its environment."""
        self._folder = folder
        key = order["task"], order["attempt"]
        log_dir = f"{folder}/logs-{key[0]}-{key[1]}"
        self._ways[key] = log_dir, order["log_dir"]
        return {**order, "log_dir": log_dir}

    def bring_home(self, heads: Iterable[Mapping[str, Any]]) -> None:
        """Bring what attempts that are over have written to where it belongs."""
        for head in heads:
            self._bring((head["task"], head["attempt"]))

    def leave(self, lost: Iterable[_Key]) -> None:
        """The environment is gone: bring what there is of attempts that went with it."""
        for key in [*lost]:
            self._bring(key)
        self._ways.clear()
        if self._folder:
            self._old.append(self._folder)
            self._folder = ""

    async def remove(self) -> None:
        """Remove what is left in the folders of environments that are gone."""
        while self._old:
            folder = self._old.pop()
            if not _is_removed(folder):
                await offload(remove_tree, folder)

    def _bring(self, key: _Key) -> None:
        source, target = self._ways.pop(key, ("", ""))
        if source:
            self.bring(source, target)

    def bring(self, source: str, target: str) -> None:
        """Bring a folder of logs, if there is one, to where it belongs."""
        with contextlib.suppress(OSError):
            if stat.S_ISDIR(Path(source).lstat().st_mode):
                Path(target).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                Path(source).rename(target)


def _is_removed(folder: str) -> bool:
    """Remove a folder that is empty, which takes no thread; return whether it is gone."""
    try:
        Path(folder).rmdir()
    except OSError:
        return False
    return True
