from nrunner.phase import Phase
from nrunner.result import Result
from nrunner.runnable import Requirement, Runnable
from nrunner.situation import situation
from nrunner.task import Task
from nrunner.taskstate import TaskState


def state(number, phase, started=None, requirements=(), attempt=1):
    runnable = Runnable("noop", requirements=requirements)
    made = TaskState(Task(number, f"{number}-t", runnable), 0.0)
    made.phase, made.started, made.attempt, made.place = phase, started, attempt, "here"
    return made


def lines(*states, total=10, counts=None, slots=2):
    return situation(states, counts or {Result.PASS: 2, Result.FAIL: 1}, total, slots, 100.0, 40.0)


def test_what_runs_is_told_with_the_oldest_first():
    found = lines(state(1, Phase.STARTED, 90.0), state(2, Phase.STARTED, 50.5, attempt=2))
    assert found[:3] == [
        "STATUS     : 3 of 10 done (1 FAIL), 2 run, 5 wait; 60 s",
        "  runs     49.5 s  2-t (here), attempt 2",
        "  runs     10.0 s  1-t (here)",
    ]


def test_why_others_wait_is_told():
    gcc = Requirement("package", "gcc")
    found = lines(
        *(state(number, Phase.PREPARING, requirements=(gcc,)) for number in (1, 2)),
        state(3, Phase.TRIAGING),
        *(state(number, Phase.READY) for number in (4, 5)),
        state(6, Phase.STARTING),
    )
    assert found[1:] == [
        "  waits: 2 for what they require: package gcc",
        "  waits: 1 for a place that suits them",
        "  waits: 2 for one of 2 slots",
        "  waits: 1 ordered, for their agent to start them",
        "  waits: 1 for their turn",
    ]


def test_many_are_counted():
    found = lines(*(state(number, Phase.STARTED, 99.0) for number in range(1, 101)), total=103)
    assert len(found) == 22
    assert found[-1] == "  and 80 more run"


def test_a_name_stays_on_its_line():
    made = state(1, Phase.STARTED, 99.0)
    made.task = Task(1, "1-a\n\x1b[2J", made.task.runnable)
    assert lines(made)[1] == "  runs      1.0 s  1-a\\n\\x1b[2J (here)"
