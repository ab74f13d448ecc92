"""W4: tests that print a lot, and whether every byte of it is kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from benchmarks.adapters import ours, plain, recorders
from benchmarks.tool import Broken, Case, Command, Reading, Site, Tool

__all__ = ["TITLE", "cases"]

TITLE = "1 GB from one test, and 10 MB from each of 100"
_LINE = "The quick brown fox jumps over the lazy dog, again and again..\n"
_PIECE = _LINE.encode() * 1024
_MEBIBYTE = 1 << 20
_SCRIPT = """#!/usr/bin/perl
my $piece = "{line}" x 1024;
for (1 .. {pieces}) {{
    for (my $done = 0; $done < length $piece;) {{
        $done += syswrite(STDOUT, $piece, length($piece) - $done, $done) or die;
    }}
}}
"""


def _printer(path: Path, size: int) -> str:
    """Make a program that prints so many bytes with next to no work of its own."""
    line = _LINE.replace("\n", "\\n")
    path.write_text(_SCRIPT.format(line=line, pieces=size // len(_PIECE)))
    path.chmod(0o755)
    return str(path)


def _one_loud(folder: Path, tests: int) -> tuple[str, ...]:
    """Make a test that prints next to nothing, and as the second one that prints 1 GB."""
    quiet = _printer(folder / "quiet.pl", len(_PIECE))
    return (quiet, _printer(folder / "loud.pl", 1024 * _MEBIBYTE))[:tests]


def _many(folder: Path, tests: int) -> tuple[str, ...]:
    return tuple(_printer(folder / f"loud-{n}.pl", 10 * _MEBIBYTE) for n in range(tests))


def _read(site: Site, output: str) -> Reading:
    """Count the tests, and compare every byte that was kept with what was printed."""
    root = site.folder / "results" / "latest"
    report = json.loads((root / "results.json").read_text())
    for test, program in zip(report["tests"], site.programs, strict=True):
        pieces = Path(program).read_text().split("(1 .. ")[1].split(")")[0]
        _compare(root / test["outputs"]["stdout"], int(pieces))
    return ours.read_ours(site, output)


def _compare(path: Path, pieces: int) -> None:
    with path.open("rb") as file:
        for number in range(pieces):
            if file.read(len(_PIECE)) != _PIECE:
                raise Broken(f"{path} differs from what was printed, in piece {number + 1}")
        if file.read(1):
            raise Broken(f"{path} is longer than what was printed")


def _through_xargs(site: Site, script: str) -> Command:
    words = ("xargs", f"-P{site.parallel}", "-n1", "sh", "-c", script)
    return replace(plain.XARGS_SH.prepare(site), words=words)


def _to_cat(site: Site) -> Command:
    return _through_xargs(site, '"$0" | cat > "${0##*/}.out"')


def _to_file(site: Site) -> Command:
    return _through_xargs(site, '"$0" > "${0##*/}.out"')


_CAT = Tool("| cat > file", "xargs", _to_cat)
_FILE = Tool("> file", "xargs", _to_file)
_TOOLS = (replace(ours.PROGRAMS, read=_read), _CAT, _FILE, recorders.PARALLEL)
_MORE = (*_TOOLS, recorders.CTEST, recorders.KYUA)


def cases(short: bool) -> tuple[Case, ...]:
    """Return the loud one, and the many."""
    hundred = Case("W4", "100 x 10 MB", _MORE, 100, 2, _many, _CAT.name)
    # Two tests, of which the first is quiet, so that a run of one is the start-up.
    one = Case("W4", "1 GB", _TOOLS, 2, 1, _one_loud, _CAT.name)
    return (hundred,) if short else (one, hundred)
