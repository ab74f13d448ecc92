"""Tests with what their docstrings say of them: tags, requirements, and whether they may repeat.

Not responsible for finding tests, nor for the form of what docstrings say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nrunner.errors import RecipeError
from nrunner.resolver.base import Context
from nrunner.resolver.python_case import Text
from nrunner.resolver.python_docstring import (
    Directive,
    directives,
    is_idempotent,
    requirements_of,
    tags_of,
)
from nrunner.resolver.reference import shown
from nrunner.runnable import IDEMPOTENT, Runnable

__all__ = ["documented", "located"]


def documented(
    kind: str,
    uri: str,
    texts: Iterable[Text],
    context: Context,
    *,
    tags: Mapping[str, Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
) -> Runnable:
    """Return a test, with tags of its own and those of docstrings; raise RecipeError."""
    found = [(text, each) for text in texts for each in directives(text.text)]
    if not found:
        return Runnable(kind, uri, kwargs=kwargs or {}, tags=tags or {}, config=context.config)
    for text, each in found:
        _check(text, each, context)
    plain = [each for _, each in found]
    config = context.config
    if is_idempotent(plain):
        config = {**config, IDEMPOTENT: True}
    return Runnable(
        kind,
        uri,
        kwargs=kwargs or {},
        requirements=requirements_of(plain),
        tags={**(tags or {}), **tags_of(plain)},
        config=config,
    )


def _check(text: Text, directive: Directive, context: Context) -> None:
    """Raise RecipeError that says where a bad directive stands."""
    try:
        tags_of([directive])
        requirements_of([directive])
    except RecipeError as error:
        path = Path(text.path)
        if path.is_relative_to(context.base_dir):
            path = path.relative_to(context.base_dir)
        line = text.line + directive.line
        raise RecipeError(f"{shown(str(path))}:{line}: {error}") from error


def located(texts: Iterable[tuple[str, str]]) -> list[Text]:
    """Return docstrings with the lines they begin at, as far as a look at their files tells."""
    found = []
    for text, file in texts:
        try:
            content = Path(file).read_text("utf-8", "replace")
        except OSError:
            content = ""
        before = content.partition(text)[0]
        found.append(Text(text, file, before.count("\n") + 1 if before != content else 1))
    return found
