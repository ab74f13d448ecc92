"""Visiting devices from the command line: the care of each, made and closed again.

Also asks people whether they are sure. Not responsible for what is done there, nor for which
devices are meant.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import click

from nrunner.dutcare import Care
from nrunner.errors import UsageError
from nrunner.inventory import Dut
from nrunner.plugins import find_care
from nrunner.userfolder import user_folder

__all__ = ["is_agreed", "visiting"]


@contextlib.asynccontextmanager
async def visiting(dut: Dut) -> AsyncIterator[Care]:
    """Give the care of a device; nothing is sent there before something is asked of it."""
    with tempfile.TemporaryDirectory(prefix="nrunner-dut-") as spare:
        care: Care = find_care().load()(dut, (user_folder("cache"), Path(spare)))
        try:
            yield care
        finally:
            await care.close()


def is_agreed(sure: bool, question: str, what: str) -> bool:
    """Whether a person agrees, or did already; raise UsageError if nobody can be asked."""
    if sure:
        return True
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(f"ask whether to {what}: say --yes")
    return click.confirm(question)
