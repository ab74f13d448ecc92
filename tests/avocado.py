"""The environment that has Avocado in it, made by scripts/install-test-tools."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["programs", "source"]


def programs() -> Path:
    """Return the folder of its programs."""
    return _part("bin")


def source() -> Path:
    """Return the folder of its source distribution."""
    return _part("source")


def _part(name: str) -> Path:
    kept = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = Path(os.environ.get("NRUNNER_TEST_CACHE") or Path(kept) / "nrunner-tests")
    found = cache / "avocado" / name
    assert found.is_dir(), f"{found} is not there: scripts/install-test-tools makes it"
    return found
