"""Reads the statements of a Python file into scopes, in their order, without running any.

Keeps what may define tests, and notes a doubt where running could define others. Not responsible
for where imports lead, nor for which classes are test cases.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from nrunner.resolver.python_value import (
    Called,
    Choice,
    Class,
    Data,
    Doubt,
    Function,
    Import,
    Member,
    Module,
    Outside,
    Scope,
    Unknown,
    Value,
)

__all__ = ["evaluate", "read_module"]

_BUILTINS = frozenset(dir(builtins))
_NAMESPACES = frozenset({"globals", "locals", "vars"})
_UNITTEST_NAMES = ("FunctionTestCase", "IsolatedAsyncioTestCase", "TestCase", "TestSuite")

StarImport = Callable[[str], "Mapping[str, Value] | None"]
"""Gives the public names of a module of the tree, or None for one outside."""


def read_module(
    name: str, is_package: bool, path: str, tree: ast.Module, star: StarImport, scope: Scope
) -> None:
    """Fill `scope` with the names of a module."""
    package = name if is_package else name.rpartition(".")[0]
    _Reader(scope, package, star).read(tree.body, "")


def evaluate(node: ast.expr, scope: Scope) -> Value:
    """Return what an expression stands for at this point of a scope."""
    handler = _EXPRESSIONS.get(type(node))
    if handler is not None:
        return handler(node, scope)
    return Data() if isinstance(node, _DATA) else Unknown(ast.unparse(node)[:60])


class _Reader:
    """Reads statements into one scope; `condition` is empty for what surely happens."""

    def __init__(self, scope: Scope, package: str, star: StarImport) -> None:
        self.scope = scope
        self.package = package
        self.star = star

    def read(self, body: Iterable[ast.stmt], condition: str) -> None:
        for statement in body:
            handler = _STATEMENTS.get(type(statement))
            if handler is not None:
                try:
                    handler(self, statement, condition)
                except RecursionError:
                    self.doubt(statement.lineno, "nested too deeply to be read")

    def bind(self, name: str, value: Value, line: int, condition: str) -> None:
        names = self.scope.names
        old = names.get(name)
        if condition and isinstance(value, Class):
            value.scope.doubts.append(Doubt(line, f"class {name} depends on {condition}"))
        elif condition and self.scope.outer is not None and name.startswith("test"):
            self.doubt(line, f"{name} depends on {condition}")
        names[name] = Choice((old, value)) if condition and old not in (None, value) else value

    def doubt(self, line: int, text: str, about: tuple[Value, ...] = ()) -> None:
        self.scope.doubts.append(Doubt(line, text, about))

    def import_(self, node: ast.Import, condition: str) -> None:
        for alias in node.names:
            if alias.asname:
                self.bind(alias.asname, Module(alias.name), node.lineno, condition)
            else:
                root = alias.name.partition(".")[0]
                self.bind(root, Module(root), node.lineno, condition)

    def import_from(self, node: ast.ImportFrom, condition: str) -> None:
        module = node.module or ""
        if node.level:
            parts = self.package.split(".")
            kept = parts[: len(parts) - node.level + 1]
            module = ".".join([*kept, module] if module else kept)
        for alias in node.names:
            if alias.name == "*":
                self.import_star(module, node.lineno, condition)
            else:
                value = Import(module, alias.name)
                self.bind(alias.asname or alias.name, value, node.lineno, condition)

    def import_star(self, module: str, line: int, condition: str) -> None:
        names = self.star(module)
        if module == "unittest":
            names = {name: Import(module, name) for name in _UNITTEST_NAMES}
        if names is None:
            self.doubt(line, f"from {module} import *", (Outside(f"{module}.*"),))
            return
        for name, value in names.items():
            self.bind(name, value, line, condition)

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, condition: str) -> None:
        decorators = tuple(evaluate(each, self.scope) for each in node.decorator_list)
        self.bind(node.name, Function(node, decorators), node.lineno, condition)

    def class_(self, node: ast.ClassDef, condition: str) -> None:
        inner = Scope(self.scope.module, self.scope.path, outer=_module_scope(self.scope))
        metaclass = next((each.value for each in node.keywords if each.arg == "metaclass"), None)
        bases = tuple(evaluate(each, self.scope) for each in node.bases)
        value = Class(
            node.name,
            node,
            inner,
            bases,
            tuple(evaluate(each, self.scope) for each in node.decorator_list),
            evaluate(metaclass, self.scope) if metaclass else None,
        )
        _Reader(inner, self.package, self.star).read(node.body, "")
        self.bind(node.name, value, node.lineno, condition)

    def assign(self, node: ast.Assign, condition: str) -> None:
        for target in node.targets:
            self.assign_to(target, node.value, condition)

    def assign_annotated(self, node: ast.AnnAssign, condition: str) -> None:
        if node.value is not None:
            self.assign_to(node.target, node.value, condition)

    def assign_to(self, target: ast.expr, expression: ast.expr, condition: str) -> None:
        if isinstance(target, ast.Name):
            if target.id == "__all__":
                self.scope.exports = _strings(expression)
            value = evaluate(expression, self.scope)
            self.bind(target.id, value, target.lineno, condition)
        elif isinstance(target, ast.Attribute):
            self.assign_member(target, evaluate(expression, self.scope), condition)
        elif isinstance(target, ast.Subscript):
            if _is_namespace(target.value):
                self.doubt(target.lineno, f"names are made by {ast.unparse(target.value)[:40]}")
        elif isinstance(target, (ast.Tuple, ast.List)):
            self.assign_many(target.elts, expression, condition)

    def assign_many(self, targets: Sequence[ast.expr], value: ast.expr, condition: str) -> None:
        values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
        for number, target in enumerate(targets):
            self.assign_to(
                target, values[number] if len(values) == len(targets) else value, condition
            )

    def assign_member(self, target: ast.Attribute, value: Value, condition: str) -> None:
        owner = evaluate(target.value, self.scope)
        if not target.attr.startswith("test"):
            return
        if isinstance(owner, Class) and not condition:
            owner.scope.names[target.attr] = value
        else:
            self.doubt(target.lineno, f"{ast.unparse(target)[:60]} is assigned", (owner,))

    def delete(self, node: ast.Delete, condition: str) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name) and not condition:
                self.scope.names.pop(target.id, None)
            elif isinstance(target, ast.Name):
                about = (self.scope.names.get(target.id, Data()),)
                self.doubt(node.lineno, f"{target.id} may be deleted", about)
            elif isinstance(target, (ast.Attribute, ast.Subscript)):
                about = (evaluate(target.value, self.scope),)
                self.doubt(node.lineno, f"{ast.unparse(target)[:60]} is deleted", about)

    def if_(self, node: ast.If, condition: str) -> None:
        truth = _truth(node.test)
        unsure = condition or f"the condition of line {node.lineno}"
        if truth is not False:
            self.read(node.body, condition if truth else unsure)
        if not truth:
            self.read(node.orelse, condition if truth is False else unsure)

    def try_(self, node: ast.Try, condition: str) -> None:
        self.read(node.body, condition)
        for handler in node.handlers:
            self.read(handler.body, condition or f"the exception of line {handler.lineno}")
        self.read(node.orelse, condition)
        self.read(node.finalbody, condition)

    def loop(self, node: ast.For | ast.While, condition: str) -> None:
        unsure = condition or f"the loop of line {node.lineno}"
        self.read(node.body, unsure)
        self.read(node.orelse, unsure)

    def with_(self, node: ast.With, condition: str) -> None:
        self.read(node.body, condition)

    def match(self, node: ast.Match, condition: str) -> None:
        for case in node.cases:
            self.read(case.body, condition or f"the match of line {node.lineno}")

    def expression(self, node: ast.Expr, condition: str) -> None:
        """Note calls that may define tests: what is returned is lost, so they act on something."""
        call = node.value
        if not isinstance(call, ast.Call):
            return
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        arguments = [*call.args, *(each.value for each in call.keywords)]
        about = [evaluate(each, self.scope) for each in arguments]
        if isinstance(call.func, ast.Attribute):
            about.append(evaluate(call.func.value, self.scope))
            if _is_namespace(call.func.value):
                about = []
        elif name in self.scope.names:
            about.append(Called(self.scope.names[name], (), node.lineno))
        if name == "exec":
            about = []
        if name == "setattr":
            about = about[:1]
        text = f"{ast.unparse(call.func)[:60]}() may define tests"
        if not about and (name == "exec" or not name):
            self.doubt(node.lineno, text)
        elif about:
            self.doubt(node.lineno, text, tuple(about))


_STATEMENTS: Mapping[type[ast.stmt], Callable[[_Reader, Any, str], None]] = {
    ast.AnnAssign: _Reader.assign_annotated,
    ast.Assign: _Reader.assign,
    ast.AsyncFunctionDef: _Reader.function,
    ast.ClassDef: _Reader.class_,
    ast.Delete: _Reader.delete,
    ast.Expr: _Reader.expression,
    ast.For: _Reader.loop,
    ast.FunctionDef: _Reader.function,
    ast.If: _Reader.if_,
    ast.Import: _Reader.import_,
    ast.ImportFrom: _Reader.import_from,
    ast.Match: _Reader.match,
    ast.Try: _Reader.try_,
    ast.TryStar: _Reader.try_,
    ast.While: _Reader.loop,
    ast.With: _Reader.with_,
}


def _module_scope(scope: Scope) -> Scope:
    return scope.outer or scope


def _is_namespace(node: ast.expr) -> bool:
    """Say whether this is ``globals()``, ``vars(...)``, ``X.__dict__`` or the like."""
    if isinstance(node, ast.Attribute):
        return node.attr == "__dict__"
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in _NAMESPACES
    )


def _strings(node: ast.expr) -> tuple[str, ...] | None:
    if not isinstance(node, (ast.List, ast.Tuple)):
        return None
    values = [each.value if isinstance(each, ast.Constant) else None for each in node.elts]
    texts = [each for each in values if isinstance(each, str)]
    return tuple(texts) if len(texts) == len(values) else None


def _truth(test: ast.expr) -> bool | None:
    """Say how a condition ends, where that can be known."""
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _truth(test.operand)
        return None if inner is None else not inner
    if isinstance(test, ast.Name):
        return False if test.id == "TYPE_CHECKING" else None
    if isinstance(test, ast.Attribute):
        return False if test.attr == "TYPE_CHECKING" else None
    if isinstance(test, ast.Compare) and isinstance(test.left, ast.Name):
        is_main = test.left.id == "__name__" and isinstance(test.ops[0], ast.Eq)
        return False if is_main else None
    return None


def _name(node: ast.Name, scope: Scope) -> Value:
    for where in (scope, scope.outer):
        if where is not None and node.id in where.names:
            return where.names[node.id]
    return Outside(f"builtins.{node.id}") if node.id in _BUILTINS else Unknown(node.id)


def _call(node: ast.Call, scope: Scope) -> Value:
    arguments = [*node.args, *(each.value for each in node.keywords)]
    values = tuple(evaluate(each, scope) for each in arguments)
    return Called(evaluate(node.func, scope), values, node.lineno)


def _options(nodes: Iterable[ast.expr], scope: Scope) -> Choice:
    return Choice(tuple(evaluate(each, scope) for each in nodes))


def _expressions() -> Iterator[tuple[type[ast.expr], Callable[[Any, Scope], Value]]]:
    yield ast.Name, _name
    yield ast.Attribute, lambda node, scope: Member(evaluate(node.value, scope), node.attr)
    yield ast.Call, _call
    yield ast.Lambda, lambda node, scope: Function(node)
    yield ast.IfExp, lambda node, scope: _options((node.body, node.orelse), scope)
    yield ast.BoolOp, lambda node, scope: _options(node.values, scope)
    yield ast.NamedExpr, lambda node, scope: evaluate(node.value, scope)
    # Generic[T] is as good a base as Generic
    yield ast.Subscript, lambda node, scope: Member(evaluate(node.value, scope), "[]")


_EXPRESSIONS = dict(_expressions())
_DATA = (
    ast.BinOp,
    ast.Compare,
    ast.Constant,
    ast.Dict,
    ast.DictComp,
    ast.GeneratorExp,
    ast.JoinedStr,
    ast.List,
    ast.ListComp,
    ast.Set,
    ast.SetComp,
    ast.Tuple,
    ast.UnaryOp,
)
