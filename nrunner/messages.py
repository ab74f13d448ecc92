"""Status messages as frozen types: one parse, one dump.

The wire format is the one that Avocado's runners speak: one JSON object a line, bytes in base64
(see docs/protocol.md). Not responsible for transport, nor for what a message does to a task.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from typing import Any, Union

from nrunner.errors import MessageError
from nrunner.record import dataclass
from nrunner.result import Result

__all__ = [
    "FileData",
    "Finished",
    "Heartbeat",
    "Ignored",
    "Log",
    "Message",
    "Output",
    "Started",
    "Whiteboard",
    "dump",
    "parse",
    "parse_object",
    "to_object",
]


@dataclass(frozen=True)
class _Common:
    task_id: str
    time: float
    """Seconds on the sender's monotonic clock: good for durations within one task only."""
    job_id: str | None


@dataclass(frozen=True)
class Started(_Common):
    """The runner has begun to work on the task."""

    output_dir: str | None = None


@dataclass(frozen=True)
class Heartbeat(_Common):
    """The task still runs."""


@dataclass(frozen=True)
class Log(_Common):
    """A record of the test's own logging."""

    data: bytes = b""
    encoding: str | None = None
    log_name: str | None = None
    log_level: int | None = None
    log_levelname: str | None = None


@dataclass(frozen=True)
class Output(_Common):
    """Bytes the payload wrote; `log_only` says the runner has them in the task's file already."""

    stream: str = "stdout"
    data: bytes = b""
    encoding: str | None = None
    log_only: bool = False


@dataclass(frozen=True)
class Whiteboard(_Common):
    """Free text a test leaves for other tools."""

    data: bytes = b""
    encoding: str | None = None


@dataclass(frozen=True)
class FileData(_Common):
    """Bytes to append to `path`, relative to the task's output folder."""

    path: str = ""
    data: bytes = b""
    encoding: str | None = None


@dataclass(frozen=True)
class Ignored(_Common):
    """A running message of a type that is not known here: carried, counted, without effect."""

    type: str = ""


@dataclass(frozen=True)
class Finished(_Common):
    """The runner's last word on the task; `result` is None where it found no answer (``""``)."""

    result: Result | None = None
    fail_reason: str | None = None
    returncode: int | None = None
    class_name: str | None = None
    fail_class: str | None = None
    traceback: str | None = None


Message = Union[Started, Heartbeat, Log, Output, Whiteboard, FileData, Ignored, Finished]

_BASE64 = "__base64_encoded__"
_LONGEST = 256 * 1024
"""Characters of a text that is kept for the reports; of a longer one, the two ends are."""
_BIG = 2**63


def parse(line: bytes | bytearray) -> Message:
    """Read one line of the wire format; raise MessageError that names the field."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"not JSON: {error}") from error
    return parse_object(data)


def parse_object(data: Any) -> Message:
    """Read one message that has been decoded from JSON already; raise MessageError."""
    if not isinstance(data, Mapping):
        raise MessageError("expected an object")
    common = _common(data)
    status = data.get("status")
    if status == "started":
        return Started(*common, output_dir=_text(data, "output_dir"))
    if status == "running":
        return _running(common, data)
    if status == "finished":
        return _finished(common, data)
    raise MessageError(f'field "status": unknown value {_short(status)}')


def dump(message: Message) -> bytes:
    """Return the message as one line of the wire format, newline included."""
    return json.dumps(to_object(message)).encode("ascii") + b"\n"


def to_object(message: Message) -> dict[str, Any]:
    """Return the message as an object of JSON types, in the wire format."""
    data = _fields(message)
    data["time"] = message.time
    data["id"] = message.task_id
    if message.job_id is not None:
        data["job_id"] = message.job_id
    return data


def _fields(message: Message) -> dict[str, Any]:
    if isinstance(message, Started):
        return _known({"status": "started", "output_dir": message.output_dir})
    if isinstance(message, Finished):
        return _finished_fields(message)
    if isinstance(message, Heartbeat):
        return {"status": "running"}
    if isinstance(message, Ignored):
        return {"status": "running", "type": message.type}
    return _data_fields(message)


def _data_fields(message: Log | Output | Whiteboard | FileData) -> dict[str, Any]:
    fields: dict[str, Any] = {"status": "running"}
    if isinstance(message, Log):
        fields["type"] = "log"
        fields["log_name"] = message.log_name
        fields["log_level"] = message.log_level
        fields["log_levelname"] = message.log_levelname
    elif isinstance(message, Output):
        fields["type"] = message.stream
        fields["log_only"] = message.log_only or None
    elif isinstance(message, Whiteboard):
        fields["type"] = "whiteboard"
    else:
        fields["type"] = "file"
        fields["path"] = message.path
    fields["log"] = {_BASE64: base64.b64encode(message.data).decode("ascii")}
    fields["encoding"] = message.encoding
    return _known(fields)


def _finished_fields(message: Finished) -> dict[str, Any]:
    fields = _known(
        {
            "fail_reason": message.fail_reason,
            "returncode": message.returncode,
            "class_name": message.class_name,
            "fail_class": message.fail_class,
            "traceback": message.traceback,
        }
    )
    result = "" if message.result is None else message.result.wire
    return {"status": "finished", "result": result, **fields}


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


def _common(data: Mapping[str, Any]) -> tuple[str, float, str | None]:
    task_id = data.get("id")
    if isinstance(task_id, bool) or not isinstance(task_id, (str, int)):
        raise MessageError('field "id": expected a string')
    return str(task_id), _seconds(data), _text(data, "job_id")


def _seconds(data: Mapping[str, Any]) -> float:
    value: Any = data.get("time")
    try:
        seconds = math.nan if isinstance(value, (bool, str)) else float(value)
    except (TypeError, OverflowError):
        seconds = math.nan
    if not math.isfinite(seconds):
        raise MessageError('field "time": expected a number of seconds')
    return seconds


def _running(common: tuple[str, float, str | None], data: Mapping[str, Any]) -> Message:
    kind = data.get("type")
    if kind is None:
        return Heartbeat(*common)
    if kind not in ("log", "stdout", "stderr", "whiteboard", "output", "file"):
        return Ignored(*common, type=kind[:100] if isinstance(kind, str) else "")
    body = _bytes(data, "log")
    encoding = _text(data, "encoding")
    if kind == "log":
        return Log(
            *common,
            data=body,
            encoding=encoding,
            log_name=_text(data, "log_name"),
            log_level=_number(data, "log_level"),
            log_levelname=_text(data, "log_levelname"),
        )
    if kind == "file":
        return FileData(*common, path=_text(data, "path") or "", data=body, encoding=encoding)
    if kind == "whiteboard":
        return Whiteboard(*common, data=body, encoding=encoding)
    stream = "stdout" if kind == "output" else kind
    log_only = data.get("log_only") is True
    return Output(*common, stream=stream, data=body, encoding=encoding, log_only=log_only)


def _finished(common: tuple[str, float, str | None], data: Mapping[str, Any]) -> Finished:
    word = data.get("result")
    if not isinstance(word, str):
        raise MessageError('field "result": expected a string')
    try:
        result = Result.from_wire(word) if word else None
    except ValueError as error:
        raise MessageError(f'field "result": unknown value {_short(word)}') from error
    return Finished(
        *common,
        result=result,
        fail_reason=_prose(data, "fail_reason"),
        returncode=_number(data, "returncode"),
        class_name=_prose(data, "class_name"),
        fail_class=_prose(data, "fail_class"),
        traceback=_prose(data, "traceback"),
    )


def _text(data: Mapping[str, Any], key: str) -> str | None:
    value = data.get(key)
    if value is not None and not isinstance(value, str):
        raise MessageError(f'field "{key}": expected a string')
    return value


def _prose(data: Mapping[str, Any], key: str) -> str | None:
    """Read text that is kept and shown: bounded, and fit to be written as UTF-8."""
    value = _text(data, key)
    if value is None:
        return None
    if len(value) > _LONGEST:
        cut = len(value) - _LONGEST
        half = _LONGEST // 2
        value = f"{value[:half]}\n... {cut} characters left out ...\n{value[-half:]}"
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()


def _number(data: Mapping[str, Any], key: str) -> int | None:
    value = data.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not -_BIG <= value < _BIG:
        raise MessageError(f'field "{key}": expected an integer')
    return value


def _bytes(data: Mapping[str, Any], key: str) -> bytes:
    value = data.get(key)
    if not isinstance(value, Mapping) or not isinstance(value.get(_BASE64), str):
        raise MessageError(f'field "{key}": expected {{"{_BASE64}": "..."}}')
    try:
        return base64.b64decode(value[_BASE64], validate=True)
    except (binascii.Error, ValueError) as error:
        raise MessageError(f'field "{key}": not base64: {error}') from error


def _short(value: Any) -> str:
    if not isinstance(value, str):
        return f"of type {type(value).__name__}"
    return repr(value) if len(value) <= 60 else repr(value[:57]) + "..."
