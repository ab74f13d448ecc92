"""The fast way from a line to a message, for those kinds of which there are many.

Gives what ``nrunner.messages.parse`` gives; whatever is rare, odd or wrong is left to that.
Importing this costs more than a short job (msgspec), so ``intake`` does it only when there are
enough messages to win it back. Not responsible for whether a message is allowed.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

import msgspec

from nrunner.messages import Heartbeat, Log, Message, Output, Started, parse

__all__ = ["decode"]

_Small = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _Bytes(msgspec.Struct, gc=False):
    text: str = msgspec.field(name="__base64_encoded__")


class _Wire(msgspec.Struct, gc=False):
    status: str
    id: str
    time: float
    job_id: str | None = None
    type: str | None = None
    log: _Bytes | None = None
    encoding: str | None = None
    log_only: bool = False
    log_name: str | None = None
    log_level: _Small | None = None
    log_levelname: str | None = None
    output_dir: str | None = None


_decode = msgspec.json.Decoder(_Wire).decode
_new = object.__new__


def decode(line: bytes | bytearray) -> Message:
    """Read one line of the wire format; raise MessageError that names the field."""
    if line.isascii():
        try:
            wire = _decode(line)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return parse(line)
        if wire.status == "running":
            return (_heartbeat(wire) if wire.type is None else _content(wire)) or parse(line)
        if wire.status == "started":
            return Started(wire.id, wire.time, wire.job_id, wire.output_dir)
    return parse(line)


def _heartbeat(wire: _Wire) -> Message:
    # Of these there are more than of all others. The constructor of a frozen dataclass takes
    # twice as long as this.
    message = _new(Heartbeat)
    fields = message.__dict__
    fields["task_id"] = wire.id
    fields["time"] = wire.time
    fields["job_id"] = wire.job_id
    return message


def _content(wire: _Wire) -> Message | None:
    kind = wire.type
    if wire.log is None or kind not in ("log", "stdout", "stderr"):
        return None
    try:
        data = base64.b64decode(wire.log.text, validate=True)
    except (binascii.Error, ValueError):
        return None
    common = (wire.id, wire.time, wire.job_id)
    if kind == "log":
        name, level, word = wire.log_name, wire.log_level, wire.log_levelname
        return Log(*common, data, wire.encoding, name, level, word)
    return Output(*common, kind, data, wire.encoding, wire.log_only)
