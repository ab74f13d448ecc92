"""Requirements that a job or a suite has for all of its tests: from job files and flags.

Not responsible for those that tests have of their own (resolvers), nor for fulfilling any.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrunner.errors import UsageError
from nrunner.record import replace
from nrunner.runnable import Requirement, Runnable

if TYPE_CHECKING:
    from nrunner.schema import Problem

__all__ = ["FLAG", "from_flag", "from_table", "is_brought", "joined", "requiring"]

FLAG = "--job-dependency"

_LARGEST = 16 * 1024 * 1024
_EXAMPLE = '{"type": "file", "uri": "data.bin"}'

Steps = tuple[str | int, ...]
"""The way to a value in a file."""


def joined(*groups: Iterable[Requirement]) -> tuple[Requirement, ...]:
    """Return all requirements in order, each once."""
    return tuple({each.key: each for group in groups for each in group}.values())


def is_brought(requirement: Requirement) -> bool:
    """Whether a requirement asks for a file to be brought from here to where it is wanted."""
    kwargs = requirement.kwargs
    return requirement.kind == "file" and ("bring" in kwargs or "from" in kwargs)


def requiring(runnable: Runnable, shared: tuple[Requirement, ...]) -> Runnable:
    """Return a Runnable that requires what all tests of its suite do, too; nothing twice."""
    own = runnable.requirements
    if runnable.kind == "malformed" or not (shared or len(own) > 1):
        return runnable
    return replace(runnable, requirements=joined(shared, own) if own else shared)


def from_table(value: Any, path: Steps) -> tuple[tuple[Requirement, ...], list[Problem]]:
    """Return the requirements that stand at `path` of a job file, and what is wrong there."""
    from nrunner.schema import Problem, problems

    if not isinstance(value, list):
        return (), [Problem(path, "expected a list of requirements")]
    wrong = [
        Problem((*path, *each.path), each.message, each.suggestion)
        for each in problems(value, "requirements")
    ]
    wrong += [Problem(where, message) for where, message in _foreign(value, path)]
    return (() if wrong else tuple(map(Requirement.from_json, value))), wrong


def from_flag(texts: Iterable[str]) -> tuple[Requirement, ...]:
    """Return the requirements that uses of the flag add: each JSON, or a file that holds some.

    Raise UsageError that says where what is wrong.
    """
    return joined(*(_from_text(text) for text in texts))


def _from_text(text: str) -> Iterator[Requirement]:
    is_json = text.lstrip()[:1] in ("{", "[")
    name, content = (FLAG, text) if is_json else (text, _read(text))
    data = _parsed(content, name)
    complaints = list(_complaints(data, content, name, has_lines=not is_json))
    if complaints:
        raise UsageError("use " + "\n  and ".join(complaints))
    return (Requirement.from_json(each) for each in (data if isinstance(data, list) else [data]))


def _read(text: str) -> str:
    try:
        file = Path(text)
        if file.stat().st_size > _LARGEST:
            raise UsageError(f"use {FLAG} {text}: larger than {_LARGEST} bytes, the most to read")
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"use {text}: not UTF-8: byte {error.start} is wrong") from error
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        hint = f"give JSON such as {_EXAMPLE}, or a file that holds some"
        raise UsageError(f"use {FLAG} {text}: {reason}; {hint}") from error


def _parsed(content: str, name: str) -> Any:
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        line = "" if name == FLAG else f":{error.lineno}"
        where = f"{error.msg.lower()} (column {error.colno})"
        raise UsageError(f"use {name}{line}: not JSON: {where}") from error
    except RecursionError as error:
        raise UsageError(f"use {name}: nested too deeply") from error
    except ValueError as error:
        raise UsageError(f"use {name}: not JSON: {error}") from error


def _complaints(data: Any, content: str, name: str, *, has_lines: bool) -> Iterator[str]:
    from nrunner.schema import Problem, line_of, problems

    foreign = [Problem(path, message) for path, message in _foreign(data, ())]
    for problem in (*problems(data, "requirements"), *foreign):
        line = line_of(content, problem.path) if has_lines else None
        yield f"{name}:{line}: {problem}" if line else f"{name}: {problem}"


def _foreign(value: Any, path: Steps) -> Iterator[tuple[Steps, str]]:
    """Yield what TOML, or Python's reading of JSON, knows and JSON does not."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _foreign(each, (*path, key))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _foreign(each, (*path, number))
    elif isinstance(value, float) and not math.isfinite(value):
        yield path, f"{value} is no number that can be passed on"
    elif value is not None and not isinstance(value, (str, int, float)):
        yield path, f"a {type(value).__name__} cannot be passed on: write it as a string"
