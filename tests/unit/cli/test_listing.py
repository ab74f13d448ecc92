import json

import pytest

from nrunner.cli.main import main
from nrunner.errors import ExitCode


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
    assert capsys.readouterr().out.splitlines() == [
        "exec-test  a.sh    file a\\nb",
        "noop       noop    file a\\nb, package hello, odd",
    ]
    assert main(["list", "--json", "--job", "job.toml"]) == 0
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
    assert main(["list", "r.json", "gone", "--json"]) == ExitCode.JOB_FAILED
    data = json.loads(capsys.readouterr().out)
    assert data["tests"] == [
        {
            "reference": "r.json",
            "suite": "",
            "name": "named",
            "kind": "noop",
            "tags": {"fast": None, "net": ["virtio"]},
            "identifier": "named",
        }
    ]
    assert [(each["reference"], each["answer"]) for each in data["refused"]] == [
        ("gone", "not mine")
    ]


def test_a_job_file_can_be_listed(capsys, here):
    (here / "job.toml").write_text("[[suite]]\nname = 's'\nreferences = ['a.sh']\n")
    assert main(["list", "--job", "job.toml"]) == 0
    assert capsys.readouterr().out == "exec-test  a.sh\n"


def test_a_name_with_a_newline_stays_on_its_line(capsys, here):
    (here / "x\ny.sh").write_text("#!/bin/sh\n")
    (here / "x\ny.sh").chmod(0o755)
    assert main(["list", "x\ny.sh"]) == 0
    assert capsys.readouterr().out == "exec-test  x\\ny.sh\n"
