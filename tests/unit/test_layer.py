import pytest

from nrunner.config import OPTIONS, Config
from nrunner.errors import ConfigError, ExitCode
from nrunner.layer import Value, build, environment_layer, flag_layer, load


@pytest.fixture(autouse=True)
def user_folder(tmp_path, monkeypatch):
    folder = tmp_path / "user"
    (folder / "nrunner").mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    return folder / "nrunner"


@pytest.fixture
def here(tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


def error_of(call, *arguments):
    with pytest.raises(ConfigError) as caught:
        call(*arguments)
    assert caught.value.exit_code == ExitCode.USAGE
    return str(caught.value)


def test_without_files_variables_and_flags_there_are_defaults(here):
    config = load({}, here)
    assert config.job_timeout is None
    assert config.results == ("json", "xunit", "tap", "html")
    assert config.max_parallel_tasks is None
    assert {config.source(key) for key in OPTIONS} == {"default"}


def test_each_source_beats_the_one_before_it(here, user_folder):
    (user_folder / "nrunner.toml").write_text(
        "[run]\nmax_parallel_tasks = 2\ngrace = 2\nseed = 2\nspawner = 'a'\njob_timeout = 2\n"
    )
    (here / "nrunner.toml").write_text(
        "[run]\nmax_parallel_tasks = 3\ngrace = 3\nseed = 3\nspawner = 'b'\n"
    )
    environ = {
        "NRUNNER_RUN_MAX_PARALLEL_TASKS": "4",
        "NRUNNER_RUN_GRACE": "4",
        "NRUNNER_RUN_SEED": "4",
    }
    job = {"run.max_parallel_tasks": Value(5, "job.toml:1"), "run.grace": Value(5.0, "job.toml:2")}
    config = load(environ, here, job, flag_layer({"run.max_parallel_tasks": "6"}))
    assert (config.max_parallel_tasks, config.source("run.max_parallel_tasks")) == (
        6,
        "--max-parallel-tasks",
    )
    assert (config.grace, config.source("run.grace")) == (5.0, "job.toml:2")
    assert (config.seed, config.source("run.seed")) == (4, "NRUNNER_RUN_SEED")
    assert (config.spawner, config.source("run.spawner")) == ("b", "nrunner.toml:5")
    assert config.job_timeout == 2.0
    assert config.source("run.job_timeout") == f"{user_folder / 'nrunner.toml'}:6"


def test_an_unknown_key_is_named_with_file_line_and_nearest_name(here):
    (here / "nrunner.toml").write_text("\n[run]\nmax_paralel_tasks = 2\n")
    message = error_of(load, {}, here)
    assert message == (
        'use nrunner.toml:3: key "run.max_paralel_tasks": unknown key; '
        'did you mean "run.max_parallel_tasks"?'
    )


def test_a_key_without_its_table_is_told_where_it_belongs(here):
    (here / "nrunner.toml").write_text("fail_fast = true\n")
    assert 'did you mean "run.fail_fast"?' in error_of(load, {}, here)


def test_an_unknown_table_is_told_the_nearest_one(here):
    (here / "nrunner.toml").write_text("[runer]\npython = 'x'\n")
    assert 'nrunner.toml:1: key "runer": unknown key; did you mean "runner"?' in error_of(
        load, {}, here
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("run.max_parallel_tasks = 0", "must be 1 or more, got 0"),
        ("status.serve_port = 65536", "must be 65535 or less, got 65536"),
        ("run.max_parallel_tasks = '2'", "expected a whole number, got '2'"),
        ("run.fail_fast = 'yes'", "expected true or false, got 'yes'"),
        ("run.job_timeout = '5 minutes'", "expected a duration such as 90"),
        ("run.job_timeout = 2026-11-22", "got a date"),
        ("run.results = 'json'", "expected a list of strings"),
        ("run = 1", "unknown key"),
        ("run.grace.x = 1", "expected a duration such as 90, 90s, 15m or 1h30m, got a table"),
        ("runner.exectest.exitcodes.skip = [300]", "must be 255 or less, got 300"),
        ("status.tcp = '80'", "expected HOST:PORT"),
    ],
)
def test_a_wrong_value_is_named_with_file_line_and_key(here, line, message):
    (here / "nrunner.toml").write_text(f"# first\n{line}\n")
    error = error_of(load, {}, here)
    assert error.startswith("use nrunner.toml:2: key ")
    assert message in error


def test_everything_wrong_in_a_file_is_told_at_once(here):
    (here / "nrunner.toml").write_text("[run]\ngrace = -1\nsed = 1\n[output]\nshow = 1\n")
    error = error_of(load, {}, here)
    assert [line.split(":")[1] for line in error.splitlines()] == ["2", "3", "5"]


def test_a_configuration_folder_that_is_a_file_is_no_error(here, user_folder, monkeypatch):
    (user_folder / "nrunner.toml").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(user_folder / "nrunner.toml"))
    assert load({}, here).sources == {}


def test_a_wrong_variable_is_named():
    environ = {"NRUNNER_RUN_MAX_PARALLEL_TASKS": "many"}
    assert error_of(environment_layer, environ) == (
        "use NRUNNER_RUN_MAX_PARALLEL_TASKS: expected a whole number, got 'many'"
    )


def test_an_unknown_variable_of_ours_is_told_the_nearest():
    assert error_of(environment_layer, {"NRUNNER_RUN_FAILFAST": "1"}).endswith(
        "did you mean NRUNNER_RUN_FAIL_FAST?"
    )


@pytest.mark.parametrize(
    ("environ", "quiet"),
    [
        ({"NRUNNER_OUTPUT": "compact"}, True),
        ({"NRUNNER_OUTPUT": "other"}, False),
        ({"NRUNNER_OUTPUT": "compact", "NRUNNER_OUTPUT_QUIET": "false"}, False),
    ],
)
def test_the_variable_for_compact_output_beats_files_and_nothing_else(here, environ, quiet):
    (here / "nrunner.toml").write_text("output.quiet = false\n")
    assert load(environ, here).quiet is quiet
    assert load(environ, here, flag_layer({"output.quiet": False})).quiet is False


def test_variables_that_payloads_see_and_empty_ones_are_no_settings():
    environ = {
        "NRUNNER_VERSION": "1",
        "NRUNNER_TEST_WORKDIR": "/x",
        "NRUNNER_RUN_SEED": "",
        "NRUNNER": "1",
    }
    assert environment_layer(environ) == {}


def test_a_wrong_flag_is_named():
    assert error_of(flag_layer, {"run.max_parallel_tasks": "0"}) == (
        "use --max-parallel-tasks: must be 1 or more, got 0"
    )


def test_flags_that_were_not_given_change_nothing():
    assert flag_layer({"run.seed": None, "run.env": (), "run.fail_fast": None}) == {}


def test_an_environment_setting_can_name_each_setting():
    texts = {
        "run.env": "A=1",
        "runner.executables": "A=b",
        "status.tcp": "h:1",
        "run.results": "json",
        "output.show": "app",
        "run.leak": "fail",
        "run.suite_runner": "nrunner",
        "run.execution_order": "tests-per-variant",
        "runner.isolation": "interpreter",
        "resolver.python_tests": "pytest",
        "agent.cgroup": "off",
        "podman.reuse": "suite",
        "podman.userns": "host",
        "podman.network": "private",
        "podman.memory": "512M",
        "podman.pids": "64",
        "podman.pull": "never",
        "podman.prepare_network": "none",
    }
    environ = {
        option.variable: texts.get(key, "1")
        for key, option in OPTIONS.items()
        if key not in ("filter.by_tags",)
    }
    layer = environment_layer({**environ, "NRUNNER_FILTER_BY_TAGS": "a,b c"})
    assert set(layer) == set(OPTIONS)
    assert layer["filter.by_tags"] == Value(("a,b", "c"), "NRUNNER_FILTER_BY_TAGS")


def test_plugins_are_given_what_was_set_for_them_and_nothing_else():
    config = build(
        [
            {
                "runner.exectest.exitcodes.skip": Value((77,), "x"),
                "run.seed": Value(1, "x"),
                "agent.orphan_deadline": Value(5.0, "x"),
            }
        ]
    )
    assert config.for_plugins() == {
        "runner.exectest.exitcodes.skip": [77],
        "agent.orphan_deadline": 5.0,
    }


def test_configuration_cannot_be_changed():
    with pytest.raises(AttributeError):
        Config().seed = 1
