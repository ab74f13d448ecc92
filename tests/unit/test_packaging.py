"""What setup.cfg says about the package agrees with the files."""

from __future__ import annotations

import configparser
import importlib
import os
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOP_FOLDERS = ("resolver", "runners", "spawners")
PLUGIN_GROUPS = ("nrunner.resolvers", "nrunner.results", "nrunner.runners", "nrunner.spawners")


def _setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def _lines(section: str, key: str) -> list[str]:
    return [line.strip() for line in _setup()[section][key].splitlines() if line.strip()]


def _pairs(section: str, key: str) -> dict[str, str]:
    return dict(map(str.strip, line.split("=", 1)) for line in _lines(section, key))


def _packages_found() -> list[str]:
    found = []
    for top in ("nrunner", *TOP_FOLDERS):
        prefix = () if top == "nrunner" else ("nrunner",)
        # os.walk, as it follows no links: the top folders are counted once.
        for folder, _, files in os.walk(ROOT / top):
            if "__init__.py" in files:
                found.append(".".join([*prefix, *Path(folder).relative_to(ROOT).parts]))
    return sorted(found)


def _data_files() -> list[Path]:
    """Return the files in the package that are not Python, relative to the root."""
    found: list[Path] = []
    for top in ("nrunner", *TOP_FOLDERS):
        for folder, _, files in os.walk(ROOT / top):
            if "__pycache__" not in folder:
                found += [Path(folder).relative_to(ROOT) / name for name in files]
    return sorted(path for path in found if path.suffix != ".py")


def test_setup_cfg_lists_every_package_there_is():
    assert sorted(_lines("options", "packages")) == _packages_found()


def test_every_folder_with_modules_is_a_package():
    bare = [
        folder
        for top in ("nrunner", *TOP_FOLDERS)
        for folder, _, files in os.walk(ROOT / top)
        if any(name.endswith(".py") for name in files) and "__init__.py" not in files
    ]
    assert bare == []


@pytest.mark.parametrize("folder", TOP_FOLDERS)
def test_a_top_folder_is_mapped_and_linked_into_the_package(folder):
    link = ROOT / "nrunner" / folder
    assert _pairs("options", "package_dir")[f"nrunner.{folder}"] == folder
    assert link.is_symlink()
    assert str(link.readlink()) == f"../{folder}"  # relative: it must hold in every checkout


def test_every_data_file_ships_with_its_package():
    section = _setup()["options.package_data"]
    shipped: set[Path] = set()
    for package, text in section.items():
        folder = Path(*package.split("."))
        for pattern in text.split():
            # The top folders are linked into the package.
            inside = (ROOT / folder).resolve()
            shipped |= {path.relative_to(ROOT) for path in inside.glob(pattern)}
    assert [str(path) for path in _data_files() if path not in shipped] == []


def test_every_entry_point_leads_to_something():
    for group, text in _setup()["options.entry_points"].items():
        for line in filter(None, map(str.strip, text.splitlines())):
            _, _, target = line.partition("=")
            module, _, attribute = target.strip().partition(":")
            assert hasattr(importlib.import_module(module), attribute), f"{group}: {line}"


def test_entry_points_stand_in_the_groups_that_are_documented():
    groups = set(_setup()["options.entry_points"])
    assert groups <= {"console_scripts", *PLUGIN_GROUPS}


@pytest.mark.parametrize("folder", TOP_FOLDERS)
def test_a_bare_import_of_a_top_folder_is_banned(folder):
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]
    assert folder in ruff["lint"]["flake8-tidy-imports"]["banned-api"]
    assert "TID" in ruff["lint"]["select"]
