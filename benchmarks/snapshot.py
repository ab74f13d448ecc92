"""Installs the checkout as a user would have it: not editable, byte-compiled.

It is copied first, since building in place leaves files in the checkout, and since it may be edited
while a series runs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

__all__ = ["install_snapshot"]

_ROOT = Path(__file__).resolve().parents[1]
_PARTS = (
    "setup.cfg",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "nrunner",
    "runners",
    "spawners",
    "resolver",
)
_IGNORED = shutil.ignore_patterns("__pycache__", "*.egg-info")


def install_snapshot(python: Path, copy: Path) -> None:
    """Copy the checkout and install the copy, unless the same is installed."""
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    for part in _PARTS:
        source = _ROOT / part
        if source.is_dir():
            shutil.copytree(source, copy / part, symlinks=True, ignore=_IGNORED)
        elif source.exists():
            shutil.copy2(source, copy / part)
    mark = python.parent.parent / "snapshot"
    digest = _digest(copy)
    if not mark.exists() or mark.read_text() != digest:
        _install(python, copy)
        mark.write_text(digest)


def _install(python: Path, copy: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    pip = [str(python), "-m", "pip", "install", "--quiet", f"{copy}[podman,ssh]"]
    subprocess.run(pip, env=environment, check=True, capture_output=True)
    again = [*pip, "--force-reinstall", "--no-deps"]
    subprocess.run(again, env=environment, check=True, capture_output=True)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()
