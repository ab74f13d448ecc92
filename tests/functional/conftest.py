"""Sandboxes for tests that run the real command line."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.sandbox import Sandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """Return a place to run nrunner in; what a failed test left running is ended."""
    sandbox = Sandbox(tmp_path)
    yield sandbox
    for pid in sandbox.running():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
