"""The Python files below one folder, as far as they matter: where imports and attributes lead.

Files are read when something leads there, once. Not responsible for which tests a class has.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from pathlib import Path

from nrunner.resolver.python_reader import read_module
from nrunner.resolver.python_source import Source, SourceError, read_source
from nrunner.resolver.python_value import (
    Called,
    Choice,
    Class,
    Data,
    Function,
    Import,
    Member,
    Module,
    Outside,
    Scope,
    Unknown,
    Value,
)
from nrunner.resolver.reference import is_file, is_folder

__all__ = ["STANDARD", "Tree", "is_dynamic"]

STANDARD = frozenset(sys.stdlib_module_names) - {"test"} | {"builtins"}
"""Names of top-level modules that come with Python, but for its own tests."""

_DEPTH = 50
"""Longer chains of imports and attributes lead nowhere, or in a circle."""


class Tree:
    """What is known of the files below `top`, the folder that is first on the tests' path."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self._is_standard = (top / "os.py").is_file()
        self._scopes: dict[str, Scope | None] = {}
        self._sources: dict[Path, Source | SourceError] = {}
        self._orders: dict[Class, list[Value]] = {}

    def source(self, path: Path) -> Source:
        """Return a parsed file; raise SourceError."""
        found = self._sources.get(path)
        if found is None:
            try:
                found = read_source(path)
            except SourceError as error:
                found = error
            self._sources[path] = found
        if isinstance(found, SourceError):
            raise found
        return found

    def find(self, name: str) -> Path | None:
        """Return the file of a module of the tree; None if there is none."""
        root = name.partition(".")[0]
        if not name or root == "unittest" or (self._is_standard and root in STANDARD):
            return None
        path = self.top.joinpath(*name.split("."))
        for file in (path / "__init__.py", path.with_name(path.name + ".py")):
            if is_file(self.top, str(file)):
                return file
        return None

    def scope(self, name: str) -> Scope | None:
        """Return the names of a module of the tree; None if it is outside or cannot be read."""
        if name not in self._scopes:
            path = self.find(name)
            self._scopes[name] = None
            if path is not None:
                try:
                    return self.read(name, path)
                except SourceError:
                    return None
        return self._scopes[name]

    def read(self, name: str, path: Path) -> Scope:
        """Return the names of a module in a given file; raise SourceError."""
        known = self._scopes.get(name)
        if known is not None and known.path == str(path):
            return known
        source = self.source(path)
        scope = self._scopes[name] = Scope(name, str(path))
        is_package = path.name == "__init__.py"
        try:
            read_module(name, is_package, str(path), source.tree, self._star, scope)
        except RecursionError as error:
            raise SourceError(": nested too deeply to be read", source.text) from error
        return scope

    def resolve(self, value: Value, depth: int = 0) -> Value:
        """Follow imports and attributes to what they lead to."""
        if depth > _DEPTH:
            return Unknown("a chain of imports without end")
        match value:
            case Import(module, name):
                return self._in_module(module, name, depth)
            case Member(owner, name):
                return self._member(self.resolve(owner, depth + 1), name, depth)
            case Called(function, arguments, _):
                return self._result(self.resolve(function, depth + 1), arguments, depth)
            case Choice(options):
                found = dict.fromkeys(self.resolve(each, depth + 1) for each in options)
                return next(iter(found)) if len(found) == 1 else Choice(tuple(found))
            case _:
                return value

    def ancestors(self, cls: Class) -> list[Value]:
        """Return a class and all its bases in the order in which Python looks them up."""
        order = self._orders.get(cls)
        if order is None:
            order = self._orders[cls] = self._linear(cls, ())
        return order

    def member(self, cls: Class, name: str) -> Value | None:
        """Return what a class has under this name, from itself or a base of the tree."""
        for each in self.ancestors(cls):
            if isinstance(each, Class) and name in each.scope.names:
                return each.scope.names[name]
        return None

    def _star(self, module: str) -> Mapping[str, Value] | None:
        scope = self.scope(module)
        if scope is None:
            return {} if module.partition(".")[0] in STANDARD else None
        names = scope.exports
        if names is None:
            names = tuple(name for name in scope.names if not name.startswith("_"))
        return {name: scope.names[name] for name in names if name in scope.names}

    def _in_module(self, module: str, name: str, depth: int) -> Value:
        scope = self.scope(module)
        if scope is not None and name in scope.names:
            return self.resolve(scope.names[name], depth + 1)
        inner = f"{module}.{name}" if module else name
        if self.find(inner) is not None or (scope is None and self._is_folder(inner)):
            return Module(inner)
        return Outside(inner) if scope is None else Unknown(inner)

    def _is_folder(self, name: str) -> bool:
        root = name.partition(".")[0]
        return root not in STANDARD and is_folder(self.top, name.replace(".", "/"))

    def _member(self, owner: Value, name: str, depth: int) -> Value:
        match owner:
            case Module(module):
                return self._in_module(module, name, depth)
            case Outside(outer):
                return Outside(f"{outer}.{name}")
            case Class() if name == "[]":
                return owner
            case Class():
                found = self.member(owner, name)
                return (
                    Unknown(f"{owner.name}.{name}")
                    if found is None
                    else self.resolve(found, depth + 1)
                )
            case Choice(options):
                return Choice(tuple(self._member(each, name, depth) for each in options))
            case Function() if name in ("setter", "getter", "deleter"):
                return Outside("builtins.property")
            case _:
                return Unknown(name)

    def _result(self, function: Value, arguments: tuple[Value, ...], depth: int) -> Value:
        """Return what a call gives: of a callable that is known well enough."""
        match function:
            case Class():
                return Data()
            case Outside(name) if name in _MAKE_CLASSES and len(arguments) > 1:
                return Unknown(f"{name}()")
            case Outside(name) if name in _PROPERTIES:
                return Data()
            case Outside(name) if name.partition(".")[0] in _WRAPPERS or name in _METHODS:
                return self._wrapped(function, arguments, depth)
            case Outside(name) if name.partition(".")[0] in STANDARD:
                return Data()
            case Function(node) if is_dynamic(node):
                return Unknown("a class or function made at run time")
            case _:
                return Unknown("what a call returns")

    def _wrapped(self, wrapper: Outside, arguments: tuple[Value, ...], depth: int) -> Value:
        """Return what a decorator makes of its argument: much the same."""
        resolved = [self.resolve(each, depth + 1) for each in arguments]
        if len(resolved) == 1 and isinstance(resolved[0], (Function, Class)):
            return resolved[0]
        return wrapper

    def _linear(self, cls: Class, below: tuple[Class, ...]) -> list[Value]:
        if cls in below:
            return [Unknown(f"{cls.name} inherits from itself")]
        bases = [self.resolve(each) for each in cls.bases]
        rows: list[list[Value]] = [
            self._linear(each, (*below, cls)) if isinstance(each, Class) else [each]
            for each in bases
        ]
        return [cls, *_merge([*rows, bases])]


_MAKE_CLASSES = frozenset({"builtins.type", "types.new_class", "typing.NewType"})
_METHODS = frozenset({"builtins.staticmethod", "builtins.classmethod"})
_PROPERTIES = frozenset({"builtins.property", "functools.cached_property", "abc.abstractproperty"})
_WRAPPERS = frozenset({"unittest", "functools", "contextlib"})


def is_dynamic(node: ast.AST) -> bool:
    """Say whether a function makes classes, or sets attributes or names by computed name."""
    for each in ast.walk(node):
        match each:
            case ast.ClassDef():
                return True
            case ast.Call(func=ast.Name(id="type"), args=arguments) if len(arguments) > 1:
                return True
            case ast.Call(func=ast.Name(id="setattr" | "exec" | "globals" | "vars" | "locals")):
                return True
            case ast.Assign(targets=[ast.Attribute(attr=name), *_]) if name.startswith("test"):
                return True
    return False


def _merge(rows: list[list[Value]]) -> list[Value]:
    """Merge the orders of the bases as Python does; where that fails, take what comes first."""
    merged: list[Value] = []
    rows = [row for row in rows if row]
    while rows:
        tails = [each for row in rows for each in row[1:]]
        head = next((row[0] for row in rows if row[0] not in tails), rows[0][0])
        merged.append(head)
        rows = [rest for row in rows if (rest := [each for each in row if each != head])]
    return merged
