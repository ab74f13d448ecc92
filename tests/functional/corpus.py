"""Test suites that nobody here wrote, and what their own runners say about them.

Python's and Go's tests are those of their standard libraries; the TAP scripts are Perl's own, and
the suites of Robot Framework those of a library for it, both fetched by scripts/install-test-tools.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "nrunner-tests")
PERL = Path(os.environ.get("NRUNNER_TEST_CACHE") or CACHE) / "perl"
GO_CACHE = CACHE / "go-build"
"""What go has built is kept, since it takes half a minute to begin with."""
ROBOT = Path(os.environ.get("NRUNNER_TEST_CACHE") or CACHE) / "robot"
OLD_ROBOT = ROBOT.with_name("robot-4") / "src"
"""The oldest Robot Framework that is supported, to be imported from there."""

PYTHON = sys.executable
"""An interpreter that has Python's own tests; scripts/install-test-tools sees to that."""

Verdicts = Mapping[str, str]


# Scripts that print TAP


@dataclass(frozen=True)
class Scripts:
    """Some scripts, and the folder of the source in which they are run."""

    name: str
    folder: str
    patterns: tuple[str, ...]
    left_out: Mapping[str, str]
    """Scripts that are not compared, and why."""
    beside: str = ""
    """A folder that they look for beside theirs."""
    every: int = 1
    """Of how many scripts one is run: several hundred take long, and are alike."""

    def copy(self, folder: Path) -> Path:
        """Copy what they need; return where to run them. Scripts write beside themselves."""
        assert PERL.is_dir(), f"{PERL} is not there: scripts/install-test-tools fetches it"
        place = folder / self.folder
        for each in filter(None, (self.folder, self.beside)):
            shutil.copytree(PERL / each, folder / each)
        for sample in place.glob("t/sample-tests/*"):
            sample.rename(sample.with_name(sample.name + ".t"))
        return place

    def files(self, place: Path) -> list[str]:
        """Return the paths of the scripts in a copy."""
        found = {str(each.relative_to(place)) for p in self.patterns for each in place.glob(p)}
        assert set(self.left_out) <= found
        return sorted(found - set(self.left_out))[:: self.every]


TEST_SIMPLE = Scripts(
    "Test-Simple",
    "cpan/Test-Simple",
    ("t/Legacy/**/*.t", "t/Test2/behavior/*.t", "t/regression/*.t"),
    {},
    every=2,
)
"""Of Perl's test library: subtests, TODO, skips, forks, deaths. All is as it should be."""

SAMPLES = Scripts(
    "samples of TAP",
    "cpan/Test-Harness",
    ("t/sample-tests/*.t",),
    {
        "t/sample-tests/skip_nomsg.t": "every test is skipped, one by one: ok to prove alone",
    },
)
"""Made to be read wrongly: what prove itself is tested with."""

CORE = Scripts(
    "Perl's core",
    "t",
    ("base/*.t", "cmd/*.t", "comp/*.t", "lib/*.t", "mro/*.t", "op/*.t", "opbasic/*.t"),
    {
        "op/setpgrpstack.t": "fails where it leads a session, as every test of nrunner does",
        "comp/utf.t": "takes long",
        "op/cond.t": "takes long",
        "op/getppid.t": "sleeps for long",
        "op/sigdispatch.t": "sleeps for long",
        "op/sleep.t": "sleeps for long",
        "op/sselect.t": "sleeps for long",
    },
    "lib",
    every=2,
)
"""Many fail, in many ways: they are for a Perl that is being built, and half of it is not here."""


def prove(place: Path, files: Sequence[str], env: Mapping[str, str]) -> Verdicts:
    """Return what prove says of each script: passed, skipped or failed.

    A script that bails out ends prove, so this is asked for the others first.
    """
    verdicts: dict[str, str] = {}
    quitters = [each for each in files if Path(each).stem == "bailout"]
    for some in (sorted(set(files) - set(quitters)), *([each] for each in quitters)):
        command = ["prove", "--norc", "--nocolor", "--jobs", "2", *some]
        done = subprocess.run(
            command, cwd=place, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        if b"FAILED--Further testing stopped" in done.stderr:
            assert len(some) == 1, some
            verdicts[some[0]] = "failed"
            continue
        verdicts.update(_told(done.stdout.decode("utf-8", "replace")))
        assert f"Files={len(some)}, ".encode() in done.stdout
        assert (done.returncode == 0) == ("failed" not in verdicts.values())
    return verdicts


def _told(text: str) -> Verdicts:
    verdicts = {}
    for name, word in re.findall(r"^(\S+) \.\.+ (ok$|skipped)?", text, re.M):
        verdicts[name] = {"ok": "passed", "skipped": "skipped"}.get(word, "failed")
    for name in re.findall(r"^(\S+) +\(Wstat: [1-9]", text, re.M):
        verdicts[name] = "failed"  # the line of a script that says it is skipped does not tell
    return verdicts


# Python's own tests


@dataclass(frozen=True)
class Ran:
    """What unittest said of a module."""

    verdicts: Verdicts
    """By id; tests that share one, or have none (doctests), are not in it."""
    counts: Mapping[str, int]


def home_of_tests() -> Path:
    """Return the folder that holds Python's package ``test``."""
    code = "import os, test; print(os.path.dirname(os.path.dirname(test.__file__)))"
    command = [PYTHON, "-c", code]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())


def unittest(name: str, place: Path, env: Mapping[str, str]) -> Ran:
    """Return what ``python -m unittest -v`` says of a module."""
    command = [PYTHON, "-m", "unittest", "-v", name]
    done = subprocess.run(
        command, cwd=place, env=env, capture_output=True, text=True, check=False, timeout=50
    )
    told = re.findall(_TOLD, done.stderr, re.M)
    ran = re.search(r"^Ran (\d+) tests? in .*\n\n(?:OK|FAILED)(?: \((.*)\))?$", done.stderr, re.M)
    assert ran is not None, done.stderr[-2000:]
    assert len(told) == int(ran[1]), "not every test's line was understood"
    words = dict(each.split("=") for each in (ran[2] or "").split(", ") if each)
    counts = {
        "passed": 0,
        "skipped": int(words.pop("skipped", 0)),
        "failed": int(words.pop("failures", 0)) + int(words.pop("unexpected successes", 0)),
        "errors": int(words.pop("errors", 0)),
    }
    words.pop("expected failures", 0)
    assert not words
    counts["passed"] = int(ran[1]) - sum(counts.values())
    often = Counter(test for test, _ in told)
    return Ran({test: _WORDS[word] for test, word in told if often[test] == 1}, counts)


_TOLD = r"^\w+ \((\S*)\)(?:\n.*)? \.\.\. (ok|skipped|FAIL|ERROR|expected|unexpected)\b"
_WORDS = {
    "ok": "passed",
    "expected": "passed",
    "skipped": "skipped",
    "FAIL": "failed",
    "unexpected": "failed",
    "ERROR": "errors",
}


# Suites of Robot Framework


def copy_robot_suites(folder: Path) -> Path:
    """Copy the suites with their library; return where to run them."""
    assert ROBOT.is_dir(), f"{ROBOT} is not there: scripts/install-test-tools fetches it"
    shutil.copytree(ROBOT, folder)
    for name in ("performance", "Timeouts"):  # ten thousand tests, and some that wait
        shutil.rmtree(folder / "atest/TestCases" / name)
    return folder


def robot(place: Path, env: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return what Robot says of each test of each file below ``atest``."""
    command = [PYTHON, "-m", "robot", "--output", "native.xml", "--log", "NONE", "--report", "NONE"]
    done = subprocess.run(
        [*command, "atest"], cwd=place, env=env, capture_output=True, check=False, timeout=50
    )
    assert done.returncode < 250, done.stderr
    found = ET.parse(place / "native.xml").getroot().find("suite")
    assert found is not None
    return dict(_files(found, place))


def _files(suite: ET.Element, place: Path) -> Iterator[tuple[str, dict[str, str]]]:
    source = Path(suite.get("source", ""))
    if source.is_file():
        tests = suite.findall("test")
        statuses = {test.get("name", ""): _status(test) for test in tests}
        yield str(source.relative_to(place.resolve())), statuses
    for inner in suite.findall("suite"):
        yield from _files(inner, place)


def _status(test: ET.Element) -> str:
    status = test.find("status")
    assert status is not None
    return status.get("status", "")


# Go's own tests


def go(packages: Sequence[str], env: Mapping[str, str]) -> tuple[Path, dict[str, str]]:
    """Return where the packages are, and what go test says of each test in them.

    Tests are named by their package; those within others are left out.
    """
    root = subprocess.run(["go", "env", "GOROOT"], capture_output=True, text=True, check=True)
    source = Path(root.stdout.strip(), "src").resolve()
    done = subprocess.run(
        ["go", "test", "-json", *packages], env=env, capture_output=True, check=False, timeout=200
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    ends = {"pass": "passed", "fail": "failed", "skip": "skipped"}
    return source, {
        f"{each['Package']}:{each['Test']}": ends[each["Action"]]
        for each in events
        if each["Action"] in ends and "/" not in each.get("Test", "/")
    }


# Tests of pytest


@dataclass(frozen=True)
class Suite:
    """A suite of pytest: the source it comes with, and which of its files are run."""

    name: str
    source: str
    """The folder that has to be on the path."""
    patterns: tuple[str, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Files that are not compared, and why."""

    def copy(self, folder: Path) -> Path:
        """Copy it; return where to run it."""
        source = PERL.parent / self.name
        assert source.is_dir(), f"{source} is not there: scripts/install-test-tools fetches it"
        shutil.copytree(source, folder)
        return folder

    def files(self, place: Path) -> list[str]:
        """Return the paths of the files in a copy."""
        found = {str(each.relative_to(place)) for p in self.patterns for each in place.glob(p)}
        assert set(self.left_out) <= found
        return sorted(found - set(self.left_out))


ATTRS = Suite(
    "attrs", "src", ("tests/test_[a-e]*.py", "tests/test_[p-s]*.py", "tests/test_3rd_party.py")
)
"""Those with the most hypothesis in them take long, and are left out."""

CLICK = Suite(
    "click",
    "src",
    ("tests/test_[a-d]*.py", "tests/test_t*.py", "tests/test_*/test_*.py"),
    {
        "tests/test_utils/test_echo_via_pager.py": "needs what another file has imported",
        "tests/test_utils/test_style.py": "is hundreds of times the same",
    },
)

JSONSCHEMA = Suite(
    "jsonschema",
    ".",
    ("jsonschema/tests/test_*.py",),
    {
        "jsonschema/tests/test_deprecations.py": "needs that no other file imports something first",
        "jsonschema/tests/test_exceptions.py": "needs a package that is not here",
        "jsonschema/tests/test_jsonschema_test_suite.py": "is thousands of times the same",
    },
)

_RECORD = """
import json, os
parts = {}
def pytest_runtest_logreport(report):
    word = ("x" if hasattr(report, "wasxfail") else "") + report.outcome
    if not hasattr(report, "context"):
        parts.setdefault(report.nodeid, {})[report.when] = word
def pytest_unconfigure():
    with open(os.environ["RECORD"], "w") as file:
        json.dump(parts, file)
"""


def pytest(place: Path, files: Sequence[str], env: Mapping[str, str], folder: Path) -> Verdicts:
    """Return what pytest says of each test in files, in our words."""
    (folder / "recorder.py").write_text(_RECORD)
    record = folder / "record.json"
    path = os.pathsep.join([env["PYTHONPATH"], str(folder)])
    done = subprocess.run(
        [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "recorder", *files],
        cwd=place,
        env={**env, "PYTHONPATH": path, "RECORD": str(record)},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode in (0, 1), done.stdout[-3000:]
    parts = json.loads(record.read_text())
    return {name: _worst(each) for name, each in parts.items()}


def _worst(parts: Mapping[str, str]) -> str:
    if parts.get("call", "").endswith("failed"):
        return "FAIL"
    if any(each.endswith("failed") for each in parts.values()):
        return "ERROR"
    words = {"passed": "PASS", "xskipped": "PASS", "skipped": "SKIP", "xpassed": "WARN"}
    return words[parts.get("call", parts["setup"])]
