"""What containers see of this machine: files that are known to be there, without asking in one.

Not responsible for anything that is demanded of a file beside its being there, nor for what an
image holds: an agent is asked about those.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from nrunner.runnable import Requirement

__all__ = ["is_seen"]

_NAMES = frozenset(("name", "path"))


def is_seen(requirement: Requirement, base_dir: str, mounts: Sequence[str] = ()) -> bool:
    """Whether a requirement asks for no more than a file that all containers see."""
    if requirement.kind != "file" or requirement.args or not _NAMES.issuperset(requirement.kwargs):
        return False
    names = (requirement.uri, *(requirement.kwargs.get(each) for each in ("name", "path")))
    name = next((each for each in names if each), None)
    if not isinstance(name, str) or "\0" in name or not base_dir:
        return False
    path = os.path.normpath(os.path.join(base_dir, name))  # noqa: PTH118 - links stay
    return any(_is_below(path, shown) for shown in (base_dir, *mounts)) and os.path.exists(path)  # noqa: PTH110


def _is_below(path: str, folder: str) -> bool:
    """Whether a path is in a folder, links in it included: they lead where the folder is shown."""
    folder = os.path.normpath(folder)
    real = os.path.realpath(path)
    return all(
        os.path.commonpath((each, top)) == top
        for each, top in ((path, folder), (real, os.path.realpath(folder)))
    )
