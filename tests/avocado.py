"""The environment that has Avocado in it, made by scripts/install-test-tools."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["folder", "program"]


def folder() -> Path:
    """Return the folder of its programs."""
    kept = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = Path(os.environ.get("NRUNNER_TEST_CACHE") or Path(kept) / "nrunner-tests")
    found = cache / "avocado" / "bin"
    assert found.is_dir(), f"{found} is not there: scripts/install-test-tools makes it"
    return found


def program(name: str) -> str:
    """Return the path of one of its programs."""
    path = folder() / name
    assert path.is_file(), f"{path} is not there"
    return str(path)
