"""Reading a TOML file so that errors can say on which line something stands.

Not responsible for what the file means (``nrunner.config``, ``nrunner.jobfile``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from nrunner.errors import ConfigError
from nrunner.record import dataclass

__all__ = ["Steps", "TomlFile", "read_toml", "toml_line_of"]

Steps = tuple[str | int, ...]
"""The way to a value in a file."""


@dataclass(frozen=True)
class TomlFile:
    """The content of a file, and where it came from."""

    path: str
    text: str
    data: dict[str, Any]

    def where(self, path: Iterable[str | int]) -> str:
        """Return ``file:line`` of what `path` leads to; the file alone if that is unknown."""
        line = _line_of(path, self._lines)
        return self.path if line is None else f"{self.path}:{line}"

    @cached_property
    def _lines(self) -> dict[Steps, int]:
        return _lines_of(self.text)  # once: each setting of a file is asked for


def read_toml(path: Path, shown: str = "") -> TomlFile:
    """Read a file, called `shown` in errors; raise ConfigError, FileNotFoundError if not there."""
    name = shown or str(path)
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (OSError, ValueError) as error:
        raise ConfigError(f"read {name}: {_reason(error)}") from error
    return _parse(content, name)


def _parse(content: bytes, name: str) -> TomlFile:
    import tomllib  # most people have no file to read

    try:
        text = content.decode("utf-8").replace("\r\n", "\n")
        return TomlFile(name, text, tomllib.loads(text))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"read {name}:{line}: not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"read {_broken(name, text, str(error))}") from error
    except RecursionError as error:
        raise ConfigError(f"read {name}: nested too deeply") from error


def _reason(error: OSError | ValueError) -> str:
    text = error.strerror if isinstance(error, OSError) else None
    return (text or str(error)).lower()


def _broken(name: str, text: str, message: str) -> str:
    """Turn ``Invalid value (at line 3, column 5)`` into ``file:3: not valid TOML: ...``."""
    match = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    if match is None:
        return f"{name}: not valid TOML: {message}"
    line = match[1] or str(text.rstrip("\n").count("\n") + 1)
    what = message[: match.start()]
    return f"{name}:{line}: not valid TOML: {what[:1].lower()}{what[1:]}"


def toml_line_of(text: str, path: Iterable[str | int]) -> int | None:
    """Return the line (from 1) of the key or table that `path` leads to.

    What stands inside a list or an inline table has the line of the key around it.
    """
    return _line_of(path, _lines_of(text))


def _line_of(path: Iterable[str | int], lines: Mapping[Steps, int]) -> int | None:
    """Return the line of the most of `path` that has one."""
    wanted = tuple(path)
    ways = (wanted[:length] for length in range(len(wanted), 0, -1))
    return next((lines[each] for each in ways if each in lines), None)


def _lines_of(text: str) -> dict[Steps, int]:
    """Return each table and key of a valid document with the first line it has."""
    lines: dict[Steps, int] = {}
    for path, line in _keys(text):
        lines.setdefault(path, line)
    return lines


_TOKEN = (
    r'(?s)"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\''
    r"|\#[^\n]*|\n|[\[\]{}=.,]|[^\s\"'\#\[\]{}=.,]+"
)


def _keys(text: str) -> Iterator[tuple[Steps, int]]:
    """Yield the path of every table and key of a valid document, with its line."""
    table: Steps = ()
    counts: dict[Steps, int] = {}
    for tokens, line in _statements(text):
        if tokens[0] != "[":
            steps = _steps(tokens[: tokens.index("=")])
            for length in range(1, len(steps) + 1):
                yield (*table, *steps[:length]), line
            continue
        table = _inside_lists(_steps(tokens), counts)
        if tokens[1] == "[":
            counts[table] = counts.get(table, -1) + 1
            yield table, line
            table = (*table, counts[table])
        yield table, line


def _inside_lists(steps: tuple[str, ...], counts: dict[Steps, int]) -> Steps:
    """Return a header's path with the positions in the lists of tables that it passes."""
    path: Steps = ()
    for step in steps[:-1]:
        path = (*path, step)
        if path in counts:
            path = (*path, counts[path])
    return (*path, steps[-1])


def _statements(text: str) -> Iterator[tuple[list[str], int]]:
    """Yield the tokens of each header and each assignment, with the line it begins on."""
    tokens: list[str] = []
    depth, line, begun = 0, 1, 1
    for match in re.finditer(_TOKEN, text):
        token = match.group()
        if token == "\n" and depth == 0:
            if tokens:
                yield tokens, begun
            tokens = []
        elif token != "\n" and not token.startswith("#"):
            begun = begun if tokens else line
            depth += (token in "[{") - (token in "]}")
            tokens.append(token)
        line += token.count("\n")
    if tokens:
        yield tokens, begun


def _steps(tokens: Iterable[str]) -> tuple[str, ...]:
    return tuple(_unquoted(token) for token in tokens if token not in "[].")


def _unquoted(token: str) -> str:
    if token.startswith("'"):
        return token.strip("'")
    if token.startswith('"'):
        try:
            return str(json.loads(token))
        except ValueError:
            return token.strip('"')
    return token
