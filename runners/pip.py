"""pip: the requirement that packages of Python are in a virtual environment of the job.

One is made for each interpreter and name, when it is first needed; the system's and the user's
packages are never touched. Tests that require it find it on PATH, and Python tests run in it. All
that was asked for holds together, or the last to ask is told of the conflict. Not responsible for
the folder's end: it is below one that goes with the job.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping

from nrunner.errors import RequirementError
from nrunner.runnable import Requirement
from nrunner.runners.base import RequirementRunner
from nrunner.runners.demand import Demand, variables_of_tests
from nrunner.runners.program import complaint, run, run_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

__all__ = ["Pip"]

_LISTS = ("names", "files", "constraints", "find_links")
_KEYS = (*_LISTS, "index_url", "no_index", "python", "environment", "system_site_packages")
_PLAIN = {
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_USER": "0",
    "PIP_REQUIRE_VIRTUALENV": "1",
}
_RECORD = "nrunner.json"


class Pip(RequirementRunner):
    """Makes virtual environments, and has pip install into them."""

    kind = "pip"
    description = "packages of Python, in a virtual environment of the job"
    configuration_used = ("runner.python",)
    instant = False

    def resource(self, requirement: Requirement) -> str:
        """Return that two runs of pip in one environment would be in each other's way."""
        return f"virtual environment {_name(_demand(requirement))!r}"

    def check(self, requirement: Requirement, base_dir: str) -> Optional[str]:
        """Return None if it was installed, else that it was not."""
        demand = _demand(requirement)
        wanted = _wanted(demand, base_dir)
        _options(demand, base_dir)  # wrong ones are known before anything is made
        folder = self._folder(requirement, base_dir)
        if not os.access(f"{folder}/bin/python", os.X_OK):
            return f"there is no virtual environment {os.path.basename(folder)} yet"
        missing = [each for each in wanted if each not in _record(folder)]
        if not missing:
            return None
        return f"not in the virtual environment yet: {' '.join(missing)}"

    def fulfil(self, requirement: Requirement, base_dir: str) -> None:
        """Install it; raise RequirementError with what pip says."""
        demand = _demand(requirement)
        folder = self._folder(requirement, base_dir)
        if self.check(requirement, base_dir) is None:
            return
        if not os.access(f"{folder}/{_RECORD}", os.R_OK):
            self._make(demand, folder, base_dir)
        before = _record(folder)
        wanted = [*before, *(w for w in _wanted(demand, base_dir) if w not in before)]
        pip = [f"{folder}/bin/python", "-I", "-m", "pip", "install"]
        words = [
            *_options(demand, base_dir),
            *(part for each in wanted for part in each.split("\n")),
        ]
        status, lines = run_lines([*pip, *words], _PLAIN)
        if status:
            errors = [line for line in lines if line.startswith("ERROR: ")]
            said = errors[0] if errors else complaint(lines)
            others = "; what others require in it counts, too" if before else ""
            raise RequirementError(f"pip says: {said or f'exit {status}'}{others}")
        _write(folder, wanted)

    def variables(self, requirement: Requirement, base_dir: str) -> Mapping[str, str]:
        """Return what puts the environment first on the PATH of tests."""
        folder = self._folder(requirement, base_dir)
        if not os.access(f"{folder}/{_RECORD}", os.R_OK):
            raise RequirementError(f"the virtual environment {folder} is not there any more")
        path = variables_of_tests(self.config).get("PATH", os.defpath)
        return {"VIRTUAL_ENV": folder, "PATH": f"{folder}/bin{os.pathsep}{path}"}

    def interpreter(self, requirement: Requirement, base_dir: str) -> Optional[str]:
        """Return the interpreter of the environment."""
        return f"{self._folder(requirement, base_dir)}/bin/python"

    def _make(self, demand: Demand, folder: str, base_dir: str) -> None:
        python = self._python(demand, base_dir)
        options = ["--clear"]
        if demand.flag("system_site_packages", False):
            options.append("--system-site-packages")
        os.makedirs(os.path.dirname(folder), 0o700, exist_ok=True)
        status, said = run([python, "-I", "-m", "venv", *options, folder])
        if status:
            raise RequirementError(f"no virtual environment can be made with {python}: {said}")
        _write(folder, [])

    def _python(self, demand: Demand, base_dir: str) -> str:
        named = demand.text("python") or self.config.get("runner.python")
        name = str(named or sys.executable)
        if "/" in name:
            return os.path.join(base_dir, name)
        path = variables_of_tests(self.config).get("PATH", os.defpath)
        found = shutil.which(name, path=path)
        if found is None:
            raise RequirementError(f"there is no interpreter {name!r} on PATH")
        return found

    def _folder(self, requirement: Requirement, base_dir: str) -> str:
        demand = _demand(requirement)
        above = self.config.get("agent.kept_dir")
        if not isinstance(above, str) or not above.startswith("/"):
            raise RequirementError("nobody has said where virtual environments may be")
        shared = demand.flag("system_site_packages", False)
        what = json.dumps([self._python(demand, base_dir), shared])
        digest = hashlib.sha256(what.encode()).hexdigest()[:8]
        return f"{above}/venv-{_name(demand)}-{digest}"


def _demand(requirement: Requirement) -> Demand:
    return Demand(requirement, *_KEYS)


def _name(demand: Demand) -> str:
    name = demand.text("environment") or "default"
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        demand.fail("environment", f"expected letters, digits, - and _, not {name!r:.80}")
    return name


def _wanted(demand: Demand, base_dir: str) -> list[str]:
    """Return what is to be installed, in words for pip; a newline joins those of one thing."""
    files = [f"-r\n{os.path.join(base_dir, each)}" for each in demand.texts("files")]
    names = demand.names("names") if demand.has_name() or not files else demand.texts("names")
    for each in names:
        if each.startswith("-") or "\n" in each:
            demand.fail("names", f"{each!r} is no package")
    return [os.path.join(base_dir, each) if each[:1] == "." else each for each in names] + files


def _options(demand: Demand, base_dir: str) -> list[str]:
    words = ["--no-index"] if demand.flag("no_index", False) else []
    index = demand.text("index_url")
    if index is not None:
        words += ["--index-url", index]
    for each in demand.texts("find_links"):
        words += ["--find-links", each if "://" in each else os.path.join(base_dir, each)]
    for each in demand.texts("constraints"):
        words += ["-c", os.path.join(base_dir, each)]
    return words


def _record(folder: str) -> list[str]:
    """Return what was installed into an environment until now."""
    try:
        with open(f"{folder}/{_RECORD}", encoding="utf-8") as file:
            found: Any = json.load(file)
    except (OSError, ValueError):
        return []
    return found if isinstance(found, list) else []


def _write(folder: str, wanted: list[str]) -> None:
    path = f"{folder}/{_RECORD}"
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(wanted, file)
    os.replace(path + ".new", path)
