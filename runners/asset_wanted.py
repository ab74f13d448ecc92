"""What a requirement of kind ``asset`` asks for: read from its arguments, compared with what came.

Not responsible for fetching (``nrunner.runners.asset``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import hashlib
import os
import re

from nrunner.errors import RunnerError
from nrunner.record import dataclass
from nrunner.runnable import Requirement
from nrunner.runners.content_cache import ContentCache, Found
from nrunner.runners.fetch import FetchError, file_path, is_remote, public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from nrunner.runners.content_partial import Partial

__all__ = ["Wanted"]

_BY_LENGTH = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
_KEYS = ("name", "locations", "asset_hash", "algorithm", "sha256", "expire")
_BROUGHT = "brought"
"""A file that a controller has put there, with its hash: no key of people's."""
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Wanted:
    """One file, and how it is known when it is there."""

    name: str
    """A file name without folders."""
    locations: tuple[str, ...]
    algorithm: str = "sha256"
    digest: str = ""
    """The hash it must have, in lower case; empty if any will do."""
    expire: Optional[float] = None
    """Seconds after which it is fetched again, where there is no hash."""
    brought: str = ""
    """Path of a file that has been brought from elsewhere, which need not be fetched."""
    brought_digest: str = ""
    stamp: str = ""
    """What tells a local file from another one that takes its place, where there is no hash."""

    @classmethod
    def of(cls, requirement: Requirement, base_dir: str) -> Wanted:
        """Read a requirement; raise RunnerError that names the key."""
        kwargs = requirement.kwargs
        for key in kwargs:
            if key not in _KEYS and key != _BROUGHT:
                raise RunnerError(f"unknown key {key!r}; an asset has {', '.join(_KEYS)}")
        name = kwargs.get("name") or requirement.uri
        if not isinstance(name, str) or not name:
            raise RunnerError('key "name": expected the name of a file, or a URL')
        file = _file_name(name)
        locations = tuple(_within(each, file, base_dir) for each in _locations(name, kwargs))
        algorithm, digest = _hash(kwargs)
        stamp = "" if digest or not locations else _stamp(locations[0], base_dir)
        brought: Any = kwargs.get(_BROUGHT) or {}
        if not isinstance(brought, dict):
            raise RunnerError(f'key "{_BROUGHT}": it is for whoever brings the file')
        return cls(
            file,
            locations,
            algorithm,
            digest,
            _seconds(kwargs),
            str(brought.get("path", "")),
            str(brought.get("sha256", "")),
            stamp,
        )

    @property
    def variable(self) -> str:
        """The name of the variable by which a test finds it."""
        return "NRUNNER_ASSET_" + re.sub(r"[^A-Z0-9]", "_", self.name.upper())

    @property
    def key(self) -> str:
        """What tells it from others in the cache: its hash if it has one, else where it is from."""
        if self.digest:
            return f"{self.algorithm}:{self.digest}"
        if not self.locations:
            return f"name:{self.name}"
        return "\n".join((*self.locations, self.stamp))

    def find(self, cache: ContentCache, *, at_any_age: bool = False) -> Optional[Found]:
        """Return it if it is in the cache; raise CacheError."""
        if self.digest:
            direct = cache.find_content(self.digest) if self.algorithm == "sha256" else None
            return direct or cache.find(self.key)
        max_age = None if at_any_age else self.expire
        if self.locations:
            return cache.find(self.key, max_age)
        # Whoever says no more than a name means what was put there by that (assets register).
        found = cache.find_name(self.name)
        return found if found is not None and found.is_as_new(max_age) else None

    def verify(self, partial: Partial) -> None:
        """Raise FetchError that names both hashes if what came is not what was asked for."""
        came = partial.digest(self.algorithm)
        if self.digest and came != self.digest:
            raise FetchError(f"its {self.algorithm} is {came}, not {self.digest}")


def _file_name(name: str) -> str:
    """Return what a file is called that is asked for by this name, which may be a URL."""
    last = (public(name).partition("?")[0] if "://" in name else name).rstrip("/")
    last = last.rpartition("/")[2]
    last = "".join(each if each.isprintable() else "_" for each in last)
    if last in ("", ".", "..", ".lock") or len(os.fsencode(last)) > _LONGEST_NAME:
        raise RunnerError(f'key "name": {last[:40]!r} cannot be the name of a file')
    return last


def _locations(name: str, kwargs: Any) -> list[str]:
    found = kwargs.get("locations")
    if found is None:
        return [name] if "://" in name or "/" in name else []
    texts = [found] if isinstance(found, str) else found
    if not isinstance(texts, (list, tuple)) or not all(
        isinstance(each, str) and each for each in texts
    ):
        raise RunnerError('key "locations": expected a list of URLs or paths')
    return list(texts)


def _within(location: str, file: str, base_dir: str) -> str:
    """Return where the file is, if its location is that of its folder."""
    if location.endswith("/"):
        return location + file
    try:
        if not is_remote(location) and os.path.isdir(file_path(location, base_dir)):
            return f"{location}/{file}"
    except (FetchError, ValueError):
        pass  # it will be told when it is fetched
    return location


def _hash(kwargs: Any) -> tuple[str, str]:
    short, value = kwargs.get("sha256"), kwargs.get("asset_hash")
    algorithm = kwargs.get("algorithm")
    if short is not None:
        if value is not None or algorithm not in (None, "sha256"):
            raise RunnerError('key "sha256": there is another hash beside it')
        value, algorithm = short, "sha256"
    if value is None:
        return "sha256", ""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-fA-F]+", value):
        raise RunnerError('key "asset_hash": expected hexadecimal digits')
    if algorithm is None:
        algorithm = _BY_LENGTH.get(len(value), "")
    length = _length(algorithm)
    if len(value) != length:
        problem = f"a {algorithm} has {length} digits, got {len(value)}"
        raise RunnerError(f'key "asset_hash": {problem}')
    return algorithm, value.lower()


def _length(algorithm: Any) -> int:
    """Return how many digits a hash has; raise RunnerError if there is no such hash."""
    try:
        length = 2 * hashlib.new(algorithm).digest_size
    except (TypeError, ValueError):
        length = 0
    if not length:
        known = ", ".join(_BY_LENGTH.values())
        raise RunnerError(f'key "algorithm": {algorithm!r} is not known here; use {known}')
    return length


def _seconds(kwargs: Any) -> Optional[float]:
    value = kwargs.get("expire")
    if value is None:
        return None
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)", str(value))
    if match is None or isinstance(value, bool):
        raise RunnerError('key "expire": expected seconds, or text such as "12h" or "7d"')
    return float(match[1]) * _UNITS[match[2]]


def _stamp(location: str, base_dir: str) -> str:
    """Return size and time of a local file, so that another one in its place is noticed."""
    if is_remote(location):
        return ""
    try:
        found = os.stat(file_path(location, base_dir))
    except (OSError, ValueError, FetchError):
        return ""
    return f"{base_dir} {found.st_size} {found.st_mtime_ns}"
