"""Who may import whom, as data, and the imports of every module held against it.

Reads sources and imports nothing, so that an import inside a function counts like any other. A
new module has to be given its place in ROWS below; a test says so if it has none.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from nrunner.runners.registry import KINDS

ROOT = Path(__file__).resolve().parents[2]

# From the bottom up. A module may import its own row and those that come before it; where more
# than one pattern fits, the first row counts.
ROWS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("facade", ("nrunner",)),
    ("words", ("nrunner.errors", "nrunner.record", "nrunner.result", "nrunner.phase")),
    ("data", ("nrunner.runnable", "nrunner.messages", "nrunner.ending", "nrunner.layout")),
    ("tasks", ("nrunner.task", "nrunner.plan", "nrunner.event", "nrunner.action")),
    (
        "pure core",
        (
            "nrunner.graph",
            "nrunner.limits",
            "nrunner.line",
            "nrunner.pool",
            "nrunner.roster",
            "nrunner.waiting",
            "nrunner.taskstate",
            "nrunner.receipts",
            "nrunner.settlement",
            "nrunner.machine",
        ),
    ),
    (
        "tools",
        (
            "nrunner.dutcare",
            "nrunner.dutfile",
            "nrunner.dutfilter",
            "nrunner.duthealth",
            "nrunner.dutmemory",
            "nrunner.instrumented",
            "nrunner.interpreter",
            "nrunner.inventory",
            "nrunner.labhook",
            "nrunner.labsecret",
            "nrunner.deferral",
            "nrunner.lag",
            "nrunner.mishap",
            "nrunner.offload",
            "nrunner.option",
            "nrunner.register",
            "nrunner.requirement",
            "nrunner.schema",
            "nrunner.schemas",
            "nrunner.shape",
            "nrunner.tags",
            "nrunner.termination",
            "nrunner.tomlfile",
            "nrunner.userfolder",
            "nrunner.variant",
        ),
    ),
    (
        "contracts",
        (
            "nrunner.resolver",
            "nrunner.results",
            "nrunner.runners",
            "nrunner.spawners",
            "nrunner.*.base",
            "nrunner.runners.*",
        ),
    ),
    (
        "services",
        (
            "nrunner.adoption",
            "nrunner.agentevent",
            "nrunner.agentlink",
            "nrunner.agentsetting",
            "nrunner.arrival",
            "nrunner.attendance",
            "nrunner.avocadofile",
            "nrunner.berth",
            "nrunner.config",
            "nrunner.configdoc",
            "nrunner.control",
            "nrunner.delivery",
            "nrunner.environment",
            "nrunner.fetching",
            "nrunner.candidate",
            "nrunner.fleet",
            "nrunner.keeper",
            "nrunner.harvest",
            "nrunner.folders",
            "nrunner.following",
            "nrunner.fulfilment",
            "nrunner.ground",
            "nrunner.history",
            "nrunner.inquiries",
            "nrunner.interrupt",
            "nrunner.jobfile",
            "nrunner.journal",
            "nrunner.layer",
            "nrunner.pause",
            "nrunner.keptlink",
            "nrunner.liveoutput",
            "nrunner.lock",
            "nrunner.outpost",
            "nrunner.pace",
            "nrunner.places",
            "nrunner.commandline",
            "nrunner.planner",
            "nrunner.plugins",
            "nrunner.progress",
            "nrunner.reboots",
            "nrunner.questions",
            "nrunner.reporter",
            "nrunner.resolver.*",
            "nrunner.retelling",
            "nrunner.results.*",
            "nrunner.scheduler",
            "nrunner.series",
            "nrunner.situation",
            "nrunner.spawners.*",
            "nrunner.status",
            "nrunner.sysinfo",
            "nrunner.status.*",
            "nrunner.training",
            "nrunner.translation",
            "nrunner.tree",
            "nrunner.treedelivery",
        ),
    ),
    (
        "job",
        (
            "nrunner.job",
            "nrunner.conclusion",
            "nrunner.launch",
            "nrunner.archive",
            "nrunner.difference",
            "nrunner.gallery",
            "nrunner.jobdata",
            "nrunner.jobsurvey",
            "nrunner.leftover",
            "nrunner.merger",
            "nrunner.pastjob",
            "nrunner.pastview",
            "nrunner.replay",
            "nrunner.reportfile",
            "nrunner.resumption",
            "nrunner.socketfolder",
            "nrunner.watch",
        ),
    ),
    (
        "outside",
        (
            "nrunner.__main__",
            "nrunner.api",
            "nrunner.cli",
            "nrunner.cli.*",
            "nrunner.testing",
            "nrunner.testing.*",
        ),
    ),
)

# Implementations: reached by name, and imported by the registry of their folder alone. Each may
# import the rows in IMPLEMENTATIONS_MAY, its base, modules beneath itself, and what other modules
# of its folder share; never another implementation, never the scheduler.
IMPLEMENTATIONS = frozenset(
    {
        "nrunner.resolver.avocado_instrumented",
        "nrunner.resolver.exec_runnables_recipe",
        "nrunner.resolver.exec_test",
        "nrunner.resolver.hint",
        "nrunner.resolver.golang",
        "nrunner.resolver.pytest",
        "nrunner.resolver.python_unittest",
        "nrunner.resolver.robot",
        "nrunner.resolver.runnable_recipe",
        "nrunner.resolver.tap",
        "nrunner.results.compact",
        "nrunner.results.console",
        "nrunner.results.ctrf",
        "nrunner.results.html",
        "nrunner.results.json_report",
        "nrunner.results.tap",
        "nrunner.results.terminal",
        "nrunner.results.tmt",
        "nrunner.results.trace",
        "nrunner.results.xunit",
        "nrunner.runners.asset",
        "nrunner.runners.command",
        "nrunner.runners.dry_run",
        "nrunner.runners.env",
        "nrunner.runners.exec_test",
        "nrunner.runners.file",
        "nrunner.runners.golang",
        "nrunner.runners.kernel_module",
        "nrunner.runners.noop",
        "nrunner.runners.package",
        "nrunner.runners.pip",
        "nrunner.runners.podman_image",
        "nrunner.runners.pytest",
        "nrunner.runners.python",
        "nrunner.runners.python_unittest",
        "nrunner.runners.robot",
        "nrunner.runners.sysinfo",
        "nrunner.runners.tap",
        "nrunner.spawners.podman",
        "nrunner.spawners.process",
        "nrunner.spawners.ssh",
    }
)
IMPLEMENTATIONS_MAY = frozenset({"facade", "words", "data", "tasks", "tools"})
OF_AGENTS = (
    *("nrunner.runners.procfs", "nrunner.runners.folder", "nrunner.runners.spool"),
    *("nrunner.runners.removal", "nrunner.runners.flock", "nrunner.runners.staleness"),
)
"""What spawners may know of agents: their processes, their folders, what they left there. And what
both are made with: locks, and the choice of what has to go of what is kept."""
FOLDERS = ("nrunner.resolver", "nrunner.results", "nrunner.runners", "nrunner.spawners")

# How registries write down where an implementation is.
TARGET = re.compile(r'"(nrunner\.(?:resolver|results|spawners)\.[a-z_.]+):[A-Za-z]+"')

# Decide, and do nothing: these reach neither clock, files, processes nor the event loop.
PURE = (
    "nrunner.action",
    "nrunner.duthealth",
    "nrunner.ending",
    "nrunner.event",
    "nrunner.graph",
    "nrunner.limits",
    "nrunner.line",
    "nrunner.machine",
    "nrunner.phase",
    "nrunner.receipts",
    "nrunner.result",
    "nrunner.roster",
    "nrunner.settlement",
    "nrunner.status.tally",
    "nrunner.task",
    "nrunner.taskstate",
    "nrunner.waiting",
)
IMPURE = {
    *("asyncio", "datetime", "io", "os", "pathlib", "random", "shutil", "signal"),
    *("socket", "subprocess", "tempfile", "threading", "time"),
}

# Runs wherever tests run: Python 3.9, the portable set itself and the standard library.
PORTABLE = (
    "nrunner",
    "nrunner.errors",
    "nrunner.messages",
    "nrunner.phase",
    "nrunner.record",
    "nrunner.result",
    "nrunner.runnable",
    "nrunner.runners",
    "nrunner.runners.*",
)
NOT_IN_PYTHON_3_9 = {"tomllib"}

# (module, what it imports): why this one may.
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("nrunner.labhook", "nrunner.runners.procfs"): "what runs is looked for as agents do",
    ("nrunner.runners.pytest_plugins", "_pytest.config"): "a test of pytest has pytest",
    ("nrunner.runners.pytest_result", "pytest"): "a test of pytest has pytest",
    ("nrunner.runners.pytest_session", "_pytest.config"): "a test of pytest has pytest",
    ("nrunner.runners.pytest_session", "_pytest.main"): "a test of pytest has pytest",
    ("nrunner.runners.pytest_session", "pytest"): "a test of pytest has pytest",
    ("nrunner", "nrunner.runnable"): "the facade names what it loads when it is first used",
    ("nrunner", "nrunner.api"): "the facade; only for type checkers, so it costs nothing",
    ("nrunner", "nrunner.errors"): "the facade",
    ("nrunner", "nrunner.phase"): "the facade",
    ("nrunner", "nrunner.result"): "the facade",
    ("nrunner", "nrunner.task"): "the facade; only for type checkers, so it costs nothing",
}


@dataclass(frozen=True)
class Import:
    """One import statement's target."""

    line: int
    target: str
    at_import_time: bool


def sources() -> dict[str, Path]:
    """Return module name to file for the whole package, each file once."""
    found = {}
    for top in ("nrunner", "spawners", "runners", "resolver"):
        prefix = () if top == "nrunner" else ("nrunner",)
        for folder, _, files in os.walk(ROOT / top):
            for name in sorted(files):
                if name.endswith(".py"):
                    path = Path(folder) / name
                    parts = (*prefix, *path.relative_to(ROOT).with_suffix("").parts)
                    found[".".join(part for part in parts if part != "__init__")] = path
    return found


MODULES = sources()


def imports_of(source: str) -> Iterator[Import]:
    """Yield everything that `source` imports, wherever the statement stands."""
    tree = ast.parse(source)
    later = _later(tree)
    for node in ast.walk(tree):
        for target in _targets(node):
            yield Import(node.lineno, target, id(node) not in later)  # type: ignore[attr-defined]


def _later(tree: ast.Module) -> set[int]:
    """Return the ids of nodes that do not run when the module is imported."""
    return {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        for inner in ast.walk(node)
    }


def _targets(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [_deepest(node.module or "", alias.name) for alias in node.names]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            return [first.value]
    return []


def _deepest(module: str, name: str) -> str:
    """Return what ``from module import name`` loads: the submodule if it is one."""
    inner = f"{module}.{name}"
    return inner if inner in MODULES else module


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def row_of(name: str) -> int | None:
    """Return the number of a module's row; the first that matches counts."""
    return next((i for i, (_, patterns) in enumerate(ROWS) if _matches(name, patterns)), None)


def implementation_of(name: str) -> str | None:
    """Return the implementation that `name` is, or is beneath, if any."""
    parts = name.split(".")
    return ".".join(parts[:3]) if ".".join(parts[:3]) in IMPLEMENTATIONS else None


def upward(name: str, target: str) -> str | None:
    """Return why `name` may not import `target` because of their rows, if it may not."""
    own, other = row_of(name), row_of(target)
    if own is None or other is None or other <= own:
        return None
    return f'"{ROWS[other][0]}" stands above "{ROWS[own][0]}"'


def sideways(name: str, target: str) -> str | None:
    """Return what is wrong with `name` importing `target` as to implementations, if anything."""
    own, other = implementation_of(name), implementation_of(target)
    registered = other is not None and name == other.rpartition(".")[0] + ".registry"
    if other is not None and other != own and not registered:
        return "it is an implementation: those are reached by name, never imported"
    row = row_of(target)
    if own is None or row is None or ROWS[row][0] in IMPLEMENTATIONS_MAY:
        return None
    folder = own.rpartition(".")[0]
    if target == folder or target.startswith(folder + "."):
        return None
    if folder == "nrunner.spawners" and target in OF_AGENTS:
        return None
    return f"an implementation in {folder} imports data, tools and its own folder only"


def effects(name: str, target: str) -> str | None:
    """Return why the pure module `name` may not import `target`, if it may not."""
    if name in PURE and target.split(".")[0] in IMPURE:
        return "the core is pure: no clock, no files, no event loop"
    return None


def foreign(name: str, target: str) -> str | None:
    """Return why the portable module `name` may not import `target`, if it may not."""
    if not _matches(name, PORTABLE):
        return None
    top = target.split(".")[0]
    if top == "nrunner":
        return None if _matches(target, PORTABLE) else "it is not in the portable set"
    if top not in sys.stdlib_module_names or top in NOT_IN_PYTHON_3_9:
        return "the portable set has Python 3.9's standard library and nothing else"
    return None


RULES: tuple[Callable[[str, str], str | None], ...] = (upward, sideways, effects, foreign)


def complaints(name: str, source: str, where: str = "") -> list[str]:
    """Return what is wrong with the imports of one module, a line each."""
    found = []
    for each in imports_of(source):
        for rule in RULES:
            reason = rule(name, each.target)
            if reason and (name, each.target) not in EXCEPTIONS:
                found.append(f"{where or name}:{each.line}: imports {each.target}: {reason}")
    return found


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_what_its_place_allows(name):
    path = MODULES[name]
    source = path.read_text(encoding="utf-8")
    assert complaints(name, source, str(path.relative_to(ROOT))) == []


def test_every_module_has_a_place():
    lost = [str(path.relative_to(ROOT)) for name, path in MODULES.items() if row_of(name) is None]
    assert lost == [], "give these a row in ROWS"


def test_modules_do_not_import_each_other_in_a_circle():
    graph = {
        name: {
            each.target
            for each in imports_of(path.read_text(encoding="utf-8"))
            if each.at_import_time and each.target in MODULES and each.target != name
        }
        for name, path in MODULES.items()
    }
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail("circle of imports: " + " <- ".join(error.args[1]))


def test_every_exception_is_still_needed():
    used = {
        (name, each.target)
        for name, path in MODULES.items()
        for each in imports_of(path.read_text(encoding="utf-8"))
    }
    assert set(EXCEPTIONS) - used == set()


def test_the_names_in_the_tables_are_those_of_modules():
    plain = {pattern for _, patterns in ROWS for pattern in patterns if "*" not in pattern}
    assert (plain | IMPLEMENTATIONS | set(PURE)) - set(MODULES) == set()


def test_every_plugin_that_ships_is_listed_as_an_implementation():
    named = {
        found.group(1)
        for path in MODULES.values()
        for found in TARGET.finditer(path.read_text(encoding="utf-8"))
    }
    kinds = {"nrunner.runners." + kind.replace("-", "_") for kind in KINDS}
    assert (named | kinds) - IMPLEMENTATIONS == set()


@pytest.mark.parametrize(
    ("name", "source", "reason"),
    [
        ("nrunner.errors", "import nrunner.task", "stands above"),
        ("nrunner.machine", "from nrunner.scheduler import Scheduler", "stands above"),
        ("nrunner.task", "def f():\n    from nrunner.job import Job", "stands above"),
        ("nrunner.job", "from nrunner.cli.main import main", "stands above"),
        ("nrunner.result", "import msgspec", "standard library"),
        ("nrunner.runners.noop", "def f():\n    import tomllib", "standard library"),
        ("nrunner.runners.noop", "from nrunner.task import Task", "not in the portable set"),
        ("nrunner.runners.noop", "import nrunner.runners.tap", "never imported"),
        ("nrunner.runners.noop", "import nrunner.journal", "data, tools and"),
        ("nrunner.results.console", "from nrunner.journal import Journal", "data, tools and"),
        ("nrunner.results.console", "import nrunner.status.tally", "data, tools and"),
        ("nrunner.job", "import_module('nrunner.results.console')", "never imported"),
        ("nrunner.machine", "from time import monotonic", "the core is pure"),
    ],
)
def test_a_forbidden_import_is_found_with_its_line(name, source, reason):
    last = source.count("\n") + 1
    found = complaints(name, source)
    assert any(line.startswith(f"{name}:{last}: ") and reason in line for line in found), found


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("nrunner.task", "from nrunner.runnable import Runnable"),
        ("nrunner.runners.tap", "from nrunner.runners.tap_parser import TapParser\nimport json"),
        ("nrunner.spawners.ssh.link", "from nrunner.spawners.ssh.host import Host"),
        ("nrunner.cli.run", "def f():\n    from nrunner.job import Job"),
        ("nrunner.results.console", "from nrunner.results.base import JobReport"),
    ],
)
def test_an_allowed_import_is_let_through(name, source):
    assert complaints(name, source) == []
