"""The sorts of value a setting can have, and how each is read from text, TOML and flags.

Not responsible for which settings there are, nor for where values come from (``nrunner.config``).
Each sort refuses with a ValueError whose message says what would be right.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

__all__ = [
    "Address",
    "Amount",
    "Choice",
    "Count",
    "Duration",
    "FileName",
    "Limit",
    "Numbers",
    "Pairs",
    "Size",
    "Sort",
    "Switch",
    "Text",
    "Words",
    "duration_text",
    "size_text",
]


class Sort:
    """One sort of value."""

    metavar = "TEXT"
    """What stands for a value in the help on a flag."""

    def from_text(self, text: str) -> Any:
        """Read the value of an environment variable or flag; raise ValueError."""
        return self.from_toml(text)

    def from_flag(self, given: Any) -> Any:
        """Read what the command line gave: text, or the texts of a flag given repeatedly."""
        return self.from_text(given) if isinstance(given, str) else self.from_toml(given)

    def from_toml(self, value: Any) -> Any:
        """Read a value of a configuration file; raise ValueError."""
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of what `from_toml` accepts."""
        raise NotImplementedError

    def to_json(self, value: Any) -> Any:
        """Return a value in the form that a configuration file would have."""
        return value


class Count(Sort):
    """A whole number that is not less than `least`, nor more than `most` if that is given."""

    metavar = "N"

    def __init__(self, least: int = 0, most: int | None = None) -> None:
        self.least = least
        self.most = most

    def from_text(self, text: str) -> int:
        """Read decimal digits."""
        if not re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", text):
            raise ValueError(f"expected a whole number, got {text!r}")
        return self.from_toml(int(text))

    def from_toml(self, value: Any) -> int:
        """Accept an integer."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"expected a whole number, got {_shown(value)}")
        if value < self.least:
            raise ValueError(f"must be {self.least} or more, got {value}")
        if self.most is not None and value > self.most:
            raise ValueError(f"must be {self.most} or less, got {value}")
        return value

    def schema(self) -> dict[str, Any]:
        """Describe an integer."""
        upper = {} if self.most is None else {"maximum": self.most}
        return {"type": "integer", "minimum": self.least, **upper}


class Amount(Sort):
    """A number of something that can be divided: more than 0."""

    metavar = "NUMBER"
    _most = 1_000_000

    def from_text(self, text: str) -> float:
        """Read decimal digits, with a point or without."""
        if not re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", text):
            raise ValueError(f"expected a number such as 2 or 0.5, got {text!r}")
        return self.from_toml(float(text))

    def from_toml(self, value: Any) -> float:
        """Accept a number."""
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise ValueError(f"expected a number such as 2 or 0.5, got {_shown(value)}")
        if not 0 < value <= self._most:
            raise ValueError(f"must be more than 0 and {self._most} at most, got {value}")
        return float(value)

    def schema(self) -> dict[str, Any]:
        """Describe a number."""
        return {"type": "number", "exclusiveMinimum": 0, "maximum": self._most}


_PARTS = r"(?:[0-9]+d)?(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+(?:\.[0-9]+)?s)?"
_WITH_UNITS = rf"(?=[0-9]){_PARTS}"
_BARE = r"[0-9]+(?:\.[0-9]+)?"
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_MOST = 1_000_000_000
_HOW = "such as 90, 90s, 15m or 1h30m"


class Duration(Sort):
    """A length of time in seconds: a number, or text such as ``90s`` or ``1h30m``."""

    metavar = "TIME"

    def __init__(self, positive: bool = False) -> None:
        self.positive = positive

    def from_toml(self, value: Any) -> float:
        """Accept a number of seconds or text with units."""
        seconds = _seconds(value)
        if self.positive and seconds == 0:
            raise ValueError("must be more than 0 seconds")
        return seconds

    def schema(self) -> dict[str, Any]:
        """Describe both forms."""
        bound = "exclusiveMinimum" if self.positive else "minimum"
        some = r"(?=.*[1-9])" if self.positive else ""
        pattern = rf"^{some}(?:{_BARE}|{_WITH_UNITS})$"
        return {"type": ["number", "string"], bound: 0, "maximum": _MOST, "pattern": pattern}

    def to_json(self, value: Any) -> str:
        """Write it with units."""
        return duration_text(value)


class Limit(Sort):
    """A length of time after which something is stopped; ``0`` or ``none`` for no limit."""

    metavar = "TIME"

    def from_toml(self, value: Any) -> float | None:
        """Accept what Duration does, and ``none``."""
        return None if value == "none" else _seconds(value) or None

    def schema(self) -> dict[str, Any]:
        """Describe both forms."""
        return {
            "type": ["number", "string"],
            "minimum": 0,
            "maximum": _MOST,
            "pattern": rf"^(?:none|{_BARE}|{_WITH_UNITS})$",
        }

    def to_json(self, value: Any) -> str:
        """Write it with units."""
        return "none" if value is None else duration_text(value)


def _seconds(value: Any) -> float:
    seconds = value
    if isinstance(value, str) and re.fullmatch(_BARE, value):
        seconds = float(value)
    elif isinstance(value, str) and re.fullmatch(_WITH_UNITS, value):
        parts = re.findall(r"([0-9.]+)([dhms])", value)
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    elif not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ValueError(f"expected a duration {_HOW}, got {_shown(value)}")
    if not 0 <= seconds <= _MOST:
        raise ValueError(f"must be from 0 to {_MOST} seconds, got {value}")
    return float(seconds)


def duration_text(seconds: float) -> str:
    """Write a length of time with units: ``1h30m``, ``2.5s``."""
    whole, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(whole), 60)
    text = f"{hours}h" if hours else ""
    text += f"{minutes}m" if minutes else ""
    return text + (f"{rest:.10g}s" if rest or not text else "")


_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class Size(Sort):
    """A number of bytes, or text such as ``500M``; ``0`` or ``none`` for no limit."""

    metavar = "SIZE"

    def from_toml(self, value: Any) -> int | None:
        """Accept a whole number, or text with a unit."""
        if value == "none":
            return None
        match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,3})?)([KMGT]?)", str(value).upper())
        if match is None or not isinstance(value, (str, int)) or isinstance(value, bool):
            raise ValueError(f"expected a size such as 4096, 500M or 1.5G, got {_shown(value)}")
        return int(float(match[1]) * _SIZES[match[2]]) or None

    def schema(self) -> dict[str, Any]:
        """Describe both forms."""
        return {
            "type": ["integer", "string"],
            "minimum": 0,
            "maximum": 10**15 - 1,
            "pattern": r"^(?:none|[0-9]{1,15}(?:\.[0-9]{1,3})?[KMGTkmgt]?)$",
        }

    def to_json(self, value: Any) -> str:
        """Write it with a unit."""
        return "none" if value is None else size_text(value)


def size_text(size: int) -> str:
    """Write a number of bytes as a setting would have it, as short as it is exact."""
    for unit in "TGMK":
        if size and size % _SIZES[unit] == 0:
            return f"{size // _SIZES[unit]}{unit}"
    return str(size)


_YES = ("true", "yes", "on", "1")
_NO = ("false", "no", "off", "0")


class Switch(Sort):
    """On or off."""

    def from_text(self, text: str) -> bool:
        """Accept true, yes, on, 1 and their opposites, in any case."""
        word = text.strip().lower()
        if word not in (*_YES, *_NO):
            raise ValueError(f"expected true or false, got {text!r}")
        return word in _YES

    def from_toml(self, value: Any) -> bool:
        """Accept a boolean."""
        if not isinstance(value, bool):
            raise ValueError(f"expected true or false, got {_shown(value)}")
        return value

    def schema(self) -> dict[str, Any]:
        """Describe a boolean."""
        return {"type": "boolean"}


class Text(Sort):
    """Text that is not empty; a path may begin with ``~``."""

    def __init__(self, path: bool = False) -> None:
        self.path = path
        if path:
            self.metavar = "PATH"

    def from_toml(self, value: Any) -> str:
        """Accept a string."""
        text = _string(value)
        return os.path.expanduser(text) if self.path else text  # noqa: PTH111 - keeps "./"

    def schema(self) -> dict[str, Any]:
        """Describe a string that can be a name of something."""
        return {"type": "string", "pattern": r"^[^\u0000]+$"}


class FileName(Text):
    """A name that a file or folder can have: no path."""

    metavar = "NAME"

    def from_toml(self, value: Any) -> str:
        """Accept a string without a slash that is no dot or two."""
        text = _string(value)
        if "/" in text or text.startswith(".") or len(os.fsencode(text)) > 255:
            raise ValueError(f"expected a name without / that begins with no dot, got {text!r}")
        return text

    def schema(self) -> dict[str, Any]:
        """Describe such a name."""
        return {"type": "string", "pattern": r"^[^./\u0000][^/\u0000]*$", "maxLength": 255}


class Choice(Sort):
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.metavar = "|".join(words)

    def from_toml(self, value: Any) -> str:
        """Accept one of the words."""
        text = _string(value)
        if text not in self.words:
            raise ValueError(f"expected one of {', '.join(self.words)}, got {text!r}")
        return text

    def schema(self) -> dict[str, Any]:
        """Describe the words."""
        return {"enum": list(self.words)}


class Words(Sort):
    """A list of words, in text separated by `separator`."""

    metavar = "NAMES"

    def __init__(self, separator: str = ",") -> None:
        self.separator = separator

    def from_text(self, text: str) -> tuple[str, ...]:
        """Split at the separator; nothing between two of them is no word."""
        return self.from_toml([each.strip() for each in text.split(self.separator) if each.strip()])

    def from_toml(self, value: Any) -> tuple[str, ...]:
        """Accept a list of strings."""
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"expected a list of strings, got {_shown(value)}")
        return tuple(_string(each) for each in value)

    def schema(self) -> dict[str, Any]:
        """Describe a list of strings."""
        return {"type": "array", "items": Text().schema()}

    def to_json(self, value: Any) -> list[str]:
        """Write a list."""
        return list(value)


class Numbers(Sort):
    """A list of whole numbers from 0 to `most`, in text separated by commas."""

    metavar = "NUMBERS"

    def __init__(self, most: int) -> None:
        self.most = most

    def from_text(self, text: str) -> tuple[int, ...]:
        """Split at commas."""
        count = Count()
        return self.from_toml([count.from_text(each) for each in text.split(",") if each.strip()])

    def from_toml(self, value: Any) -> tuple[int, ...]:
        """Accept a list of integers."""
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"expected a list of whole numbers, got {_shown(value)}")
        numbers = tuple(Count().from_toml(each) for each in value)
        for each in numbers:
            if each > self.most:
                raise ValueError(f"must be {self.most} or less, got {each}")
        return numbers

    def schema(self) -> dict[str, Any]:
        """Describe a list of integers."""
        item = {"type": "integer", "minimum": 0, "maximum": self.most}
        return {"type": "array", "items": item}

    def to_json(self, value: Any) -> list[int]:
        """Write a list."""
        return list(value)


class Pairs(Sort):
    """Names with texts, as an environment has them; in text ``NAME=VALUE``, one on each line."""

    metavar = "NAME=VALUE"

    def from_text(self, text: str) -> dict[str, str]:
        """Read lines of ``NAME=VALUE``."""
        return self.from_flag(text.splitlines())

    def from_flag(self, given: Any) -> dict[str, str]:
        """Read several ``NAME=VALUE``; the last of a name counts."""
        pairs = {}
        for each in given:
            name, equals, value = each.partition("=")
            if not name or not equals:
                raise ValueError(f"expected NAME=VALUE, got {each!r}")
            pairs[name] = value
        return self.from_toml(pairs)

    def from_toml(self, value: Any) -> dict[str, str]:
        """Accept a table of strings."""
        if not isinstance(value, Mapping):
            raise ValueError(f"expected a table of strings, got {_shown(value)}")
        for name, each in value.items():
            if not re.fullmatch(r"[^=\s\0]+", name):
                raise ValueError(f'{name!r} cannot be a name: expected no blanks and no "="')
            if not isinstance(each, str) or "\0" in each:
                raise ValueError(f'"{name}": expected a string, got {_shown(each)}')
        return dict(value)

    def schema(self) -> dict[str, Any]:
        """Describe a table of strings."""
        return {
            "type": "object",
            "propertyNames": {"pattern": r"^[^=\s\u0000]+$"},
            "additionalProperties": {"type": "string", "pattern": r"^[^\u0000]*$"},
        }


class Address(Sort):
    """A TCP address, ``HOST:PORT``; an IPv6 host in brackets, port 0 for any that is free."""

    metavar = "HOST:PORT"

    def from_toml(self, value: Any) -> str:
        """Accept host and port."""
        text = _string(value)
        match = re.fullmatch(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})", text)
        if not match or int(match[1]) > 65535:
            raise ValueError(f"expected HOST:PORT such as 127.0.0.1:8080, got {text!r}")
        return text

    def schema(self) -> dict[str, Any]:
        """Describe host and port."""
        port = r"(?:[0-5]?[0-9]{1,4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
        host = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)"
        return {"type": "string", "pattern": rf"^{host}:{port}$"}


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a string, got {_shown(value)}")
    if not value:
        raise ValueError("must not be empty")
    if "\0" in value:
        raise ValueError("must not hold a NUL character")
    return value


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, Mapping):
        return "a table"
    return repr(value) if isinstance(value, (str, int, float)) else f"a {type(value).__name__}"
