"""Which classes are test cases, which tests they have, and what of that is in doubt.

Not responsible for modules as a whole, nor for reading files.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from nrunner.record import dataclass
from nrunner.resolver.python_tree import STANDARD, Tree, is_dynamic
from nrunner.resolver.python_value import (
    Called,
    Choice,
    Class,
    Data,
    Doubt,
    Function,
    Outside,
    Unknown,
    Value,
)

__all__ = ["AVOCADO", "Cases", "Text"]

_TEST_CASES = frozenset(
    {
        "unittest.IsolatedAsyncioTestCase",
        "unittest.TestCase",
        "unittest.async_case.IsolatedAsyncioTestCase",
        "unittest.case.TestCase",
        "unittest2.TestCase",
    }
)
AVOCADO = frozenset({"avocado.Test", "avocado.core.test.Test"})
"""Derived from unittest's, and of no use to it."""
_ODD_CASES = frozenset(
    {"doctest.DocTestCase", "unittest.FunctionTestCase", "unittest.case.FunctionTestCase"}
)
_HARMLESS = STANDARD | {"freezegun", "hypothesis", "mock", "pytest"}
"""Decorators from here neither add nor remove tests."""
_CALLABLE = frozenset({"contextlib", "functools", "unittest"})
_PROPERTIES = frozenset({"builtins.property", "functools.cached_property", "abc.abstractproperty"})


@dataclass(frozen=True, slots=True)
class Text:
    """A docstring and where it stands."""

    text: str
    path: str
    line: int


class Cases:
    """Answers questions about the classes of a tree."""

    def __init__(self, tree: Tree, roots: Collection[str] = _TEST_CASES) -> None:
        """`roots` are the classes, by their dotted names, that make a class a test case."""
        self._tree = tree
        self._roots = roots

    def is_case(self, cls: Class) -> bool | None:
        """Say whether this is a test case; None if that cannot be read."""
        sorts = [self._sort(each) for each in self._tree.ancestors(cls)]
        if True in sorts:
            return True
        return None if None in sorts else False

    def may_be_case(self, cls: Class) -> bool:
        """Say whether this is a test case, or something that looks like one."""
        is_case = self.is_case(cls)
        return is_case or (is_case is None and self._looks_like_tests(cls))

    def tests(self, cls: Class) -> list[str]:
        """Return the names of the tests of a class, in the order in which unittest runs them."""
        names = {name for name in self._names(cls) if name.startswith("test")}
        found = sorted(name for name in names if self.is_test(cls, name))
        return found or (["runTest"] if self.is_test(cls, "runTest") else [])

    def is_test(self, cls: Class, name: str) -> bool:
        """Say whether a class has a method of this name, as far as can be read."""
        value = self._tree.member(cls, name)
        return value is not None and self._is_callable(value) is not False

    def doubts(self, cls: Class) -> Iterator[Doubt]:
        """Yield what may make the tests of a class differ from what can be read."""
        for each in self._tree.ancestors(cls):
            if isinstance(each, Class):
                yield from self._own_doubts(each)
            elif self._sort(each) is None:
                yield Doubt(cls.node.lineno, f"class {cls.name} inherits from {_named(each)}")
        for name in sorted(self._names(cls)):
            value = self._tree.member(cls, name)
            if isinstance(value, Function) and self._is_abstract(value):
                yield Doubt(value.node.lineno, f"{cls.name}.{name} is abstract")
            elif value is not None and name.startswith("test") and self._is_callable(value) is None:
                line = value.node.lineno if isinstance(value, Function) else cls.node.lineno
                yield Doubt(line, f"{cls.name}.{name} may or may not be a test")

    def matters(self, doubt: Doubt) -> bool:
        """Say whether a doubt is about something that may be a test case or make one."""
        return not doubt.about or any(self.makes_cases(each) for each in doubt.about)

    def makes_cases(self, value: Value) -> bool:
        """Say whether a value may be a test case, or what a call makes of or into one."""
        if isinstance(value, Called):
            function = self._tree.resolve(value.function)
            if isinstance(function, Function) and is_dynamic(function.node):
                return True
            if isinstance(self._tree.resolve(value), (Data, Class)):
                return False
            return any(self.makes_cases(each) for each in value.arguments)
        found = self._tree.resolve(value)
        if isinstance(found, Choice):
            return any(self.makes_cases(each) for each in found.options)
        if isinstance(found, Outside):
            return self._sort(found) is None and "test" in found.name.lower()
        return isinstance(found, Class) and self.may_be_case(found)

    def texts(self, cls: Class, name: str) -> tuple[Text, ...]:
        """Return the docstrings of a class and of one of its methods."""
        found = [_docstring(cls.node, cls.scope.path)]
        for each in self._tree.ancestors(cls):
            if isinstance(each, Class) and name in each.scope.names:
                value = self._tree.resolve(each.scope.names[name])
                if isinstance(value, Function) and not isinstance(value.node, ast.Lambda):
                    found.append(_docstring(value.node, each.scope.path))
                break
        return tuple(text for text in found if text is not None)

    def class_text(self, cls: Class) -> tuple[Text, ...]:
        """Return the docstring of a class, if it has one."""
        text = _docstring(cls.node, cls.scope.path)
        return () if text is None else (text,)

    def _names(self, cls: Class) -> set[str]:
        ancestors = self._tree.ancestors(cls)
        return {name for each in ancestors if isinstance(each, Class) for name in each.scope.names}

    def _sort(self, base: Value) -> bool | None:
        if isinstance(base, Class):
            return f"{base.scope.module}.{base.name}" in self._roots
        if isinstance(base, Choice):
            sorts = {self._option(each) for each in base.options}
            return sorts.pop() if len(sorts) == 1 else None
        if not isinstance(base, Outside) or base.name in _ODD_CASES:
            return None
        if base.name in self._roots:
            return True
        if base.name in AVOCADO:
            return False
        return False if base.name.partition(".")[0] in STANDARD else None

    def _option(self, base: Value) -> bool | None:
        return self.is_case(base) if isinstance(base, Class) else self._sort(base)

    def _looks_like_tests(self, cls: Class) -> bool:
        ancestors = self._tree.ancestors(cls)
        bases = [_named(each) for each in ancestors if not isinstance(each, Class)]
        made = [base for each in ancestors if isinstance(each, Class) for base in each.bases]
        return (
            "Test" in cls.name
            or any(isinstance(base, Called) and self.makes_cases(base) for base in made)
            or any("test" in base.lower() for base in bases)
            or any(name.startswith("test") for name in self._names(cls))
        )

    def _own_doubts(self, cls: Class) -> Iterator[Doubt]:
        yield from (each for each in cls.scope.doubts if self.matters(each))
        for decorator in cls.decorators:
            if not self._is_harmless(decorator, of_class=True):
                yield Doubt(cls.node.lineno, f"class {cls.name} is changed by a decorator")
        if cls.metaclass is not None:
            metaclass = self._tree.resolve(cls.metaclass)
            if not isinstance(metaclass, Outside) or self._sort(metaclass) is None:
                yield Doubt(cls.node.lineno, f"class {cls.name} has a metaclass")
        if "__init_subclass__" in cls.scope.names:
            yield Doubt(cls.node.lineno, f"class {cls.name} changes its subclasses")

    def _is_callable(self, value: Value) -> bool | None:
        found = self._tree.resolve(value)
        if isinstance(found, Choice):
            answers = {self._is_callable(each) for each in found.options}
            return answers.pop() if len(answers) == 1 else None
        if isinstance(found, Function):
            return self._is_method(found)
        if isinstance(found, Outside):
            return True if found.name.partition(".")[0] in _CALLABLE else None
        return None if isinstance(found, Unknown) else not isinstance(found, Data)

    def _is_method(self, function: Function) -> bool | None:
        answer: bool | None = True
        for decorator in function.decorators:
            found = self._tree.resolve(decorator)
            if isinstance(found, Outside) and found.name in _PROPERTIES:
                return False
            if not self._is_harmless(decorator, of_class=False):
                answer = None
        return answer

    def _is_abstract(self, function: Function) -> bool:
        found = [self._tree.resolve(each) for each in function.decorators]
        return any(isinstance(each, Outside) and each.name.startswith("abc.") for each in found)

    def _is_harmless(self, decorator: Value, *, of_class: bool) -> bool:
        value = decorator.function if isinstance(decorator, Called) else decorator
        if isinstance(value, Called):
            return self._is_harmless(value, of_class=of_class)
        found = self._tree.resolve(value)
        options = found.options if isinstance(found, Choice) else (found,)
        return all(self._is_known(each, of_class) for each in options)

    def _is_known(self, value: Value, of_class: bool) -> bool:
        if isinstance(value, Outside):
            return value.name.partition(".")[0] in _HARMLESS
        return isinstance(value, Function) and not (of_class and is_dynamic(value.node))


def _named(value: Value) -> str:
    if isinstance(value, Outside):
        return value.name
    return value.text if isinstance(value, Unknown) and value.text else "something made at run time"


def _docstring(
    node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, path: str
) -> Text | None:
    text = ast.get_docstring(node, clean=False)
    return None if text is None else Text(text, path, node.body[0].lineno)
