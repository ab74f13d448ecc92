"""The folder that references are relative to, as it is brought to where none of our files are seen.

Says which files and links belong to it: all but what is made from others, and what is no test's
business. Not responsible for bringing them (``nrunner.treedelivery``).
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from nrunner.errors import RecipeError, RequirementError
from nrunner.record import dataclass

__all__ = ["Tree", "TreeFile", "TreeLimits", "survey"]

_NEVER = frozenset(
    {
        *(".bzr", ".git", ".hg", ".svn"),
        *("__pycache__", ".eggs", ".hypothesis", ".mypy_cache", ".nox", ".pytest_cache"),
        *(".ruff_cache", ".tox", "node_modules"),
    }
)
"""Names of what never belongs to it."""
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class TreeLimits:
    """How much is brought, and what is not."""

    files: int = 20_000
    bytes: int = 1 << 29
    exclude: tuple[str, ...] = ()
    """Patterns of names, and of paths relative to the folder."""


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A regular file in it."""

    path: str
    """Relative to the folder."""
    mode: int
    size: int


@dataclass(frozen=True, slots=True)
class Tree:
    """What belongs to it."""

    base_dir: str
    files: tuple[TreeFile, ...]
    links: tuple[tuple[str, str], ...]
    """Path and target of links that lead to something in it."""

    @property
    def size(self) -> int:
        """How many bytes the files have."""
        return sum(each.size for each in self.files)

    def read(self, file: TreeFile) -> bytes:
        """Return what is in a file; nothing if it is gone. Raise RequirementError."""
        try:
            with Path(self.base_dir, file.path).open("rb") as source:
                return source.read(file.size)
        except FileNotFoundError:
            return b""
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise RequirementError(f"bring {self.base_dir}/{file.path}: {reason}") from error

    def digest(self, file: TreeFile) -> str:
        """Return the hash of a file, empty if it cannot be read."""
        found = hashlib.sha256()
        try:
            with Path(self.base_dir, file.path).open("rb") as source:
                while piece := source.read(_PIECE):
                    found.update(piece)
        except OSError:
            return ""
        return found.hexdigest()


def survey(base_dir: str, results_dir: str, limits: TreeLimits) -> Tree:
    """Look what belongs to a folder; raise RecipeError if that is more than may be brought.

    `results_dir` is where results of jobs are, which never belong to it.
    """
    files: list[TreeFile] = []
    links: list[tuple[str, str]] = []
    size = 0
    for path, entry in _entries(base_dir, os.path.realpath(results_dir), limits.exclude):
        target = _inner_target(base_dir, path, entry)
        if target is not None:
            links.append((path, target))
            continue
        try:
            found = entry.stat()
        except OSError:
            continue
        if not stat.S_ISREG(found.st_mode) or not os.access(entry.path, os.R_OK):
            continue
        files.append(TreeFile(path, stat.S_IMODE(found.st_mode) & 0o777, found.st_size))
        size += found.st_size
        if len(files) > limits.files:
            raise _too_much(base_dir, f"{limits.files} files", "files", _largest(files))
        if size > limits.bytes:
            raise _too_much(base_dir, f"{limits.bytes} bytes", "bytes", _largest(files))
    return Tree(base_dir, tuple(files), tuple(links))


def _entries(
    base_dir: str, results_dir: str, exclude: Sequence[str]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield all but folders, with paths relative to the folder."""
    todo = [""]
    while todo:
        above = todo.pop()
        try:
            with os.scandir(Path(base_dir, above)) as entries:
                found = sorted(entries, key=lambda each: each.name)
        except OSError:
            continue
        for entry in found:
            path = f"{above}/{entry.name}" if above else entry.name
            if entry.name in _NEVER or _is_excluded(entry.name, path, exclude):
                continue
            if not entry.is_dir(follow_symlinks=False):
                yield path, entry
            elif not _is_made(entry.path, results_dir):
                todo.append(path)


def _is_excluded(name: str, path: str, exclude: Sequence[str]) -> bool:
    return any(fnmatch.fnmatch(name, each) or fnmatch.fnmatch(path, each) for each in exclude)


def _is_made(folder: str, results_dir: str) -> bool:
    """Whether a folder holds results of jobs, or an environment of Python."""
    if os.path.realpath(folder) == results_dir:
        return True
    return os.path.lexists(f"{folder}/pyvenv.cfg") or (
        os.path.lexists(f"{folder}/journal.jsonl") and os.path.lexists(f"{folder}/id")
    )


def _inner_target(base_dir: str, path: str, entry: os.DirEntry[str]) -> str | None:
    """Return where a link leads that stays in the folder; None for anything else.

    Any other link to a file is brought as the file that it leads to.
    """
    if not entry.is_symlink():
        return None
    target = Path(entry.path).readlink()
    leads_to = os.path.normpath(Path(path).parent / target)
    return None if leads_to.split("/")[0] in ("", "..") else str(target)


def _largest(files: Sequence[TreeFile]) -> str:
    """Return the name at the top under which most of it lies."""
    sizes: dict[str, int] = {}
    for each in files:
        top = each.path.split("/")[0]
        sizes[top] = sizes.get(top, 0) + each.size + 1
    return max(sizes, key=lambda each: sizes[each])


def _too_much(base_dir: str, most: str, what: str, largest: str) -> RecipeError:
    return RecipeError(
        f"bring {base_dir}: it has more than {most}, most of them in {largest!r}; run nrunner in a "
        f'smaller folder, or set "ssh.tree_exclude" or "ssh.tree_most_{what}"'
    )
