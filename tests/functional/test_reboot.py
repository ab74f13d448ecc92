"""Tests that ask for a reboot: what they are told, how they ask, and that this ends them."""

from __future__ import annotations

import contextlib
import os
import signal
import textwrap
from pathlib import Path
from typing import Any

import pytest

from nrunner.runnable import Runnable
from nrunner.runners.procfs import read_process
from nrunner.testing.talk import Talk
from tests.functional.test_agent import Agents

VARIABLES = (
    "NRUNNER_REBOOT_COUNT TMT_REBOOT_COUNT REBOOTCOUNT NRUNNER_REBOOT_MARK AUTOPKGTEST_REBOOT_MARK"
)


@pytest.fixture
def agents(tmp_path: Path) -> Agents:
    return Agents(tmp_path, tmp_path / "cache")


def sh(script: str) -> Runnable:
    return Runnable("exec-test", "/bin/sh", ("-c", script))


def run(agents: Agents, test: Runnable, told: Any = None, **settings: Any) -> tuple[Any, str]:
    """Run a test where it may ask for reboots; return its end and what it printed."""
    found: list[Any] = []

    async def body(talk: Talk, _handle: Any) -> None:
        talk.run(1, test, reboot=told)
        found.extend((await talk.hear(1, "ended"), talk.log_dir(1) / "stdout"))

    agents.talk(body, **{"reboots": True, **settings})
    end, stdout = found
    return end, stdout.read_text() if stdout.exists() else ""


def test_a_test_is_told_that_it_begins(agents):
    script = f'for each in {VARIABLES}; do eval "echo \\${{$each-unset}}"; done; which tmt-reboot'
    end, out = run(agents, sh(script))
    *values, path = out.split()
    assert values == ["0", "0", "0", "unset", "unset"]
    assert path.startswith(str(agents.slots))
    assert (end["result"], end.get("reboot")) == ("pass", None)


def test_a_test_is_told_what_was_before_a_reboot(agents):
    script = f'for each in {VARIABLES}; do eval "echo \\${{$each-unset}}"; done'
    end, out = run(agents, sh(f"{script}; tmt-reboot"), {"count": 2, "mark": "half done"})
    assert out.splitlines() == ["2", "2", "2", "half done", "half done"]
    assert end["reboot"] == {"mark": "", "command": "", "count": 2}


@pytest.mark.parametrize(
    ("asks", "wish"),
    [
        ("nrunner-reboot", ("", "")),
        ('"$NRUNNER_REBOOT" "half done\nor more"', ("half done\nor more", "")),
        ("tmt-reboot -t 300 -c 'echo b >/proc/sysrq-trigger'", ("", "echo b >/proc/sysrq-trigger")),
        ("autopkgtest-reboot mark", ("mark", "")),
        ("rstrnt-reboot & wait", ("", "")),
    ],
)
def test_whoever_asks_ends_there_with_the_wish(agents, asks, wish):
    end, out = run(agents, sh(f"echo before; {asks}; echo after; sleep 99"))
    assert out == "before\n"
    assert end["reboot"] == {"mark": wish[0], "command": wish[1], "count": 0}


def test_who_asks_from_another_session_ends_there_and_the_wish_counts_with_the_test(agents):
    end, out = run(agents, sh("echo before; setsid -w nrunner-reboot; echo after; exit 1"))
    assert (end["reboot"]["mark"], out) == ("", "before\nafter\n")


def test_a_test_in_python_asks_like_any_other(agents, tmp_path):
    (tmp_path / "t.py").write_text(
        textwrap.dedent(
            """
            import os, subprocess, unittest
            class T(unittest.TestCase):
                def test(self):
                    print("count", os.environ["NRUNNER_REBOOT_COUNT"], flush=True)
                    if os.environ["NRUNNER_REBOOT_COUNT"] == "0":
                        subprocess.run(["nrunner-reboot", "x"])
                        print("after", flush=True)
            """
        )
    )
    test = Runnable("python-unittest", f"{tmp_path}/t.py:T.test")
    end, out = run(agents, test)
    assert (end["reboot"]["mark"], out) == ("x", "count 0\n")
    end, out = run(agents, test, {"count": 1, "mark": "x"})
    assert (end["result"], end.get("reboot"), out) == ("pass", None, "count 0\ncount 1\n")


def test_a_wish_is_not_that_of_the_next_test(agents):
    async def body(talk: Talk, _handle: Any) -> None:
        talk.run(1, sh('echo >"$NRUNNER_REBOOT_REQUEST"'))
        assert "reboot" in await talk.hear(1, "ended")
        talk.run(2, sh('echo x >"$NRUNNER_REBOOT_REQUEST"; sleep 99'), timeout=0.3)
        end = await talk.hear(2, "ended")
        assert (end["stop"], end.get("reboot")) == ("timeout", None)
        talk.run(3, sh("true"))
        assert "reboot" not in await talk.hear(3, "ended")

    agents.talk(body, reboots=True, slots=1)


def test_what_a_shutdown_kills_together_with_its_agent_is_no_failure_of_the_test(agents):
    """Whether its end is still told is a race: if so, it is told as trouble."""

    async def body(talk: Talk, handle: Any) -> None:
        talk.run(1, sh("exec sleep 99"))
        payload = (await talk.hear(1, "started"))["pid"]
        for pid in (read_process(payload).parent, payload):
            with contextlib.suppress(ProcessLookupError):  # the agent may have been faster
                os.kill(pid, signal.SIGTERM)
        await handle.wait_gone()
        ends = [head for head in talk.events if head["event"] == "ended"]
        assert all("killed together with its agent" in head["trouble"] for head in ends)

    for _ in range(3):
        agents.talk(body)


def test_where_there_can_be_no_reboot_nobody_is_told_of_any(agents):
    script = f'for each in {VARIABLES} NRUNNER_REBOOT; do eval "echo \\${{$each-unset}}"; done'
    _, out = run(agents, sh(f"{script}; command -v tmt-reboot"), reboots=False)
    assert out.split() == ["unset"] * 6


@pytest.mark.parametrize("words", ["a b", "-x", "-c"])
def test_a_helper_that_is_misused_says_so_and_nothing_is_rebooted(agents, words):
    end, _ = run(agents, sh(f"nrunner-reboot {words}; [ $? = 2 ]"))
    assert (end["result"], end.get("reboot")) == ("pass", None)
