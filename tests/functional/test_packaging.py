"""The wheel and the source distribution, built for real: what is in them, and that it works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CAUGHT = shutil.ignore_patterns("__pycache__", "*.egg-info")
SHIPPED_AS = {
    "nrunner": "nrunner",
    "resolver": "nrunner/resolver",
    "runners": "nrunner/runners",
    "spawners": "nrunner/spawners",
}
BUILD = "from setuptools.build_meta import build_{0} as build; print(build({1!r}))"
IMPORT_ALL = """
import pkgutil, sys
from importlib import import_module
sys.path.insert(0, sys.argv[1])
import nrunner
for module in pkgutil.walk_packages(nrunner.__path__, "nrunner."):
    if module.name.endswith("__main__"):
        continue
    import_module(module.name)
print(nrunner.runners.__file__)
"""


def _run(*argv: str, cwd: Path) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what is needed to build, so that building leaves nothing in the tree."""
    copy = tmp_path_factory.mktemp("sources")
    for folder in (*SHIPPED_AS, "docs", "examples"):
        shutil.copytree(ROOT / folder, copy / folder, symlinks=True, ignore=CAUGHT)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, copy / path.name)
    return copy


def _build(sort: str, sources: Path, folder: Path) -> Path:
    said = _run(sys.executable, "-c", BUILD.format(sort, str(folder)), cwd=sources)
    return folder / said.splitlines()[-1]


@pytest.fixture(scope="module")
def sdist(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a source distribution of the tree."""
    return _build("sdist", sources, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel that was built from the source distribution, as an index's users get it."""
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        # Early releases of 3.11 have no filters, and later ones want one to be named.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(unpacked)
    return _build("wheel", next(unpacked.iterdir()), tmp_path_factory.mktemp("wheel"))


def _files_of_the_tree() -> set[str]:
    found = set()
    for top, shipped in SHIPPED_AS.items():
        for folder, _, files in os.walk(ROOT / top):
            if "__pycache__" not in folder:
                inner = Path(folder).relative_to(ROOT / top)
                found |= {str(Path(shipped) / inner / name) for name in files}
    return found


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == _files_of_the_tree()


def test_the_wheel_carries_the_licence_and_the_entry_points(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        points = next(name for name in names if name.endswith("/entry_points.txt"))
        text = archive.read(points).decode()
    assert "nrunner = nrunner.cli.main:start" in text
    assert any(name.endswith("/LICENSE") for name in names)


def test_an_installed_wheel_imports_from_elsewhere(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    where = _run(sys.executable, "-I", "-c", IMPORT_ALL, str(tmp_path / "site"), cwd=elsewhere)
    assert where.strip() == str(tmp_path / "site" / "nrunner" / "runners" / "__init__.py")


@pytest.mark.parametrize("folder", ["root", "elsewhere"])
def test_an_editable_install_is_the_checkout(folder, tmp_path):
    code = "import nrunner.spawners, nrunner.runners, nrunner.resolver as r; print(r.__file__)"
    where = _run(sys.executable, "-c", code, cwd=ROOT if folder == "root" else tmp_path)
    assert Path(where.strip()).resolve() == ROOT / "resolver" / "__init__.py"


@pytest.mark.parametrize(
    "statement", ["import spawners", "from runners.base import Runner", "import resolver.engine"]
)
def test_a_bare_import_of_a_top_folder_is_refused(statement, tmp_path):
    path = tmp_path / "module.py"
    path.write_text(statement + "\n")
    ruff = Path(sys.executable).with_name("ruff")
    argv = (str(ruff), "check", "--config", str(ROOT / "pyproject.toml"), "--no-cache", str(path))
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "TID251" in done.stdout
