import pytest

from nrunner.errors import ConfigError, ExitCode
from nrunner.jobfile import read_job
from nrunner.layer import build
from nrunner.runnable import Requirement

GOOD = """\
[job]
run.job_timeout = "2h"

[[suite]]
name = "smoke"
references = ["a.sh", "b.sh"]
run.task_timeout = "30s"
[suite.run.env]
MODE = "quick"

[[suite]]
name = "slow"
references = ["tests/"]
filter.by_tags = ["slow,-broken"]
"""


def read(tmp_path, text):
    file = tmp_path / "job.toml"
    file.write_text(text)
    return read_job(file)


def error_of(tmp_path, text):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert caught.value.exit_code == ExitCode.USAGE
    return str(caught.value).replace(str(tmp_path) + "/", "")


def test_a_job_file_has_settings_and_suites_with_settings_of_their_own(tmp_path):
    job = read(tmp_path, GOOD)
    assert build([job.settings]).job_timeout == 7200
    smoke, slow = job.suites
    assert (smoke.name, smoke.references) == ("smoke", ("a.sh", "b.sh"))
    assert build([smoke.settings]).task_timeout == 30
    assert build([smoke.settings]).env == {"MODE": "quick"}
    assert build([slow.settings]).filter_by_tags == ("slow,-broken",)
    assert slow.settings["filter.by_tags"].source == f"{tmp_path / 'job.toml'}:14"


def test_a_job_file_has_requirements_of_the_job_and_of_suites(tmp_path):
    job = read(
        tmp_path,
        "[job]\nrequirements = [{ type = 'package', name = 'hello' }]\n"
        "[[suite]]\nname = 'one'\nreferences = ['a.sh']\n"
        "[[suite.requirements]]\ntype = 'file'\nuri = 'data.bin'\n"
        "[[suite]]\nname = 'two'\nreferences = ['a.sh']\n",
    )
    assert job.requirements == (Requirement("package", kwargs={"name": "hello"}),)
    assert [each.requirements for each in job.suites] == [(Requirement("file", "data.bin"),), ()]
    assert job.settings == job.suites[0].settings == {}


SUITE = "[[suite]]\nname = 'x'\nreferences = ['y']\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            SUITE + "refernces = ['y']\n",
            'job.toml:4: key "suite[0].refernces": unknown key; did you mean "references"?',
        ),
        (
            SUITE + "run.task_timeoutt = 1\n",
            'job.toml:4: key "suite[0].run.task_timeoutt": unknown key; '
            'did you mean "run.task_timeout"?',
        ),
        (
            SUITE + "run.fail_fast = true\n",
            'job.toml:4: key "suite[0].run.fail_fast": cannot differ from suite to suite: '
            "set it for the whole job",
        ),
        (SUITE + "run.grace = -1\n", 'job.toml:4: key "suite[0].run.grace": must be from 0'),
        (
            "[job]\nrun.max_paralel_tasks = 1\n" + SUITE,
            'job.toml:2: key "job.run.max_paralel_tasks": unknown key; '
            'did you mean "run.max_parallel_tasks"?',
        ),
        (
            SUITE + "[[suit]]\nname = 'x'\n",
            'job.toml:4: key "suit": unknown key; did you mean "suite"?',
        ),
        ("[job]\n", "job.toml: expected at least one [[suite]]"),
        ("suite = []\n", 'job.toml:1: key "suite": expected at least one [[suite]]'),
        ("suite = [1]\n", 'job.toml:1: key "suite[0]": expected at least one [[suite]]'),
        ("job = 1\n" + SUITE, 'job.toml:1: key "job": expected a table of settings'),
        ("[[suite]]\nname = 'x'\n", 'job.toml:1: key "suite[0]": key "references" is missing'),
        ("[[suite]]\nreferences = ['x']\n", 'job.toml:1: key "suite[0]": key "name" is missing'),
        (
            "[[suite]]\nname = 'x'\nreferences = []\n",
            'job.toml:3: key "suite[0].references": expected a list of references, not empty',
        ),
        (
            "[[suite]]\nname = 'x'\nreferences = ['a', '']\n",
            'job.toml:3: key "suite[0].references": expected a list of references, not empty',
        ),
        (
            SUITE + SUITE,
            "job.toml:5: key \"suite[1].name\": there is another suite named 'x'",
        ),
        (
            SUITE + "requirements = [{ typ = 'file' }]\n",
            'job.toml:4: key "suite[0].requirements[0]": key "type" is missing',
        ),
        (
            SUITE + "[[suite.requirements]]\ntype = 'file'\nargs = 1\n",
            'job.toml:6: key "suite[0].requirements[0].args": expected a list, got a number',
        ),
        (
            "[job]\nrequirements = 'file'\n" + SUITE,
            'job.toml:2: key "job.requirements": expected a list of requirements',
        ),
        (
            SUITE + "requirements = [{ type = 'file', since = 2026-01-01 }]\n",
            'job.toml:4: key "suite[0].requirements[0].since": a date cannot be passed on: '
            "write it as a string",
        ),
        (
            "[job]\nrequirement = []\n" + SUITE,
            'job.toml:2: key "job.requirement": unknown key; did you mean "requirements"?',
        ),
        ("[[suite]\n", "read job.toml:1: not valid TOML"),
    ],
)
def test_what_is_wrong_is_named_with_file_line_and_key(tmp_path, text, message):
    assert message in error_of(tmp_path, text)


def test_a_job_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"read job file .*gone\.toml: no such file or directory"):
        read_job(tmp_path / "gone.toml")


def test_everything_wrong_is_told_once_and_at_once(tmp_path):
    text = "[job]\nrun.grace = 'x'\n[[suite]]\nname = 5\nreferences = ['a']\nrun.sed = 1\n"
    lines = error_of(tmp_path, text).splitlines()
    assert sorted(line.split(":")[1] for line in lines) == ["2", "4", "6"]
