"""Requirements that can be checked without Python: what an agent of sh is asked for them.

Not responsible for asking, nor for requirements that are programs: those are run.
"""

from __future__ import annotations

from pathlib import Path

from nrunner.errors import RequirementError
from nrunner.record import dataclass
from nrunner.runnable import Requirement

__all__ = ["Question", "question_of"]


_KEYS = {"command": frozenset({"name"}), "file": frozenset({"name", "path"})}


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be asked."""

    words: tuple[str, ...]
    reason: str
    """Why the requirement is not met if the answer is no."""


def question_of(requirement: Requirement, base_dir: str) -> Question | None:
    """Return what to ask, None for nothing; raise RequirementError if it is in vain."""
    kind = requirement.kind
    if kind == "noop":
        return None
    if kind not in _KEYS:
        raise RequirementError(f'no Python in this environment, which a "{kind}" needs')
    kwargs = requirement.kwargs
    for key in kwargs.keys() - _KEYS[kind]:
        # A condition that nobody looks at would be taken to hold.
        raise RequirementError(f'no Python in this environment, which key "{key}" needs')
    name = requirement.uri or kwargs.get("name") or kwargs.get("path")
    if not isinstance(name, str):
        raise RequirementError(f'requirement "{kind}" needs a uri, or the key "name"')
    path = str(Path(base_dir) / name)
    if kind == "command":
        where = f"in {base_dir}" if "/" in name else "on PATH"
        asked = path if "/" in name else name
        return Question(("command", asked), f"there is no command {name!r} {where}")
    return Question(("file", path), f"file {name!r}: no such file (looked for in {base_dir})")
