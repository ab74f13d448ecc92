"""The text of recipes: one Runnable or a list of them in JSON, and all that is wrong with it.

Not responsible for where the text comes from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nrunner.errors import RecipeError
from nrunner.record import replace
from nrunner.runnable import Runnable

__all__ = ["runnables_in"]


def runnables_in(text: str, config: Mapping[str, Any]) -> tuple[Runnable, ...]:
    """Return what the text describes; raise RecipeError with one argument per complaint."""
    data = _parsed(text)
    complaints = _complaints(data, text)
    if complaints:
        raise RecipeError(*complaints)
    items = data if isinstance(data, list) else [data]
    found = []
    for number, item in enumerate(items):
        try:
            runnable = Runnable.from_json(item)
        except RecipeError as error:
            where = f": [{number}]" if isinstance(data, list) else ""
            raise RecipeError(f"{where}: {error}") from error
        if config:
            runnable = replace(runnable, config={**config, **runnable.config})
        found.append(runnable)
    return tuple(found)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f":{error.lineno}:{error.colno}"
        raise RecipeError(f"{place}: not JSON: {error.msg.lower()}") from error
    except RecursionError as error:
        raise RecipeError(": nested too deeply") from error
    except ValueError as error:
        raise RecipeError(f": not JSON: {error}") from error


def _complaints(data: Any, text: str) -> list[str]:
    from nrunner.schema import line_of, problems

    complaints = []
    for problem in problems(data, "recipe"):
        line = line_of(text, problem.path)
        complaints.append(f":{line}: {problem}" if line else f": {problem}")
    return complaints
