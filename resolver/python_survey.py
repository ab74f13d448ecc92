"""The tests of a module, as far as reading tells, and where running could show others.

Not responsible for running anything to remove a doubt.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence

from nrunner.record import dataclass, replace
from nrunner.resolver.python_case import Cases, Text
from nrunner.resolver.python_tree import Tree
from nrunner.resolver.python_value import (
    Called,
    Choice,
    Class,
    Doubt,
    Import,
    Module,
    Outside,
    Scope,
    Value,
)
from nrunner.resolver.reference import shown

__all__ = ["Found", "Reading", "select", "survey"]


@dataclass(frozen=True, slots=True)
class Found:
    """One test: its address within the module, and the docstrings that speak of it."""

    name: str
    """``Class.method``."""
    texts: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading a module, or a part of it, gives."""

    tests: tuple[Found, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    has_load_tests: bool = False
    reason: str = ""
    """Why there are no tests."""


def survey(tree: Tree, scope: Scope) -> Reading:
    """Return all tests of a module in the order in which unittest loads them."""
    cases = Cases(tree)
    tests: list[Found] = []
    doubts: list[Doubt] = []
    for name, cls in _classes(tree, scope):
        if cases.is_case(cls):
            tests.extend(_found(cases, name, cls))
        if cases.may_be_case(cls):
            doubts.extend(cases.doubts(cls))
    doubts.extend(_module_doubts(tree, cases, scope))
    unique = tuple(sorted(dict.fromkeys(doubts), key=lambda each: each.line))
    has_load_tests = "load_tests" in scope.names
    reason = "" if tests else _why_none(tree, cases, scope)
    return Reading(tuple(tests), unique, has_load_tests, reason)


def select(tree: Tree, scope: Scope, name: str) -> Reading:
    """Return what is called ``Class`` or ``Class.method`` in a module; also in inner classes.

    Without tests there is a reason; with doubts it may be wrong.
    """
    cases = Cases(tree)
    path = name.split(".")
    cls: Class | None = None
    for number, step in enumerate(path):
        value = scope.names.get(step) if cls is None else tree.member(cls, step)
        inner = None if value is None else tree.resolve(value)
        if isinstance(inner, Class):
            cls = inner
        elif cls is not None and number == len(path) - 1:
            found = _method(cases, cls, step, ".".join(path[:-1]))
            doubts = () if found.tests else _doubts(tree, cases, scope, cls)
            return replace(found, doubts=doubts)
        else:
            doubts = _doubts(tree, cases, scope, cls)
            where = cls.scope if cls is not None else scope
            reason = _missing(step, "class", _class_names(tree, where), ".".join(path[:number]))
            return Reading((), doubts, False, reason)
    assert cls is not None
    doubts = _doubts(tree, cases, scope, cls)
    if cases.is_case(cls):
        reason = f"class {name} has no test methods"
        return Reading(tuple(_found(cases, name, cls)), doubts, False, reason)
    return Reading((), doubts, False, f"class {name} is no unittest.TestCase")


def _method(cases: Cases, cls: Class, name: str, owner: str) -> Reading:
    if not cases.is_case(cls):
        return Reading(reason=f"class {owner} is no unittest.TestCase")
    if cases.is_test(cls, name):
        return Reading((Found(f"{owner}.{name}", cases.texts(cls, name)),))
    return Reading(reason=_missing(name, "test", cases.tests(cls), owner))


def _missing(name: str, what: str, known: Sequence[str], owner: str) -> str:
    where = f"in class {shown(owner)} " if owner else ""
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        hint = f'; did you mean "{close[0]}"?'
    else:
        hint = f"; there are {', '.join(known[:5])}{', ...' if known[5:] else ''}" if known else ""
    return f'{where}there is no {what} "{shown(name)}"{hint}'


def _found(cases: Cases, name: str, cls: Class) -> Iterator[Found]:
    for method in cases.tests(cls):
        yield Found(f"{name}.{method}", cases.texts(cls, method))


def _classes(tree: Tree, scope: Scope) -> Iterator[tuple[str, Class]]:
    """Yield the classes of a module by name, sorted as unittest takes them."""
    for name in sorted(scope.names):
        value = tree.resolve(scope.names[name])
        options = value.options if isinstance(value, Choice) else (value,)
        cls = next((each for each in options if isinstance(each, Class)), None)
        if cls is not None:
            yield name, cls


def _class_names(tree: Tree, scope: Scope) -> list[str]:
    return [name for name, _ in _classes(tree, scope)]


def _doubts(tree: Tree, cases: Cases, scope: Scope, cls: Class | None) -> tuple[Doubt, ...]:
    """Return the doubts about a module, and about a class in it if it may be a test case."""
    own = cases.doubts(cls) if cls is not None and cases.may_be_case(cls) else ()
    return (*own, *_module_doubts(tree, cases, scope))


def _module_doubts(tree: Tree, cases: Cases, scope: Scope) -> Iterator[Doubt]:
    """Yield what may make classes other than those that can be read."""
    if not _is_about_tests(tree, cases, scope):
        return
    yield from (doubt for doubt in scope.doubts if cases.matters(doubt))
    for name, value in sorted(scope.names.items()):
        if isinstance(value, Called) and _may_make(tree, cases, name, value):
            yield Doubt(value.line, f"{name} may be a class made at run time")
        elif isinstance(value, Import) and _is_called_like_tests(name):
            found = tree.resolve(value)
            if isinstance(found, Outside) and cases.makes_cases(found):
                yield Doubt(1, f"{name} comes from {value.module}, which was not read")
        elif isinstance(value, Choice):
            found = tree.resolve(value)
            if isinstance(found, Choice) and any(
                isinstance(each, Class) and cases.may_be_case(each) for each in found.options
            ):
                yield Doubt(1, f"{name} is one of several")


def _may_make(tree: Tree, cases: Cases, name: str, value: Called) -> bool:
    function = tree.resolve(value.function)
    if isinstance(function, Outside):
        if function.name in ("builtins.type", "types.new_class"):
            return len(value.arguments) > 1
        if function.name.partition(".")[0] not in _PLAIN and _is_called_like_tests(name):
            return True
    return cases.makes_cases(value)


_PLAIN = frozenset({"builtins", "os", "re", "sys"})


def _is_called_like_tests(name: str) -> bool:
    return name.startswith("Test") or name.endswith(("Test", "Tests", "TestCase"))


def _is_about_tests(tree: Tree, cases: Cases, scope: Scope) -> bool:
    """Say whether a module imports unittest, or has something that looks like a test case."""
    if any(_is_unittest(value) for value in scope.names.values()):
        return True
    return any(cases.may_be_case(cls) for _, cls in _classes(tree, scope))


def _is_unittest(value: Value) -> bool:
    match value:
        case Module(name) | Import(name, _) | Outside(name):
            return name.partition(".")[0] in ("unittest", "unittest2")
        case Choice(options):
            return any(_is_unittest(each) for each in options)
    return False


def _why_none(tree: Tree, cases: Cases, scope: Scope) -> str:
    classes = [cls for _, cls in _classes(tree, scope)]
    own = [cls for cls in classes if cases.is_case(cls)]
    if own:
        names = _some(cls.name for cls in own)
        return f"its test cases have no test methods ({names})"
    if classes:
        return f"none of its classes is a unittest.TestCase ({_some(c.name for c in classes)})"
    if not any(_is_unittest(value) for value in scope.names.values()):
        return "it has no classes and does not import unittest"
    return "it imports unittest, but has no classes"


def _some(names: Iterable[str]) -> str:
    known = sorted(set(names))
    return ", ".join(known[:3]) + (", ..." if known[3:] else "")
