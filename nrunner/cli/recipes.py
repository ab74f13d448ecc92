"""Writing tests as recipes: ``nrunner list --write-recipes-to-directory``.

The form is the one that both nrunner and Avocado read. Not responsible for reading it
(``nrunner.resolver.runnable_recipe``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nrunner.errors import ResultsError
from nrunner.runnable import Runnable

__all__ = ["recipe_of", "write_recipes"]

_IN_KWARGS = {"tags": "tags", "variant": "variant", "requirements": "dependencies"}
"""What Avocado has among the kwargs: our name of it, and its own."""


def write_recipes(runnables: Sequence[Runnable], folder: Path) -> None:
    """Write each into a file of its own, by number; raise ResultsError."""
    width = len(str(len(runnables)))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, runnable in enumerate(runnables, 1):
            text = json.dumps(recipe_of(runnable), indent=1)
            (folder / f"{number:0{width}d}.json").write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ResultsError(f"write recipes into {folder}: {error.strerror}") from error


def recipe_of(runnable: Runnable) -> dict[str, Any]:
    """Return a recipe that both read."""
    recipe = runnable.to_json()
    moved = {name: recipe.pop(ours) for ours, name in _IN_KWARGS.items() if ours in recipe}
    if moved:
        recipe["kwargs"] = {**recipe.get("kwargs", {}), **moved}
    return recipe
