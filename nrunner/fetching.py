"""Fetching here what environments cannot fetch: assets, for those that do not see our files.

One cache serves all environments then, and what an environment may reach does not matter. Not
responsible for what an asset is (``nrunner.runners.asset``), nor for how it gets there
(``nrunner.delivery``).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from nrunner.delivery import Delivery
from nrunner.errors import RecipeError, RequirementError
from nrunner.record import replace
from nrunner.runnable import Requirement, Runnable
from nrunner.runners import registry
from nrunner.runners.base import Command, Place

__all__ = ["fetch_here"]


async def fetch_here(
    requirement: Requirement, base_dir: str, config: Mapping[str, Any], log: Path, folder: str
) -> Delivery:
    """Fetch an asset into our cache; return how it is brought from there to a folder.

    What is said meanwhile is written to `log`. Raise RequirementError, or RecipeError if it is
    described as none can be.
    """
    await _run(requirement, base_dir, config, log)
    runner = registry.requirement_runner(requirement.kind)
    runner.config = config
    [path] = runner.variables(requirement, base_dir).values()
    digest = Path(path).parent.name
    # Whoever finds something else there sees it by the hash.
    there = f"{folder}/.nrunner-{digest[:32]}"
    brought = {"path": there, "sha256": digest}
    arrived = replace(requirement, kwargs={**requirement.kwargs, "brought": brought})
    return Delivery(path, there, digest, arrived)


async def _run(
    requirement: Requirement, base_dir: str, config: Mapping[str, Any], log: Path
) -> None:
    """Have a child fetch it, which can be ended at any time."""
    what = Runnable(
        requirement.kind, requirement.uri, requirement.args, requirement.kwargs, config=config
    )
    with tempfile.TemporaryDirectory(prefix="nrunner-") as folder:
        report = Path(folder, "report")
        place = Place(folder, folder, folder, base_dir, report=str(report))
        command = registry.runner(requirement.kind).command(what, place)
        assert isinstance(command, Command)
        await _execute(command, log)
        _judge(report)


def _judge(report: Path) -> None:
    """Raise the error that says what went wrong, if anything did."""
    try:
        found = json.loads(report.read_bytes())
    except (OSError, ValueError) as error:
        raise RequirementError("what fetches it ended without a word") from error
    if found.get("result") != "pass":
        reason = str(found.get("fail_reason") or "no reason was given")
        is_malformed = found.get("malformed") is True
        raise RecipeError(reason) if is_malformed else RequirementError(reason)


async def _execute(command: Command, log: Path) -> None:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *command.argv,
                cwd=command.cwd,
                env={**os.environ, **command.env},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RequirementError(f"what fetches it could not be started: {reason}") from error
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            await process.wait()
