import json

from nrunner.cli.main import main
from nrunner.errors import ExitCode


def test_plugins_are_listed_by_group_with_where_they_come_from(capsys):
    assert main(["plugins"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "resolvers:",
        "runners:",
        "spawners:",
        "results:",
    ]
    assert any(line.split()[:1] == ["process"] and "nrunner 0" in line for line in lines)


def test_runner_executables_are_listed_with_their_path(tmp_path, monkeypatch, capsys):
    program = tmp_path / "avocado-runner-robot"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["plugins", "--json"]) == 0
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert found["robot"]["target"] == str(program)


def test_a_broken_plugin_is_named_with_the_reason(tmp_path, monkeypatch, capsys):
    info = tmp_path / "farm-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: farm\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text("[nrunner.spawners]\nfarm = no_such_module_:make\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["plugins"]) == ExitCode.JOB_FAILED
    line = next(each for each in capsys.readouterr().out.splitlines() if "farm" in each)
    assert line.split()[:4] == ["farm", "no_such_module_:make", "farm", "2.0"]
    assert "BROKEN: No module named 'no_such_module_'" in line


def test_resolvers_are_listed_as_they_are_asked_if_that_is_wanted(capsys):
    def names():
        groups = capsys.readouterr().out.partition("runners:")[0]
        return [line.split()[0] for line in groups.splitlines()[1:]]

    assert main(["plugins", "-o"]) == 0
    ordered = names()
    assert (ordered[0], ordered[-1]) == ("hint", "exec-test")
    assert main(["plugins"]) == 0
    assert sorted(ordered) == sorted(names())
