"""Directives in docstrings: what a test says of itself.

``:avocado: tags=slow,net:virtio`` or ``:nrunner: tags=...``; ``:avocado: dependency={...}`` or
``:nrunner: requires={...}`` with a requirement as in recipes; ``:nrunner: idempotent``: running it
twice does no harm. What else Avocado knows is accepted and means nothing here. Not responsible for
finding docstrings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from nrunner.errors import RecipeError
from nrunner.record import dataclass
from nrunner.runnable import Requirement, Tags

__all__ = ["Directive", "directives", "is_idempotent", "requirements_of", "tags_of"]

_LINE = r"\s*:(avocado|nrunner):[ \t]+(\S.*?)\s*$"
_REQUIRES = frozenset({"dependency", "requirement", "requires"})
_IDEMPOTENT = "idempotent"
_OURS = ("tags", "requires", _IDEMPOTENT)


@dataclass(frozen=True, slots=True)
class Directive:
    """One line of a docstring that is meant for us."""

    marker: str
    name: str
    value: str
    line: int
    """Counted from 0, the first line of the docstring."""


def directives(docstring: str) -> Iterator[Directive]:
    """Yield the directives of a docstring."""
    if ":avocado:" not in docstring and ":nrunner:" not in docstring:
        return
    for number, line in enumerate(docstring.splitlines()):
        match = re.match(_LINE, line)
        if match:
            name, _, value = match.group(2).partition("=")
            yield Directive(match.group(1), name.strip(), value.strip(), number)


def tags_of(found: Iterable[Directive]) -> Tags:
    """Return the tags of some directives, joined; raise RecipeError that names the bad one."""
    tags: dict[str, frozenset[str] | None] = {}
    for directive in found:
        if directive.name != "tags":
            _check(directive)
            continue
        for part in directive.value.split(","):
            key, colon, value = part.strip().partition(":")
            if not key or (colon and not value):
                raise RecipeError(f"tags={directive.value}: {part.strip()!r} is no tag")
            if colon:
                tags[key] = (tags.get(key) or frozenset()) | {value}
            else:
                tags.setdefault(key, None)
    return tags


def requirements_of(found: Iterable[Directive]) -> tuple[Requirement, ...]:
    """Return the requirements of some directives; raise RecipeError that shows the bad one."""
    requirements: list[Requirement] = []
    for directive in found:
        if directive.name not in _REQUIRES:
            continue
        try:
            data = json.loads(directive.value)
            items = data if isinstance(data, list) else [data]
            requirements.extend(Requirement.from_json(item) for item in items)
        except (ValueError, RecursionError) as error:
            raise RecipeError(f"{directive.name}={directive.value}: not JSON: {error}") from error
        except RecipeError as error:
            raise RecipeError(f"{directive.name}={directive.value}: {error}") from error
    return tuple(requirements)


def is_idempotent(found: Iterable[Directive]) -> bool:
    """Say whether one of the directives says that running the test twice does no harm."""
    return any(each.marker == "nrunner" and each.name == _IDEMPOTENT for each in found)


def _check(directive: Directive) -> None:
    """Refuse a misspelt directive of ours; of Avocado's there are others, which are not ours."""
    if directive.marker != "nrunner":
        return
    if directive.name == _IDEMPOTENT and directive.value:
        raise RecipeError(f"{_IDEMPOTENT}={directive.value}: it takes no value")
    if directive.name in (*_OURS, *_REQUIRES):
        return
    import difflib  # only for a name that is wrong

    close = difflib.get_close_matches(directive.name, _OURS, n=1)
    hint = f'; did you mean "{close[0]}"?' if close else f"; known are {', '.join(_OURS)}"
    raise RecipeError(f'unknown directive "{directive.name}"{hint}')
