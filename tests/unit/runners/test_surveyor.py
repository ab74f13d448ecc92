from pathlib import Path

import pytest

from nrunner.runnable import Runnable
from nrunner.runners.attempt import Attempt, Order, Settings
from nrunner.runners.base import Exit
from nrunner.runners.brand import Brands
from nrunner.runners.surveyor import SURVEY, Surveyor


class Agent:
    """Takes down what a surveyor asks for."""

    def __init__(self, folder: Path) -> None:
        self.orders: list[Order] = []
        self.cancelled: list[tuple[int, bool]] = []
        self.said: list[str] = []
        self.gone_on = 0
        self.surveyor = Surveyor(self.orders.append, self.cancel, self.said.append)
        wanted = {"test": True, "commands": ["uptime"], "sysinfo.collect.locale": "C"}
        self.settings = Settings(slots_dir=str(folder / "slots"), config={SURVEY: wanted})
        self.attempt = Attempt(Order(7, 1, "7-t", Runnable("exec-test"), str(folder / "task")))

    def cancel(self, task: int, attempt: int, *, kill: bool, detail: str) -> None:
        self.cancelled.append((task, kill))

    def go_on(self) -> None:
        self.gone_on += 1

    def make(self, when: str = "pre", *, failed: bool = False) -> Order:
        self.surveyor.make(when, self.attempt, self.settings, self.go_on, failed=failed)
        return self.orders[-1]


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return Agent(tmp_path)


def test_only_tests_of_a_job_that_asked_have_surveys(agent: Agent) -> None:
    order = agent.attempt.order
    assert agent.surveyor.wants(order, agent.settings)
    assert not agent.surveyor.wants(order, Settings())
    assert not agent.surveyor.wants(order, Settings(config={SURVEY: {"test": False}}))
    assert not agent.surveyor.wants(agent.make(), agent.settings), "nor has one of its own"


def test_a_survey_is_an_errand_that_writes_into_the_folder_of_the_test(
    agent: Agent, tmp_path: Path
) -> None:
    order = agent.make("post", failed=True)
    assert order.is_errand
    assert (order.runnable.kind, order.runnable.uri) == ("sysinfo", "post")
    assert order.runnable.kwargs["folder"] == f"{tmp_path}/task/sysinfo"
    assert order.runnable.kwargs["sysinfo"]["commands"] == ["uptime"]
    assert order.runnable.kwargs["test_fail"] is True
    assert order.runnable.config == {"sysinfo.collect.locale": "C"}
    assert (tmp_path / "task").is_dir()


@pytest.mark.parametrize(
    ("event", "fields", "said"),
    [
        ("ended", {"result": "pass"}, []),
        ("ended", {"result": "error", "fail_reason": "full"}, ["information on 7-t: full"]),
        ("ended", {"result": "", "stop_detail": "late"}, ["information on 7-t: late"]),
        ("not_started", {"reason": "no python"}, ["information on 7-t: no python"]),
    ],
)
def test_the_test_goes_on_whatever_becomes_of_the_survey(
    agent: Agent, event: str, fields: dict[str, object], said: list[str]
) -> None:
    survey = Attempt(agent.make())
    assert agent.surveyor.heard(survey, "started", {})
    assert agent.gone_on == 0
    assert agent.surveyor.heard(survey, event, fields)
    assert agent.surveyor.heard(survey, event, fields), "once is enough"
    assert agent.gone_on == 1
    assert [each.partition("system ")[2] for each in agent.said] == said


def test_errands_of_others_are_left_to_them(agent: Agent) -> None:
    agent.make()
    other = Attempt(Order(-1, 0, "pip", Runnable("pip"), ""))
    assert not agent.surveyor.heard(other, "ended", {"result": "pass"})
    assert agent.gone_on == 0


def test_what_a_survey_leaves_is_not_taken_for_that_of_a_requirement(agent: Agent) -> None:
    brands = Brands()
    surveys = {brands.of((agent.make().task, 0)) for _ in range(100)}
    requirements = {brands.of((-number, 0)) for number in range(1, 101)}
    assert len(surveys) == len(requirements) == 100
    assert not surveys & requirements


def test_a_test_that_is_cancelled_before_it_began_ends_its_survey(agent: Agent) -> None:
    number = agent.make().task
    assert agent.surveyor.is_before(agent.attempt)
    agent.surveyor.abandon(agent.attempt, "Ctrl-C", kill=True)
    assert agent.cancelled == [(number, True)]
    agent.attempt.end = Exit(0)
    assert not agent.surveyor.is_before(agent.attempt)


def test_where_there_can_be_no_folder_the_test_runs_all_the_same(agent: Agent) -> None:
    agent.attempt = Attempt(Order(7, 1, "7-t", Runnable("exec-test"), "/proc/none/task"))
    agent.surveyor.make("pre", agent.attempt, agent.settings, agent.go_on)
    assert agent.gone_on == 1
    assert agent.orders == []
    assert "no system information on 7-t" in agent.said[0]
