from pathlib import Path

import pytest

from nrunner.resolver import go_package
from nrunner.resolver.base import Answer, Context, Resolution
from nrunner.resolver.engine import resolve
from nrunner.resolver.go_package import Package, Packages
from nrunner.resolver.golang import GolangResolver

SOURCE = "package a\nfunc TestOne(t *testing.T) {}\nfunc TestTwo(t *testing.T) {}\n"


def ask(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    reference: str,
    package: Package | None = None,
    **rest: str,
) -> Resolution:
    (folder / "p").mkdir()
    (folder / "p/a_test.go").write_text(SOURCE)
    (folder / "p/b_test.go").write_text(SOURCE.replace("One", "Three").replace("Two", "Windows"))
    (folder / "p/help_test.go").write_text("package a\nfunc help() {}\n")
    packages = Packages()
    listed = package or Package(frozenset({"TestOne", "TestTwo", "TestThree"}))
    monkeypatch.setattr(packages, "_known", {folder / "p": listed})
    resolver = GolangResolver()
    monkeypatch.setattr(resolver, "_packages", packages)
    return resolver.resolve(reference, Context(folder, **rest))


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("p/a_test.go", ["p/a_test.go:TestOne", "p/a_test.go:TestTwo"]),
        ("golang:p/a_test.go", ["p/a_test.go:TestOne", "p/a_test.go:TestTwo"]),
        ("p/b_test.go", ["p/b_test.go:TestThree"]),
        ("p/a_test.go:TestTwo", ["p/a_test.go:TestTwo"]),
        ("p/a_test.go:TestTwo/x y", ["p/a_test.go:TestTwo/x y"]),
        ("p:TestThree", ["p/b_test.go:TestThree"]),
        ("./p/:TestThree", ["./p/b_test.go:TestThree"]),
    ],
)
def test_a_test_is_what_go_names_and_the_file_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str, found: list[str]
) -> None:
    resolution = ask(tmp_path, monkeypatch, reference)
    assert resolution.answer is Answer.SUCCESS, resolution.reason
    assert [each.uri for each in resolution.runnables] == found
    assert {each.kind for each in resolution.runnables} == {"golang"}


def test_a_file_is_one_task_where_its_tests_may_share_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolution = ask(tmp_path, monkeypatch, "p/a_test.go", isolation="module")
    assert [each.uri for each in resolution.runnables] == ["p/a_test.go"]


@pytest.mark.parametrize(
    ("reference", "answer", "reason"),
    [
        ("p/a_test.go:TestOen", Answer.CORRUPT, "no test TestOen in it; did you mean p/a_test.go"),
        ("p/b_test.go:TestWindows", Answer.CORRUPT, "there is no test TestWindows in it"),
        ("p:TestNone", Answer.CORRUPT, "p: there is no test TestNone in it"),
        ("p/help_test.go", Answer.NOT_MINE, "it has no function that is a test"),
        ("p/none_test.go", Answer.NOT_MINE, ""),
        ("p/a_test.py", Answer.NOT_MINE, ""),
        ("p", Answer.NOT_MINE, ""),
    ],
)
def test_what_is_no_test_of_go_is_refused_with_a_reason(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    reference: str,
    answer: Answer,
    reason: str,
) -> None:
    resolution = ask(tmp_path, monkeypatch, reference)
    assert resolution.answer is answer
    assert reason in resolution.reason
    assert bool(reason) == bool(resolution.reason)


def test_a_package_that_go_cannot_list_is_refused_with_what_go_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Package(problem="./a.go:3:1: undefined: x")
    resolution = ask(tmp_path, monkeypatch, "p/a_test.go", broken)
    assert resolution.answer is Answer.CORRUPT
    assert resolution.reason == "p/a_test.go: ./a.go:3:1: undefined: x"


def test_a_package_whose_tests_are_all_left_out_of_this_build_is_no_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolution = ask(tmp_path, monkeypatch, "p/a_test.go", Package())
    assert resolution.answer is Answer.NOT_MINE
    assert resolution.reason == "go test -list names none of its functions"


def test_without_asking_what_looks_like_a_test_is_one(tmp_path: Path) -> None:
    (tmp_path / "a_test.go").write_text(SOURCE)
    resolution = GolangResolver().resolve("a_test.go", Context(tmp_path, static=True))
    assert [each.uri for each in resolution.runnables] == [
        "a_test.go:TestOne",
        "a_test.go:TestTwo",
    ]


def test_go_is_asked_again_for_each_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which tests there are may depend on the variables that a suite has."""

    def listed(_folder: Path, context: Context) -> Package:
        return Package(frozenset({context.env["WANTED"]}))

    monkeypatch.setattr(go_package, "_ask", listed)
    (tmp_path / "a_test.go").write_text(SOURCE)
    resolver = GolangResolver()
    for name in ("TestOne", "TestTwo"):
        (found,) = resolve(["a_test.go"], [resolver], Context(tmp_path, env={"WANTED": name}))
        assert [each.uri for each in found.runnables] == [f"a_test.go:{name}"]
