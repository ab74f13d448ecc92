"""The tag filter: which Runnables ``--filter-by-tags`` admits, in Avocado's grammar.

Not responsible for where tags come from; that is the resolvers' and the recipes' business.
"""

from __future__ import annotations

from collections.abc import Iterable

from nrunner.errors import UsageError
from nrunner.record import dataclass
from nrunner.runnable import Tags

__all__ = ["TagFilter"]


@dataclass(frozen=True, slots=True)
class _Term:
    """One wish: a tag, perhaps with a value, that must be there or must not."""

    key: str
    value: str | None
    negative: bool

    def admits(self, tags: Tags, include_empty_key: bool) -> bool:
        if self.negative:
            return not self._is_in(tags)
        if self.value is not None and self.key not in tags:
            return include_empty_key
        return self._is_in(tags)

    def _is_in(self, tags: Tags) -> bool:
        if self.key not in tags:
            return False
        return self.value is None or self.value in (tags[self.key] or ())


@dataclass(frozen=True, slots=True)
class TagFilter:
    """Admits what satisfies all terms of at least one expression; without any, everything."""

    expressions: tuple[tuple[_Term, ...], ...] = ()
    include_empty: bool = False
    """Admit what has no tags at all."""
    include_empty_key: bool = False
    """``key:value`` also admits what has no tag named ``key``."""

    @classmethod
    def parse(
        cls,
        expressions: Iterable[str],
        include_empty: bool = False,
        include_empty_key: bool = False,
    ) -> TagFilter:
        """Read the values of a repeated option: ``a,b`` is and, a further value is or.

        ``-a`` is not, ``key:value`` asks for a value. Raise UsageError that names the bad part.
        """
        parsed = tuple(
            tuple(_term(part, expression) for part in expression.split(","))
            for expression in expressions
        )
        return cls(parsed, include_empty, include_empty_key)

    def admits(self, tags: Tags) -> bool:
        """Say whether a Runnable with these tags is to be run."""
        if not self.expressions:
            return True
        if not tags:
            return self.include_empty
        return any(
            all(term.admits(tags, self.include_empty_key) for term in terms)
            for terms in self.expressions
        )


def _term(part: str, expression: str) -> _Term:
    text = part.strip()
    name, colon, value = text.removeprefix("-").partition(":")
    if not text or not name:
        raise UsageError(_complaint(expression, f"{part!r} names no tag"))
    if colon and not value:
        raise UsageError(_complaint(expression, f"{part!r} has a key but no value"))
    if any(character.isspace() for character in text):
        raise UsageError(_complaint(expression, f"{part!r} has a space in it"))
    return _Term(name, value if colon else None, text.startswith("-"))


def _complaint(expression: str, what: str) -> str:
    return (
        f"tag filter {expression!r}: {what}; write tags with commas between them: "
        "'fast,-slow,net:virtio'"
    )
