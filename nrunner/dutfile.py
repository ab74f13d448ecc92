"""Writing a device's host key into its entry in the inventory, and changing nothing else there.

Not responsible for asking anybody (``nrunner dut enrol``), nor for reading (``nrunner.inventory``).
"""

from __future__ import annotations

import contextlib
import copy
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nrunner.errors import ConfigError
from nrunner.tomlfile import toml_line_of

__all__ = ["store_host_key", "with_host_key"]

_ENTRY = re.compile(r"""^(\s*host_key\s*=\s*)("[^"\\]*"|'[^']*')(.*)$""", re.DOTALL)


def store_host_key(path: Path, name: str, key: str) -> None:
    """Write the key into the entry of a device; raise ConfigError that says what to add by hand."""
    target = path.resolve()
    try:
        with _held(target):
            text = target.read_bytes().decode("utf-8")
            changed = with_host_key(text, name, key)
            if changed is None:
                raise ConfigError(
                    f"write into {path}: the entry of {name} is not of a form that can be changed;"
                    f' add to it: host_key = "{key}"'
                )
            _replace(target, changed.encode())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(
            f'write into {path}: {reason}; add to the entry of {name}: host_key = "{key}"'
        ) from error


def with_host_key(text: str, name: str, key: str) -> str | None:
    """Return an inventory's text with another host key in an entry; None if that cannot be done.

    All else stays as it is, comments too: the result is read, and compared with what was asked for.
    """
    import tomllib

    wanted: dict[str, Any] = copy.deepcopy(tomllib.loads(text))
    wanted["dut"][name]["host_key"] = key
    changed = _edited(text, name, key)
    try:
        return changed if tomllib.loads(changed) == wanted else None
    except tomllib.TOMLDecodeError:
        return None


def _edited(text: str, name: str, key: str) -> str:
    """Return the text with a line changed or added; it may have become nonsense."""
    lines = text.splitlines(keepends=True)
    table = toml_line_of(text, ("dut", name)) or 1
    line = toml_line_of(text, ("dut", name, "host_key")) or 1
    match = _ENTRY.match(lines[line - 1])
    if match is not None:
        lines[line - 1] = f'{match[1]}"{key}"{match[3]}'
        return "".join(lines)
    header = lines[table - 1]
    end = "\r\n" if header.endswith("\r\n") else "\n"
    indent = header[: len(header) - len(header.lstrip())]
    lines[table - 1] = f'{header.rstrip()}{end}{indent}host_key = "{key}"{end}'
    return "".join(lines)


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    """Keep a file from others who would write a key into it; raise OSError."""
    while True:
        # NFS gives a lock of one's own only to those who have a file open to write.
        how = os.O_RDWR if os.access(path, os.W_OK) else os.O_RDONLY
        fd = os.open(path, how | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)  # held for as long as it takes to write a small file
            # Whoever had it before has put another file in its place.
            if os.path.samestat(os.fstat(fd), path.stat()):
                yield
                return
        finally:
            os.close(fd)


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that it is there as it was or as it is to be, for the same people."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(path, name)
        with contextlib.suppress(PermissionError):
            owner = path.stat()
            os.chown(name, owner.st_uid, owner.st_gid)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
