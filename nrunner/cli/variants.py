"""``nrunner variants``: what variants there are, and with which parameters.

Not responsible for running tests with them (``nrunner.planner``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from nrunner.cli.flags import setting_flags
from nrunner.cli.output import say
from nrunner.cli.settings import configuration, flags_of, working_folder
from nrunner.errors import ResultsError, UsageError
from nrunner.results.text import visible
from nrunner.variant import read_variants

__all__ = ["variants"]

_LEVELS = {"none": 0, "brief": 0, "normal": 1, "verbose": 2, "full": 3, "max": 99}
_NO_TREE = "No tree representation for JSON serialized variants"


@click.command()
@setting_flags("run.json_variants_load")
@click.option("--variants", "level", default="1", metavar="LEVEL", help="How much of each to show.")
@click.option("--summary", default="0", metavar="LEVEL", help="There is no summary of such a file.")
@click.option("-c", "--contents", is_flag=True, help="Show the parameters, too.")
@click.option("-t", "--tree", is_flag=True, help="There is no tree of such a file.")
@click.option("-i", "--inherit", is_flag=True, help="The same.")
@click.option("-d", "--debug", is_flag=True, hidden=True)
@click.option("--json-variants-dump", "dump", metavar="FILE", help="Write the variants as JSON.")
def variants(level: str, summary: str, dump: str | None, **flags: Any) -> None:
    """Show variants: their names, and with --contents or --variants 2 their parameters.

    LEVEL is a number, or none, brief, normal, verbose, full or max.
    """
    is_tree = flags["tree"]
    if is_tree and flags["debug"]:
        raise UsageError("use --tree beside --debug")
    if flags["inherit"] and not is_tree:
        raise UsageError("use --inherit without --tree")
    shown = 0 if is_tree else _level(level) + 2 * flags["contents"]
    config = configuration(flags_of(flags))
    path = config.json_variants_load
    found = () if path is None else read_variants(working_folder() / path)
    if dump is not None:
        _dump(found, Path(dump))
    if path is None:
        return
    if is_tree or _level(summary):
        say(_NO_TREE)
    for line in _lines(found, shown):
        say(line)


def _level(word: str) -> int:
    level = int(word) if word.isdecimal() and len(word) < 9 else _LEVELS.get(word)
    if level is None:
        raise UsageError(f"show so much: expected a number or {', '.join(_LEVELS)}, got {word!r}")
    return level


def _dump(found: Sequence[Mapping[str, Any]], path: Path) -> None:
    try:
        path.write_text(json.dumps(list(found)), encoding="utf-8")
    except OSError as error:
        raise ResultsError(f"write {path}: {error.strerror}") from error


def _lines(found: Sequence[Mapping[str, Any]], level: int) -> Iterator[str]:
    if not level:
        return
    yield f"JSON Serialized Variants ({len(found)}):"
    for each in found:
        if level > 1:
            yield ""
        paths = ", ".join(visible(node[0]) for node in each["variant"])
        yield f"Variant {visible(str(each.get('variant_id')))}:    {paths}".rstrip()
        if level > 1:
            yield from _parameters(each)


def _parameters(variant: Mapping[str, Any]) -> Iterator[str]:
    rows = {
        (visible(f"{path}:{name}"), visible(str(value)))
        for _, parameters in variant["variant"]
        for path, name, value in parameters
    }
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in sorted(rows):
        yield f"    {name:<{width}} => {value}"
