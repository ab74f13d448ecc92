import json

from nrunner.cli.main import main
from nrunner.config import OPTIONS
from nrunner.errors import ExitCode


def rows(capsys):
    lines = capsys.readouterr().out.splitlines()
    return {line.split()[0]: line.split()[1:] for line in lines}


def test_each_setting_is_shown_with_its_source(tmp_path, monkeypatch, job_results, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nrunner.toml").write_text("[run]\ngrace = 90\n")
    monkeypatch.setenv("NRUNNER_RUN_SEED", "5")
    assert main(["config"]) == 0
    shown = rows(capsys)
    assert list(shown) == list(OPTIONS)
    assert shown["run.grace"] == ["1m30s", "nrunner.toml:2"]
    assert shown["run.seed"] == ["5", "NRUNNER_RUN_SEED"]
    assert shown["run.results_dir"] == [str(job_results), "NRUNNER_RUN_RESULTS_DIR"]
    assert shown["run.job_timeout"] == ["none", "default"]


def test_programs_get_value_source_variable_and_flag(tmp_path, monkeypatch, job_results, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["config", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert list(data) == list(OPTIONS)
    assert data["run.results"] == {
        "value": ["json", "xunit", "tap", "html"],
        "source": "default",
        "variable": "NRUNNER_RUN_RESULTS",
        "flag": "",
        "help": OPTIONS["run.results"].help,
    }


def test_wrong_configuration_is_told(tmp_path, monkeypatch, job_results, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nrunner.toml").write_text("[run]\ngrase = 90\n")
    assert main(["config"]) == ExitCode.USAGE
    assert 'nrunner.toml:2: key "run.grase": unknown key; did you mean "run.grace"?' in (
        capsys.readouterr().err
    )
