"""Programs that print recipes: run to be asked, if that is allowed (``resolver.run_executables``).

What a program that prints something else does is done by then, so it has to be asked for. Not
responsible for what recipes look like (``nrunner.resolver.recipe_text``).
"""

from __future__ import annotations

import os
from pathlib import Path

from nrunner.errors import RecipeError, ResolveError
from nrunner.resolver.base import Answer, Context, Resolution
from nrunner.resolver.executable import glance
from nrunner.resolver.reference import shown

__all__ = ["ExecRunnablesRecipeResolver"]

_LARGEST = 64 << 20


class ExecRunnablesRecipeResolver:
    """Takes programs whose output is a recipe; others are left to be tests themselves."""

    name = "exec-runnables-recipe"
    description = "programs that print recipes, run only with --resolver-run-executables"
    priority = 20

    def resolve(self, reference: str, context: Context) -> Resolution:
        """Answer with the Runnables that a program prints."""
        path = reference.removeprefix("exec-runnables-recipe:")
        if path == reference and not context.run_executables:
            return self._no(reference, "")  # no look at each file: most jobs have no such program
        seen = glance(context.base_dir, path)
        if not seen.is_executable or not seen.is_program:
            return Resolution(reference, Answer.NOT_MINE, resolver=self.name)
        if not context.run_executables:
            reason = "it would have to be run: --resolver-run-executables allows that"
            return self._no(reference, reason)
        from nrunner.resolver.recipe_text import runnables_in

        try:
            text = _output(path, context)
            runnables = runnables_in(text, context.config)
        except RecipeError as error:
            wrong = "; ".join(f"{shown(path)}{complaint}" for complaint in error.args)
            return self._no(reference, f"what it prints is no recipe: {wrong}")
        except ResolveError as error:
            return self._no(reference, str(error))
        return Resolution(reference, Answer.SUCCESS, runnables, resolver=self.name)

    def _no(self, reference: str, reason: str) -> Resolution:
        return Resolution(reference, Answer.NOT_MINE, reason=reason, resolver=self.name)


def _output(path: str, context: Context) -> str:
    """Run a program to its end; return what it prints. Raise ResolveError with what went wrong."""
    import shlex
    import tempfile

    from nrunner.resolver.bounded import BoundedError, run_leashed

    try:
        words = [str(context.base_dir / path), *shlex.split(context.exec_arguments)]
    except ValueError as error:
        raise ResolveError(f"its arguments are no words of a shell: {error}") from error
    with tempfile.TemporaryFile() as output, Path(os.devnull).open("wb") as null:
        try:
            status = run_leashed(words, context, output.fileno(), null.fileno())
        except BoundedError as error:
            raise ResolveError(str(error)) from error
        if status:
            raise ResolveError(f"it ends with status {status}, and no recipe")
        if os.fstat(output.fileno()).st_size > _LARGEST:
            raise ResolveError(f"it prints more than {_LARGEST} bytes")
        output.seek(0)
        return output.read().decode("utf-8", "replace")
