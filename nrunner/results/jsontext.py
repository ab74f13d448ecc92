"""JSON for reports: valid whatever tests have put into names, reasons and numbers.

Lone surrogates are written as the letters of their escape, numbers that are none as null. Not
responsible for what a report says.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import IO, Any

import msgspec

from nrunner.results.text import is_utf8, utf8

__all__ = ["JsonText"]


class JsonText:
    """Values to JSON: fast where all is well, careful where it is not."""

    def __init__(self, stream: IO[str]) -> None:
        self._encoder = msgspec.json.Encoder(enc_hook=_plain)
        self._must_be_ascii = not is_utf8(stream)

    def text(self, value: Any) -> str:
        """Return `value` as JSON on one line."""
        if not self._must_be_ascii:
            try:
                return self._encoder.encode(value).decode("utf-8")
            except (UnicodeError, OverflowError, TypeError, ValueError):
                pass  # lone surrogates, huge numbers, odd keys
        clean = _clean(value)
        return json.dumps(clean, ensure_ascii=self._must_be_ascii, separators=(",", ":"))


def _plain(value: Any) -> Any:
    """What msgspec does not know by itself: mappings that are not dicts, paths."""
    return dict(value) if isinstance(value, Mapping) else str(value)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return utf8(value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {utf8(str(key)): _clean(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(each) for each in value]
    return utf8(str(value))
