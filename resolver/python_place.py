"""Where a module of tests is, and under which name its runner will import it.

Not responsible for what is in the module.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from nrunner.record import dataclass
from nrunner.resolver.base import Context
from nrunner.resolver.python_tree import Tree

__all__ = ["Place", "find_name", "place_of_file", "tree_of"]


@dataclass(frozen=True, slots=True)
class Place:
    """A module of tests."""

    text: str
    """What uris call it: the path as it was typed, or the dotted name."""
    path: Path
    module: str
    top: Path
    """The folder that has to be on the path of the interpreter."""
    alone: bool = False
    """No dotted name leads to this file."""

    @property
    def is_dotted(self) -> bool:
        """Whether it is called by its dotted name."""
        return self.text == self.module


def place_of_file(text: str, base_dir: Path) -> Place:
    """Return the place of an existing file: below `base_dir` if it can be imported from there."""
    path = Path(os.path.normpath(base_dir / text))
    for top in (base_dir, _package_root(path)):
        module = _dotted(path, top)
        if module:
            return Place(text, path, module, top)
    return Place(text, path, path.stem, path.parent, alone=True)


def find_name(name: str, folders: Iterable[Path]) -> tuple[Place, str] | None:
    """Return the module that a dotted name begins with, and the rest of the name."""
    parts = name.split(".")
    for folder in folders:
        tree = Tree(folder)
        for count in range(len(parts), 0, -1):
            module = ".".join(parts[:count])
            path = tree.find(module)
            if path is not None:
                return Place(module, path, module, folder), ".".join(parts[count:])
    return None


def tree_of(place: Place, context: Context) -> Tree:
    """Return what was read so far of the files around a module; it is read once for all."""
    key = (Tree, place.top)
    found: Tree | None = context.shared.get(key)
    if found is None:
        found = context.shared[key] = Tree(place.top)
    return found


def _dotted(path: Path, top: Path) -> str:
    """Return the module name of a file below `top`; empty if it cannot have one."""
    try:
        inside = path.relative_to(top).with_suffix("")
    except ValueError:
        return ""
    parts = list(inside.parts)
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts) if all(part.isidentifier() for part in parts) else ""


def _package_root(path: Path) -> Path:
    folder = path.parent
    while (folder / "__init__.py").is_file() and folder != folder.parent:
        folder = folder.parent
    return folder
