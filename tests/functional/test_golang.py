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


def test_the_example_is_as_its_readme_says(box: Sandbox) -> None:
    shutil.copytree(EXAMPLE, box.here / "golang")
    assert box.run("run", "golang").code == 0
    assert [each["status"] for each in box.results()["tests"]] == ["PASS", "SKIP", "PASS"]
