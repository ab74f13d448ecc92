"""Which containers nobody will come for."""

from __future__ import annotations

import pytest

from nrunner.runners.procfs import boot_id
from nrunner.spawners.podman.reap import is_abandoned, leftovers, own_controller

NOBODY = "4194304:1"
"""No process has this number: it is the first that none can have."""


def listed(
    controller: str = NOBODY, state: str = "exited", boot: str = "", **labels: str
) -> dict[str, object]:
    """Return a container as a list of podman's tells of it."""
    marks = {
        "nrunner.job": "job-1",
        "nrunner.boot": boot or boot_id(),
        "nrunner.controller": controller,
    }
    return {"Id": "c1", "Names": ["name"], "State": state, "Labels": {**marks, **labels}}


def test_what_lacks_one_of_our_marks_is_not_ours():
    for mark in ("nrunner.job", "nrunner.boot", "nrunner.controller"):
        assert leftovers([listed(**{mark: ""})]) == []
        less = listed()
        less["Labels"] = {key: text for key, text in less["Labels"].items() if key != mark}
        assert leftovers([less]) == []
    assert leftovers([{"Id": "c2", "Labels": None}]) == []
    assert [each.container for each in leftovers([listed()])] == ["c1"]


@pytest.mark.parametrize("state", ["created", "exited", "configured", "dead", "Exited"])
def test_what_ended_is_abandoned_once_its_controller_is_dead(state):
    (found,) = leftovers([listed(state=state)])
    assert is_abandoned(found)


@pytest.mark.parametrize("state", ["running", "paused", "stopping", "unheard of"])
def test_what_may_run_is_abandoned_only_for_those_who_ask(state):
    (found,) = leftovers([listed(state=state)])
    assert not is_abandoned(found)
    assert is_abandoned(found, with_running=True)


@pytest.mark.parametrize(("pid", "runs"), [(1, True), (0, False), (4194304, False)])
def test_what_podman_calls_running_has_ended_if_its_process_has(pid, runs):
    (found,) = leftovers([{**listed(state="running"), "Pid": pid}])
    assert found.is_running is runs


@pytest.mark.parametrize("state", ["exited", "running"])
def test_what_belongs_to_a_living_controller_is_never_abandoned(state):
    (found,) = leftovers([listed(own_controller(), state)])
    assert not is_abandoned(found, with_running=True)


def test_a_process_that_has_the_number_of_a_dead_controller_is_not_it():
    pid, _, start = own_controller().partition(":")
    (found,) = leftovers([listed(f"{pid}:{int(start) + 1}")])
    assert is_abandoned(found)


def test_a_controller_from_before_the_last_boot_is_dead():
    (found,) = leftovers([listed(own_controller(), boot="another")])
    assert is_abandoned(found)


def test_a_controller_knows_what_of_its_own_has_ended():
    (ended, running) = leftovers([listed(own_controller()), listed(own_controller(), "running")])
    assert is_abandoned(ended, own=own_controller(), with_running=True)
    assert not is_abandoned(running, own=own_controller(), with_running=True)


@pytest.mark.parametrize("controller", ["", "x:1", "1", "1:x", "-1:5"])
def test_a_mark_that_makes_no_sense_names_nobody_who_lives(controller):
    found = leftovers([listed(controller)])
    assert all(is_abandoned(each) for each in found)
