"""Each way in which a container can end has words of its own."""

from __future__ import annotations

import pytest

from nrunner.spawners.podman.ending import Ending, how_it_ended
from nrunner.spawners.podman.life import Counters
from nrunner.spawners.podman.settings import Limits

LIMITS = Limits(memory=64 << 20, pids=100)


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (Ending(0), "the agent exited with status 0"),
        (Ending(3, last_words="too old"), "the agent exited with status 3: too old"),
        (Ending(137), "the agent was killed by SIGKILL"),
        (Ending(200), "the agent was killed by signal 72"),
        (Ending(is_ours=True, status=137), "the container was ended"),
        (
            Ending(137, Counters(oom_kills=1), LIMITS),
            "the kernel killed the agent: the container was out of its memory of 64 MiB"
            " (--podman-memory)",
        ),
        (
            Ending(1, Counters(oom_kills=1)),
            "the kernel killed the agent: the container was out of its memory",
        ),
        (
            Ending(0, Counters(oom_kills=2), LIMITS),
            "the agent exited with status 0 (processes killed for want of memory: 2)",
        ),
        (
            Ending(137, Counters(refused_processes=1), LIMITS),
            "the agent was killed by SIGKILL (the limit of 100 (--podman-pids) on processes was"
            " met)",
        ),
        (
            Ending(137, Counters(refused_processes=1)),
            "the agent was killed by SIGKILL (the limit on processes was met)",
        ),
        (
            Ending(None, monitor_was_alive=False),
            "the agent ended, how is not known: the container's monitor (conmon) was killed",
        ),
        (
            Ending(None, trouble="could not ask"),
            "the agent ended, how is not known: could not ask",
        ),
        (Ending(None), "the agent ended, how is not known: podman does not tell"),
    ],
)
def test_the_end_of_a_container_is_told_in_words(ending, words):
    assert how_it_ended(ending) == words


@pytest.mark.parametrize(
    ("count", "text"),
    [(100, "100 bytes"), (2048, "2 KiB"), (1 << 20, "1 MiB"), (3 << 29, "1.5 GiB")],
)
def test_a_limit_on_memory_is_told_with_a_unit(count, text):
    ending = Ending(137, Counters(oom_kills=1), Limits(memory=count))
    assert f"memory of {text} (" in how_it_ended(ending)
