"""A line that is long for one value in base64, which is decoded while it comes in.

When the line is complete, what is left to read is short, and what it holds is not there twice. So
a message of a hundred megabytes keeps nobody waiting. Not responsible for where the line ends
(``nrunner.runners.line``), nor for what the message means.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import base64
import binascii
import io
import os
import re
from collections.abc import Callable
from typing import Union

from nrunner.errors import MessageError
from nrunner.messages import FileData, Log, Message, Output, Whiteboard
from nrunner.record import replace

__all__ = ["LongLine"]

_VALUE = rb'"__base64_encoded__"[ \t]*:[ \t]*"'
_ESCAPE = re.compile(rb"\\(?:u00([0-7][0-9a-fA-F])|/)")
_BEGUN = re.compile(rb"\\(?:u[0-9a-fA-F]{0,3})?\Z")
"""An escape of which more may come."""
_GROUP = 4
"""Letters of base64 that make whole bytes."""
_SHOWN = 120
_MARK_SIZE = 12
"""Without padding in base64."""


class LongLine:
    """One line, the value in it decoded as far as it is here."""

    def __init__(self) -> None:
        self._head = b""
        """What stands before the value; empty until that was found."""
        self._value = io.BytesIO()
        self._rest = b""
        """The end of what came, that makes no whole group of letters yet, or may be the last."""
        self._begun = b""
        """The end of what came, that is no whole escape yet."""
        self._tail = bytearray()
        self._is_over = False
        """Whether the value is complete."""

    @property
    def beginning(self) -> bytes:
        """The first bytes, to be shown."""
        return self._head[:_SHOWN]

    def feed(self, data: Union[bytes, bytearray], most: int) -> bool:
        """Take more of the line; False if it is not such a line.

        `most` is what may stand before and behind the value, in bytes.
        """
        if not self._head:
            found = re.search(_VALUE, data)
            if found is None:
                return False
            self._head = bytes(data[: found.end()])
            data = data[found.end() :]
        if not self._is_over:
            end = data.find(b'"')
            if not self._decode(bytes(data if end < 0 else data[:end]), is_last=end >= 0):
                return False
            data = b"" if end < 0 else data[end:]
        self._tail += data
        return len(self._head) + len(self._tail) <= most

    def read(self, parse: Callable[[bytes], Message]) -> Message:
        """Return what the line says, read by `parse`; raise MessageError."""
        mark = os.urandom(_MARK_SIZE)
        message = parse(self._head + base64.b64encode(mark) + bytes(self._tail))
        # What was decoded stands for the message's own data, not for something beside it.
        if not isinstance(message, (FileData, Log, Output, Whiteboard)) or message.data != mark:
            raise MessageError("a line may be long for its data alone")
        return replace(message, data=self._value.getvalue())

    def _decode(self, letters: bytes, *, is_last: bool) -> bool:
        letters, self._begun = _unescaped(self._begun + letters)
        letters = self._rest + letters + (self._begun if is_last else b"")
        whole = len(letters)
        if not is_last:
            # Padding is for the end of the value alone, which the next letter tells.
            whole = len(letters.rstrip(b"=")) // _GROUP * _GROUP
        self._rest = letters[whole:]
        try:
            data = base64.b64decode(letters[:whole], validate=True)
        except (binascii.Error, ValueError):
            return False
        self._value.write(data)
        self._is_over = is_last
        return len(self._rest) <= _GROUP


def _unescaped(letters: bytes) -> tuple[bytes, bytes]:
    """Return letters as JSON means them, and the escape at their end that is not whole yet.

    Base64 needs none, but encoders of some languages write a slash or a plus that way.
    """
    if b"\\" not in letters:
        return letters, b""
    begun = _BEGUN.search(letters)
    end = len(letters) if begun is None else begun.start()
    return _ESCAPE.sub(_meant, letters[:end]), letters[end:]


def _meant(escape: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escape[1].decode()) if escape[1] else b"/"
