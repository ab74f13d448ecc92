from pathlib import Path

import pytest

from nrunner.resolver import robot_suite
from nrunner.resolver.base import Answer, Context, Resolution
from nrunner.resolver.engine import resolve
from nrunner.resolver.robot import RobotResolver
from nrunner.resolver.robot_suite import RobotTest, Suite, Suites
from nrunner.runnable import Requirement

TESTS = (
    RobotTest("My Suite", "First Test", ("fast", "owner:jim"), "Says.\n:nrunner: idempotent", 4),
    RobotTest("My Suite", "Second*", ("owner:ann",), "", 9),
)
NEEDS = ':nrunner: requires={"type": "file", "uri": "x"}\n:nrunner: tags=slow'


class Known(Suites):
    """Knows files without asking."""

    def __init__(self, **suites: Suite) -> None:
        super().__init__()
        self._known = {f"{name}.robot": suite for name, suite in suites.items()}


def resolver(monkeypatch: pytest.MonkeyPatch, **suites: Suite) -> RobotResolver:
    made = RobotResolver()
    monkeypatch.setattr(made, "_suites", Known(**suites))
    return made


def ask(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    reference: str,
    *tests: RobotTest,
    isolation: str = "process",
    problem: str = "",
) -> Resolution:
    (folder / "a.robot").touch()
    suite = Suite(tests or (() if problem else TESTS), problem)
    context = Context(folder, isolation=isolation)
    return resolver(monkeypatch, a=suite).resolve(reference, context)


def uris(resolution: Resolution) -> list[str | None]:
    assert resolution.answer is Answer.SUCCESS, resolution.reason
    return [each.uri for each in resolution.runnables]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("", ["First Test", "Second*"]),
        (":First Test", ["First Test"]),
        (":first_TEST", ["First Test"]),
        (":My Suite.First Test", ["First Test"]),
        (":My Suite", ["First Test", "Second*"]),
        (":F*", ["First Test"]),
        (":Second*", ["Second*"]),
        (":[fs]*", ["First Test", "Second*"]),
    ],
)
def test_tests_are_named_as_robot_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, found: list[str]
) -> None:
    expected = [f"a.robot:My Suite.{each}" for each in found]
    assert uris(ask(monkeypatch, tmp_path, f"a.robot{name}")) == expected


def test_tags_and_directives_are_those_of_the_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needy = RobotTest("My Suite", "Third", ("robot:",), NEEDS)
    first, _, third = ask(monkeypatch, tmp_path, "a.robot", *TESTS, needy).runnables
    assert first.tags == {"fast": None, "owner": frozenset({"jim"})}
    assert first.config == {"runner.idempotent": True}
    assert third.tags == {"robot:": None, "slow": None}
    assert third.requirements == (Requirement("file", "x"),)
    assert third.config == {}


def test_a_suite_is_one_task_where_its_tests_may_share_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [suite] = ask(monkeypatch, tmp_path, "a.robot", isolation="module").runnables
    assert suite.uri == "a.robot"
    assert suite.tags == {"fast": None, "owner": frozenset({"jim", "ann"})}
    assert suite.config == {}, "it is harmless to run twice only if all of its tests are"
    one = ask(monkeypatch, tmp_path, "a.robot:First Test", isolation="module")
    assert uris(one) == ["a.robot:My Suite.First Test"]


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("a.robot:Frist Test", "there is no test Frist Test in it; did you mean a.robot:First"),
        ("a.robot:xyz", "there is no test xyz in it"),
    ],
)
def test_a_name_that_fits_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str, reason: str
) -> None:
    resolution = ask(monkeypatch, tmp_path, reference)
    assert resolution.answer is Answer.CORRUPT
    assert reason in resolution.reason


def test_a_bad_directive_is_refused_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = RobotTest("S", "T", (), ":nrunner: requires={", 7)
    resolution = ask(monkeypatch, tmp_path, "a.robot", bad)
    assert resolution.answer is Answer.CORRUPT
    assert resolution.reason.startswith("a.robot:7: requires={: not JSON")


def test_a_file_without_tests_is_somebody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolution = ask(monkeypatch, tmp_path, "a.robot", problem="it has no tests")
    assert (resolution.answer, resolution.reason) == (Answer.NOT_MINE, "it has no tests")
    (tmp_path / "__init__.robot").touch()
    init = RobotResolver().resolve("__init__.robot", Context(tmp_path))
    assert (init.answer, init.reason) == (
        Answer.NOT_MINE,
        "it sets up the suites of its folder",
    )


def test_where_nobody_can_be_asked_the_file_is_in_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.robot").touch()
    absent = Suite(problem="there is no Robot Framework for python3", is_fatal=True)
    resolution = resolver(monkeypatch, a=absent).resolve("a.robot", Context(tmp_path))
    assert resolution.answer is Answer.CORRUPT
    assert resolution.reason == "a.robot: there is no Robot Framework for python3"


def test_without_asking_a_file_that_has_a_section_of_tests_is_one_task(tmp_path: Path) -> None:
    (tmp_path / "a.robot").write_text("*** Settings ***\n***Test Cases***\nX\n    Log    x\n")
    (tmp_path / "b.robot").write_text("*** Keywords ***\nX\n    Log    x\n")
    context = Context(tmp_path, static=True)
    assert uris(RobotResolver().resolve("a.robot", context)) == ["a.robot"]
    assert uris(RobotResolver().resolve("a.robot:X", context)) == ["a.robot:X"]
    assert RobotResolver().resolve("b.robot", context).answer is Answer.NOT_MINE


@pytest.mark.parametrize("reference", ["a.txt", "no.robot", "a.py:Test", "."])
def test_what_is_no_file_of_robots_is_left_alone(tmp_path: Path, reference: str) -> None:
    (tmp_path / "a.txt").touch()
    (tmp_path / "a.py").touch()
    assert RobotResolver().resolve(reference, Context(tmp_path)).answer is Answer.NOT_MINE


def test_robot_is_asked_again_for_each_suite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each may have an interpreter and variables of its own."""

    def asked(paths: list[str], context: Context) -> dict[str, Suite]:
        return dict.fromkeys(paths, Suite((RobotTest("S", context.python),)))

    monkeypatch.setattr(robot_suite, "_ask", asked)
    (tmp_path / "a.robot").touch()
    resolver = RobotResolver()
    for python in ("one", "two"):
        (found,) = resolve(["a.robot"], [resolver], Context(tmp_path, python=python))
        assert uris(found) == [f"a.robot:S.{python}"]
