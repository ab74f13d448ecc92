"""W7: start-up: how long until something is seen, and until it is over."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.adapters import methods, ours, recorders, spawning
from benchmarks.tool import OURS, Case, Command, Site, Tool
from benchmarks.workloads.w1_programs import true_programs

__all__ = ["TITLE", "cases"]

TITLE = "start-up: help, a list of 1,000 tests, one test"
_PYTHON = "python -S -c pass"


def _watched(tool: Tool) -> Tool:
    """Return the tool with its output read as it comes."""
    return replace(tool, prepare=lambda site: replace(tool.prepare(site), watch_output=True))


def _words(name: str, peer: str, executable: str, *words: str) -> Tool:
    """Return a tool that is given the same words whatever the tests are."""
    return _watched(Tool(name, peer, lambda site: Command((site.find(executable), *words))))


def _in_tests(name: str, peer: str, words: Callable[[Site], tuple[str, ...]]) -> Tool:
    def prepare(site: Site) -> Command:
        executable, *rest = words(site)
        return Command((site.find(executable), *rest), cwd=site.input)

    return _watched(Tool(name, peer, prepare))


def _files(site: Site) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in site.input.glob("test_*.py")))


def _references(site: Site) -> Command:
    references = site.folder / "references"
    references.write_text("".join(f"{program}\n" for program in site.programs))
    return Command((site.find("nrunner"), "list", f"@{references}"))


def _stestr_list(site: Site) -> Command:
    run = methods.stestr_command(site)
    return replace(run, words=(run.words[0], "list"))


def _noop_recipe(folder: Path, tests: int) -> tuple[str, ...]:
    (folder / "noop.json").write_text(json.dumps({"kind": "noop", "uri": "n"}))
    return true_programs(folder, tests)


_HELP = (
    _words(OURS, OURS, "nrunner", "--help"),
    _words(_PYTHON, OURS, "python", "-S", "-c", "pass"),
    _words("lit", "lit", "lit", "--help"),
    _words("pytest", "pytest", "pytest", "--help"),
    _words("stestr", "stestr", "stestr", "--help"),
    _words("ctest", "ctest", "ctest", "--help"),
    _words("meson", "meson", "meson", "--help"),
    _words("avocado", "avocado", "avocado", "--help"),
)
_LIST = (
    _in_tests(OURS, OURS, lambda site: ("nrunner", "list", *_files(site))),
    _in_tests("pytest", "pytest", lambda site: ("pytest", "--collect-only", "-q", *_files(site))),
    _in_tests("avocado", "avocado", lambda site: ("avocado", "list", *_files(site))),
    _watched(Tool("stestr", "stestr", _stestr_list)),
)
_LIST_PROGRAMS = (
    _watched(Tool(OURS, OURS, _references)),
    _watched(
        Tool(
            "avocado",
            "avocado",
            lambda site: Command((site.find("avocado"), "list", *site.programs)),
        )
    ),
)
_RUN = (
    _watched(Tool(OURS, OURS, lambda site: ours.ours(site, (str(site.input / "noop.json"),)))),
    _watched(replace(ours.PROGRAMS, name=f"{OURS} /bin/true")),
    *map(
        _watched,
        (
            recorders.LIT,
            spawning.PYTEST,
            spawning.STESTR,
            recorders.CTEST,
            recorders.KYUA,
            recorders.MESON,
            recorders.PARALLEL,
            recorders.KIRK,
            recorders.AVOCADO,
        ),
    ),
)


def cases(short: bool) -> tuple[Case, ...]:
    """Return a case for each command."""
    plan: tuple[tuple[str, tuple[Tool, ...], int, Callable[[Path, int], tuple[str, ...]], str], ...]
    plan = (
        ("help", _HELP, 1, true_programs, _PYTHON),
        ("list 1,000 methods", _LIST, 1000, methods.make_methods, "pytest"),
        ("list 1,000 programs", _LIST_PROGRAMS, 1000, true_programs, "avocado"),
        ("run one test", _RUN, 1, _noop_recipe, "lit"),
    )
    return tuple(
        Case("W7", label, tools, tests, 1, make, reference, with_one=False, times=1 if short else 3)
        for label, tools, tests, make, reference in plan
    )
