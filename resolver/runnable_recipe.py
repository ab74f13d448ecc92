"""Recipes: JSON files that hold one Runnable, or a list of them.

Checked against ``schemas/recipe.json``; all problems of a file are told at once. Not responsible
for whether a runner for a kind exists where the Runnable will run.
"""

from __future__ import annotations

from pathlib import Path

from nrunner.errors import RecipeError
from nrunner.resolver.base import Answer, Context, Resolution
from nrunner.resolver.reference import is_file, shown

__all__ = ["RunnableRecipeResolver"]

_LARGEST = 64 * 1024 * 1024


class RunnableRecipeResolver:
    """Takes ``*.json`` files that look like recipes."""

    name = "runnable-recipe"
    description = "recipes: *.json files with one Runnable or a list of them"
    priority = 80

    def resolve(self, reference: str, context: Context) -> Resolution:
        """Answer with the Runnables of a recipe, or with everything that is wrong with it."""
        path = reference.removeprefix("runnable-recipe:")
        is_asked_for = path != reference
        if not (is_asked_for or path.endswith(".json")) or not is_file(context.base_dir, path):
            return Resolution(reference, Answer.NOT_MINE, resolver=self.name)
        from nrunner.resolver.recipe_text import runnables_in

        text = ""
        try:
            text = _read(context.base_dir / path)
            runnables = runnables_in(text, context.config)
        except RecipeError as error:
            # a folder of tests may well hold JSON that is data
            is_data = text and '"kind"' not in text and '"uri"' not in text
            answer = Answer.NOT_MINE if is_data and not is_asked_for else Answer.CORRUPT
            reason = "; ".join(f"{shown(path)}{complaint}" for complaint in error.args)
            return Resolution(reference, answer, reason=reason, resolver=self.name)
        return Resolution(reference, Answer.SUCCESS, runnables, resolver=self.name)


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > _LARGEST:
            raise RecipeError(f": larger than {_LARGEST} bytes, the most that is read")
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(f": not UTF-8: byte {error.start} is wrong") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RecipeError(f": cannot be read: {reason}") from error
