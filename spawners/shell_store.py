"""Files that are put where there is no Python: by commands of its shell, beside the agent.

The frames are those that any agent is sent (`nrunner.runners.tree`, `nrunner.runners.incoming`):
many small files go as an archive, a large one piece by piece, with another name until it is whole.
What is there already is not looked for. Not responsible for how a command gets there.
"""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from shlex import quote
from typing import Any

from nrunner.errors import RequirementError
from nrunner.runners.attempt import whole

__all__ = ["Execute", "ShellStore"]

Execute = Callable[[str, bytes], Awaitable[str]]
"""Has a shell run a command that reads so many bytes; returns what it complains of, or nothing."""

# A piece that comes again, since its answer was lost with a link, changes nothing.
_DONE = (
    's=$([ -e "$f.new" ] || sha256sum <"$f" 2>/dev/null)',
    'if [ "${s%% *}" = "$h" ]; then head -c "$l" >/dev/null; exit; fi',
)
_APPEND = (
    'mkdir -p "${f%/*}" && head -c "$l" >"$f.part" && n=$(wc -c <"$f.part") || exit 1',
    '[ "$n" -eq "$l" ] || { echo "it was cut off" >&2; exit 1; }',
    '[ "$o" -ne 0 ] || : >"$f.new"',
    'n=$(wc -c <"$f.new" 2>/dev/null) || n=-1',
    'if [ "$n" -eq "$o" ]; then cat "$f.part" >>"$f.new" || exit 1; fi',
    'rm -f "$f.part"',
    'n=$(wc -c <"$f.new") || exit 1',
    '[ "$n" -eq $((o + l)) ] || { echo "a piece is missing" >&2; exit 1; }',
)
_FINISH = (
    's=$(sha256sum <"$f.new")',
    '[ "${s%% *}" = "$h" ] || { rm -f "$f.new"; echo "its sha256 is not $h" >&2; exit 1; }',
    'chmod "$m" "$f.new" && mv -f "$f.new" "$f"',
)


class ShellStore:
    """Puts files on one device."""

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    async def put(self, head: Mapping[str, Any], body: bytes) -> dict[str, Any]:
        """Do what a frame ``put`` says; return the answer. Raise RequirementError.

        What comes of a field that is missing or wrong is raised as it is.
        """
        if "root" in head:
            return await self._put_many(head, body)
        if head.get("look") is True:
            return {"have": False}
        return await self._put_piece(head, body)

    async def _put_many(self, head: Mapping[str, Any], body: bytes) -> dict[str, Any]:
        root = _absolute(head["root"])
        if "manifest" in head:
            return {"missing": [str(path) for path, _, _ in head["manifest"]]}
        archive = _archive(head, body)
        where = quote(root)
        command = f"umask 022; mkdir -p {where} && head -c {len(archive)} | tar xf - -C {where}"
        await self._do(f"put files into {root}", command, archive)
        return {"done": True}

    async def _put_piece(self, head: Mapping[str, Any], piece: bytes) -> dict[str, Any]:
        path, size, offset = _absolute(head["path"]), whole(head["size"]), whole(head["offset"])
        is_last = offset + len(piece) >= size
        given = {"f": path, "l": len(piece), "o": offset}
        given |= {"h": str(head["sha256"]), "m": f"{whole(head['mode']) & 0o777:o}"}
        names = "; ".join(f"{name}={quote(str(value))}" for name, value in given.items())
        begin, end = (_DONE, _FINISH) if is_last else ((), ())
        steps = "; ".join((names, "umask 022", *begin, *_APPEND, *end))
        await self._do(f"put {path}", steps, piece)
        return {"done": is_last}

    async def _do(self, what: str, command: str, data: bytes) -> None:
        complaint = await self._execute(f"exec sh -c {quote(command)}", data)
        if complaint:
            raise RequirementError(f"{what}: {complaint}")


def _absolute(path: Any) -> str:
    if not isinstance(path, str) or not path.startswith("/"):
        raise TypeError("expected a path from the root")
    return path


def _archive(head: Mapping[str, Any], body: bytes) -> bytes:
    """Return files and links of a frame as tar has them."""
    packed = io.BytesIO()
    now = int(time.time())
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for member, data in _members(head, body):
            member.mtime = now
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def _members(head: Mapping[str, Any], body: bytes) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    offset = 0
    for path, mode, length in head.get("files", ()):
        member = tarfile.TarInfo(str(path))
        member.size, member.mode = whole(length), whole(mode) & 0o777 | 0o400
        yield member, body[offset : offset + member.size]
        offset += member.size
    for path, target in head.get("links", ()):
        member = tarfile.TarInfo(str(path))
        member.type, member.linkname = tarfile.SYMTYPE, str(target)
        yield member, b""
