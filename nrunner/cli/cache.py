"""``nrunner cache``: what was fetched for tests and is kept, and removing some of it.

What a job uses stays, whatever is asked for. Not responsible for fetching
(``nrunner.runners.asset``).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from nrunner.cli.output import say, say_json, table
from nrunner.cli.settings import configuration, working_folder
from nrunner.errors import UsageError
from nrunner.option import Duration, Size, Sort
from nrunner.results.text import visible
from nrunner.runners.content_cache import ContentCache
from nrunner.runners.content_stock import Entry, entries, outdated, remove, tidy

__all__ = ["cache"]

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


@click.group()
def cache() -> None:
    """List and remove what was fetched for tests and is kept for later jobs."""


@cache.command("list", short_help="List what is kept.")
@click.option("as_json", "--json", is_flag=True, help="Write JSON.")
def list_(as_json: bool) -> None:
    """List what is kept: hash, size, when it was last used, name, and where it came from.

    What was used least recently comes first.
    """
    kept = _cache()
    found = entries(kept)
    if as_json:
        say_json({"folder": kept.at(), "size": _size(found), "entries": list(map(_to_json, found))})
        return
    table(map(_row, found))
    say(f"{_counted(found)} in {visible(kept.at())}")


@cache.command(short_help="Remove what was not used for long.")
@click.option("size", "--size", metavar="SIZE", help="Keep so much: 500M, 10G.")
@click.option("age", "--age", metavar="TIME", help="Remove what was not used for so long: 30d.")
@click.option("as_json", "--json", is_flag=True, help="Write JSON.")
def prune(size: str | None, age: str | None, as_json: bool) -> None:
    """Remove what was not used for long, and then what was used least recently, until it fits.

    Without --size and --age the setting cache.size counts. What a job uses stays.
    """
    most, oldest = _limits(size, age)
    kept = _cache()
    _report(kept, outdated(entries(kept), most, oldest, time.time()), as_json=as_json)


@cache.command()
@click.option("sure", "--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("as_json", "--json", is_flag=True, help="Write JSON.")
def clear(sure: bool, as_json: bool) -> None:
    """Remove everything that no job uses."""
    kept = _cache()
    found = entries(kept)
    if found and not sure:
        if sys.stdin is None or not sys.stdin.isatty():
            raise UsageError("ask whether to clear the cache: say --yes")
        click.confirm(f"Remove {_counted(found)} from {visible(kept.at())}?", abort=True)
    _report(kept, found, as_json=as_json)


def _report(kept: ContentCache, unwanted: Sequence[Entry], *, as_json: bool) -> None:
    """Remove entries that are not in use, and tell which went and which did not."""
    gone = [each for each in unwanted if remove(kept, each.digest)]
    held = [each for each in unwanted if each not in gone]
    tidy(kept)
    left = entries(kept)
    if as_json:
        removed, stayed = list(map(_to_json, gone)), list(map(_to_json, held))
        say_json({"removed": removed, "in_use": stayed, "size": _size(left)})
        return
    table(map(_row, gone))
    say(f"removed {_counted(gone)}; left: {_counted(left)}")
    if held:
        say(f"in use, and therefore kept: {_counted(held)}")


def _cache() -> ContentCache:
    return ContentCache(str(working_folder() / Path(configuration().cache_dir)))


def _limits(size: str | None, age: str | None) -> tuple[int | None, float | None]:
    if size is age is None:
        most = configuration().cache_size
        if most is None:
            raise UsageError("prune the cache: say --size or --age, or set cache.size")
        return most, None
    most = _read(size, Size(), "--size")
    if size is not None and most is None and size != "none":
        most = 0  # as a setting, 0 is no limit: here nothing is to be left
    return most, _read(age, Duration(), "--age")


def _read(text: str | None, sort: Sort, flag: str) -> Any:
    if text is None:
        return None
    try:
        return sort.from_text(text)
    except ValueError as error:
        raise UsageError(f"use {flag}: {error}") from error


def _row(entry: Entry) -> tuple[str, ...]:
    return (
        entry.digest[:12],
        _told_size(entry.size),
        _told_age(time.time() - entry.used),
        "in use" if entry.in_use else "free",
        visible(",".join(entry.names)),
        visible(" ".join(entry.sources)),
    )


def _to_json(entry: Entry) -> dict[str, Any]:
    return {
        "sha256": entry.digest,
        "size": entry.size,
        "used": entry.used,
        "in_use": entry.in_use,
        "names": list(entry.names),
        "sources": list(entry.sources),
    }


def _size(found: Sequence[Entry]) -> int:
    return sum(each.size for each in found)


def _counted(found: Sequence[Entry]) -> str:
    files = "1 file" if len(found) == 1 else f"{len(found)} files"
    return f"{files}, {_told_size(_size(found))}"


def _told_size(size: float) -> str:
    for unit in "BKMGT":
        if size < 1024 or unit == "T":
            break
        size /= 1024
    return f"{size:.0f}{unit}" if unit == "B" or size >= 100 else f"{size:.1f}{unit}"


def _told_age(seconds: float) -> str:
    """Return how long ago something was, in its largest unit."""
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{int(seconds // length)}{unit} ago"
    return "now"
