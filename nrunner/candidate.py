"""Whether a place can be one for a task, by what the task asks of it (pure).

A requirement of kind `dut` is about the place: ``{"type": "dut", "tags": ["arm64", "!rc"]}``.
No agent is asked about it. Not responsible for what has to hold in an environment.
"""

from __future__ import annotations

from collections.abc import Sequence

from nrunner.dutfilter import TagExpression
from nrunner.errors import RecipeError, UsageError
from nrunner.runnable import Requirement
from nrunner.spawners.base import Offer

__all__ = ["PLACE_KIND", "for_agents", "misfit"]

PLACE_KIND = "dut"


def for_agents(requirements: Sequence[Requirement]) -> tuple[Requirement, ...]:
    """Return the requirements that are about what is in an environment."""
    return tuple(each for each in requirements if each.kind != PLACE_KIND)


def misfit(offer: Offer, requirements: Sequence[Requirement]) -> str:
    """Return why a place is none for a task that requires these; empty if it is.

    Raise RecipeError for a requirement that can never hold as it is written.
    """
    for each in requirements:
        if each.kind == PLACE_KIND:
            wanted = _wanted(each)
            why = wanted.lacks(offer.tags) if offer.is_pooled else "it is no device"
            if why:
                return why
    return ""


def _wanted(requirement: Requirement) -> TagExpression:
    tags = requirement.kwargs.get("tags", [])
    unknown = sorted(set(requirement.kwargs) - {"tags"})
    if unknown:
        raise RecipeError(f'requirement dut: it knows no "{unknown[0]}" (there is tags)')
    if not isinstance(tags, list) or not all(isinstance(each, str) for each in tags):
        raise RecipeError('requirement dut, key "tags": expected a list such as ["arm64", "!rc"]')
    try:
        return TagExpression.parse(",".join(tags)) if tags else TagExpression()
    except UsageError as error:
        raise RecipeError(f'requirement dut, key "tags": could not {error}') from error
