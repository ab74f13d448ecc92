"""The command line: ``python -m benchmarks``. Which workloads, which tools, how often."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from benchmarks.adapters.ours import named
from benchmarks.earlier import Earlier, read_earlier
from benchmarks.figure import CaseFigures, Figures
from benchmarks.host import describe_host
from benchmarks.page import render_page, write_page
from benchmarks.peer import PEERS, Installed, Shed, default_cache, system_python
from benchmarks.report import render_case, render_peers, render_targets, to_json
from benchmarks.series import Series, scratch_folder
from benchmarks.tool import OURS, Case, Tool
from benchmarks.workloads import WORKLOADS

_ROUNDS = 5
_SHORT_ROUNDS = 2


def main() -> int:
    """Measure, show and write."""
    options = _options()
    shed = _shed(options)
    scratch = scratch_folder()
    machine = describe_host(shed.python, scratch)
    measured: list[CaseFigures] = []
    try:
        measured.extend(_measure(options, case, shed, scratch) for case in _cases(options, shed))
    except KeyboardInterrupt:
        _progress("interrupted: here is what was measured")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    earlier = _earlier(options.add)
    cases = earlier.completed(measured, _order())
    installed = tuple({**earlier.installed, **shed.installed}.values())
    _report(options, Figures(cases), installed, machine)
    return 0


def _order() -> list[str]:
    """Return the keys of all cases, as a page shows them."""
    return [case.key for module in WORKLOADS.values() for case in _all_cases(module)]


def _all_cases(module: ModuleType) -> list[Case]:
    return [*module.cases(False), *module.cases(True)]


def _earlier(paths: Sequence[Path]) -> Earlier:
    known = {case.key: case for module in WORKLOADS.values() for case in _all_cases(module)}
    return read_earlier(paths, known)


def _report(
    options: argparse.Namespace,
    figures: Figures,
    installed: Sequence[Installed],
    machine: Mapping[str, object],
) -> None:
    _show(f"\n{render_targets(figures)}\n{render_peers(installed)}")
    if options.json:
        document = to_json(figures, installed, machine)
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    if options.page:
        titles = {name: module.TITLE for name, module in WORKLOADS.items()}
        write_page(options.page, render_page(figures, installed, machine, titles))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("benchmarks", description=__doc__)
    add = parser.add_argument
    add("--short", action="store_true", help="fewer cases, two rounds")
    add("--only", type=_words, default=(), metavar="W1,W3", help="only these workloads")
    add("--case", default="", metavar="TEXT", help="only cases whose name holds this")
    add("--rounds", type=int, metavar="N", help=f"rounds, if not {_ROUNDS}")
    add("--peers", type=_words, default=(), metavar="A,B", help="only these, beside ours")
    add("--json", type=Path, metavar="FILE", help="write everything there, too")
    add("--add", type=Path, nargs="+", default=[], metavar="FILE", help="show these figures, too")
    add("--page", type=Path, metavar="FILE", help="write the tables between the marks in there")
    add("--no-memory", action="store_true", help="no further run to look at memory")
    add("--no-install", action="store_true", help="get nothing that is not here")
    add("--python", metavar="PATH", help="the interpreter for all tools")
    add("--cache", type=Path, default=default_cache(), metavar="FOLDER", help="installations")
    add("--nrunner", type=Path, metavar="PATH", help="measure this, not the checkout")
    more = "another executable of nrunner to compare with, such as an older one"
    add("--against", action="append", default=[], metavar="NAME=PATH", help=more)
    options = parser.parse_args()
    known = {peer.name for peer in PEERS}
    try:
        _earlier(options.add)
    except ValueError as error:
        parser.error(f"--add {error}")
    for given, names, word in (
        (options.only, WORKLOADS.keys(), "workload"),
        (options.peers, known, "tool"),
    ):
        for name in set(given) - names:
            parser.error(f"no {word} {name}: there are {', '.join(sorted(names))}")
    return options


def _words(text: str) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, text.split(","))))


def _shed(options: argparse.Namespace) -> Shed:
    python = options.python or system_python(sys.executable)
    shed = Shed(options.cache, python, not options.no_install)
    shed.add_ours(OURS, options.nrunner)
    for value in options.against:
        name, _, path = value.partition("=")
        shed.add_ours(f"{OURS}-{name}", Path(path))
    return shed


def _cases(options: argparse.Namespace, shed: Shed) -> list[Case]:
    """Return the cases that were asked for, each with the tools that can be had."""
    cases = [
        case
        for name, module in WORKLOADS.items()
        if not options.only or name in options.only
        for case in module.cases(options.short)
        if options.case in case.key
    ]
    return [replace(case, tools=_tools(options, case, shed)) for case in cases]


def _tools(options: argparse.Namespace, case: Case, shed: Shed) -> tuple[Tool, ...]:
    ours = tuple(name for name in shed.installed if name.startswith(OURS))
    tools: list[Tool] = []
    for tool in case.tools:
        if tool.peer == OURS:
            knowing = [name for name in ours if not tool.option or shed.knows(name, tool.option)]
            tools += named(tool, knowing)
        elif (not options.peers or tool.peer in options.peers) and shed.get(tool.peer).folder:
            tools.append(tool)
    return tuple(tools)


def _measure(options: argparse.Namespace, case: Case, shed: Shed, scratch: Path) -> CaseFigures:
    rounds = (options.rounds or (_SHORT_ROUNDS if options.short else _ROUNDS)) * case.times
    memory = case.memory and not options.no_memory
    series = Series(replace(case, memory=memory), shed, rounds, scratch, _progress)
    figures = CaseFigures(case, tuple(series.measure()))
    _show(f"\n### {case.key}\n\n{render_case(figures)}")
    return figures


def _progress(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _show(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
