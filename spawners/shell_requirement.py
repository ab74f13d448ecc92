"""Requirements that can be checked without Python: what an agent of sh is asked for them.

Not responsible for asking, nor for requirements that are programs: those are run.
"""

from __future__ import annotations

from pathlib import Path

from nrunner.errors import RequirementError
from nrunner.record import dataclass
from nrunner.runnable import Requirement

__all__ = ["Question", "question_of"]


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
    if kind not in ("command", "file"):
        raise RequirementError(f'no Python in this environment, which a "{kind}" needs')
    kwargs = requirement.kwargs
    name = requirement.uri or kwargs.get("name") or kwargs.get("path")
    if not isinstance(name, str):
        raise RequirementError(f'requirement "{kind}" needs a uri, or the key "name"')
    if kind == "command":
        return Question(("command", name), f"there is no program {name!r} on PATH")
    path = str(Path(base_dir) / name)
    return Question(("file", path), f"file {name!r}: no such file (looked for in {base_dir})")
