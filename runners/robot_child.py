"""Runs Robot Framework in the interpreter of the user's choice, and reports what became of it.

It is Robot's own command that runs, with the options of ``ROBOT_OPTIONS`` and of the Runnable; a
listener hears how the tests ended. Asked to ``collect``, it goes the same way and stops where the
first test would start. Not responsible for processes, timeouts and output files.
Portable: runs on Python 3.8 with the standard library and Robot Framework 4 or newer.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from types import SimpleNamespace

from nrunner.runners import stack
from nrunner.runners.unittest_child import report, vanish
from nrunner.runners.unittest_result import reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Optional

    Spec = Mapping[str, Any]

__all__ = ["conclude", "load", "main", "robot"]

_KEPT = 10
"""How many failed tests of a suite are named; the others are counted."""
_BAD_DATA = 252
"""Robot's exit status where data or options are wrong."""
_REASONS = {
    _BAD_DATA: "Robot Framework takes no such options; stderr says which",
    253: "stopped from within, as by a user: SystemExit or KeyboardInterrupt",
}
"""What some exit statuses of Robot mean."""
_INITS = ("__init__.robot", "__init__.robot.rst", "__init__.robot.md", "__init__.rbt")
_QUIET = (
    *("--console", "quiet", "--consolecolors", "off"),
    *("--log", "NONE", "--report", "NONE"),
)


def main(argv: list[str]) -> int:
    """Do what the JSON argument describes, and write what came of it; return the exit status.

    To run: ``uri``, ``base_dir``, ``output_dir``, ``options``, ``report`` and ``quiet``. To
    collect: ``collect`` (paths), ``base_dir`` and ``answer``, the file to be written.
    """
    text = argv[0]
    if text[:1] == "@":
        with open(text[1:], encoding="utf-8") as file:
            text = file.read()
    spec = json.loads(text)
    vanish()
    load(spec)
    if "collect" in spec:
        return _collect(spec)
    stack.arm()
    stack.answer_at(spec["report"])
    return conclude(spec)


def load(spec: Spec) -> None:
    """Go where the test belongs."""
    os.chdir(spec["base_dir"])
    sys.path.insert(0, spec["base_dir"])  # as with python -m robot
    sys.argv = ["robot"]


def conclude(spec: Spec, loaded: None = None) -> int:
    """Run the test and write the report; return the exit status."""
    pid = os.getpid()
    return report(spec, _run(spec), pid)


def robot(module: str, name: str) -> Any:
    """Return something of Robot Framework; raise ImportError or AttributeError."""
    return getattr(importlib.import_module("robot." + module), name)


def _application(spec: Spec) -> Any:
    """Return Robot's command as a class; raise ImportError where there is no Robot."""
    data_error: Any = robot("errors", "DataError")
    framework: Any = robot("run", "RobotFramework")

    class Command(framework):  # type: ignore[misc]  # Robot need not be here
        listener: Any = None
        only = ""
        problem = ""

        def main(self, datasources: Any, **options: Any) -> Any:
            if self.listener is not None:
                options["listener"] = [*(options.get("listener") or ()), self.listener]
            if self.only:
                chooser = _chooser(self.only)
                options["prerunmodifier"] = [chooser, *(options.get("prerunmodifier") or ())]
            try:
                return super().main(datasources, **options)
            except data_error as error:
                self.problem = str(error)
                raise

    return Command


def _absent(error: ImportError) -> str:
    return f"there is no Robot Framework for {sys.executable}: {error}"


def _source(made: Any, path: str, base_dir: str) -> list[str]:
    """Return the words that have Robot's command take one file, within the suites above it."""
    top = _top(path, base_dir)
    if not top:
        return [path]
    found = re.match(r"(\d+)\.(\d+)", robot("version", "VERSION"))
    if found is not None and (int(found[1]), int(found[2])) >= (6, 1):
        return ["--parseinclude", os.path.abspath(path), top]
    made.only = os.path.abspath(path)
    return [top]


def _top(path: str, base_dir: str) -> str:
    """Return the topmost folder with an ``__init__.robot`` above a file, not above `base_dir`."""
    folder = os.path.dirname(os.path.abspath(path))
    base_dir = os.path.abspath(base_dir)
    top = ""
    while True:
        if any(os.path.isfile(os.path.join(folder, name)) for name in _INITS):
            top = folder
        elif not (folder + "/").startswith(base_dir + "/"):
            break  # elsewhere only an unbroken row of them counts
        if folder in (base_dir, "/"):
            break
        folder = os.path.dirname(folder)
    return top


def _chooser(path: str) -> Any:
    """Return what takes all suites out but those that lead to a file: Robot before 6.1 cannot."""
    visitor: Any = robot("api", "SuiteVisitor")

    class Chooser(visitor):  # type: ignore[misc]  # Robot need not be here
        def start_suite(self, suite: Any) -> None:
            suite.suites = [each for each in suite.suites if _leads_to(str(each.source), path)]

    return Chooser()


def _leads_to(source: str, path: str) -> bool:
    source = os.path.abspath(source)
    return path == source or path.startswith(source + "/")


def _split(uri: str, base_dir: str) -> tuple[str, str]:
    """Split ``path:Suite.Test`` behind the first part that is a file."""
    for found in re.finditer(":|$", uri):
        path = uri[: found.start()]
        if os.path.isfile(os.path.join(base_dir, path)):
            return path, uri[found.end() :]
    return uri.partition(":")[0], uri.partition(":")[2]


# Collecting


def _collect(spec: Spec) -> int:
    answer: dict[str, Any] = {}
    seen: list[Any] = []
    try:
        robot("running", "TestSuite").run = lambda suite, *_, **__: _unrun(suite, seen)
        command = _application(spec)
        for path in spec["collect"]:
            answer[path] = _tests_of(command(), path, spec["base_dir"], seen)
    except ImportError as error:
        answer = {"": {"problem": _absent(error)}}
    with open(spec["answer"], "w", encoding="ascii") as file:
        json.dump(answer, file)
    return 0


def _unrun(suite: Any, seen: list[Any]) -> Any:
    """Take down a suite that would be run now; return what Robot takes for its result."""
    seen.append(suite)
    return SimpleNamespace(suite=SimpleNamespace(stat_message=""), return_code=0)


def _tests_of(command: Any, path: str, base_dir: str, seen: list[Any]) -> dict[str, Any]:
    words = [*_QUIET, "--output", "NONE", "--xunit", "NONE", *_source(command, path, base_dir)]
    seen.clear()
    try:
        command.execute_cli(words, exit=False)
    except SystemExit:
        return {"problem": "Robot Framework refuses the options in ROBOT_OPTIONS"}
    if seen:
        return {"tests": [_described(test) for test in _tests(seen[0])]}
    return {"problem": command.problem or "Robot Framework cannot read it"}


def _tests(suite: Any) -> Iterator[Any]:
    yield from suite.tests
    for inner in suite.suites:
        yield from _tests(inner)


def _described(test: Any) -> dict[str, Any]:
    tags = [str(tag) for tag in test.tags]
    suite = test.parent.name
    return {"suite": suite, "name": test.name, "tags": tags, "doc": test.doc, "line": test.lineno}


# Running


class _Listener:
    """Hears how tests ended, and prints what is worth it."""

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self, quiet: bool) -> None:
        self.ended: Optional[list[Any]] = None
        """The results of all tests, once the outermost suite is over: it may yet change them."""
        self._quiet = quiet

    def end_suite(self, data: Any, result: Any) -> None:
        if result.parent is not None:
            return
        self.ended = list(_tests(result))
        for test in self.ended:
            if not (self._quiet and test.status == "PASS"):
                message = f"\n{test.message}" if test.message else ""
                _say(f"{test.parent.name}.{test.name} | {test.status} |{message}\n")


def _say(text: str) -> None:
    # Its own encoding may not know all characters.
    stream = sys.__stdout__
    if stream is not None:
        stream.flush()
        stream.buffer.write(text.encode("utf-8", "backslashreplace"))
        stream.flush()


def _run(spec: Spec) -> dict[str, Any]:
    path, name = _split(spec["uri"], spec["base_dir"])
    if not os.path.isfile(path):
        return {"result": "error", "fail_reason": f"no such file: {path}", "malformed": True}
    try:
        made = _application(spec)()
    except ImportError as error:
        return {"result": "error", "fail_reason": _absent(error), "malformed": True}
    made.listener = _Listener(spec.get("quiet", False))
    words = [*_QUIET, "--outputdir", spec["output_dir"], *spec["options"]]
    for pattern in _patterns(name):
        words += ["--test", pattern]
    status = 0
    try:
        status = made.execute_cli([*words, *_source(made, path, spec["base_dir"])], exit=False)
    except SystemExit:
        status = _BAD_DATA
    except Exception as error:
        made.problem = reason_of(error)
    if made.listener.ended is None:
        reason = made.problem or _REASONS.get(status, "Robot Framework failed; stderr says why")
        return {"result": "error", "fail_reason": reason, "malformed": status == _BAD_DATA}
    return _outcome(made.listener.ended, bool(name))


def _patterns(name: str) -> list[str]:
    if not name:
        return []
    # What Robot takes for wildcards stands for itself.
    plain = re.sub(r"([*?\[])", r"[\1]", name)
    return [plain, "*." + plain]


def _outcome(tests: list[Any], is_one: bool) -> dict[str, Any]:
    """Return how some tests ended: one, or all of a suite."""
    failed = [test for test in tests if test.status == "FAIL"]
    skipped = [test for test in tests if test.status == "SKIP"]
    result = "fail" if failed else "skip" if len(skipped) == len(tests) else "pass"
    outcome: dict[str, Any] = {"result": result}
    if tests:
        outcome["class_name"] = tests[0].parent.name
    else:
        outcome["fail_reason"] = "no test is left of it: a listener or library took them out"
    if is_one and len(tests) == 1:
        outcome["fail_reason"] = re.sub(r"\s*\n\s*", " ", tests[0].message) or None
    elif failed:
        names = ", ".join(test.name for test in failed[:_KEPT])
        more = f" and {len(failed) - _KEPT} more" if len(failed) > _KEPT else ""
        outcome["fail_reason"] = f"{len(failed)} of {len(tests)} tests failed: {names}{more}"
    elif skipped:
        outcome["fail_reason"] = f"{len(skipped)} of {len(tests)} tests skipped"
    return outcome
