"""The runner classes that ship with nrunner, by kind, each loaded when it is first asked for.

Not responsible for kinds that others add: those are runner executables
(``nrunner-runner-KIND``), found by name where tests run, never by entry points.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from importlib import import_module

from nrunner.errors import RunnerError
from nrunner.runners.base import RequirementRunner, Runner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "FETCHED_KINDS",
    "HANDING_KINDS",
    "KINDS",
    "REQUIREMENT_KINDS",
    "requirement_runner",
    "runner",
]

_TESTS = {
    "dry-run": ("dry_run", "DryRun"),
    "exec-test": ("exec_test", "ExecTest"),
    "golang": ("golang", "Golang"),
    "pytest": ("pytest", "Pytest"),
    "python-unittest": ("python_unittest", "PythonUnittest"),
    "robot": ("robot", "Robot"),
    "sysinfo": ("sysinfo", "Sysinfo"),
    "tap": ("tap", "Tap"),
}
_REQUIREMENTS = {
    "asset": ("asset", "Asset"),
    "command": ("command", "CommandOnPath"),
    "env": ("env", "Env"),
    "file": ("file", "File"),
    "kernel-module": ("kernel_module", "KernelModule"),
    "noop": ("noop", "Noop"),
    "package": ("package", "Package"),
    "pip": ("pip", "Pip"),
    "podman-image": ("podman_image", "PodmanImage"),
    "python": ("python", "Python"),
}
_HOMES = {**_TESTS, **_REQUIREMENTS}

KINDS = frozenset(_HOMES)
"""Kinds of Runnables that have a class here."""

REQUIREMENT_KINDS = frozenset(_REQUIREMENTS)
"""Kinds of requirements that have a class here."""

HANDING_KINDS = frozenset({"asset", "pip"})
"""Those of them that tell tests something, by variables."""

FETCHED_KINDS = frozenset({"asset"})
"""Those that a controller fulfils itself for environments that do not see its files."""

_instances: dict[str, Runner] = {}


def runner(kind: str) -> Runner:
    """Return the one instance of the class for `kind`; raise RunnerError if there is none."""
    instance = _instances.get(kind)
    if instance is None:
        instance = _instances[kind] = _load(kind)
    return instance


def requirement_runner(kind: str) -> RequirementRunner:
    """Return the runner of a requirement kind; raise RunnerError if there is none."""
    if kind not in REQUIREMENT_KINDS:
        raise RunnerError(_unknown("requirement", kind, REQUIREMENT_KINDS))
    found: Any = runner(kind)
    asked: RequirementRunner = found
    return asked


def _load(kind: str) -> Runner:
    if kind not in _HOMES:
        raise RunnerError(_unknown("runner", kind, KINDS))
    module, name = _HOMES[kind]
    made: Runner = getattr(import_module("nrunner.runners." + module), name)()
    return made


def _unknown(what: str, kind: str, known: frozenset[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(kind, known, 1)
    hint = f'; did you mean "{near[0]}"?' if near else f"; known here: {', '.join(sorted(known))}"
    return f'no {what} knows the kind "{kind}"{hint}'
