"""Runs unittest in the interpreter of the user's choice, and reports what became of it.

Started as a file or from the agent's zipapp, it leaves no trace of nrunner in ``sys.modules`` and
``sys.path``: tests see what ``python -m unittest`` would show them. Everything it needs is
imported before the first line of a test runs. It imports nothing of nrunner and returns outcomes
as JSON objects (see ``Outcome`` in ``nrunner.runners.base``).
Not responsible for processes, timeouts and output files.
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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType, TracebackType
    from typing import Any, Optional, Union

    Loaded = tuple[Optional[ModuleType], str]
    """A module and the names in it; without a module, a dotted name for unittest to take apart."""
    Problem = tuple[str, str, str, str]
    ExcInfo = Union[
        tuple[type[BaseException], BaseException, TracebackType], tuple[None, None, None]
    ]

__all__ = ["conclude", "found_in", "load", "main", "run_test", "vanish", "warm_up"]

_KEPT = 10
"""How many problems are told in detail; the others are counted."""

_TEXT_LIMIT = 32 * 1024

_WARM = 16
"""After so many rounds CPython has adapted its code to what passes through it."""


def main(argv: list[str]) -> int:
    """Run what the JSON argument describes and write the report; return the exit status.

    The argument is an object (see `run_test`) with the further key ``report``: the path of the
    file to write; or ``@`` and the path of a file that holds such an object.
    """
    text = argv[0]
    if text[:1] == "@":
        with open(text[1:], encoding="utf-8") as file:
            text = file.read()
    spec = json.loads(text)
    vanish()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what was printed survives a timeout
    return conclude(spec, load(spec))


def run_test(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Run one test, or all of a module, in this process and return the outcome.

    `spec` holds ``base_dir``, ``uri`` and, where they say something, ``module``, ``top``,
    ``exclude`` and ``quiet`` (print nothing about a test that passes). Only the process's death
    keeps this from returning.
    """
    return _outcome(spec, load(spec))


def load(spec: Mapping[str, Any]) -> Union[Loaded, dict[str, Any]]:
    """Go where the test belongs and import its module; return that, or how it ended."""
    sys.argv = ["python -m unittest", spec["uri"]]
    try:
        os.chdir(spec["base_dir"])
        return _find(spec)
    except BaseException as error:
        return _outcome_of(error, _Stream())


def found_in(module: ModuleType, spec: Mapping[str, Any]) -> Loaded:
    """Return what `load` would, of a module that is imported already."""
    sys.argv = ["python -m unittest", spec["uri"]]
    return module, _split(spec["uri"])[1]


def warm_up() -> None:
    """Go through what each test goes through, before there are tests.

    What an interpreter does only the first few times is then done, and no fork has to.
    """

    class Nothing(unittest.TestCase):
        def test(self) -> None:
            pass

    for _ in range(_WARM):
        result = _run_quietly(unittest.TestSuite([Nothing("test")]), _Stream())
        json.dumps(_single_outcome(result, "Nothing", False))


def conclude(spec: Mapping[str, Any], loaded: Union[Loaded, dict[str, Any]]) -> int:
    """Run what was loaded and write the report; return the exit status."""
    pid = os.getpid()
    outcome = _outcome(spec, loaded)
    if os.getpid() != pid:
        os._exit(1)  # a fork that a test let escape has nothing to report
    _write_report(spec["report"], json.dumps(outcome).encode("ascii") + b"\n")
    _flush()
    return 0 if outcome["result"] in ("pass", "skip") else 1


def _outcome(spec: Mapping[str, Any], loaded: Union[Loaded, dict[str, Any]]) -> dict[str, Any]:
    if isinstance(loaded, dict):
        return loaded
    stream = _Stream()
    try:
        return _run(*loaded, spec, stream)
    except BaseException as error:
        return _outcome_of(error, stream)


def _outcome_of(error: BaseException, stream: _Stream) -> dict[str, Any]:
    if isinstance(error, unittest.SkipTest):
        return {"result": "skip", "fail_reason": str(error)}
    if isinstance(error, _Malformed):
        return {"result": "error", "fail_reason": str(error), "malformed": True}
    text = _traceback(error)
    stream.write(text)
    stream.flush()
    return {
        "result": "error",
        "fail_reason": _reason(error),
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
    _put_first(base_dir)
    if module:
        _put_first(os.path.join(base_dir, spec.get("top") or ""))
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
    _put_first(top)
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


def _put_first(folder: str) -> None:
    folder = os.path.abspath(folder)
    if sys.path[:1] != [folder]:
        sys.path.insert(0, folder)


# Running


def _run(
    module: Optional[ModuleType], names: str, spec: Mapping[str, Any], stream: _Stream
) -> dict[str, Any]:
    run = _run_quietly if spec.get("quiet") else _run_aloud
    test = _method(module, names)
    if test is not None:
        result = run(unittest.TestSuite([test]), stream)
        return _single_outcome(result, type(test).__qualname__, False)
    loader = unittest.TestLoader()
    if names:
        suite = loader.loadTestsFromName(names, module)
    else:
        assert module is not None
        suite = loader.loadTestsFromModule(module)
    missing = bool(names and loader.errors)
    before = suite.countTestCases()
    if spec.get("exclude") and module is not None:
        suite = _without(suite, frozenset(spec["exclude"]), module)
    count = suite.countTestCases()
    if count == 1 and before == 1:
        # A suite lets go of its tests as it runs them.
        class_name = next(type(test).__qualname__ for test in _tests(suite))
        return _single_outcome(run(suite, stream), class_name, missing)
    result = _run_aloud(unittest.TestSuite([suite]), stream, 2)
    return _whole_outcome(result, before - count)


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


def _run_quietly(suite: unittest.TestSuite, stream: _Stream) -> _Result:
    """Run one test as unittest's runner does, but say nothing unless it is in trouble.

    Most tests run here, in a process forked for it, where each line of Python that is run first
    costs copies of the pages of memory that it touches.
    """
    result = _Result(stream, True, 0)
    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("default")
        suite.run(result)
    if not result.wasSuccessful():
        result.printErrors()
    return result


def _run_aloud(suite: unittest.TestSuite, stream: _Stream, verbosity: int = 0) -> _Result:
    # mypy knows only typing.TextIO here; unittest asks for write and flush.
    runner: Any = unittest.TextTestRunner
    result: _Result = runner(
        stream=stream,
        verbosity=verbosity,
        resultclass=_Result,
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


class _Result(unittest.TextTestResult):
    """Keeps, beside what unittest keeps, the first problems in the form of a report."""

    def __init__(self, stream: Any, descriptions: bool, verbosity: int, **rest: Any) -> None:
        super().__init__(stream, descriptions, verbosity, **rest)
        self.passed = 0
        self.any_passed = False
        self.problems: list[Problem] = []

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        super().addSuccess(test)
        self.passed += 1
        self.any_passed = True

    def addExpectedFailure(self, test: unittest.TestCase, err: ExcInfo) -> None:  # noqa: N802
        super().addExpectedFailure(test, err)
        self.passed += 1
        self.any_passed = True

    def addError(self, test: unittest.TestCase, err: ExcInfo) -> None:  # noqa: N802
        super().addError(test, err)
        self._keep(test, err, self.errors[-1][1])

    def addFailure(self, test: unittest.TestCase, err: ExcInfo) -> None:  # noqa: N802
        super().addFailure(test, err)
        self._keep(test, err, self.failures[-1][1])

    def addSubTest(  # noqa: N802
        self, test: unittest.TestCase, subtest: unittest.TestCase, err: Optional[ExcInfo]
    ) -> None:
        before = len(self.failures)
        super().addSubTest(test, subtest, err)
        if err is None:
            self.any_passed = True
        else:
            kept = self.failures if len(self.failures) > before else self.errors
            self._keep(test, err, kept[-1][1], subtest.id()[len(test.id()) :])

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        super().addUnexpectedSuccess(test)
        if len(self.problems) < _KEPT:
            self.problems.append((_short_id(test), "unexpected success", "", ""))

    def _keep(self, test: unittest.TestCase, err: ExcInfo, text: str, which: str = "") -> None:
        if len(self.problems) < _KEPT and err[1] is not None:
            reason = _reason(err[1]) + which
            self.problems.append((_short_id(test), reason, type(err[1]).__name__, text))


class _Stream:
    """Where unittest's text report goes: standard output, as long as that is still ours.

    A test may close or replace it; what then has its number must not get our text.
    """

    def __init__(self) -> None:
        self._text: list[str] = []
        self._file = _identity(1)

    def write(self, text: str) -> None:
        self._text.append(text)
        if text.endswith("\n"):
            self.flush()

    def writeln(self, text: str = "") -> None:
        self.write(text + "\n")

    def flush(self) -> None:
        data, self._text = "".join(self._text).encode("utf-8", "replace"), []
        _flush()
        if data and self._file is not None and _identity(1) == self._file:
            try:
                while data:
                    data = data[os.write(1, data) :]
            except OSError:
                self._file = None


def _identity(number: int) -> Optional[tuple[int, int]]:
    try:
        status = os.fstat(number)
    except OSError:
        return None
    return status.st_dev, status.st_ino


# Words for people


def _single_outcome(result: _Result, class_name: str, missing: bool) -> dict[str, Any]:
    outcome: dict[str, Any] = {"result": _word(result)}
    reasons = [problem[1] for problem in result.problems]
    if outcome["result"] == "skip":
        reasons = [reason for _, reason in result.skipped if reason]
    if reasons:
        outcome["fail_reason"] = "; ".join(reasons)
    if missing:
        outcome["malformed"] = True
    else:
        outcome["class_name"] = class_name
    return {**outcome, **_details(result)}


def _whole_outcome(result: _Result, left_out: int) -> dict[str, Any]:
    if not (result.testsRun or result.errors or result.skipped):
        if left_out:
            return {"result": "skip", "fail_reason": "all its tests have tasks of their own"}
        return {"result": "error", "fail_reason": "no tests found"}
    reason = _counts(result)
    if result.problems:
        reason += ": " + "; ".join(f"{test}: {why}" for test, why, _, _ in result.problems)
    return {"result": _word(result), "fail_reason": reason, **_details(result)}


def _word(result: _Result) -> str:
    if result.failures or result.unexpectedSuccesses:
        return "fail"
    if result.errors:
        return "error"
    return "skip" if result.skipped and not result.any_passed else "pass"


def _counts(result: _Result) -> str:
    counts = {
        "passed": result.passed,
        "failed": len(result.failures) + len(result.unexpectedSuccesses),
        "error" if len(result.errors) == 1 else "errors": len(result.errors),
        "skipped": len(result.skipped),
    }
    said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"{result.testsRun} test{'' if result.testsRun == 1 else 's'}: {said}"


def _details(result: _Result) -> dict[str, Any]:
    texts = [text for _, _, _, text in result.problems if text]
    details: dict[str, Any] = {}
    if texts:
        details["traceback"] = "\n".join(texts)[:_TEXT_LIMIT]
    if result.problems and result.problems[0][2]:
        details["fail_class"] = result.problems[0][2]
    return details


def _tests(suite: Any) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from _tests(test)
        else:
            yield test


def _short_id(test: unittest.TestCase) -> str:
    name = test.id()
    module = type(test).__module__ + "."
    return name[len(module) :] if name.startswith(module) else name


def _reason(error: BaseException) -> str:
    """Return class and first line of an exception that may refuse to be printed."""
    cls = type(error)
    name = cls.__qualname__
    if cls.__module__ not in ("builtins", "__main__"):
        name = f"{cls.__module__}.{name}"
    try:
        text = str(error).strip()
    except Exception:
        text = "(its text cannot be read)"
    return f"{name}: {text.splitlines()[0]}" if text else name


def _traceback(error: BaseException) -> str:
    """Return the traceback without the frames of this file and of the import system."""
    import traceback

    trace = error.__traceback__
    while trace is not None and _is_ours(trace):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))[-_TEXT_LIMIT:]


def _is_ours(trace: TracebackType) -> bool:
    name = trace.tb_frame.f_code.co_filename
    return name == _is_ours.__code__.co_filename or "importlib" in name


# The process


def vanish() -> None:
    """Take what was needed to start this out of sight of the tests."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    mine = {os.path.dirname(os.path.abspath(__file__))}
    if __name__ != "__main__":
        mine.add(os.path.abspath(root))
        for name in [each for each in sys.modules if each.split(".")[0] == "nrunner"]:
            del sys.modules[name]
    for place in mine:
        sys.path_importer_cache.pop(place, None)
    sys.path[:] = sys.path[:1] and [
        each for number, each in enumerate(sys.path) if number or os.path.abspath(each) not in mine
    ]


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


def _flush() -> None:
    """Flush the standard streams; let go of one that cannot be, or the exit status suffers."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name, None)
        try:
            if stream is not None:
                stream.flush()
        except Exception:
            setattr(sys, name, None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
