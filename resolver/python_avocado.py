"""Tests of Avocado's own sort, as far as reading tells: methods of classes derived from its Test.

In the order and by the rules of Avocado: as the file has them, and as the directives ``enable``,
``disable`` and ``recursive`` in a class's docstring say. Not responsible for running them, which
takes Avocado, nor for the form of references (``nrunner.resolver.avocado_instrumented``).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from nrunner.resolver.python_case import AVOCADO, Cases
from nrunner.resolver.python_docstring import directives
from nrunner.resolver.python_survey import Found
from nrunner.resolver.python_tree import Tree
from nrunner.resolver.python_value import Class, Function, Scope
from nrunner.resolver.reference import expression

__all__ = ["chosen", "instrumented", "why_none"]


def instrumented(tree: Tree, scope: Scope) -> list[Found]:
    """Return the tests of the classes that a module defines."""
    cases = Cases(tree, AVOCADO)
    return [found for cls in _classes(scope) for found in _tests(tree, cases, cls)]


def why_none(tree: Tree, scope: Scope) -> str:
    """Say why a module without tests has none, if it has classes that could have had some."""
    cases = Cases(tree, AVOCADO)
    names = [cls.name for cls in _classes(scope) if cases.is_case(cls)]
    if not names:
        return ""
    shown = ", ".join(names[:3]) + (", ..." if names[3:] else "")
    return f"its classes of avocado.Test are disabled or have no test methods ({shown})"


def _classes(scope: Scope) -> Iterator[Class]:
    for value in scope.names.values():
        if isinstance(value, Class) and value.scope.path == scope.path:
            yield value


def chosen(tests: Sequence[Found], name: str) -> list[Found]:
    """Return those that are called so, ``Class`` or ``Class.method``, or that a pattern fits.

    Raise ValueError if it is no pattern.
    """
    exact = [each for each in tests if each.name == name or each.name.startswith(name + ".")]
    pattern = expression(name)
    return exact or [each for each in tests if pattern.search(each.name)]


def _tests(tree: Tree, cases: Cases, cls: Class) -> Iterator[Found]:
    said = _said(cls)
    if "disable" in said:
        return
    if not said & {"enable", "recursive"} and cases.is_case(cls) is not True:
        return
    family = [each for each in tree.ancestors(cls) if isinstance(each, Class)]
    if "enable" in said:
        family = family[:1]
    about = [text for each in family for text in cases.class_text(each)]
    methods = dict.fromkeys(name for each in family for name in _methods(tree, each))
    for name in methods:
        if cases.is_test(cls, name):
            own = cases.texts(cls, name)
            texts = dict.fromkeys((*about, *own))
            yield Found(f"{cls.name}.{name}", tuple(texts))


def _methods(tree: Tree, cls: Class) -> list[str]:
    """Return the names of the test methods that stand in a class itself."""
    named = ((name, tree.resolve(value)) for name, value in cls.scope.names.items())
    return [name for name, value in named if name.startswith("test") and _is_method(value)]


def _is_method(value: object) -> bool:
    return isinstance(value, Function) and not isinstance(value.node, ast.Lambda)


def _said(cls: Class) -> set[str]:
    text: str = ast.get_docstring(cls.node, clean=False) or ""
    return {each.name for each in directives(text) if each.marker == "avocado"}
