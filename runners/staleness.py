"""What has to go of what is kept: what was not used for long, and what is too much (pure).

Not responsible for removing anything.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Optional, Protocol, TypeVar

    class Dated(Protocol):
        """Something that is kept."""

        @property
        def size(self) -> int:
            """How much it takes, in bytes."""

        @property
        def used(self) -> float:
            """When it was last used, by the clock on the wall."""

        @property
        def in_use(self) -> bool:
            """Whether somebody uses it now."""

    AnyDated = TypeVar("AnyDated", bound=Dated)

__all__ = ["outdated"]


def outdated(
    found: Sequence[AnyDated],
    most: Optional[int],
    oldest: Optional[float],
    now: float,
    *,
    spare: float = 0.0,
) -> list[AnyDated]:
    """Return what has to go of entries, which are in the order in which they were used.

    What was not used for `oldest` seconds goes, then what was used least recently until `most`
    bytes are left. What is in use counts, but does not go; nor does what was used `spare` seconds
    ago, or less.
    """
    total = sum(each.size for each in found)
    gone: list[AnyDated] = []
    for entry in found:
        age = abs(now - entry.used)
        is_old = oldest is not None and age > oldest
        if entry.in_use or age < spare or not (is_old or (most is not None and total > most)):
            continue
        total -= entry.size
        gone.append(entry)
    return gone
