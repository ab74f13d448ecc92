"""Flags of Avocado's ``run`` that are taken and change nothing here, each with its reason.

Not responsible for the rest of Avocado's flags, which are settings (``nrunner.config``).
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ACCEPTED", "parameter"]

ACCEPTED: Mapping[str, str] = {
    "--dry-run-no-cleanup": "a dry run leaves nothing that could be cleaned up",
    "--journal": "there is always a journal",
    "--log-test-data-directories": "nothing in Avocado 113 looks at it either",
}
"""Flags without a value, and why they change nothing."""


def parameter(flag: str) -> str:
    """Return the name of the parameter that a flag sets."""
    return flag.lstrip("-").replace("-", "_")
