"""What a name in a Python file may stand for, as far as reading tells.

Values say what was written, not what it leads to: `nrunner.resolver.python_tree` follows imports
and attributes, and only those that matter.
"""

from __future__ import annotations

import ast

from nrunner.record import dataclass, field

__all__ = [
    "Called",
    "Choice",
    "Class",
    "Data",
    "Doubt",
    "Function",
    "Import",
    "Member",
    "Module",
    "Outside",
    "Scope",
    "Unknown",
    "Value",
]


@dataclass(frozen=True, slots=True)
class Module:
    """A module, by its dotted name."""

    name: str


@dataclass(frozen=True, slots=True)
class Import:
    """``from module import name``."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """``owner.name``."""

    owner: Value
    name: str


@dataclass(frozen=True, slots=True)
class Called:
    """``function(arguments)``: what it returns."""

    function: Value
    arguments: tuple[Value, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Function:
    """A function or lambda of this tree."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    decorators: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Outside:
    """Something from outside the tree, by its dotted name."""

    name: str


@dataclass(frozen=True, slots=True)
class Data:
    """Something that cannot be called and is no class."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something that reading cannot tell."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several, as a condition or an exception will have it."""

    options: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Doubt:
    """A place where running may give other tests than reading does."""

    line: int
    text: str
    about: tuple[Value, ...] = ()
    """It matters only if one of these may be a test case; if empty, in any file of tests."""


@dataclass(slots=True)
class Scope:
    """The names of a module or of a class body."""

    module: str
    """Dotted name."""
    path: str
    names: dict[str, Value] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)
    exports: tuple[str, ...] | None = None
    """``__all__``, where it is a plain list."""
    outer: Scope | None = None


@dataclass(slots=True, eq=False)
class Class:
    """A class of this tree."""

    name: str
    node: ast.ClassDef
    scope: Scope
    bases: tuple[Value, ...]
    decorators: tuple[Value, ...]
    metaclass: Value | None = None


Value = Module | Import | Member | Called | Function | Outside | Data | Unknown | Choice | Class
"""Whatever a name may stand for."""
