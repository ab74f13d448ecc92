"""What agents are told of a job, by where they run and what was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrunner.agentsetting import agent_settings, common_folder
from nrunner.layout import JobFolder
from nrunner.plan import JobPlan

FOLDER = JobFolder(Path("/results/job"))


def settings(spawner: str = "process", **config):
    plan = JobPlan(
        (), Path("/base"), Path("/results"), spawner=spawner, payload_env={"A": "b"}, config=config
    )
    return agent_settings(plan, "1" * 40, FOLDER, "/slots")


@pytest.fixture(autouse=True)
def nobody_shares(monkeypatch):
    monkeypatch.delenv("AVOCADO_TESTS_COMMON_TMPDIR", raising=False)


def test_what_is_set_for_runners_reaches_them_and_nothing_else_does():
    wanted = {"runner.python": "py", "cache.offline": True, "sysinfo.collect.locale": "C"}
    assert settings(**wanted, **{"status.tcp": "x"})["config"] == wanted


def test_a_folder_of_this_machine_is_told_only_where_it_is_seen():
    far = settings("podman", **{"cache.dir": "/c"})
    assert (far["config"], far["our_config"]) == ({}, {"cache.dir": "/c"})
    assert settings(**{"cache.dir": "/c"})["config"] == {"cache.dir": "/c"}
    assert "AVOCADO_TESTS_COMMON_TMPDIR" not in far["env"]
    assert settings()["env"] == {"AVOCADO_TESTS_COMMON_TMPDIR": "/slots/common", "A": "b"}


def test_tests_share_the_folder_that_somebody_else_has_for_them(monkeypatch):
    monkeypatch.setenv("AVOCADO_TESTS_COMMON_TMPDIR", "/theirs")
    assert common_folder(JobPlan((), Path("/"), Path("/")), "/slots") == ""
    assert settings()["env"] == {"A": "b"}


def test_tests_are_told_of_facts_only_if_there_are_some_for_the_job():
    survey = {"sysinfo.survey": {"job": True}}
    assert settings(**survey)["env"]["AVOCADO_SYSINFODIR"] == "/results/job/sysinfo/pre"
    assert "sysinfo.survey" not in settings(**survey)["config"]
    each = {"sysinfo.survey": {"test": True}}
    assert settings(**each)["config"] == each


def test_an_agent_on_a_device_waits_as_long_as_that_is_leased():
    config = {"agent.orphan_deadline": 60, "agent.answer_deadline": 5}
    assert settings(**config)["orphan_deadline"] == 60
    far = settings("ssh", **config)
    assert (far["orphan_deadline"], far["answer_deadline"]) == (3600, 5)
    assert settings("ssh", **{"ssh.orphan_deadline": 9})["orphan_deadline"] == 9
