from pathlib import Path

import pytest

from nrunner.config import Config
from nrunner.errors import UsageError
from nrunner.layer import flag_layer, load
from nrunner.sysinfo import COMMANDS, FILES, survey_of


def config(**settings: str) -> Config:
    keys = {f"sysinfo.{name.replace('__', '.')}": value for name, value in settings.items()}
    return load({}, Path("/nowhere"), flag_layer(keys))


def test_nothing_is_collected_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert survey_of(config(), tmp_path) == {}
    off = config(collect__enabled="false", collect__per_test="true")
    assert survey_of(off, tmp_path) == {}, "who wants none wants none of tests either"


def test_a_job_and_its_tests_are_asked_for_apart(tmp_path: Path) -> None:
    job = survey_of(config(collect__enabled="true"), tmp_path)
    assert (job["job"], job["test"]) == (True, False)
    assert (tuple(job["commands"]), tuple(job["files"])) == (COMMANDS, FILES)
    assert job["fail_commands"] == job["fail_files"] == []
    tests = survey_of(config(collect__per_test="true"), tmp_path)
    assert (tests["job"], tests["test"]) == (False, True)


@pytest.mark.parametrize("limit", ["0", "none"])
def test_commands_may_take_as_long_as_they_like_where_there_is_no_limit(
    tmp_path: Path, limit: str
) -> None:
    wanted = survey_of(config(collect__enabled="true", collect__commands_timeout=limit), tmp_path)
    assert wanted["sysinfo.collect.commands_timeout"] is None


def test_lists_are_read_from_files_without_remarks(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("# what I want\nuptime\n\n  df -h  \n")
    asked = config(collect__enabled="on", collectibles__fail_commands="mine")
    assert survey_of(asked, tmp_path)["fail_commands"] == ["uptime", "df -h"]


def test_a_list_that_cannot_be_read_is_named_with_its_setting(tmp_path: Path) -> None:
    names = {"COLLECT_ENABLED": "on", "COLLECTIBLES_FILES": str(tmp_path / "none")}
    env = {f"NRUNNER_SYSINFO_{name}": value for name, value in names.items()}
    with pytest.raises(UsageError, match=r"NRUNNER_SYSINFO_COLLECTIBLES_FILES.*/none cannot be"):
        survey_of(load(env, tmp_path), tmp_path)
