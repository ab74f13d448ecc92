"""Python files read and parsed, each once.

Not responsible for what they mean; nothing here imports or runs them.
"""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from pathlib import Path

from nrunner.record import dataclass

__all__ = ["Source", "SourceError", "read_source"]

_LARGEST = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed file."""

    path: Path
    text: str
    tree: ast.Module


class SourceError(Exception):
    """A file that is not Python, or not readable: a fragment that begins with ``:line:column``."""

    def __init__(self, message: str, text: str = "") -> None:
        super().__init__(message)
        self.text = text
        """What could be read of the file."""


def read_source(path: Path) -> Source:
    """Return a file's parsed text; raise SourceError."""
    text = _decode(_read(path))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as invalid escapes: the tests' business
            tree = ast.parse(text, str(path))
    except SyntaxError as error:
        raise SourceError(_place(error), text) from error
    except (RecursionError, MemoryError) as error:
        raise SourceError(": nested too deeply to be read", text) from error
    except ValueError as error:
        raise SourceError(f": {error}", text) from error
    return Source(path, text, tree)


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > _LARGEST:
            raise SourceError(f": larger than {_LARGEST} bytes, the most that is read")
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SourceError(f": cannot be read: {reason}") from error


def _decode(data: bytes) -> str:
    """Decode as PEP 263 says: a byte order mark, a comment that names an encoding, or UTF-8."""
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise SourceError(f":{line}: holds a NUL byte", data.decode("latin-1"))
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        # Python counts lines as this does, so that what is said of line 3 is in line 3
        return io.TextIOWrapper(io.BytesIO(data), encoding, newline=None).read()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourceError(
            f":{line}: not {error.encoding}: byte 0x{data[error.start]:02x}", data.decode("latin-1")
        ) from error
    except (SyntaxError, LookupError) as error:
        raise SourceError(f":1: {error}", data.decode("latin-1")) from error


def _place(error: SyntaxError) -> str:
    place = "".join(f":{number}" for number in (error.lineno, error.offset) if number)
    return f"{place}: {error.msg}"
