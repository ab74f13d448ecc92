"""Asks unittest's own loader which tests a module has, in the interpreter of the tests.

Started as a file with the path of a question in JSON; the answer goes to a file, since standard
output belongs to whatever the module prints. Not responsible for its own time limit.
Portable: runs on Python 3.6 with the standard library alone.
"""

# pathlib takes time to import, and old Pythons know no newer syntax:
# ruff: noqa: B905, PTH105, PTH119, PTH120, PTH123, UP031, UP045

import importlib
import importlib.machinery
import importlib.util
import json
import os
import sys
import unittest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType
    from typing import Any, Optional

__all__ = ["main"]

_UNITTEST = os.path.dirname(unittest.__file__) + os.sep
_AVOCADO = ("avocado.core.test", "Test")
_MARKERS = (":avocado:", ":nrunner:")


def main(argv: "list[str]") -> None:
    """Write the answer to the question, and leave whatever else is running."""
    with open(argv[0], encoding="ascii") as question:
        spec = json.load(question)
    here = os.path.dirname(os.path.realpath(__file__))
    sys.path[:] = [each for each in sys.path if os.path.realpath(each or ".") != here]
    pid = os.getpid()
    answer = {"path": sys.path} if spec.get("path") else _answer(spec)
    if os.getpid() == pid:
        with open(spec["answer"] + ".new", "w", encoding="ascii") as file:
            json.dump(answer, file)
        os.replace(spec["answer"] + ".new", spec["answer"])
    os._exit(0)  # threads that the module has started need not end


def _answer(spec: "Mapping[str, Any]") -> "dict[str, Any]":
    sys.argv = ["python -m unittest"]
    sys.path.insert(0, spec["base_dir"])
    try:
        module = _import(spec)
        loader = unittest.TestLoader()
        if spec.get("names"):
            suite = loader.loadTestsFromName(spec["names"], module)
            if loader.errors:
                return {"error": str(loader.errors[0]).strip().splitlines()[-1]}
        else:
            suite = loader.loadTestsFromModule(module)
        return {"tests": _describe_all(list(_flat(suite)), module)}
    except unittest.SkipTest as skip:
        return {"skip": str(skip)}
    except BaseException as error:  # whatever a module does when it is imported
        return {"error": _reason(error)}


def _import(spec: "Mapping[str, Any]") -> "ModuleType":
    """Import a file as its runner will: by a dotted name if there is one, else by itself."""
    name, file = spec["module"], spec.get("file")
    if spec.get("top"):
        sys.path.insert(0, spec["top"])
    if file is None:
        return importlib.import_module(name)
    if not spec.get("alone"):
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            if not error.name or not (name + ".").startswith(error.name + "."):
                raise
        else:
            if _same(getattr(module, "__file__", None), file):
                return module
    sys.path.insert(1, os.path.dirname(file))
    found = importlib.util.spec_from_file_location(os.path.basename(file)[:-3], file)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[module.__name__] = module
    found.loader.exec_module(module)
    return module


def _same(one: "Optional[str]", other: str) -> bool:
    return one is not None and os.path.realpath(one) == os.path.realpath(other)


def _flat(suite: "Any") -> "Iterator[Any]":
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from _flat(test)
        else:
            yield test


def _describe_all(tests: "list[Any]", module: "ModuleType") -> "list[dict[str, Any]]":
    """Return where each test can be found again; without a name if nowhere.

    A class with two names in the module is loaded twice, and each time goes by another name. Of
    tests that are loaded more often than that, none has an address of its own.
    """
    alike = {}  # type: dict[tuple[type, str], list[Any]]
    for test in tests:
        alike.setdefault((type(test), getattr(test, "_testMethodName", "")), []).append(test)
    described = {}
    for (cls, method), group in alike.items():
        owners = _owners(cls, module)
        is_plain = _is_avocados(cls) or all(_is_plain(each, cls, method) for each in group)
        if len(owners) < len(group) or not is_plain:
            owners = [None] * len(group)
        for test, owner in zip(group, owners):
            described[id(test)] = _describe(test, method, owner, module)
    return [described[id(test)] for test in tests]


def _describe(
    test: "Any", method: str, owner: "Optional[tuple[ModuleType, str]]", module: "ModuleType"
) -> "dict[str, Any]":
    if owner is None:
        return {"id": str(test.id()) if hasattr(test, "id") else repr(test)}
    home, name = owner
    return {
        "id": test.id(),
        "name": name + "." + method,
        "module": None if home is module else home.__name__,
        "file": getattr(home, "__file__", None),
        "texts": _texts(type(test), method, home),
        "avocado": _is_avocados(type(test)),
    }


def _is_avocados(cls: type) -> bool:
    """Say whether these are Avocado's own tests: none is like another that is made alike."""
    return any((each.__module__, each.__name__) == _AVOCADO for each in cls.__mro__)


def _owners(cls: type, module: "ModuleType") -> "list[Any]":
    """Return the modules that lead to a class, each with the class's name there."""
    if not issubclass(cls, unittest.TestCase) or issubclass(cls, unittest.FunctionTestCase):
        return []
    if cls.__module__.partition(".")[0] in ("unittest", "doctest"):
        return []
    names = [name for name in dir(module) if getattr(module, name, None) is cls]
    if not names and _lookup(module, cls.__qualname__) is cls:
        names = [cls.__qualname__]
    if names:
        return [(module, name) for name in names]
    home = sys.modules.get(cls.__module__)
    if home is None or _lookup(home, cls.__qualname__) is not cls or not _is_importable(home):
        return []
    return [(home, cls.__qualname__)]


def _lookup(module: "ModuleType", name: str) -> "Any":
    found = module  # type: Any
    for step in name.split("."):
        found = getattr(found, step, None)
    return found


def _is_importable(module: "ModuleType") -> bool:
    """Say whether another process that imports this name gets this file."""
    name = module.__name__
    parent = sys.modules.get(name.rpartition(".")[0])
    path = getattr(parent, "__path__", None) if "." in name else None
    try:
        spec = importlib.machinery.PathFinder.find_spec(name, path)
    except Exception:
        return False
    return spec is not None and _same(spec.origin, getattr(module, "__file__", None) or "")


def _is_plain(test: "Any", cls: type, method: str) -> bool:
    """Say whether the test is just what its class makes of the method's name."""
    if not callable(getattr(cls, method, None)):
        return False
    try:
        fresh = vars(cls(method))
    except Exception:
        return False
    mine = vars(test)
    return mine.keys() == fresh.keys() and all(
        _is_alike(mine[key], fresh[key]) for key in mine if key not in ("_testMethodDoc",)
    )


def _is_alike(one: "Any", other: "Any", depth: int = 0) -> bool:
    """Say whether two attributes could be told apart: by plain values, not by identity."""
    if type(one) is not type(other):
        return False
    if depth > 5:
        return True
    if isinstance(one, (bool, int, float, complex, str, bytes, type)):
        return bool(one == other)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(
            _is_alike(mine, theirs, depth + 1) for mine, theirs in zip(one, other)
        )
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            _is_alike(one[key], other[key], depth + 1) for key in one
        )
    return not isinstance(one, (set, frozenset)) or len(one) == len(other)


def _texts(cls: type, method: str, home: "ModuleType") -> "list[list[str]]":
    """Return docstrings with directives in them, and the files in which they stand."""
    function = getattr(cls, method)
    code = getattr(function, "__code__", None)
    file = getattr(home, "__file__", None) or ""
    found = [
        (cls.__dict__.get("__doc__"), file),
        (getattr(function, "__doc__", None), code.co_filename if code is not None else file),
    ]
    return [
        [text, where]
        for text, where in found
        if isinstance(text, str) and any(marker in text for marker in _MARKERS)
    ]


def _reason(error: BaseException) -> str:
    """Return class and first line of an exception, and the last line of the tests it came from."""
    lines = str(error).strip().splitlines()
    text = type(error).__name__ + (": " + lines[0] if lines else "")
    if isinstance(error, SyntaxError):
        return text
    place = ""
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name != __file__ and "importlib" not in name and not name.startswith(_UNITTEST):
            place = " (%s:%d)" % (name, trace.tb_lineno)
        trace = trace.tb_next
    return text + place


if __name__ == "__main__":
    main(sys.argv[1:])
