"""What the command line of a runner executable asks for, from words or from a recipe.

Written by hand since it may be read once per test, and argparse costs as much as running one.
The words are those of docs/protocol.md; whatever follows an option is its value, even if it
begins with a dash. Not responsible for running anything.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from nrunner.errors import RecipeError, UsageError
from nrunner.record import dataclass, field
from nrunner.runnable import Runnable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional, Union

__all__ = ["Call", "read_call", "read_recipe"]

_OPTIONS = {
    "-k": "kind",
    "--kind": "kind",
    "-u": "uri",
    "--uri": "uri",
    "-c": "config",
    "--config": "config",
    "-a": "args",
    "--arg": "args",
}
_TASK_OPTIONS = {
    **_OPTIONS,
    "-i": "id",
    "--identifier": "id",
    "-j": "job_id",
    "--job-id": "job_id",
    "-t": "category",
    "--category": "category",
    "-s": "status_uris",
    "--status-uri": "status_uris",
}
_REPEATED = ("args", "status_uris")


@dataclass(frozen=True)
class Call:
    """A Runnable to run, and to whom to say what about it."""

    runnable: Runnable
    output_dir: Optional[str] = None
    task_id: Union[str, int, None] = None
    """As given: a recipe may say an integer. None for a Runnable that is no task."""
    job_id: Optional[str] = None
    status_uris: tuple[str, ...] = field(default_factory=tuple)


def read_call(words: list[str], kind: Optional[str], *, task: bool) -> Call:
    """Read the words after ``runnable-run`` or ``task-run``; raise UsageError."""
    options, kwargs = _sort(words, _TASK_OPTIONS if task else _OPTIONS)
    if task and "id" not in options:
        raise UsageError("task-run needs -i ID")
    output_dir = kwargs.pop("output_dir", None)
    description = {
        "kind": options.get("kind", kind),
        "uri": options.get("uri"),
        "args": [_decoded(word) for word in options.get("args", ())],
        "kwargs": kwargs,
        "config": _json(options.get("config", "{}"), "-c"),
    }
    if description["kind"] is None:
        raise UsageError("what kind is it? Say -k KIND")
    try:
        runnable = _runnable(description)
    except RecipeError as error:
        raise UsageError(str(error)) from error
    uris = tuple(options.get("status_uris", ()))
    return Call(
        runnable, _folder(output_dir), options.get("id"), options.get("job_id"), status_uris=uris
    )


def read_recipe(path: str, *, task: bool) -> Call:
    """Read a recipe of a Runnable or a task; raise RecipeError that names file and key."""
    try:
        return _task_recipe(path) if task else _call(_load(path))
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error


def _task_recipe(path: str) -> Call:
    data = _load(path)
    task_id, uris = data.get("id"), data.get("status_uris") or ()
    if isinstance(task_id, bool) or not isinstance(task_id, (str, int)):
        raise RecipeError('key "id": expected a string')
    if not isinstance(uris, (list, tuple)) or not all(isinstance(uri, str) for uri in uris):
        raise RecipeError('key "status_uris": expected a list of strings')
    job_id = data.get("job_id")
    if job_id is not None and not isinstance(job_id, str):
        raise RecipeError('key "job_id": expected a string')
    runnable = data.get("runnable")
    if not isinstance(runnable, Mapping):
        raise RecipeError('key "runnable": expected an object')
    return _call(runnable, task_id, job_id, tuple(uris))


def _call(
    data: Mapping[str, Any],
    task_id: Union[str, int, None] = None,
    job_id: Optional[str] = None,
    uris: tuple[str, ...] = (),
) -> Call:
    kwargs = data.get("kwargs")
    output_dir = data.get("output_dir")
    if isinstance(kwargs, Mapping) and "output_dir" in kwargs:
        output_dir = kwargs["output_dir"]
        kwargs = {key: value for key, value in kwargs.items() if key != "output_dir"}
    runnable = _runnable({**data, "kwargs": kwargs})
    return Call(runnable, _folder(output_dir), task_id, job_id, uris)


def _runnable(data: Mapping[str, Any]) -> Runnable:
    """Return what is described; raise RecipeError.

    A setting that is null is none: Avocado gives that for what our capabilities name and it does
    not know.
    """
    config = data.get("config")
    if isinstance(config, Mapping) and None in config.values():
        config = {key: value for key, value in config.items() if value is not None}
        data = {**data, "config": config}
    return Runnable.from_json(data)


def _folder(value: Any) -> Optional[str]:
    if value is not None and (not isinstance(value, str) or not value or "\0" in value):
        raise RecipeError('key "output_dir": expected the path of a folder')
    return value


def _load(path: str) -> Mapping[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except OSError as error:
        raise RecipeError(f"cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"not JSON: {error}") from error
    if not isinstance(data, Mapping):
        raise RecipeError("expected an object")
    return data


def _sort(words: list[str], known: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Separate options from KEY=VALUE words, which may stand between them."""
    options: dict[str, Any] = {}
    kwargs: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        if word[:1] == "-":
            name, value = _option(word, rest, known)
            if name in _REPEATED:
                options.setdefault(name, []).append(value)
            else:
                options[name] = value
        else:
            key, equals, value = word.partition("=")
            if not equals or not key:
                raise UsageError(f"expected KEY=VALUE or an option, got {word!r}")
            kwargs[key] = _value(value)
    return options, kwargs


def _option(word: str, rest: Iterator[str], known: Mapping[str, str]) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if equals and name in known and name[:2] == "--":
        return known[name], value
    if word in known:
        for following in rest:
            return known[word], following
        raise UsageError(f"option {word} needs a value")
    if word[:2] in known and word[:2] != "--":
        return known[word[:2]], word[2:]
    from difflib import get_close_matches

    near = get_close_matches(word, known, 1)
    raise UsageError(f"unknown option {word}" + (f"; did you mean {near[0]}?" if near else ""))


def _decoded(word: str) -> str:
    """Return what an argument means: itself where it is no base64, since Avocado encodes none."""
    if not word.startswith("base64:"):
        return word
    from base64 import b64decode

    try:
        return b64decode(word[7:], validate=True).decode("utf-8", "surrogateescape")
    except ValueError:
        return word


def _value(text: str) -> Any:
    """Return what stands behind KEY=: the text itself where it is no JSON, for the same reason."""
    if not text.startswith("json:"):
        return text
    try:
        return json.loads(text[5:])
    except (ValueError, RecursionError):
        return text


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{what}: not JSON: {error}") from error
