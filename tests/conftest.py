"""What all tests share: the interpreters of this machine, and a clean place to work in.

A test that takes `portable_python` runs once for each interpreter that may run the portable set
(3.9 and newer) and is found here; one that takes `controller_python`, for each from 3.11 on.
Which were found is said at the head of the run.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import pytest

VERSIONS = ("3.9", "3.11", "3.12", "3.13")
ROOT = Path(__file__).resolve().parent.parent

collect_ignore = ["fixtures"]  # input for tests, some of which look like tests

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a shell, as "make test &" is. Whatever tests start would
    # ignore an interrupt, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@lru_cache(maxsize=1)
def interpreters() -> Mapping[str, Path]:
    """Return version to interpreter for those of VERSIONS that are here: never a pyenv shim.

    The interpreter that runs the tests stands for its own version. With NRUNNER_TESTS_ALONE it is
    the only one: so each version runs the tests, and none runs them for the others again.
    """
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    alone = bool(os.environ.get("NRUNNER_TESTS_ALONE"))
    found = {version: None if alone else _find(version) for version in VERSIONS}
    found[own] = Path(sys.executable)
    return {version: path for version, path in found.items() if path is not None}


def _find(version: str) -> Path | None:
    for folder in _folders(version):
        path = folder / f"python{version}"
        if os.access(path, os.X_OK) and not path.is_dir():
            return path
    return None


def _folders(version: str) -> Iterator[Path]:
    yield from (Path("/usr/bin"), Path("/usr/local/bin"))
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin"), reverse=True)
    for name in os.environ.get("PATH", "").split(os.pathsep):
        if name and Path(name).name != "shims":
            yield Path(name)


def _at_least(*lowest: int) -> dict[str, Path]:
    return {
        version: path
        for version, path in interpreters().items()
        if tuple(map(int, version.split("."))) >= lowest
    }


def pytest_report_header() -> list[str]:
    """Say which interpreters the tests of the portable set will use."""
    here = ", ".join(interpreters())
    absent = ", ".join(version for version in VERSIONS if version not in interpreters())
    return [f"interpreters: {here}" + (f" (not on this machine: {absent})" if absent else "")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once per interpreter if it asks for one."""
    for name, lowest in (("portable_python", (3, 9)), ("controller_python", (3, 11))):
        if name in metafunc.fixturenames:
            found = _at_least(*lowest)
            metafunc.parametrize(name, list(found.values()), ids=list(found))


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the top of the repository."""
    return ROOT


@pytest.fixture
def job_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which nrunner makes job folders during this test.

    Whatever the person who runs the tests has configured is out of the way.
    """
    results = tmp_path / "job-results"
    home = tmp_path / "home"
    home.mkdir()
    for name in [name for name in os.environ if name.startswith(("NRUNNER_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NRUNNER_RUN_RESULTS_DIR", str(results))
    return results
