"""``nrunner cache``: what is kept for later jobs, and removing some of it.

That is files that were fetched for tests, and what spawners keep: layers. What a job uses stays,
whatever is asked for. Not responsible for fetching (``nrunner.runners.asset``), nor for layers
(spawners that are `Keeping`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import click

from nrunner.cli.kept import KeptFile, KeptLayer, Stock
from nrunner.cli.output import say, say_json, table
from nrunner.cli.settings import configuration, working_folder
from nrunner.errors import UsageError
from nrunner.option import Duration, Size, Sort
from nrunner.results.text import visible
from nrunner.runners.content_cache import ContentCache
from nrunner.runners.staleness import outdated

__all__ = ["cache"]

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_Item = KeptFile | KeptLayer


@click.group()
def cache() -> None:
    """List and remove what is kept for later jobs: files that were fetched, and layers."""


@cache.command("list", short_help="List what is kept.")
@click.option("as_json", "--json", is_flag=True, help="Write JSON.")
def list_(as_json: bool) -> None:
    """List what is kept: name, size, when it was last used, what it is, and what it comes from.

    What was used least recently comes first.
    """
    with _stock() as stock:
        files, layers = stock.files(), stock.layers()
        if as_json:
            told = {"folder": stock.folder, "size": _size(files), "entries": _to_json(files)}
            say_json({**told, "layers": _to_json(layers)})
            return
        table(map(_row, files))
        say(f"{_counted(files)} in {visible(stock.folder)}")
        if layers:
            table(map(_row, layers))
            say(_counted(layers))


@cache.command(short_help="Remove what was not used for long.")
@click.option("size", "--size", metavar="SIZE", help="Keep so much: 500M, 10G.")
@click.option("age", "--age", metavar="TIME", help="Remove what was not used for so long: 30d.")
@click.option("as_json", "--json", is_flag=True, help="Write JSON.")
def prune(size: str | None, age: str | None, as_json: bool) -> None:
    """Remove what was not used for long, and then what was used least recently, until it fits.

    Without --size and --age the settings count: cache.size for files, and for layers
    cache.layers_size and cache.layers_age. What a job uses stays.
    """
    with _stock() as stock:
        if size is age is None:
            unwanted = list(_over_settings(stock))
        else:
            most, oldest = _limits(size, age)
            unwanted = outdated(stock.all(), most, oldest, time.time())
        _report(stock, unwanted, as_json=as_json)


@cache.command()
@click.option("sure", "--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("as_json", "--json", is_flag=True, help="Write JSON.")
def clear(sure: bool, as_json: bool) -> None:
    """Remove everything that no job uses."""
    with _stock() as stock:
        found = stock.all()
        if found and not sure:
            if sys.stdin is None or not sys.stdin.isatty():
                raise UsageError("ask whether to clear the cache: say --yes")
            click.confirm(f"Remove {_counted(found)} from {visible(stock.folder)}?", abort=True)
        _report(stock, found, as_json=as_json)


def _report(stock: Stock, unwanted: Sequence[_Item], *, as_json: bool) -> None:
    """Remove what is not in use, and tell what went and what did not."""
    gone = stock.remove(unwanted)
    held = [each for each in unwanted if each not in gone]
    files, layers = stock.files(), stock.layers()
    if as_json:
        told = [
            {"removed": _to_json(gone, sort), "in_use": _to_json(held, sort), "size": _size(left)}
            for sort, left in ((KeptFile, files), (KeptLayer, layers))
        ]
        say_json({**told[0], "layers": told[1]})
        return
    for sort in (KeptFile, KeptLayer):
        table(_row(each) for each in gone if isinstance(each, sort))
    say(f"removed {_counted(gone)}; left: {_counted([*files, *layers])}")
    if held:
        say(f"in use, and therefore kept: {_counted(held)}")


def _stock() -> AbstractContextManager[Stock]:
    return Stock.opened(ContentCache(str(working_folder() / Path(configuration().cache_dir))))


def _over_settings(stock: Stock) -> Iterator[_Item]:
    """Yield what the settings leave no room for."""
    config, now = configuration(), time.time()
    limits = (config.cache_size, config.layers_size, config.layers_age)
    if all(each is None for each in limits):
        raise UsageError("prune the cache: say --size or --age, or set cache.size")
    yield from outdated(stock.files(), config.cache_size, None, now)
    yield from outdated(stock.layers(), config.layers_size, config.layers_age, now)


def _limits(size: str | None, age: str | None) -> tuple[int | None, float | None]:
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


def _row(each: _Item) -> tuple[str, ...]:
    return (
        each.name[:12],
        _told_size(each.size),
        _told_age(time.time() - each.used),
        "in use" if each.in_use else "free",
        *map(visible, each.about),
    )


def _to_json(found: Sequence[_Item], sort: type = object) -> list[dict[str, Any]]:
    return [each.to_json() for each in found if isinstance(each, sort)]


def _size(found: Sequence[_Item]) -> int:
    return sum(each.size for each in found)


def _counted(found: Sequence[_Item]) -> str:
    layers = sum(isinstance(each, KeptLayer) for each in found)
    files = len(found) - layers
    told = [_number(files, "file")] if files or not layers else []
    told += [_number(layers, "layer")] if layers else []
    return f"{' and '.join(told)}, {_told_size(_size(found))}"


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


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
