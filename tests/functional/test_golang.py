"""Tests of Go, found and run by the go of this machine, and what go test itself says of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.functional import corpus
from tests.functional.sandbox import Sandbox

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/golang"

CALC = """package calc

import (
	"fmt"
	"os"
	"testing"
)

func TestSubtests(t *testing.T) {
	for _, name := range []string{"good one", "bad one"} {
		t.Run(name, func(t *testing.T) {
			if name == "bad one" {
				t.Errorf("%s: got %d, want %d", name, 4, 5)
			}
		})
	}
}

func TestPasses(t *testing.T) { fmt.Print("no newline ", os.Getenv("HOST")) }
func TestIsSkipped(t *testing.T) { t.Skip("no device") }
func TestPanics(t *testing.T) { var none []int; _ = none[3] }
func FuzzSeeds(f *testing.F) { f.Add(1); f.Fuzz(func(t *testing.T, n int) {}) }
func BenchmarkNothing(b *testing.B) {}
func ExampleGood() {
	fmt.Println("good")
	// Output: good
}
func ExampleBad() {
	fmt.Println("bad")
	// Output: good
}
func ExampleUnchecked() { fmt.Println("never run") }
"""
BROKEN = "package broken\n\nfunc TestNothing(t *testing.T) {}\n"


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    sandbox.env["GOCACHE"] = str(corpus.GO_CACHE)
    sandbox.write("mod/go.mod", "module example.com/mod\n\ngo 1.19\n", executable=False)
    sandbox.write("mod/calc/calc_test.go", CALC, executable=False)
    return sandbox


def words_of_go(box: Sandbox, pattern: str) -> dict[str, str]:
    """Return what go test says of each test of the package that is in none other."""
    command = ["go", "test", "-json", "-run", pattern, "./calc"]
    done = subprocess.run(
        command, cwd=box.here / "mod", env=box.env, capture_output=True, check=False, timeout=50
    )
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]
    ends = ("pass", "fail", "skip")
    return {
        each["Test"]: each["Action"].upper()
        for each in events
        if each["Action"] in ends and "/" not in each.get("Test", "/")
    }


KEPT = """package kept

import (
	"os"
	"testing"
)

func TestA(t *testing.T) {}
func TestB(t *testing.T) {
	text := "package kept\\nconst value = 2\\n"
	if err := os.WriteFile("value.go", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
func TestC(t *testing.T) {
	if value != 2 {
		t.Fatal("it is the program from before the change")
	}
}
func TestD(t *testing.T) { os.Remove(os.Args[0]) }
func TestE(t *testing.T) {}
"""


def test_a_package_is_linked_once_and_again_after_a_change(box: Sandbox) -> None:
    box.env["GOFLAGS"] = "-x"
    box.write("mod/kept/value.go", "package kept\nconst value = 1\n", executable=False)
    box.write("mod/kept/kept_test.go", KEPT, executable=False)
    assert box.run("run", "mod/kept", "--max-parallel-tasks", "1").code == 0
    said = {
        name[-1]: (box.job / test["outputs"]["stderr"]).read_text()
        for name, test in box.tests().items()
    }
    linked = {name for name, text in said.items() if "/link -o " in text}
    assert linked == {"A", "C", "E"}, "after nothing, a change, and a loss"


def test_a_slot_links_nothing_into_itself_where_the_user_names_the_folder(box: Sandbox) -> None:
    box.env["GOFLAGS"] = "-x"
    tests = "".join(f"func Test{name}(t *testing.T) {{}}\n" for name in "AB")
    box.write("mod/two/two_test.go", f'package two\n\nimport "testing"\n\n{tests}')
    box.write("elsewhere/keep", "", executable=False)
    more = ("-p", f"GOTMPDIR={box.here}/elsewhere", "--max-parallel-tasks", "1")
    assert box.run("run", "mod/two", *more).code == 0
    said = [(box.job / each["outputs"]["stderr"]).read_text() for each in box.tests().values()]
    assert [("/link -o " in text, "/.slots/" in text) for text in said] == [(True, False)] * 2


BESIDE = """package beside

import (
	"os"
	"path/filepath"
	"testing"
)

func look(t *testing.T) {
	if name := filepath.Base(os.Args[0]); name != "NAME.test" {
		t.Fatalf("it is called %s", name)
	}
	if err := os.Mkdir(filepath.Join(filepath.Dir(os.Args[0]), "mine"), 0o700); err != nil {
		t.Fatal(err)
	}
}
func TestA(t *testing.T) { look(t) }
func TestB(t *testing.T) { look(t) }
"""


def test_the_program_of_tests_is_called_as_go_calls_it_and_finds_nothing_of_another_test(
    box: Sandbox,
) -> None:
    box.write("root/go.mod", 'module "example.com/cobra/v2" // 2\n\ngo 1.19\n', executable=False)
    for folder, name in ("root", "cobra"), ("mod/calm", "calm"), ("mod/quiet/v2", "quiet"):
        text = BESIDE.replace("NAME", name)
        box.write(f"{folder}/beside_test.go", text, executable=False)
    end = box.run("run", "root", "mod/calm", "mod/quiet", "--max-parallel-tasks", "1")
    reasons = {name: test["fail_reason"] for name, test in box.tests().items()}
    assert len(reasons) == 6
    assert (end.code, set(reasons.values())) == (0, {None})


BREAKING = """package breaking

import (
	"os"
	"testing"
)

func TestA(t *testing.T) {}
func TestB(t *testing.T) {
	text := "package breaking\\nvar x int = no\\n"
	if err := os.WriteFile("value.go", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
func TestC(t *testing.T) {}
func TestD(t *testing.T) {}
"""


def test_each_test_after_a_change_that_does_not_build_is_told_why(box: Sandbox) -> None:
    box.write("mod/breaking/breaking_test.go", BREAKING, executable=False)
    assert box.run("run", "mod/breaking", "--max-parallel-tasks", "1").code == 1
    tests = {name[-1]: test for name, test in box.tests().items()}
    assert [tests[name]["status"] for name in "ABCD"] == ["PASS", "PASS", "ERROR", "ERROR"]
    for name in "CD":
        assert tests[name]["fail_reason"] == "build failed: ./value.go:2:13: undefined: no"


DEADLY_LINKER = """#!/bin/sh
"$@" || exit
case $* in
*/link\\ -o*) ! mkdir {once} 2>/dev/null || kill -9 $PPID ;;
esac
"""


def test_a_test_whose_go_is_killed_while_it_links_leaves_the_next_ones_as_they_were(
    box: Sandbox,
) -> None:
    linker = box.write("linker", DEADLY_LINKER.format(once=box.here / "once"))
    box.write("mod/ended/ended_test.go", BESIDE.replace("NAME", "ended"), executable=False)
    uri = "mod/ended/ended_test.go"
    recipes = [{"kind": "golang", "uri": f"{uri}:Test{name}"} for name in "ABB"]
    box.write("ended.json", json.dumps(recipes), executable=False)
    box.env["GOFLAGS"] = f"-toolexec={linker}"
    assert box.run("run", "ended.json", "--max-parallel-tasks", "1").code == 1
    killed, *good = box.results()["tests"]
    assert killed["fail_reason"] == "go was killed by signal 9 (SIGKILL)"
    assert [test["status"] for test in good] == ["PASS", "PASS"]


MEETING = """package meeting

import (
	"os"
	"testing"
	"time"
)

func meet(t *testing.T, mine, other string) {
	if err := os.WriteFile(mine, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for tries := 0; tries < 3000; tries++ {
		time.Sleep(10 * time.Millisecond)
		if _, err := os.Stat(other); err == nil {
			return
		}
	}
	t.Fatal("the other did not come")
}
func TestA(t *testing.T) { meet(t, "a", "b") }
func TestB(t *testing.T) { meet(t, "b", "a") }
func TestC(t *testing.T) { meet(t, "c", "d") }
func TestD(t *testing.T) { meet(t, "d", "c") }
"""


def test_tests_of_a_package_run_at_once_in_two_slots(box: Sandbox) -> None:
    box.write("mod/meeting/meeting_test.go", MEETING, executable=False)
    assert box.run("run", "mod/meeting", "--max-parallel-tasks", "2").code == 0
    assert len(box.tests()) == 4


def test_each_test_is_a_task_that_ends_as_go_says(box: Sandbox) -> None:
    assert box.run("run", "mod").code == 1
    tests = {name.partition(":")[2]: test for name, test in box.tests().items()}
    # A panic ends the whole run of a package there. Of what prints no newline go knows no end.
    theirs = {**words_of_go(box, "TestPanics"), **words_of_go(box, "TestS|TestI|Fuzz|Example")}
    assert len(theirs) == 6
    statuses = {name: test["status"] for name, test in tests.items()}
    assert statuses == {**theirs, "TestPasses": "PASS"}
    reasons = {name: test["fail_reason"] for name, test in tests.items()}
    assert reasons == {
        "TestSubtests": "bad_one: calc_test.go:13: bad one: got 4, want 5",
        "TestPasses": None,
        "TestIsSkipped": "calc_test.go:20: no device",
        "TestPanics": "panic: runtime error: index out of range [3] with length 0 [recovered]",
        "FuzzSeeds": None,
        "ExampleGood": None,
        "ExampleBad": "ExampleBad failed",
    }
    out = Path(tests["TestSubtests"]["logdir"], "stdout").read_text()
    assert "--- PASS: TestSubtests/good_one (0.00s)" in out


def test_a_file_is_one_task_where_tests_may_share_a_process(box: Sandbox) -> None:
    text = CALC.replace("var none []int; _ = none[3]", "")
    box.write("mod/calc/calc_test.go", text, executable=False)
    assert box.run("run", "mod", "--isolation", "module").code == 1
    [test] = box.results()["tests"]
    assert test["name"] == "mod/calc/calc_test.go"
    assert test["fail_reason"] == "2 of 7 tests failed: TestSubtests, ExampleBad"


def test_a_test_within_a_test_and_flags_and_variables(box: Sandbox) -> None:
    file = "mod/calc/calc_test.go"
    recipes = [
        {"kind": "golang", "uri": f"{file}:TestSubtests/good_one"},
        {"kind": "golang", "uri": f"{file}:TestPasses", "kwargs": {"HOST": "lab"}},
        {"kind": "golang", "uri": f"{file}:TestPasses", "args": ["-nosuchflag"], "identifier": "f"},
        {"kind": "golang", "uri": f"{file}:TestNone"},
    ]
    box.write("some.json", json.dumps(recipes), executable=False)
    assert box.run("run", "some.json").code == 1
    good, passes, flag, none = box.results()["tests"]
    assert (good["status"], passes["status"]) == ("PASS", "PASS")
    assert "no newline lab--- PASS" in Path(passes["logdir"], "stdout").read_text()
    assert (flag["status"], flag["cause"]) == ("ERROR", "contract")
    assert "flag provided but not defined: -nosuchflag" in flag["fail_reason"]
    assert (none["cause"], none["fail_reason"]) == ("malformed", "go finds no test TestNone")


def test_what_does_not_build_is_refused_before_anything_runs(box: Sandbox) -> None:
    box.write("mod/broken/b_test.go", BROKEN, executable=False)
    end = box.run("run", "mod")
    assert end.code == 2
    assert "mod/broken/b_test.go: go test -list exited with status 2: ./b_test.go:3:21" in end.err
    assert "undefined: testing" in end.err
    recipe = {"kind": "golang", "uri": "mod/broken"}
    box.write("broken.json", json.dumps(recipe), executable=False)
    assert box.run("run", "broken.json").code == 1
    [test] = box.results()["tests"]
    assert test["status"] == "ERROR"
    assert test["fail_reason"].startswith("build failed: ./b_test.go:3:21")


def test_without_go_files_of_tests_are_refused(box: Sandbox) -> None:
    bare = box.here / "bare"
    bare.mkdir()
    box.env["PATH"] = str(bare)
    end = box.run("list", "mod")
    assert end.code == 2
    assert "mod/calc/calc_test.go: there is no go on PATH that could run it" in end.err


def test_go_may_be_where_only_tests_are_told_to_look(box: Sandbox) -> None:
    path = box.env["PATH"]
    bare = box.here / "bare"
    bare.mkdir()
    box.env["PATH"] = str(bare)
    end = box.run("run", "mod", "-p", f"PATH={path}")
    assert "go" not in end.err
    assert len(box.results()["tests"]) > 1


def test_the_example_is_as_its_readme_says(box: Sandbox) -> None:
    shutil.copytree(EXAMPLE, box.here / "golang")
    assert box.run("run", "golang").code == 0
    assert [each["status"] for each in box.results()["tests"]] == ["PASS", "SKIP", "PASS"]


def test_each_suite_has_the_tests_that_its_tags_of_build_let_in(box: Sandbox) -> None:
    text = 'package calc\n\nimport "testing"\n\nfunc TestLinked(t *testing.T) {}\n'
    box.write("mod/few/few_test.go", text.replace("Linked", "Few"), executable=False)
    box.write("mod/few/all_test.go", f"//go:build all\n\n{text}", executable=False)
    suite = '[[suite]]\nname = "{}"\nreferences = ["mod/few"]\n'
    flags = 'run.env = { GOFLAGS = "-tags=all" }\n'
    box.write("job.toml", suite.format("few") + suite.format("all") + flags, executable=False)
    end = box.run("run", "--job", "job.toml")
    few, linked = "mod/few/few_test.go:TestFew", "mod/few/all_test.go:TestLinked"
    found = [each["name"] for each in box.results()["tests"]]
    assert (end.code, found) == (0, [few, linked, few])
