"""What a runner executable of Avocado's sort says that it can do, asked once and remembered.

Such an executable takes only settings that it names, and will refuse others. So where there are
any that could be meant for it, it is asked by a process that becomes it afterwards: the agent
waits for nobody. What it says is remembered by path, time and size, for as long as the agent is
there. Not responsible for how executables are called (``nrunner.runners.executable_runner``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Mapping

from nrunner.record import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

__all__ = ["Capability", "Memory", "foreign", "main", "taken"]

_OF_OTHERS = ("runner.exectest.", "runner.identifier_format")
"""What Avocado calls so, too, among settings that begin like ours."""
_OURS = ("agent.", "cache.", "runner.")
_ALWAYS = frozenset({"runner.identifier_format"})
"""What each of them takes without naming it."""
_ANSWERS_WITHIN = 10.0


def foreign(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return those settings that may be meant for somebody else than us."""
    return {
        key: value
        for key, value in config.items()
        if key.startswith(_OF_OTHERS) or not key.startswith(_OURS)
    }


def taken(config: Mapping[str, Any], capability: Capability) -> dict[str, Any]:
    """Return those settings that an executable takes; all, if it does not say which."""
    if capability.keys is None:
        return dict(config)
    keys = _ALWAYS.union(capability.keys)
    return {key: value for key, value in config.items() if key in keys}


@dataclass(frozen=True)
class Capability:
    """What an executable says of itself."""

    keys: Optional[Collection[str]] = None
    """The settings that it uses; None if it did not say that."""

    @classmethod
    def read(cls, text: str) -> Capability:
        """Read what ``capabilities`` has printed."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return cls()
        keys = found.get("configuration_used") if isinstance(found, dict) else None
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            return cls()
        return cls(tuple(keys))


class Memory:
    """What executables have said, in a file that several processes share."""

    def __init__(self, file: str) -> None:
        self._file = file

    def recall(self, path: str) -> Optional[Capability]:
        """Return what an executable has said, None if it has to be asked."""
        known, stamp = self._load().get(path), _stamp(path)
        if not isinstance(known, list) or len(known) != 2 or known[0] != stamp:
            return None
        return Capability(known[1])

    def keep(self, path: str, capability: Capability) -> None:
        """Remember what an executable has said."""
        stamp = _stamp(path)
        if stamp is None:
            return
        keys = None if capability.keys is None else list(capability.keys)
        known = {**self._load(), path: [stamp, keys]}
        draft = f"{self._file}.{os.getpid()}"
        try:
            with open(draft, "w", encoding="ascii") as file:
                json.dump(known, file)
            os.replace(draft, self._file)
        except OSError:
            pass  # it is asked again, then

    def _load(self) -> dict[str, Any]:
        try:
            with open(self._file, encoding="ascii") as file:
                found = json.load(file)
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def _stamp(path: str) -> Optional[list[int]]:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return [found.st_mtime_ns, found.st_size]


def main(argv: list[str]) -> int:
    """Ask an executable what it can do, then become it: FILE CONFIG PATH WORD...

    FILE is that of the memory. The words are those of ``task-run``; of two settings that they
    hold, the last counts.
    """
    file, config, path, *words = argv
    capability = _ask(path)
    Memory(file).keep(path, capability)
    settings = json.dumps(taken(json.loads(config), capability))
    try:
        os.execv(path, [path, *words, "-c", settings])
    except OSError as error:
        print(f"{path} cannot be executed: {error.strerror}", file=sys.stderr)
        return 126


def _ask(path: str) -> Capability:
    import subprocess

    try:
        done = subprocess.run(
            [path, "capabilities"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_ANSWERS_WITHIN,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return Capability()
    return Capability.read(done.stdout.decode("utf-8", "replace"))
