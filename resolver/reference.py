"""What a reference says by its form alone: lists of references, globs, names that cannot be.

Not responsible for what a file is; resolvers decide that.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from nrunner.errors import UsageError

__all__ = [
    "exists",
    "expand",
    "expression",
    "impossible",
    "is_file",
    "is_folder",
    "is_pattern",
    "missing",
    "shown",
]

_LONGEST_SHOWN = 200
_SIGNS_OF_PATTERNS = frozenset("*?[")


def expression(text: str) -> re.Pattern[str]:
    """Return a regular expression; raise ValueError, which says what is wrong, if it is none."""
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from error


def expand(references: Iterable[str], stdin: IO[bytes] | IO[str]) -> list[str]:
    """Replace ``-`` by the references read from `stdin`, and ``@file`` by those in that file.

    One per line, or between NULs where there are any; empty lines and, in lines, those that begin
    with ``#`` are left out. Raise UsageError if a file cannot be read.
    """
    expanded: list[str] = []
    for reference in references:
        if reference == "-":
            expanded.extend(_split(_read_stdin(stdin)))
        elif reference.startswith("@"):
            expanded.extend(_split(_read_list(reference[1:])))
        else:
            expanded.append(reference)
    return expanded


def exists(base_dir: Path, name: str) -> bool:
    """Say whether there is such a file or folder; a name that cannot be one is not there."""
    return os.path.exists(f"{base_dir}/{name}" if name[:1] != "/" else name)  # noqa: PTH110


def is_file(base_dir: Path, name: str) -> bool:
    """Say whether this is a regular file; a name that cannot be one is not."""
    return os.path.isfile(f"{base_dir}/{name}" if name[:1] != "/" else name)  # noqa: PTH113


def is_folder(base_dir: Path, name: str) -> bool:
    """Say whether this is a folder; a name that cannot be one is not."""
    return os.path.isdir(f"{base_dir}/{name}" if name[:1] != "/" else name)  # noqa: PTH112


def is_pattern(reference: str) -> bool:
    """Say whether this may be a glob."""
    return not _SIGNS_OF_PATTERNS.isdisjoint(reference)


def impossible(reference: str, base_dir: Path) -> str:
    """Say why no file can have this name; empty if one could."""
    if not reference:
        return "an empty reference names nothing"
    if "\0" in reference:
        return f"{shown(reference)} holds a NUL character, which no file name can"
    try:
        os.lstat(f"{base_dir}/{reference}" if reference[:1] != "/" else reference)
    except FileNotFoundError:
        return ""
    except OSError as error:
        if error.errno == errno.ENOTDIR or exists(base_dir, reference.partition(":")[0]):
            return ""
        reason = (error.strerror or str(error)).lower()
        return f"{shown(reference)} cannot be looked up: {reason}"
    except ValueError as error:
        return f"{shown(reference)} cannot be a file name: {error}"
    return ""


def missing(reference: str, base_dir: Path) -> str:
    """Say that there is no such file, and which existing path comes nearest."""
    return f"{shown(reference)} does not exist; the nearest existing path is " + shown(
        _nearest(reference, base_dir)
    )


def shown(text: str) -> str:
    """Return `text` fit for one line of a terminal: no control characters, not endless."""
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    if len(safe) <= _LONGEST_SHOWN:
        return safe
    half = _LONGEST_SHOWN // 2 - 10
    return f"{safe[:half]}...{safe[-half:]} ({len(text)} characters)"


def _split(data: bytes) -> list[str]:
    if b"\0" in data:
        return [os.fsdecode(each) for each in data.split(b"\0") if each]
    lines = (os.fsdecode(line.removesuffix(b"\r")) for line in data.split(b"\n"))
    return [line for line in lines if line.strip() and not line.startswith("#")]


def _read_stdin(stdin: IO[bytes] | IO[str]) -> bytes:
    data = getattr(stdin, "buffer", stdin).read()
    return os.fsencode(data) if isinstance(data, str) else bytes(data)


def _read_list(name: str) -> bytes:
    reason = impossible(name, Path())
    try:
        if not reason:
            return Path(name).read_bytes()
    except FileNotFoundError:
        reason = missing(name, Path())
    except OSError as error:
        reason = f"{shown(name)} cannot be read: {(error.strerror or str(error)).lower()}"
    raise UsageError(f"reference {shown('@' + name)}: {reason}")


def _nearest(reference: str, base_dir: Path) -> str:
    """Return the deepest folder that exists, and in it the entry with the most similar name."""
    parts = [part for part in reference.split("/") if part]
    found = "/" if reference.startswith("/") else ""
    for part in parts:
        if not os.path.lexists(base_dir / found / part):
            return found + _similar(part, base_dir / found) or "."
        found += part if part == parts[-1] else part + "/"
    return found or "."


def _similar(name: str, folder: Path) -> str:
    import difflib  # only for a reference that is wrong

    try:
        entries = [each.name for each in folder.iterdir()]
    except OSError:
        return ""
    close = difflib.get_close_matches(name, entries, n=1, cutoff=0.7)
    return close[0] if close else ""
