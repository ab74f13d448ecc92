from pathlib import Path

import pytest

from nrunner.cli.detach import outliving
from nrunner.layer import load
from nrunner.plan import JobPlan

PLAN = JobPlan((), Path(), Path(), config={"runner.python": "python3"})


def test_agents_of_a_detached_job_wait_ten_minutes_for_a_controller(tmp_path):
    plan = outliving(PLAN, load({}, tmp_path))
    assert plan.config == {"runner.python": "python3", "agent.orphan_deadline": 600.0}


@pytest.mark.parametrize("seconds", ["60", "5", "1h"])
def test_a_deadline_that_the_user_sets_is_kept(tmp_path, seconds):
    config = load({"NRUNNER_AGENT_ORPHAN_DEADLINE": seconds, "HOME": str(tmp_path)}, tmp_path)
    assert outliving(PLAN, config) is PLAN
