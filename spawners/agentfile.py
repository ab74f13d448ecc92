"""The agent as one file: a zipapp of the portable set, named by the hash of its content.

It is copied into containers and to devices as it is, and a running job keeps the file it began
with, whatever is installed meanwhile. Not responsible for starting it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import time
from collections.abc import Iterator
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path

import nrunner
from nrunner.errors import SpawnError

__all__ = ["agent_file", "portable_files"]

_SHARED = ("__init__", "errors", "messages", "phase", "record", "result", "runnable")
_FILE = r"agent-[0-9a-f]+\.pyz"
_KEPT_FOR = 30 * 86400.0
"""Seconds since it was last used: no job runs on what is older."""
_MAIN = b"import sys\nfrom nrunner.runners.entry import main\nsys.exit(main())\n"


def portable_files() -> Iterator[tuple[str, Path]]:
    """Yield the name inside the package, and the path, of each module of the portable set."""
    root = Path(nrunner.__file__).parent
    for name in _SHARED:
        yield f"nrunner/{name}.py", root / f"{name}.py"
    for path in sorted((root / "runners").glob("*.py")):
        yield f"nrunner/runners/{path.name}", path


def agent_file(*folders: Path) -> Path:
    """Return the zipapp of the code as it is installed now, made if it is not there.

    It is in the first of `folders` that will do: nobody else can write there. Raise SpawnError if
    none will.
    """
    known = _known_as()
    for folder in folders:
        name = _remembered(folder, known)
        if name:
            return folder / name
    sources = [(name, path.read_bytes()) for name, path in portable_files()]
    # What Python tells changed sources by: hashlib is loaded in the time of hundreds of these.
    told = b"".join(name.encode() + b"\0" + source + b"\0" for name, source in sources)
    name = f"agent-{source_hash(MAGIC_NUMBER + told).hex()}.pyz"
    refused: list[str] = []
    for folder in folders:
        try:
            if not _is_there(folder, name):
                _write(folder / name, _packed(sources))
                _check(folder.stat())
            _remember(folder, known, name)
            return folder / name
        except OSError as error:
            refused.append(f"write the agent to {folder / name}: {error.strerror}")
    raise SpawnError("; nor ".join(refused))


def _known_as() -> str:
    """Return a name for the sources as they lie there: reading all takes longer than a look."""
    looks = []
    for name, path in portable_files():
        found = path.stat()
        looks.append((name, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino))
    return f"agent-{source_hash(MAGIC_NUMBER + repr(looks).encode()).hex()}.link"


def _remembered(folder: Path, known: str) -> str:
    """Return the file that was made of the same sources, empty if there is none to be trusted."""
    try:
        name = str((folder / known).readlink())
        if not re.fullmatch(_FILE, name) or not _is_there(folder, name):
            return ""
    except OSError:
        return ""
    with contextlib.suppress(OSError):
        os.utime(folder / known, follow_symlinks=False)  # it was used
    return name


def _remember(folder: Path, known: str, name: str) -> None:
    with contextlib.suppress(OSError):  # it is made out again next time
        (folder / known).unlink(missing_ok=True)
        (folder / known).symlink_to(name)
        _forget_old(folder, time.time() - _KEPT_FOR)


def _forget_old(folder: Path, before: float) -> None:
    """Remove what was not used since a second: sources that are moved or replaced leave it."""
    used: set[str] = set()
    for link in folder.glob("agent-*.link"):
        if link.lstat().st_mtime < before:
            link.unlink(missing_ok=True)
        else:
            used.add(str(link.readlink()))
    for file in (*folder.glob("agent-*.pyz"), *folder.glob(".agent-*")):
        if file.name not in used and file.lstat().st_mtime < before:
            file.unlink(missing_ok=True)


def _is_there(folder: Path, name: str) -> bool:
    """Whether the file is there; raise PermissionError if others may have put it there."""
    try:
        found = (folder / name).lstat()
    except FileNotFoundError:
        return False
    _check(folder.stat())
    _check(found)
    return stat.S_ISREG(found.st_mode)


def _check(found: os.stat_result) -> None:
    """Raise PermissionError if somebody else can write there: what is in there is executed."""
    if found.st_uid not in (os.geteuid(), 0):
        raise PermissionError(errno.EPERM, "it belongs to somebody else")
    if found.st_mode & 0o022:
        raise PermissionError(errno.EPERM, "others may write there")


def _packed(sources: list[tuple[str, bytes]]) -> bytes:
    """Pack sources beside their bytecode, which other interpreters pass over."""
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py"), _MAIN)
        for name, source in sources:
            archive.writestr(zipfile.ZipInfo(name), source)
            archive.writestr(zipfile.ZipInfo(name + "c"), _bytecode(name, source))
    return packed.getvalue()


def _bytecode(name: str, source: bytes) -> bytes:
    import marshal

    code = compile(source, name, "exec", dont_inherit=True)
    # Flag 1 and no check: the hash in the file's name stands for its content (PEP 552).
    flags = (1).to_bytes(4, "little")
    return MAGIC_NUMBER + flags + bytes(8) + marshal.dumps(code)


def _write(target: Path, data: bytes) -> None:
    import tempfile

    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".agent-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
