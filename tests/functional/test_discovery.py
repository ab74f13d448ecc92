"""Discovery against unittest's own loader, in real interpreters."""

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from nrunner.resolver.base import Answer, Context, Resolution
from nrunner.resolver.engine import resolve
from nrunner.resolver.python_unittest import PythonUnittestResolver
from nrunner.resolver.registry import load_resolvers
from nrunner.runnable import Runnable
from nrunner.runners.self_command import self_command

FIXTURES = Path(__file__).parent.parent / "fixtures" / "discovery"
MODULES = ("test_json", "test_textwrap", "test_dict")

LIST = """
import sys, unittest
def flat(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flat(test)
        else:
            yield test
for test in flat(unittest.TestLoader().loadTestsFromName(sys.argv[1])):
    print(type(test).__name__, test.id())
"""


def _resolve(base_dir: Path, reference: str, **rest: Any) -> Resolution:
    context = Context(base_dir, python=sys.executable, **rest)
    [resolution] = resolve([reference], load_resolvers(path=[])[0], context)
    return resolution


def _write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return name


@pytest.fixture(scope="module")
def python() -> str:
    """An interpreter that has Python's own tests."""
    code = "import importlib.util as u; " + "; ".join(
        f"assert u.find_spec('test.{name}')" for name in MODULES
    )
    candidates = ["/usr/bin/python3.11", sys.executable, "python3"]
    for candidate in candidates:
        try:
            done = subprocess.run([candidate, "-c", code], capture_output=True, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return candidate
    pytest.fail(
        f"none of {', '.join(candidates)} has Python's own tests: "
        "install them (on Debian, libpython3.11-testsuite)"
    )


def _listed(python: str, name: str) -> list[tuple[str, str]]:
    done = subprocess.run(
        [python, "-c", LIST, name], capture_output=True, text=True, check=True, cwd="/"
    )
    return [(line.split(" ")[0], line.split(" ")[1]) for line in done.stdout.splitlines()]


def _ids(runnables: tuple[Runnable, ...], home: str) -> list[str]:
    """Return unittest's ids of Runnables that are one test each."""
    found = []
    for runnable in runnables:
        place, _, name = str(runnable.uri).rpartition(":")
        if place:
            module = place.removesuffix(".py").removeprefix(home).strip("/").replace("/", ".")
            found.append(f"{module}.{name}")
    return found


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("by_file", [False, True])
def test_pythons_own_tests_are_found_as_unittest_finds_them(
    tmp_path: Path, python: str, name: str, by_file: bool
) -> None:
    home = subprocess.run(
        [python, "-c", "import os; print(os.path.dirname(os.__file__))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    reference = f"test.{name}"
    if by_file:
        path = Path(home, "test", f"{name}.py")
        reference = str(path if path.exists() else Path(home, "test", name, "__init__.py"))
    [resolution] = resolve(
        [reference], [PythonUnittestResolver()], Context(tmp_path, python=python)
    )
    assert resolution.answer is Answer.SUCCESS, resolution.reason
    listed = _listed(python, f"test.{name}")
    count = Counter(id_ for _, id_ in listed)
    own = [id_ for kind, id_ in listed if kind != "DocTestCase" and count[id_] == 1]
    assert _ids(resolution.runnables, home) == own
    rest = [each for each in resolution.runnables if ":" not in str(each.uri)]
    assert len(rest) == (1 if len(own) < len(listed) else 0)
    assert all(len(each.kwargs["exclude"]) == len(own) for each in rest)


def test_what_has_no_address_runs_together_and_the_numbers_are_unittests(tmp_path: Path) -> None:
    resolution = _resolve(FIXTURES, "test_odd.py")
    uris = [each.uri for each in resolution.runnables]
    assert uris == [
        "test_odd.py:Plain.test_fails",
        "test_odd.py:Plain.test_passes",
        "test_odd.py:Plain.test_skipped",
        "test_odd.py",
    ]
    assert resolution.runnables[1].tags == {"fast": None, "net": frozenset({"virtio"})}
    counts: Counter[str] = Counter()
    for number, runnable in enumerate(resolution.runnables):
        counts.update(_run(runnable, FIXTURES, tmp_path / f"report{number}"))
    assert counts == _unittest("test_odd", FIXTURES)
    assert counts == {"passed": 8, "failed": 2, "errors": 1, "skipped": 1}


def _run(runnable: Runnable, base_dir: Path, report: Path) -> dict[str, int]:
    """Run one Runnable as its runner does; return how many tests ended how."""
    spec = {
        "uri": runnable.uri,
        "base_dir": str(base_dir),
        "report": str(report),
        **runnable.kwargs,
    }
    done = subprocess.run(
        [*self_command("unittest-child"), json.dumps(spec)],
        capture_output=True,
        text=True,
        check=False,
        cwd=base_dir,
    )
    if ":" not in str(runnable.uri):
        return _counted(done.stdout)
    words = {"pass": "passed", "fail": "failed", "error": "errors", "skip": "skipped"}
    return {words[json.loads(report.read_text())["result"]]: 1}


def _unittest(module: str, folder: Path) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", "unittest", "-v", module],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    return _counted(done.stderr)


def _counted(report: str) -> dict[str, int]:
    """Return how many tests ended how, from the text that unittest writes."""
    said = {"ok": "passed", "FAIL": "failed", "ERROR": "errors"}
    ends = re.findall(r"\.\.\. (ok|FAIL|ERROR|skipped)", report)
    return dict(Counter(said.get(each, each) for each in ends))


def test_tests_made_at_run_time_are_found_by_asking(tmp_path: Path) -> None:
    resolution = _resolve(FIXTURES, "test_made.py")
    assert [str(each.uri).partition(":")[2] for each in resolution.runnables] == [
        "Base.test_0",
        "Base.test_1",
        "Base.test_2",
        "Made.test_0",
        "Made.test_1",
        "Made.test_2",
        "Made.test_own",
    ]
    [one] = _resolve(FIXTURES, "test_made.py:Made.test_own").runnables
    assert one.uri == "test_made.py:Made.test_own"
    assert len(_resolve(FIXTURES, "test_made.py:Base").runnables) == 3
    assert _resolve(FIXTURES, "test_made.py:Nothing").answer is Answer.CORRUPT


def test_without_asking_the_answer_says_what_may_be_missing() -> None:
    made = _resolve(FIXTURES, "test_made.py", static=True)
    assert made.answer is Answer.SUCCESS
    assert [each.uri for each in made.runnables] == ["test_made.py"]
    assert "test_made.py:15: setattr() may define tests" in made.reason
    odd = _resolve(FIXTURES, "test_odd.py", static=True)
    assert [each.uri for each in odd.runnables] == ["test_odd.py"]
    assert odd.reason == "one task for all: it has load_tests"


CASE = "import unittest\nclass A(unittest.TestCase):\n    def test(self): ...\n"
ASK = CASE + "globals()['B'] = A\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import no_such_module\n" + ASK, "ModuleNotFoundError: No module named 'no_such_module'"),
        (ASK + "raise ValueError('two\\nlines')", "ValueError: two (/"),
        (ASK + "import sys; sys.exit(3)", "SystemExit: 3"),
        (ASK + "import os; os._exit(3)", "exited with status 3 without an answer"),
        (ASK + "import os; os.kill(os.getpid(), 11)", "was killed by SIGSEGV without an answer"),
        (ASK + "import time; time.sleep(60)", "did not answer within 1 s"),
        (
            ASK + "import os\npid = os.fork()\nif pid:\n    os.waitpid(pid, 0)\n    os._exit(3)",
            "exited with status 3 without an answer",
        ),
    ],
)
def test_a_module_that_cannot_be_loaded_is_corrupt_with_the_reason(
    tmp_path: Path, text: str, words: str
) -> None:
    start = time.monotonic()
    limit = 1 if "sleep" in text else 30
    resolution = _resolve(tmp_path, _write(tmp_path, "test_x.py", text), discovery_timeout=limit)
    assert resolution.answer is Answer.CORRUPT
    assert resolution.reason.startswith("test_x.py: could not load it: ")
    assert words in resolution.reason
    assert "\n" not in resolution.reason
    assert time.monotonic() - start < 10


def test_nothing_that_a_module_starts_outlives_the_question(tmp_path: Path) -> None:
    text = (
        ASK + "import os, subprocess, threading, time\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        "open('pid', 'w').write(str(child.pid))\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()\n"
    )
    assert len(_resolve(tmp_path, _write(tmp_path, "test_x.py", text)).runnables) == 2
    assert _ends_within(2, int((tmp_path / "pid").read_text()))


def test_temporary_files_of_a_module_go_with_the_question(tmp_path: Path) -> None:
    text = ASK + "import tempfile\nopen('made', 'w').write(tempfile.mkdtemp())\n"
    assert len(_resolve(tmp_path, _write(tmp_path, "test_x.py", text)).runnables) == 2
    assert not Path((tmp_path / "made").read_text()).exists()


def _ends_within(seconds: float, pid: int) -> bool:
    """Say whether a process that was killed is dead, reaped or not, before long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if ") Z" in Path(f"/proc/{pid}/stat").read_text():
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


def test_a_module_that_asks_to_be_skipped_is_one_task(tmp_path: Path) -> None:
    text = ASK + "raise unittest.SkipTest('no')\n"
    resolution = _resolve(tmp_path, _write(tmp_path, "test_x.py", text))
    assert [each.uri for each in resolution.runnables] == ["test_x.py"]


def test_an_interpreter_that_is_not_there_is_named(tmp_path: Path) -> None:
    _write(tmp_path, "test_x.py", ASK)
    context = Context(tmp_path, python="no-such-python")
    [resolution] = resolve(["test_x.py"], [PythonUnittestResolver()], context)
    assert resolution.answer is Answer.CORRUPT
    assert "could not start no-such-python: no such file" in resolution.reason


@pytest.mark.parametrize("name", ["my-tests/test_x.py", "a.b/test-x.py", "json/test_x.py"])
def test_files_that_no_dotted_name_leads_to_are_asked_about_too(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir()
    path.write_text(ASK)
    resolution = _resolve(tmp_path, name)
    assert [each.uri for each in resolution.runnables] == [f"{name}:A.test", f"{name}:B.test"]


def test_a_package_that_loads_its_modules_names_each_test_once(tmp_path: Path) -> None:
    package = tmp_path / "t" / "pkg"
    package.mkdir(parents=True)
    _write(package, "test_a.py", CASE)
    _write(
        package,
        "__init__.py",
        "import os\ndef load_tests(loader, tests, pattern):\n"
        "    here = os.path.dirname(__file__)\n"
        "    return loader.discover(here, top_level_dir=os.path.dirname(os.path.dirname(here)))\n",
    )
    found = resolve(["t"], load_resolvers(path=[])[0], Context(tmp_path, python=sys.executable))
    uris = [each.uri for resolution in found for each in resolution.runnables]
    assert uris == ["t/pkg/test_a.py:A.test"]


@pytest.mark.parametrize("version", ["3.6", "3.9", "3.12", "3.13"])
def test_the_child_runs_in_the_pythons_that_tests_need(tmp_path: Path, version: str) -> None:
    python = _interpreter(version)
    context = Context(FIXTURES, python=python)
    [resolution] = resolve(["test_made.py"], [PythonUnittestResolver()], context)
    assert resolution.answer is Answer.SUCCESS, resolution.reason
    assert len(resolution.runnables) == 7


def _interpreter(version: str) -> str:
    """Return an interpreter of this version, or the one at hand where there is none."""
    roots = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")]
    found = [each for root in roots for each in sorted(root.glob(f"{version}.*/bin/python"))]
    return str(found[-1]) if found else sys.executable
