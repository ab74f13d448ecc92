import json
import re
from pathlib import Path

import platformdirs
import pytest

from nrunner import configdoc
from nrunner.config import FIELDS, OPTIONS, Config
from nrunner.interpreter import test_interpreter as find_interpreter
from nrunner.settlement import LeakPolicy
from nrunner.userfolder import user_folder

ROOT = Path(__file__).parents[2]


def test_every_default_can_be_written_in_a_file_and_read_back():
    config = Config()
    for key, option in OPTIONS.items():
        value = config.value(key)
        if value is not None or option.sort.to_json(value) is not None:
            assert option.sort.from_toml(option.sort.to_json(value)) == value, key


def test_the_leak_policies_are_those_of_the_core():
    assert OPTIONS["run.leak"].sort.words == tuple(each.value for each in LeakPolicy)


def test_each_setting_has_a_name_of_its_own_everywhere():
    flags = [option.flag for option in OPTIONS.values() if option.flag]
    variables = [option.variable for option in OPTIONS.values()]
    assert len(set(flags)) == len(flags)
    assert len(set(variables)) == len(variables)
    assert len(set(FIELDS.values())) == len(OPTIONS)
    assert all(re.fullmatch(r"[a-z]+(\.[a-z_]+)+", key) for key in OPTIONS)


@pytest.mark.parametrize(
    ("name", "schema"), [("config", configdoc.config_schema), ("job", configdoc.job_schema)]
)
def test_the_schemas_say_what_the_table_says(name, schema):
    text = (ROOT / "nrunner" / "schemas" / f"{name}.json").read_text()
    assert json.loads(text) == json.loads(json.dumps(schema()))


def test_the_documented_table_is_the_real_one():
    page = (ROOT / "docs" / "config.md").read_text()
    assert configdoc.with_table(page) == page
    assert all(f"`{key}`" in page for key in OPTIONS)


@pytest.mark.parametrize("base", ["", "relative", "/somewhere"])
def test_user_folders_are_those_of_platformdirs(monkeypatch, base):
    for variable in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, base)
    assert user_folder("cache") == platformdirs.user_cache_path("nrunner", appauthor=False)
    assert user_folder("config") == platformdirs.user_config_path("nrunner", appauthor=False)
    assert user_folder("data") == platformdirs.user_data_path("nrunner", appauthor=False)
    assert user_folder("state") == platformdirs.user_state_path("nrunner", appauthor=False)


def executable(path):
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def test_tests_run_in_the_active_virtual_environment(tmp_path):
    inside = executable(tmp_path / "venv" / "bin" / "python")
    outside = executable(tmp_path / "bin" / "python3")
    environ = {"VIRTUAL_ENV": str(tmp_path / "venv"), "PATH": str(tmp_path / "bin")}
    assert find_interpreter(environ) == inside
    assert find_interpreter({**environ, "VIRTUAL_ENV": str(tmp_path / "gone")}) == outside


def test_without_any_python_on_path_ours_runs_the_tests(tmp_path):
    import sys

    assert find_interpreter({"PATH": str(tmp_path)}) == sys.executable


@pytest.fixture
def pyenv(tmp_path, monkeypatch):
    """A pyenv with two versions, and a folder to be in."""
    root = tmp_path / "pyenv"
    executable(root / "shims" / "python3")
    for version in ("3.11.7", "3.12.1"):
        executable(root / "versions" / version / "bin" / "python3")
    (root / "version").write_text("3.11.7\n")
    (tmp_path / "here" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here" / "below")
    return root


@pytest.mark.parametrize(
    ("named", "variable", "expected"),
    [
        (None, "", "versions/3.11.7/bin/python3"),
        ("3.12.1\n", "", "versions/3.12.1/bin/python3"),
        ("3.12.1\n", "3.11.7", "versions/3.11.7/bin/python3"),
        ("system\n", "", "shims/python3"),
        (None, "2.0", "shims/python3"),
    ],
)
def test_the_interpreter_behind_a_pyenv_shim_is_taken(pyenv, named, variable, expected):
    if named:
        (pyenv.parent / "here" / ".python-version").write_text(named)
    environ = {"PATH": str(pyenv / "shims"), "PYENV_VERSION": variable}
    assert find_interpreter(environ) == str(pyenv / expected)
