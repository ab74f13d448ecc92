"""Runs unittest in the interpreter of the user's choice, and reports what became of it.

It leaves no trace of nrunner in ``sys.modules`` and ``sys.path``: tests see what ``python -m
unittest`` would show them. Everything it needs is imported before the first line of a test runs,
and that is little. Not responsible for processes, timeouts and output files, nor for the words of
a report (``nrunner.runners.unittest_result``).
Portable: runs on Python 3.7 with the standard library alone.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
import unittest
import warnings

from nrunner.runners import stack
from nrunner.runners.unittest_prepared import Prepared, Workshop
from nrunner.runners.unittest_result import (
    QuietResult,
    Result,
    Stream,
    flush,
    readable,
    reason_of,
    single_outcome,
    traceback_of,
    whole_outcome,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType
    from typing import Any, Optional, Union

    Loaded = tuple[Optional[ModuleType], str]
    """A module and the names in it; without a module, a dotted name for unittest to take apart."""

__all__ = [
    "begin",
    "conclude",
    "load",
    "main",
    "outcome_of",
    "outcome_of_error",
    "prepare",
    "put_first",
    "report",
    "run_test",
    "show_warnings",
    "tests_in",
    "vanish",
    "warm_up",
]

_WARM = 16
"""After so many rounds CPython has adapted its code to what passes through it."""


def main(argv: list[str]) -> int:
    """Run what the JSON argument describes and write the report; return the exit status.

    The argument is an object (see `run_test`) with the further key ``report``: the path of the
    file to write; or ``@`` and the path of a file that holds such an object.
    """
    spec = begin(argv[0])
    return conclude(spec, load(spec))


def begin(argument: str) -> dict[str, Any]:
    """Make this process one of tests; return what the argument says of the one to run."""
    if argument[:1] == "@":
        with open(argument[1:], encoding="utf-8") as file:
            argument = file.read()
    spec: dict[str, Any] = json.loads(argument)
    vanish()
    stack.arm()
    stack.answer_at(spec["report"])
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what was printed survives a timeout
    return spec


def run_test(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Run one test, or all of a module, in this process and return the outcome.

    `spec` holds ``base_dir``, ``uri`` and, where they say something, ``module``, ``top``,
    ``exclude`` and ``quiet`` (print nothing about a test that passes). Only the process's death
    keeps this from returning.
    """
    return outcome_of(spec, load(spec))


def load(spec: Mapping[str, Any]) -> Union[Loaded, dict[str, Any]]:
    """Go where the test belongs and import its module; return that, or how it ended."""
    sys.argv = ["python -m unittest", spec["uri"]]
    try:
        os.chdir(spec["base_dir"])
        return _find(spec)
    except BaseException as error:
        return outcome_of_error(error, Stream())


def prepare(spec: Mapping[str, Any], workshop: Workshop, output: int) -> Union[Prepared, Loaded]:
    """Do beforehand, for a fork, what is possible without any line of the tests being run.

    `output` is the file that will be its standard output.
    """
    sys.argv = ["python -m unittest", spec["uri"]]
    names = _split(spec["uri"])[1]
    prepared = workshop.make(names, output) if spec.get("quiet") else None
    if prepared is None:
        return workshop.module, names
    if not workshop.shows_warnings:
        show_warnings()
        workshop.shows_warnings = True
    return prepared


def warm_up() -> None:
    """Go through what each test goes through, before there are tests.

    What an interpreter does only the first few times is then done, and no fork has to.
    """

    class Nothing(unittest.TestCase):
        def test(self) -> None:
            pass

    Nothing.__module__ = unittest.__name__  # one that can be found, and has no fixtures
    module = type(unittest)("nothing")
    vars(module)["Nothing"] = Nothing
    for _ in range(_WARM):
        prepared = Workshop(module).make("Nothing.test", 1)
        assert prepared is not None
        prepared.run()


def conclude(spec: Mapping[str, Any], loaded: Union[Prepared, Loaded, dict[str, Any]]) -> int:
    """Run what was loaded and write the report; return the exit status."""
    pid = os.getpid()
    outcome = outcome_of(spec, loaded)
    if isinstance(loaded, Prepared) and outcome is loaded.passed:
        return report(spec, outcome, pid, loaded.report)
    return report(spec, outcome, pid)


def report(spec: Mapping[str, Any], outcome: dict[str, Any], pid: int, encoded: bytes = b"") -> int:
    """Write the outcome of a test that began in process `pid`; return the exit status."""
    if os.getpid() != pid:
        os._exit(1)  # a fork that a test let escape has nothing to report
    _write_report(spec["report"], encoded or json.dumps(outcome).encode("ascii") + b"\n")
    flush()
    return 0 if outcome["result"] in ("pass", "skip", "warn") else 1


def outcome_of(
    spec: Mapping[str, Any], loaded: Union[Prepared, Loaded, dict[str, Any]]
) -> dict[str, Any]:
    """Run what was loaded; return how it ended."""
    if isinstance(loaded, dict):
        return loaded
    stream = loaded.stream if isinstance(loaded, Prepared) else Stream()
    try:
        if isinstance(loaded, Prepared):
            return loaded.run()
        return _run(*loaded, spec, stream)
    except BaseException as error:
        return outcome_of_error(error, stream)


def outcome_of_error(error: BaseException, stream: Stream) -> dict[str, Any]:
    """Return how a test ended that let an exception escape."""
    if isinstance(error, unittest.SkipTest):
        return {"result": "skip", "fail_reason": readable(error)}
    if isinstance(error, _Malformed):
        return {"result": "error", "fail_reason": str(error), "malformed": True}
    text = traceback_of(error)
    stream.write(text)
    stream.flush()
    return {
        "result": "error",
        "fail_reason": reason_of(error),
        "fail_class": type(error).__name__,
        "traceback": text,
    }


class _Malformed(Exception):
    """What was asked for can never be run."""


# Finding the module


def _find(spec: Mapping[str, Any]) -> Loaded:
    """Import the module that the uri names; return it and the names inside it.

    Without a module the names are dotted ones, for unittest to take apart.
    """
    base_dir, uri = spec["base_dir"], spec["uri"]
    place, names = _split(uri)
    module = spec.get("module")
    put_first(base_dir)
    if module:
        put_first(os.path.join(base_dir, spec.get("top") or ""))
        return importlib.import_module(module), names
    if place.endswith(".py"):
        top = spec.get("top")
        path = os.path.abspath(os.path.join(base_dir, place))
        return _import_file(path, os.path.join(base_dir, top) if top else base_dir), names
    if ":" in uri:
        return importlib.import_module(place), names
    return None, place


def _split(uri: str) -> tuple[str, str]:
    """Split ``path.py:Class.test``, ``path.py``, ``package.module:Class`` or a dotted name."""
    if uri.endswith(".py"):
        return uri, ""
    place, _, names = uri.rpartition(":")
    return (place, names) if place else (names, "")


def _import_file(path: str, top: str) -> ModuleType:
    if not os.path.isfile(path):
        raise _Malformed(f"no such file: {path}")
    name = _dotted(path, os.path.abspath(top))
    if name is None:
        top = _package_root(path)
        name = _dotted(path, top)
    if name is None:
        return _import_alone(path)
    put_first(top)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not error.name or not (name + ".").startswith(error.name + "."):
            raise
        return _import_alone(path)
    # A package of the same name elsewhere (the standard library's "test", say) hides a folder.
    found = getattr(module, "__file__", None)
    return (
        module
        if found and os.path.realpath(found) == os.path.realpath(path)
        else (_import_alone(path))
    )


def _dotted(path: str, top: str) -> Optional[str]:
    """Return the module name of a file below `top`, or None where it cannot have one."""
    inside = os.path.relpath(path, top)
    parts = inside[:-3].split(os.sep)
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts) if all(part.isidentifier() for part in parts) else None


def _package_root(path: str) -> str:
    folder = os.path.dirname(path)
    while os.path.isfile(os.path.join(folder, "__init__.py")) and folder != "/":
        folder = os.path.dirname(folder)
    return folder


def _import_alone(path: str) -> ModuleType:
    """Import a file that no module name leads to, as ``python FILE`` would see it."""
    import importlib.util  # brings typing along on old interpreters, so only where it is needed

    sys.path.insert(1, os.path.dirname(path))
    name = os.path.basename(path)[:-3]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise _Malformed(f"not a Python file: {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def put_first(folder: str) -> None:
    """Have modules looked for in a folder before any other."""
    folder = os.path.abspath(folder)
    if sys.path[:1] != [folder]:
        sys.path.insert(0, folder)


# Running


def _run(
    module: Optional[ModuleType], names: str, spec: Mapping[str, Any], stream: Stream
) -> dict[str, Any]:
    run = _run_quietly if spec.get("quiet") else _run_aloud
    test = _method(module, names)
    if test is not None:
        result = run(unittest.TestSuite([test]), stream)
        return single_outcome(result, type(test).__qualname__, False)
    suite, missing = _load_suite(module, names)
    before = suite.countTestCases()
    if spec.get("exclude") and module is not None:
        suite = _without(suite, frozenset(spec["exclude"]), module)
    count = suite.countTestCases()
    if count == 1 and before == 1:
        # A suite lets go of its tests as it runs them.
        class_name = next(type(test).__qualname__ for test in _tests(suite))
        return single_outcome(run(suite, stream), class_name, missing)
    result = _run_aloud(unittest.TestSuite([suite]), stream, 2)
    return whole_outcome(result, before - count)


def _load_suite(module: Optional[ModuleType], names: str) -> tuple[unittest.TestSuite, bool]:
    """Return what unittest finds, and whether there is nothing of that name."""
    loader = unittest.TestLoader()
    if names:
        suite = loader.loadTestsFromName(names, module)
    else:
        assert module is not None
        suite = loader.loadTestsFromModule(module)
    return suite, bool(names and loader.errors)


def tests_in(module: ModuleType, names: str) -> tuple[list[unittest.TestCase], bool]:
    """Return the tests of ``Class.method`` and the like, and whether there is no such thing."""
    test = _method(module, names)
    if test is not None:
        return [test], False
    suite, missing = _load_suite(module, names)
    return list(_tests(suite)), missing


def _method(module: Optional[ModuleType], names: str) -> Optional[unittest.TestCase]:
    """Return the test of ``Class.method``; None where that is for unittest to find out."""
    class_name, _, name = names.partition(".")
    cls = getattr(module, class_name, None)
    if not (isinstance(cls, type) and issubclass(cls, unittest.TestCase)):
        return None
    if type(getattr(cls, name, None)) is not type(_method):
        return None
    test = cls(name)
    # A static method is a function that makes a test.
    return None if type(getattr(test, name)) is type(_method) else test


def _run_quietly(suite: unittest.TestSuite, stream: Stream) -> Result:
    """Run one test as unittest's runner does, but say nothing unless it is in trouble."""
    result = QuietResult(stream)
    with warnings.catch_warnings():
        show_warnings()
        _run_suite(suite, result)
    return result


def _run_suite(suite: unittest.TestSuite, result: Result) -> None:
    suite.run(result)
    if not result.wasSuccessful():
        result.printErrors()


def show_warnings() -> None:
    """Have warnings shown as unittest shows them, unless the user said how."""
    if not sys.warnoptions:
        warnings.simplefilter("default")


def _run_aloud(suite: unittest.TestSuite, stream: Stream, verbosity: int = 0) -> Result:
    # mypy knows only typing.TextIO here; unittest asks for write and flush.
    runner: Any = unittest.TextTestRunner
    result: Result = runner(
        stream=stream,
        verbosity=verbosity,
        resultclass=Result,
        warnings=None if sys.warnoptions else "default",
    ).run(suite)
    return result


def _without(
    suite: unittest.TestSuite, exclude: frozenset[str], module: ModuleType
) -> unittest.TestSuite:
    """Return the suite without the tests that have tasks of their own."""
    kept = unittest.TestSuite()
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            kept.addTest(_without(test, exclude, module))
        elif not exclude.intersection(_ids(test, module)):
            kept.addTest(test)
    return kept


def _ids(test: unittest.TestCase, module: ModuleType) -> Iterator[str]:
    name = test.id()
    yield name
    cls = type(test)
    if cls.__module__ == module.__name__ or getattr(module, cls.__name__, None) is cls:
        yield f"{cls.__qualname__}.{name.rpartition('.')[2]}"


def _tests(suite: Any) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from _tests(test)
        else:
            yield test


# The process


def vanish() -> None:
    """Take what was needed to start this out of sight of the tests."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    for name in [each for each in sys.modules if each.split(".")[0] == "nrunner"]:
        del sys.modules[name]
    package = os.path.join(root, "nrunner")
    for place in list(sys.path_importer_cache):
        if place == root or place.startswith(package):
            del sys.path_importer_cache[place]
    if sys.path and os.path.abspath(sys.path[0]) == root:
        del sys.path[0]


def _write_report(path: str, data: bytes) -> None:
    """Write it into the file that waits for it, or, where a test removed that, into a new one."""
    try:
        number = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)
        is_ours = os.pread(number, 1, 0) == b"\n"
        if is_ours:
            os.pwrite(number, data, 0)
        os.close(number)
    except OSError:
        is_ours = False
    if not is_ours:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "wb") as file:
            file.write(data)
        os.replace(path + ".new", path)
