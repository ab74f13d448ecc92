import itertools
from pathlib import Path

import pytest

from nrunner.errors import RunnerError
from nrunner.result import Result
from nrunner.runnable import Runnable
from nrunner.runners.base import Command, Exit, Outcome, Place
from nrunner.runners.go_output import GoSummary, Names
from nrunner.runners.go_source import names_in, program_of
from nrunner.runners.golang import Golang, verdict

SOURCE = """package calc

func TestMain(m *testing.M) {}
func TestAdd(t *testing.T) {}
func Testable() {}
func Test(t *testing.T) {}
func ExampleAdd_more() {}
func  FuzzAdd (f *testing.F) {}
func BenchmarkAdd(b *testing.B) {}
func (s Suite) TestMethod(t *testing.T) {}
// func TestComment(t *testing.T) {}
func help(name string) {}
func Testé(t *testing.T) {}
"""


def command(
    folder: Path,
    uri: str | None,
    slot: str = "",
    given: dict[str, str] | None = None,
    **rest: object,
) -> Command:
    (folder / "calc").mkdir(exist_ok=True)
    (folder / "calc/calc_test.go").write_text(SOURCE)
    place = Place("/log", "/out", "/work", str(folder), slot_dir=slot, env=given or {})
    answer = Golang().command(Runnable("golang", uri, **rest), place)  # type: ignore[arg-type]
    assert isinstance(answer, Command)
    return answer


def pattern(found: Command) -> str:
    return found.argv[found.argv.index("-run") + 1]


@pytest.mark.parametrize(
    ("args", "kept"),
    [
        ((), True),
        (("-race", "-tags=lab,fast", "--cover", "-cpu=4"), True),
        (("-tags", "lab"), False),
        (("./...",), False),
        (("-o=mine",), False),
        (("-c",), False),
        (("-cpuprofile=cpu.out",), False),
    ],
)
def test_what_go_links_stays_in_the_slot_unless_the_user_has_a_say(
    tmp_path: Path, args: tuple[str, ...], kept: bool
) -> None:
    slot = tmp_path / "slot"
    slot.mkdir()
    found = command(tmp_path, "calc:TestAdd", str(slot), args=args)
    place = f"{slot}/go/calc.test"
    assert (("-o", place) in itertools.pairwise(found.argv)) is kept
    assert (slot / "go").is_dir() is kept


def test_what_go_links_elsewhere_or_of_a_named_package_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = str(tmp_path)
    assert "-o" not in command(tmp_path, "example.com/calc:TestAdd", slot).argv
    for name in "GOTMPDIR", "TMPDIR":
        assert "-o" not in command(tmp_path, "calc:TestAdd", slot, kwargs={name: "/t"}).argv
    flags = {"GOFLAGS": "-race -memprofile=mem.out"}
    assert "-o" not in command(tmp_path, "calc:TestAdd", slot, kwargs=flags).argv
    assert "-o" in command(tmp_path, "calc:TestAdd", slot, kwargs={"GOFLAGS": "-race"}).argv
    assert "-o" not in command(tmp_path, "calc:TestAdd", slot, {"GOTMPDIR": "/t"}).argv
    assert "-o" in command(tmp_path, "calc:TestAdd", slot, {"GOTMPDIR": "", "TMPDIR": "/t"}).argv
    monkeypatch.setenv("GOTMPDIR", "/t")
    assert "-o" not in command(tmp_path, "calc:TestAdd", slot).argv


def test_what_go_itself_was_told_to_do_counts_unless_the_environment_says_otherwise(
    tmp_path: Path,
) -> None:
    settings = tmp_path / "config/go/env"
    settings.parent.mkdir(parents=True)
    settings.write_text("GOPROXY=off\nGOTMPDIR=/t\nGOFLAGS=-o=mine\n")
    given = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    slot = str(tmp_path / "slot")
    assert "-o" not in command(tmp_path, "calc:TestAdd", slot, given).argv
    settings.write_text("GOFLAGS=-o=mine\n")
    assert "-o" not in command(tmp_path, "calc:TestAdd", slot, given).argv
    given["GOFLAGS"] = "-race -tags=lab"
    assert "-o" in command(tmp_path, "calc:TestAdd", slot, given).argv


def test_beside_what_stays_in_the_slot_nothing_does(tmp_path: Path) -> None:
    (tmp_path / "go/folder").mkdir(parents=True)
    for name in "other.test", "calc.test", "folder/file":
        (tmp_path / "go" / name).touch()
    command(tmp_path, "calc:TestAdd", str(tmp_path))
    assert [each.name for each in (tmp_path / "go").iterdir()] == ["calc.test"]


def test_nothing_is_removed_where_a_test_has_put_a_link(tmp_path: Path) -> None:
    precious = tmp_path / "precious/file"
    precious.parent.mkdir()
    precious.touch()
    (tmp_path / "go").symlink_to(precious.parent)
    assert "-o" in command(tmp_path, "calc:TestAdd", str(tmp_path)).argv
    assert precious.exists()
    assert not (tmp_path / "go").is_symlink()


def test_what_stays_is_renamed_into_its_place_and_not_copied(tmp_path: Path) -> None:
    tmp_path.chmod(0o2700)
    assert "-o" in command(tmp_path, "calc:TestAdd", str(tmp_path)).argv
    # Into a folder that is setgid, as one within such a one is made, go copies.
    assert (tmp_path / "go").stat().st_mode & 0o7777 == 0o700


def test_without_a_place_for_it_nothing_stays(tmp_path: Path) -> None:
    (tmp_path / "go").write_text("in the way")
    assert "-o" not in command(tmp_path, "calc:TestAdd", str(tmp_path)).argv
    (tmp_path / "link").symlink_to(tmp_path / "calc")
    (tmp_path / "go").unlink()
    assert "-o" not in command(tmp_path, "link:TestAdd", str(tmp_path)).argv
    assert "-o" in command(tmp_path, "calc:TestAdd", str(tmp_path)).argv


@pytest.mark.parametrize(
    ("folder", "module", "program"),
    [
        ("calc", "", "calc.test"),
        ("v1", "", "v1.test"),
        ("v2", "", ""),
        ("here", "// module a/b\nmodule example.com/cobra // of it\n", "cobra.test"),
        ("here", 'module "example.com/cobra/v12"\n', "cobra.test"),
        ("here", "module gopkg.in/yaml.v2\n", "yaml.v2.test"),
        ("here", "module v2\n", ""),
        ("here", "module (\n\ta/b\n)\n", ""),
    ],
)
def test_the_program_of_tests_is_called_as_go_does(folder: str, module: str, program: str) -> None:
    assert program_of(folder, module) == program


def test_functions_that_may_be_tests_are_those_that_go_takes_for_some() -> None:
    assert names_in(SOURCE) == ["TestAdd", "Test", "ExampleAdd_more", "FuzzAdd", "Testé"]


@pytest.mark.parametrize(
    ("uri", "run", "folder", "package"),
    [
        ("calc/calc_test.go:TestAdd", "^TestAdd$", "calc", None),
        ("calc/calc_test.go:TestAdd/a.b/c", r"^TestAdd$/^a\.b$/^c$", "calc", None),
        ("calc/calc_test.go", "^(TestAdd|Test|ExampleAdd_more|FuzzAdd|Testé)$", "calc", None),
        ("calc", ".", "calc", None),
        ("calc:TestAdd", "^TestAdd$", "calc", None),
        ("example.com/calc:TestAdd", "^TestAdd$", "", "example.com/calc"),
    ],
)
def test_go_is_called_where_the_package_is_for_these_tests_alone(
    tmp_path: Path, uri: str, run: str, folder: str, package: str | None
) -> None:
    found = command(tmp_path, uri, args=("-race",), kwargs={"HOST": "lab"})
    assert found.argv[:2] == ("go", "test")
    assert pattern(found) == run
    # That of the folder is not named: go would wait for all who hold what the test printed to.
    rest = ("-race", package) if package else ("-race",)
    assert found.argv[found.argv.index(run) + 1 :] == rest
    assert found.cwd.rstrip("/") == str(tmp_path / folder).rstrip("/")
    assert found.env["HOST"] == "lab"


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        (None, r'such as "calc/calc_test\.go:TestAdd"'),
        ("a\0b", "needs a uri"),
        ("calc/no_test.go", r"cannot read .*no_test\.go: No such file"),
        ("calc/no_test.go:TestAdd", "there is no file"),
    ],
)
def test_what_can_never_be_run_is_refused(tmp_path: Path, uri: str | None, reason: str) -> None:
    with pytest.raises(RunnerError, match=reason):
        command(tmp_path, uri)


def judged(summary: GoSummary, status: int | None, name: str = "TestA", said: str = "") -> Outcome:
    end = Exit(status) if status is not None else Exit(None, 9)
    return verdict(summary, name, end, lambda: said)


@pytest.mark.parametrize(
    ("summary", "status", "result", "reason"),
    [
        (GoSummary(passed=1, own="PASS"), 0, Result.PASS, None),
        (
            GoSummary(passed=1),
            0,
            Result.ERROR,
            "go says ok, but TestA did not say that it had ended",
        ),
        (
            GoSummary(),
            0,
            Result.ERROR,
            "go says ok, but TestA did not say that it had ended",
        ),
        (GoSummary(skipped=1, own="SKIP", logged="a.go:1: why"), 0, Result.SKIP, "a.go:1: why"),
        (GoSummary(failed=Names(["TestA"], 1), logged="a.go:1: no"), 1, Result.FAIL, "a.go:1: no"),
        (GoSummary(failed=Names(["TestA"], 1)), 1, Result.FAIL, "TestA failed"),
        (
            GoSummary(
                failed=Names(["TestA"], 1),
                inner=Names(["TestA/x", "TestA/x/y"], 2),
                last_word="panic: p",
            ),
            1,
            Result.FAIL,
            "x, x/y: panic: p",
        ),
        (GoSummary(unbuilt="build failed"), 1, Result.ERROR, "build failed"),
        (GoSummary(), 1, Result.ERROR, "the process ended before TestA had"),
        (GoSummary(passed=1), None, Result.ERROR, "go was killed by signal 9 (SIGKILL)"),
        (
            GoSummary(status="exit status 3", said="no way"),
            1,
            Result.ERROR,
            "the process ended before TestA had: exit status 3, after 'no way'",
        ),
        (
            GoSummary(status="exit status 2", said="main.main()", last_word="panic: p"),
            1,
            Result.ERROR,
            "the process ended before TestA had: panic: p",
        ),
        (
            GoSummary(passed=1, own="PASS", status="exit status 3"),
            1,
            Result.ERROR,
            "TestA passed, but its process had no good end: exit status 3",
        ),
        (
            GoSummary(skipped=1, own="SKIP", last_word="panic: p"),
            1,
            Result.ERROR,
            "TestA was skipped, but its process had no good end: panic: p",
        ),
        (
            GoSummary(failed=Names(["TestA"], 1), own="FAIL", logged="a.go:1: no"),
            0,
            Result.FAIL,
            "a.go:1: no (though go says ok)",
        ),
        (GoSummary(failed=Names(["TestA"], 1), passed=1, own="PASS"), 0, Result.PASS, None),
        (
            GoSummary(last_word="fatal error: deadlock"),
            1,
            Result.ERROR,
            "the process ended before TestA had: fatal error: deadlock",
        ),
        (GoSummary(has_none=True), 0, Result.ERROR, "go finds no test TestA"),
    ],
)
def test_the_verdict_is_that_of_go(
    summary: GoSummary, status: int | None, result: Result, reason: str | None
) -> None:
    outcome = judged(summary, status)
    assert (outcome.result, outcome.fail_reason) == (result, reason)
    assert outcome.malformed == summary.has_none
    assert outcome.contract == bool(
        {"had", "killed"} & set((reason or "").replace(":", "").split())
    )


def test_a_test_within_another_that_is_not_there_is_an_error() -> None:
    outcome = judged(GoSummary(passed=1), 0, "TestA/none")
    assert (outcome.result, outcome.malformed) == (Result.ERROR, True)
    assert outcome.fail_reason == "TestA has no test none"


def test_the_end_of_a_test_is_found_under_the_name_that_go_prints(tmp_path: Path) -> None:
    name = "TestA/two words\t\x01\x1f\a\u200b\U000e0001é日"
    printed = r"TestA/two_words_\x01\x1f\a\u200b\U000e0001é日"
    (tmp_path / "stdout").write_text(f"=== RUN   TestA\n    --- PASS: {printed} (0.00s)\n")
    place = Place(str(tmp_path), "/out", "/work", str(tmp_path))
    outcome = Golang().judge(Runnable("golang", f"a:{name}"), place, Exit(0), None)
    assert outcome.result is Result.PASS


def test_what_go_complains_of_is_repeated() -> None:
    said = "./a.go:3:1: undefined: x"
    built = judged(GoSummary(unbuilt="build failed"), 1, said=said)
    assert built.fail_reason == f"build failed: {said}"
    assert judged(GoSummary(), 2, said="flag provided but not defined").contract is False


def test_of_several_tests_those_that_failed_are_named() -> None:
    many = GoSummary(passed=3, failed=Names([f"Test{n}" for n in range(12)], 12))
    assert judged(many, 1, name="").fail_reason == (
        "12 of 15 tests failed: " + ", ".join(f"Test{n}" for n in range(10)) + " and 2 more"
    )
    assert judged(GoSummary(skipped=2), 0, name="").fail_reason == "2 of 2 tests skipped"
    assert judged(GoSummary(passed=1, skipped=2), 0, name="").result is Result.PASS


def test_of_several_tests_one_has_failed_if_so_their_conclusion_says() -> None:
    hidden = GoSummary(passed=1, failed=Names(["TestB"], 1), conclusion="FAIL")
    assert judged(hidden, 0, name="").result is Result.FAIL
    printed = GoSummary(passed=1, failed=Names(["TestB"], 1), conclusion="PASS")
    assert judged(printed, 0, name="").result is Result.PASS
