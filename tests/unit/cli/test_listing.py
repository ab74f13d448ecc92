import json

import pytest

from nrunner.cli.main import main
from nrunner.cli.recipes import recipe_of
from nrunner.errors import ExitCode
from nrunner.runnable import Requirement, Runnable


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch, job_results):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "a.sh").write_text("#!/bin/sh\n")
    (folder / "a.sh").chmod(0o755)
    recipe = {"kind": "noop", "identifier": "named", "tags": {"fast": None, "net": ["virtio"]}}
    (folder / "r.json").write_text(json.dumps(recipe))
    return folder


def test_tests_are_listed_with_kind_name_and_tags(capsys):
    assert main(["list", "a.sh", "r.json"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "exec-test  a.sh",
        "noop       named  fast,net:virtio",
    ]


def test_requirements_are_listed_if_asked_for(capsys, here):
    needs = [{"type": "package", "name": "hello"}, {"type": "odd"}]
    (here / "n.json").write_text(json.dumps({"kind": "noop", "requirements": needs}))
    (here / "job.toml").write_text(
        "[job]\nrequirements = [{ type = 'file', uri = \"a\\nb\" }]\n"
        "[[suite]]\nname = 's'\nreferences = ['a.sh', 'n.json']\n"
    )
    assert main(["list", "-v", "--job", "job.toml"]) == 0
    assert capsys.readouterr().out.splitlines()[:3] == [
        "Type       Test  Uri   Resolver         Tag(s)  Requires",
        "exec-test  a.sh  a.sh  exec-test                file a\\nb",
        "noop       noop        runnable-recipe          file a\\nb, package hello, odd",
    ]
    assert main(["list", "--json", "-", "--job", "job.toml"]) == 0
    [first, second] = json.loads(capsys.readouterr().out)["tests"]
    assert first["requirements"] == [{"type": "file", "uri": "a\nb"}]
    assert second["requirements"] == [*first["requirements"], *needs]


def test_good_references_are_listed_beside_refused_ones(capsys):
    assert main(["list", "gone.sh", "a.sh"]) == ExitCode.JOB_FAILED
    output = capsys.readouterr()
    assert output.out == "exec-test  a.sh\n"
    assert output.err.startswith("nrunner: could not resolve gone.sh: does not exist;")


def test_tags_filter_the_list(capsys):
    assert main(["list", "a.sh", "r.json", "--filter-by-tags", "net:virtio"]) == 0
    assert capsys.readouterr().out.split() == ["noop", "named", "fast,net:virtio"]


def test_the_list_for_programs_has_all_of_a_test_and_what_was_refused(capsys):
    assert main(["list", "r.json", "gone", "--json=-"]) == ExitCode.JOB_FAILED
    data = json.loads(capsys.readouterr().out)
    assert data["tests"] == [
        {
            "reference": "r.json",
            "suite": "",
            "resolver": "runnable-recipe",
            "name": "named",
            "kind": "noop",
            "tags": {"fast": None, "net": ["virtio"]},
            "identifier": "named",
        }
    ]
    assert [(each["reference"], each["answer"]) for each in data["refused"]] == [
        ("gone", "not mine")
    ]


def test_the_list_for_programs_can_go_to_a_file(capsys, here):
    assert main(["list", "a.sh", "--json", "out.json"]) == 0
    assert capsys.readouterr().out == "exec-test  a.sh\n"
    [test] = json.loads((here / "out.json").read_text())["tests"]
    assert (test["kind"], test["name"]) == ("exec-test", "a.sh")
    assert main(["list", "a.sh", "--json", "a.sh/out.json"]) == ExitCode.JOB_FAILED
    error = "nrunner: could not write the list to a.sh/out.json: Not a directory\n"
    assert capsys.readouterr().err == error


def test_a_job_file_can_be_listed(capsys, here):
    (here / "job.toml").write_text("[[suite]]\nname = 's'\nreferences = ['a.sh']\n")
    assert main(["list", "--job", "job.toml"]) == 0
    assert capsys.readouterr().out == "exec-test  a.sh\n"


def test_a_name_with_a_newline_stays_on_its_line(capsys, here):
    (here / "x\ny.sh").write_text("#!/bin/sh\n")
    (here / "x\ny.sh").chmod(0o755)
    assert main(["list", "x\ny.sh"]) == 0
    assert capsys.readouterr().out == "exec-test  x\\ny.sh\n"


def test_the_verbose_list_says_who_declined_and_why_and_counts_kinds_and_tags(capsys, here):
    (here / "data.txt").write_text("no program")
    (here / "data.txt").chmod(0o755)
    assert main(["list", "-v", ".", "data.txt"]) == ExitCode.JOB_FAILED
    why = "it is executable, but neither a script (#!) nor an ELF binary"
    assert capsys.readouterr().out.splitlines() == [
        "Type       Test   Uri   Resolver         Tag(s)           Requires",
        "exec-test  a.sh   a.sh  exec-test",
        "noop       named        runnable-recipe  fast,net:virtio",
        "",
        "Resolver   Reference  Reason",
        f"exec-test  data.txt   {why}",
        f"exec-test  data.txt   {why}",
        "",
        "TEST TYPES SUMMARY",
        "==================",
        "exec-test: 1",
        "noop: 1",
        "",
        "TEST TAGS SUMMARY",
        "=================",
        "fast: 1",
        "net: 1",
    ]


def test_recipes_are_written_in_the_form_that_avocado_reads(capsys, here):
    runnable = Runnable(
        "exec-test",
        "a.sh",
        ("-x",),
        {"A": "1"},
        (Requirement("package", kwargs={"name": "hello"}),),
        {"fast": None, "net": frozenset(["virtio"])},
        {"runner.exectest.clear_env": True},
        {"variant_id": "one", "variant": [], "paths": ["/"]},
        "named",
    )
    recipe = recipe_of(runnable)
    # Its schema allows no other keys.
    assert set(recipe) == {"kind", "uri", "args", "kwargs", "config", "identifier"}
    assert set(recipe["kwargs"]) == {"A", "tags", "variant", "dependencies"}
    assert Runnable.from_json(json.loads(json.dumps(recipe))) == runnable

    more = [f"{number}.json" for number in range(10)]
    for name in more:
        (here / name).write_text(json.dumps({"kind": "noop", "identifier": name}))
    assert main(["list", "a.sh", *more, "--write-recipes-to-directory", "deep/out"]) == 0
    written = sorted((here / "deep/out").iterdir())
    assert [path.name for path in written] == [f"{number:02d}.json" for number in range(1, 12)]
    assert json.loads(written[0].read_text()) == {"kind": "exec-test", "uri": "a.sh"}
    capsys.readouterr()
    assert main(["list", "deep/out/01.json"]) == 0
    assert capsys.readouterr().out == "exec-test  a.sh\n"


def test_recipes_that_cannot_be_written_are_told(capsys):
    assert main(["list", "a.sh", "--write-recipes-to-directory", "a.sh/out"]) == 2
    assert capsys.readouterr().err == (
        "nrunner: could not write recipes into a.sh/out: Not a directory\n"
    )
