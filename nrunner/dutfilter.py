"""Which devices are meant: by name, and by what their tags have to be (pure).

Not responsible for whether a device can be had, nor for what a test asks for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from nrunner.errors import UsageError
from nrunner.inventory import Dut, Inventory
from nrunner.record import dataclass

__all__ = ["TagExpression", "select"]


@dataclass(frozen=True, slots=True)
class TagExpression:
    """Tags that must be there and tags that must not: ``arm64,!rc``."""

    wanted: frozenset[str] = frozenset()
    unwanted: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> TagExpression:
        """Read tags with commas between them, ``!`` in front of those that must not be there.

        Raise UsageError that names the bad part.
        """
        parts = [part.strip() for part in text.split(",")]
        for part in parts:
            tag = part.removeprefix("!")
            if not tag or "!" in tag[:1] or any(character.isspace() for character in tag):
                raise UsageError(
                    f"use the tags {text!r}: {part!r} names no tag; write them with commas"
                    " between, and ! in front of those that must not be there: 'arm64,!rc'"
                )
        unwanted = frozenset(part[1:] for part in parts if part.startswith("!"))
        return cls(frozenset(parts) - {f"!{tag}" for tag in unwanted}, unwanted)

    def admits(self, tags: Collection[str]) -> bool:
        """Whether a device with these tags is meant."""
        return self.wanted.issubset(tags) and self.unwanted.isdisjoint(tags)

    def lacks(self, tags: Collection[str]) -> str:
        """Return why a device with these tags is not meant; empty if it is."""
        missing = sorted(self.wanted.difference(tags))
        if missing:
            return f"it is not tagged {', '.join(missing)}"
        surplus = sorted(self.unwanted.intersection(tags))
        return f"it is tagged {', '.join(surplus)}" if surplus else ""


def select(
    inventory: Inventory, names: Iterable[str] = (), expressions: Sequence[str] = ()
) -> tuple[Dut, ...]:
    """Return the devices of these names whose tags satisfy one of the expressions.

    No names, or no expressions, mean any. Raise UsageError if a name is not there, or nothing is.
    """
    wishes = [TagExpression.parse(each) for each in expressions]
    named = _named(inventory, list(dict.fromkeys(names)))
    found = tuple(
        dut for dut in named if not wishes or any(wish.admits(dut.tags) for wish in wishes)
    )
    if not found:
        raise UsageError(_nothing(inventory, named, list(expressions)))
    return found


def _named(inventory: Inventory, names: Sequence[str]) -> list[Dut]:
    known = {dut.name: dut for dut in inventory.duts}
    for name in names:
        if name not in known:
            raise UsageError(f"find the device {name!r}: {_hint(name, inventory)}")
    return [dut for dut in inventory.duts if not names or dut.name in names]


def _hint(name: str, inventory: Inventory) -> str:
    from nrunner.schema import nearest

    names = [dut.name for dut in inventory.duts]
    close = nearest(name, names)
    if close:
        return f"{inventory.path} has none of that name; did you mean {close!r}?"
    return f"{inventory.path} has {', '.join(names) or 'no device at all'}"


def _nothing(inventory: Inventory, named: Sequence[Dut], expressions: Sequence[str]) -> str:
    if not named:
        return f"find a device: {inventory.path} has none ([dut.NAME] with an address)"
    asked = " or ".join(repr(each) for each in expressions)
    there = [f"{dut.name} ({', '.join(sorted(dut.tags)) or 'no tags'})" for dut in named]
    return f"find a device tagged {asked}: there are {', '.join(there)}"
