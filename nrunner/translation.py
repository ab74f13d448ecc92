"""What paths of ours are called in an environment that has a copy of the folder we began in.

Paths at or below that folder, `base_dir`, are called as the copy is; all others name things of the
environment and stay as they are. Also tells who needs the copy at all. Not responsible for
bringing it there (``nrunner.treedelivery``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path
from typing import Any

from nrunner.record import dataclass

__all__ = ["Translation"]

_NAMING = ("exec-test", "file", "tap")
"""Kinds that need nothing but what they name; all others are taken to need the copy."""
_PROGRAMS = ("exec-test", "tap")
"""Kinds whose uri may be a bare name: that of a file in the folder, or of a program on PATH."""
_SELF_SUFFICIENT = ("command", "env", "kernel-module", "noop", "package", "python")
_WORDS = re.compile(r"[\s'\"`=:,;()<>|&$]+")
_PATTERN = re.compile(r"[*?\[]")
_LISTS = ("PATH",)
"""Variables whose names end so hold several paths."""


@dataclass(frozen=True, slots=True)
class Translation:
    """From here to there."""

    base_dir: str
    there: str

    def path(self, path: str) -> str:
        """Return what a path, or what begins with one, is called there."""
        if path == self.base_dir:
            return self.there
        if path.startswith(self.base_dir + "/"):
            return self.there + path[len(self.base_dir) :]
        return path

    def order(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Return the order of an attempt in words that mean something there."""
        told = {**order, "runnable": self.runnable(order["runnable"])}
        if order.get("next"):
            told["next"] = self.path(order["next"])
        if order.get("needs"):
            told["needs"] = [self.runnable(each) for each in order["needs"]]
        return told

    def runnable(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return a Runnable or Requirement, as JSON types, in such words."""
        told = dict(data)
        for name in ("uri", "args", "kwargs"):
            if told.get(name):
                told[name] = self._value(told[name])
        if told.get("kind") in _PROGRAMS and _is_file(self.base_dir, told.get("uri") or ""):
            told["uri"] = f"{self.there}/{told['uri']}"  # else it would be looked for on PATH
        variables = told.get("config", {}).get("runner.env")
        if isinstance(variables, Mapping):
            told["config"] = {**told["config"], "runner.env": self.variables(variables)}
        return told

    def variables(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return variables of payloads in such words."""
        return {name: self._variable(name, each) for name, each in variables.items()}

    def _variable(self, name: str, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if name.endswith(_LISTS):
            return ":".join(map(self.path, value.split(":")))
        return self.path(value)

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            option, equals, path = value.partition("=")
            return option + equals + self.path(path) if equals else self.path(value)
        if isinstance(value, Mapping):
            return {name: self._value(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(each) for each in value]
        return value

    def needs_copy(self, data: Mapping[str, Any]) -> bool:
        """Whether what is described may want something of the folder.

        A program from elsewhere does not, unless its arguments name something in there.
        """
        kind, uri = data.get("kind") or data["type"], data.get("uri") or ""
        if kind in _SELF_SUFFICIENT:
            return False
        if kind not in _NAMING:
            return True
        if uri.startswith("/"):
            is_ours = self.path(uri) != uri
        else:
            is_ours = "/" in uri or _is_there(self.base_dir, uri)
        return is_ours or any(map(self._is_named, _texts(data)))

    def leads_out(self, data: Mapping[str, Any]) -> bool:
        """Whether the uri is a path of ours that is not in the folder, and so in no copy."""
        uri = data.get("uri") or ""
        if "../" not in uri or uri.startswith("/"):
            return False
        return os.path.normpath(uri).startswith("../")

    def _is_named(self, text: str) -> bool:
        return any(
            _is_there(self.base_dir, word) if word[0] != "/" else self.path(word) != word
            for word in _WORDS.split(text)
            if word
        )


def _texts(data: Mapping[str, Any]) -> Iterator[str]:
    for each in (*data.get("args", ()), *data.get("kwargs", {}).values()):
        if isinstance(each, str):
            yield each


def _is_file(folder: str, name: str) -> bool:
    is_bare = bool(name) and "/" not in name
    return is_bare and _is_there(folder, name) and Path(folder, name).is_file()


@lru_cache(maxsize=10_000)
def _is_there(folder: str, name: str) -> bool:
    """Whether a name means something in a folder, at least something that a pattern may fit."""
    try:
        if not _PATTERN.search(name):
            return os.path.lexists(f"{folder}/{name}")
        first = name.removeprefix("./").split("/")[0]
        return any(fnmatch(each.name, first) for each in Path(folder).iterdir())
    except (OSError, ValueError):
        return False
