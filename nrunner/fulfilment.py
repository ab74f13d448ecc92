"""Requirements of one place: fulfilled by its agent, with what has to be brought there before.

Not responsible for which requirements there are, or when (``nrunner.machine``), nor for what kinds
mean (their runners).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrunner.environment import Environment
from nrunner.errors import RecipeError, RequirementError
from nrunner.ground import Ground
from nrunner.requirement import is_brought
from nrunner.runnable import Requirement
from nrunner.runners.registry import FETCHED_KINDS

if TYPE_CHECKING:
    from nrunner.delivery import Delivery

__all__ = ["Fulfilment"]


class Fulfilment:
    """All that is fulfilled at a place."""

    def __init__(self, place: str, settings: Mapping[str, Any], *, shares_files: bool) -> None:
        self._place = place
        self._settings = settings
        self._shares_files = shares_files
        self._count = 0

    async def fulfil(
        self,
        environment: Environment,
        ground: Ground,
        requirement: Requirement,
        timeout: float | None,
    ) -> bool:
        """Have a requirement fulfilled; return whether that changed anything.

        Raise RequirementError, RecipeError or LinkError.
        """
        self._count += 1
        name = f"requirement-{self._count}-{requirement.kind}"
        target = self._log()
        log_dir = ground.errand_folder(self._count, target)
        is_new = False
        if is_brought(requirement) or self._has_to_fetch(requirement):
            work = self._bring(environment, ground, requirement, target)
            is_new, requirement = await _within(timeout, work)
        else:
            requirement = await ground.requirement(environment, requirement)
        fields = {"id": name, "log_dir": log_dir, "limits": {"timeout": timeout}}
        try:
            is_new = await environment.fulfil(requirement, fields) or is_new
        except (RecipeError, RequirementError) as error:
            await ground.fetch_errand(environment, log_dir, target)
            ground.bring_errand(log_dir, target)
            raise type(error)(f"{error}{_hint_at(Path(target))}") from error
        finally:
            ground.bring_errand(log_dir, target)
        await ground.fetch_errand(environment, log_dir, target)
        return is_new

    def _log(self) -> str:
        """Return where people find what is printed."""
        name = f"{self._count}" if self._shares_files else f"{self._place}-{self._count}"
        return f"{self._settings['results_dir']}/requirements/{name}"

    async def _bring(
        self, environment: Environment, ground: Ground, requirement: Requirement, target: str
    ) -> tuple[bool, Requirement]:
        """Bring a file; return whether it was not there, and what has to hold there now."""
        from nrunner.delivery import deliver, delivery_of

        if is_brought(requirement):
            delivery = ground.delivery(delivery_of(requirement, self._settings["base_dir"]))
        elif await environment.check(requirement) is None:
            return False, requirement
        else:
            delivery = await self._fetch(requirement, ground, Path(f"{target}-fetched"))
        is_new = await deliver(delivery, ground.put(environment), ground.pace)
        return is_new, delivery.arrived

    def _has_to_fetch(self, requirement: Requirement) -> bool:
        """Whether a file comes into the environment by way of our cache."""
        return requirement.kind in FETCHED_KINDS and not self._shares_files

    async def _fetch(self, requirement: Requirement, ground: Ground, log: Path) -> Delivery:
        from nrunner.fetching import fetch_here

        base_dir = self._settings["base_dir"]
        config = {**self._settings.get("config", {}), **self._settings.get("our_config", {})}
        try:
            return await fetch_here(requirement, base_dir, config, log, ground.lasting)
        except (RecipeError, RequirementError) as error:
            raise type(error)(f"{error}{_hint_at(log)}") from error


async def _within(timeout: float | None, work: Any) -> tuple[bool, Requirement]:
    try:
        async with asyncio.timeout(timeout):
            brought: tuple[bool, Requirement] = await work
            return brought
    except TimeoutError as error:
        raise RequirementError(f"past its {timeout:g} s limit") from error


def _hint_at(log: Path) -> str:
    """Say where to read on, as seen from the job's folder, if there is anything to be read."""
    try:
        files = log.iterdir() if log.is_dir() else [log]
        if not any(each.stat().st_size for each in files):
            return ""
    except OSError:
        return ""
    return f" (log: {log.relative_to(log.parents[2])})"
