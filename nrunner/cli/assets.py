"""``nrunner assets``: files that tests require, fetched before any job, listed and removed.

The words are Avocado's; ``nrunner cache`` shows the same files, and layers beside them. Not
responsible for fetching (``nrunner.fetching``), nor for the cache (``nrunner.runners.asset``).
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from nrunner.cli.kept import KeptFile, Stock
from nrunner.cli.output import say, say_error, table
from nrunner.cli.request import make_request, plugged_resolve
from nrunner.cli.settings import configuration, working_folder
from nrunner.errors import ExitCode, RecipeError, RequirementError, UsageError
from nrunner.option import Size, size_text
from nrunner.planner import context_of, refusal
from nrunner.resolver.base import Answer
from nrunner.results.text import visible
from nrunner.runnable import Requirement
from nrunner.runners.content_cache import ContentCache
from nrunner.runners.staleness import outdated

__all__ = ["assets", "fitting"]

_DAY = 86400.0
_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "==": int.__eq__,
    "<=": int.__le__,
    ">=": int.__ge__,
    "<": int.__lt__,
    ">": int.__gt__,
}
_Command = TypeVar("_Command", bound=Callable[..., Any])


@click.group()
def assets() -> None:
    """Fetch, list and remove the files that tests require (requirements of kind asset)."""


@assets.command()
@click.argument("references", nargs=-1, required=True, type=click.Path())
@click.option("--ignore-errors", is_flag=True, help="Return 0 even if some could not be fetched.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=300.0,
    metavar="SECONDS",
    show_default=True,
    help="How long one may take.",
)
def fetch(references: tuple[str, ...], ignore_errors: bool, timeout: float) -> int:
    """Fetch what the tests that REFERENCES lead to require, so that jobs need no network."""
    here = working_folder()
    wanted: dict[str, Requirement] = {}
    code = ExitCode.OK
    for suite in make_request(references, None, {}).suites:
        resolve = plugged_resolve()
        for each in resolve(suite.references, context_of(suite.config, here)):
            if each.answer is not Answer.SUCCESS:
                say_error(f"could not resolve {refusal(each)}")
                code = ExitCode.JOB_FAILED
            found = (one for runnable in each.runnables for one in runnable.requirements)
            wanted.update((one.key, one) for one in found if one.kind == "asset")
    code |= _fetch_all(list(wanted.values()), timeout)
    return ExitCode.OK if ignore_errors else code


@assets.command()
@click.argument("name")
@click.argument("url")
@click.option("--hash", "digest", metavar="HASH", help="The hash that it must have.")
def register(name: str, url: str, digest: str | None) -> int:
    """Put the file at URL, which may be a path, into the cache as NAME."""
    hashed = {"asset_hash": digest} if digest else {}
    return _fetch_all([Requirement("asset", kwargs={"name": name, "locations": [url], **hashed})])


def _choosing(command: _Command) -> _Command:
    """Add the options that say which files are meant."""
    texts = {
        "--by-overall-limit": ("SIZE", "Those that are too much, the least recently used first."),
        "--by-size-filter": ("FILTER", 'Those of a size: ">=2G", "<100K", "==0".'),
        "--by-days": ("DAYS", "Those that were not used for so many days."),
    }
    for flag, (metavar, text) in texts.items():
        command = click.option(flag, metavar=metavar, help=text)(command)
    return command


@assets.command("list")
@_choosing
def list_(**chosen: str | None) -> None:
    """List the files in the cache: all, or those that are chosen."""
    with _stock() as stock:
        files = stock.files()
        rows = [_row(each) for each in fitting(files, _one(chosen, least=0), time.time())]
    if rows:
        table([("asset", "checksum", "used", "size"), *rows])


@assets.command()
@_choosing
def purge(**chosen: str | None) -> None:
    """Remove the files that are chosen from the cache, but for those that a job uses."""
    choice = _one(chosen, least=1)
    with _stock() as stock:
        gone = stock.remove(fitting(stock.files(), choice, time.time()))
        table(_row(each) for each in gone if isinstance(each, KeptFile))
        say(f"removed {len(gone)} of {len(gone) + len(stock.files())}")


def _one(chosen: dict[str, str | None], *, least: int) -> tuple[str, str] | None:
    """Return the option that was given, by its name; raise UsageError if that is not one."""
    given = [(name, value) for name, value in chosen.items() if value is not None]
    if not least <= len(given) <= 1:
        raise UsageError("choose by --by-days, --by-size-filter or --by-overall-limit: one of them")
    return given[0] if given else None


def fitting(
    files: Sequence[KeptFile], choice: tuple[str, str] | None, now: float
) -> list[KeptFile]:
    """Return the files that are chosen; raise UsageError for a choice that makes no sense."""
    if choice is None:
        return list(files)
    name, text = choice
    if name == "by_days":
        if not re.fullmatch("[0-9]{1,6}", text):
            raise UsageError(f"use --by-days: expected a number of days, got {text!r}")
        return outdated(files, None, int(text) * _DAY, now)
    if name == "by_overall_limit":
        return outdated(files, _size(text, "--by-overall-limit"), None, now)
    match = re.fullmatch(r"(==|<=|>=|<|>)\s*(\S+)", text)
    if match is None:
        raise UsageError(f'use --by-size-filter: expected one such as ">=2G", got {text!r}')
    size, compare = _size(match[2], "--by-size-filter"), _COMPARE[match[1]]
    return [each for each in files if compare(each.size, size)]


def _size(text: str, flag: str) -> int:
    if text == "none":  # no limit, as a setting: here that would be everything
        raise UsageError(f"use {flag}: expected a size, got {text!r}")
    try:
        return Size().from_text(text) or 0
    except ValueError as error:
        raise UsageError(f"use {flag}: {error}") from error


def _fetch_all(wanted: Sequence[Requirement], timeout: float = 300.0) -> ExitCode:
    code = ExitCode.OK
    for each in wanted:
        try:
            asyncio.run(_fetch(each, timeout))
        except (RecipeError, RequirementError, TimeoutError) as error:
            reason = str(error) or f"it took more than {timeout:g} s"
            say_error(f"could not fetch {visible(each.title)}: {visible(reason)}")
            code = ExitCode.JOB_FAILED
        else:
            say(f"{visible(each.title)}: it is in the cache")
    return code


async def _fetch(requirement: Requirement, timeout: float) -> None:
    from nrunner.fetching import fetch_here

    here, config = working_folder(), configuration()
    settings = {
        "cache.dir": str(here / config.cache_dir),
        "cache.size": config.cache_size,
        "cache.offline": config.offline,
    }
    with tempfile.TemporaryDirectory(prefix="nrunner-") as folder:
        async with asyncio.timeout(timeout):
            await fetch_here(requirement, str(here), settings, Path(folder, "log"), folder)


def _stock() -> Any:
    return Stock.opened(ContentCache(str(working_folder() / configuration().cache_dir)))


def _row(each: KeptFile) -> tuple[str, ...]:
    used = f"{datetime.fromtimestamp(each.used):%Y-%m-%d %H:%M:%S}"
    return (visible(each.about[0]), each.name[:10], used, size_text(each.size))
