"""Sandboxes for tests that do harm to real jobs."""

from __future__ import annotations

from tests.functional.conftest import sandbox

__all__ = ["sandbox"]
