"""Files that tests require and that are brought from here to where they run.

Decides what goes where, and copies where the files are shared. Not responsible for the frames that
carry a file (``nrunner.environment``), nor for what arrives (``nrunner.runners.incoming``).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from nrunner.errors import RecipeError, RequirementError
from nrunner.offload import offload
from nrunner.pace import Pace
from nrunner.record import dataclass, replace
from nrunner.requirement import is_brought
from nrunner.runnable import Requirement

__all__ = ["Delivery", "Put", "Source", "deliver", "delivery_of", "pinned"]

_OWN = ("bring", "from", "sha256")
_PIECE = 1 << 20

Put = Callable[[Mapping[str, Any], Callable[[int], Awaitable[bytes]]], Awaitable[bool]]
"""What puts a file into an environment (``Environment.put``)."""


@dataclass(frozen=True)
class Delivery:
    """A file that is to be brought."""

    source: str
    """Where it is here."""
    target: str
    """Where it is to be there: absolute, without detours."""
    sha256: str
    """The hash it must have; empty if any will do."""
    arrived: Requirement
    """What has to hold there then."""


def delivery_of(requirement: Requirement, base_dir: str) -> Delivery:
    """Return what has to be brought; raise RecipeError that names the key."""
    kwargs = requirement.kwargs
    name = requirement.uri or kwargs.get("name") or kwargs.get("path")
    source, digest = kwargs.get("from", name), kwargs.get("sha256", "")
    if not _is_path(name):
        raise RecipeError('a file needs a uri, or the key "name" or "path"')
    if not _is_path(source):
        raise RecipeError('key "from": expected the path of a file')
    if kwargs.get("bring", True) is not True:
        raise RecipeError('key "bring": expected true')
    if not isinstance(digest, str) or not re.fullmatch(r"([0-9a-fA-F]{64})?", digest):
        raise RecipeError('key "sha256": expected 64 hexadecimal digits')
    rest = {key: value for key, value in kwargs.items() if key not in _OWN}
    return Delivery(
        os.path.normpath(Path(base_dir, str(source))),
        os.path.normpath(Path(base_dir, str(name))),
        digest.lower(),
        replace(requirement, kwargs=rest),
    )


def pinned(requirements: tuple[Requirement, ...], base_dir: Path) -> tuple[Requirement, ...]:
    """Return requirements in which files that are brought have the hash that they have now.

    What is prepared once and kept is found again by the whole requirement: without the hash, an
    older file would be found, too. A file that is not there yet is left as it is.
    """
    return tuple(_pinned(each, base_dir) for each in requirements)


def _pinned(requirement: Requirement, base_dir: Path) -> Requirement:
    if not is_brought(requirement) or "sha256" in requirement.kwargs:
        return requirement
    try:
        with Source(delivery_of(requirement, str(base_dir))) as source:
            digest = source.digest()
    except (RecipeError, RequirementError):
        return requirement  # it is told when it is to be brought
    return replace(requirement, kwargs={**requirement.kwargs, "sha256": digest})


async def deliver(delivery: Delivery, put: Put | None, pace: Pace | None = None) -> bool:
    """Bring a file by `put`, or where there is none, since files are shared, by copying it.

    Return whether it had to be brought. `pace` says how much is sent at once. Raise
    RequirementError or LinkError.
    """
    if put is None:
        return await offload(_share, delivery)
    with Source(delivery) as source:
        digest = await offload(source.digest)
        source.check(digest)
        fields = {"size": source.size, "mode": source.mode, "sha256": digest}
        pieces = _Pieces(source, pace)
        return await put({"path": delivery.target, **fields}, pieces.read)


class _Pieces:
    """The pieces of a file, as large as they can be sent in a moment."""

    def __init__(self, source: Source, pace: Pace | None) -> None:
        self._source = source
        self._pace = pace
        self._since = 0.0
        self._offset = -1

    async def read(self, offset: int) -> bytes:
        """Return the piece at an offset: once the one before has arrived, or to replace it."""
        now, pace = time.monotonic(), self._pace
        if pace is None:
            return await offload(self._source.read, offset)
        if offset == self._offset:
            pace.lost()
        elif offset:
            pace.took(now - self._since)
        self._since, self._offset = now, offset
        return await offload(self._source.read, offset, pace.size)


def _share(delivery: Delivery) -> bool:
    with Source(delivery) as source:
        digest = source.digest() if delivery.sha256 or not source.is_at_target() else ""
        source.check(digest)
        if source.is_at_target() or _has(delivery.target, digest):
            return False
        _copy(source, delivery.target)
        return True


class Source:
    """A file that is to be brought, open."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._fd = -1
        self.size = 0
        self.mode = 0

    def __enter__(self) -> Source:
        path = self._delivery.source
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, ValueError) as error:
            raise _failed(path, error) from error
        found = os.fstat(self._fd)
        if not stat.S_ISREG(found.st_mode):
            os.close(self._fd)
            raise RequirementError(f"{path} cannot be brought: it is no file")
        self.size, self.mode = found.st_size, stat.S_IMODE(found.st_mode) & 0o777
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def read(self, offset: int, most: int = _PIECE) -> bytes:
        """Return the piece that begins at `offset`; raise RequirementError if there is no more."""
        length = min(most, self.size - offset)
        try:
            piece = os.pread(self._fd, length, offset)
        except OSError as error:
            raise _failed(self._delivery.source, error) from error
        if length and not piece:
            raise RequirementError(f"{self._delivery.source} became shorter while it was read")
        return piece

    def digest(self) -> str:
        """Return its hash."""
        found, offset = hashlib.sha256(), 0
        while offset < self.size:
            piece = self.read(offset)
            found.update(piece)
            offset += len(piece)
        return found.hexdigest()

    def check(self, digest: str) -> None:
        """Raise RequirementError that names both hashes if it is not the file that is wanted."""
        wanted = self._delivery.sha256
        if wanted and digest != wanted:
            why = f"its sha256 is {digest}, not {wanted}"
            raise RequirementError(f"{self._delivery.source} cannot be brought: {why}")

    def is_at_target(self) -> bool:
        """Whether this very file is where it is wanted."""
        with contextlib.suppress(OSError):
            return os.path.samestat(os.fstat(self._fd), Path(self._delivery.target).stat())
        return False


def _has(path: str, digest: str) -> bool:
    try:
        with Source(Delivery(path, path, "", Requirement("file"))) as found:
            return found.digest() == digest
    except RequirementError:
        return False


def _copy(source: Source, target: str) -> None:
    folder = Path(target).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, new = tempfile.mkstemp(dir=folder, prefix=".", suffix=".nrunner")
    except OSError as error:
        raise _failed(target, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            offset = 0
            while offset < source.size:
                offset += file.write(source.read(offset))
            os.fchmod(handle, source.mode)
        Path(new).replace(target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            Path(new).unlink()
        if isinstance(error, OSError):
            raise _failed(target, error) from error
        raise


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and value != "" and "\0" not in value


def _failed(path: str, error: Exception) -> RequirementError:
    reason = (getattr(error, "strerror", None) or str(error)).lower()
    return RequirementError(f"{path} cannot be brought: {reason}")
