"""Requirements at real agents: what is asked, by whom, how often, and for how long."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from nrunner.errors import RecipeError, RequirementError
from nrunner.runnable import Requirement
from nrunner.runners.wire import encode
from nrunner.spawners.process_handle import ProcessHandle
from nrunner.testing.talk import Talk
from tests.functional.sandbox import TAKES_WORDS, wait_until
from tests.functional.test_agent import Agents

Ask = Callable[[Requirement, str], Coroutine[Any, Any, bool]]

RUNNER = f"""#!/bin/sh
# A requirement of its own kind: a file that holds a line.
{TAKES_WORDS}"""
RUNNER += """echo $verb >> calls
case $verb in
    check)
        echo looking
        if [ -e "$uri" ]; then echo '{"met": true}'; exit 0; fi
        echo '{"met": false, "reason": "there is no such line"}'; exit 1 ;;
    task-run)
        touch "$uri"
        exec python3 -c '
import json, socket, sys
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[2])
say = {"id": sys.argv[1], "time": 1.0, "status": "finished", "result": "pass"}
peer.sendall(json.dumps(say).encode() + bytes([10]))' "$id" "$socket" ;;
esac
exit 2
"""


@pytest.fixture
def agents(tmp_path: Path) -> Agents:
    return Agents(tmp_path, tmp_path / "cache")


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def add(name: str, text: str) -> None:
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)

    return add


def script(text: str) -> Requirement:
    return Requirement("exec-test", "/bin/sh", ("-c", text))


def asker(talk: Talk, folder: Path, timeout: float = 10, grace: float = 0.2) -> Ask:
    """Return what asks for a requirement, with a name for its log."""

    async def ask(requirement: Requirement, name: str = "x") -> bool:
        limits = {"timeout": timeout, "grace": grace}
        fields = {"id": name, "log_dir": str(folder / name), "limits": limits}
        return await talk.environment.fulfil(requirement, fields)

    return ask


def test_what_is_fulfilled_can_be_read_from_its_first_moment(agents, tmp_path):
    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        ask = asyncio.ensure_future(
            asker(talk, tmp_path)(script("echo begun; while [ ! -e go ]; do sleep 0.01; done"), "x")
        )
        log = tmp_path / "x" / "stdout"
        await asyncio.to_thread(
            wait_until, lambda: log.exists() and log.read_text() == "begun\n", "it is in the log"
        )
        assert not ask.done()
        (tmp_path / "go").touch()
        assert await ask is True

    agents.talk(body)


def test_a_kind_of_others_is_fulfilled_only_if_its_check_says_no(agents, tmp_path, plug_in):
    plug_in("nrunner-runner-line", RUNNER)
    need = Requirement("line", "here")

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        assert await talk.environment.check(need) == "there is no such line"
        assert await asker(talk, tmp_path)(need, "first") is True
        assert await talk.environment.check(need) is None
        assert await asker(talk, tmp_path)(need, "second") is False
        words = (tmp_path / "calls").read_text().split()
        assert words == ["check", "check", "task-run", "check", "check"]

    agents.talk(body)


@pytest.mark.parametrize(
    "text",
    [
        "#!/bin/sh\nexit 0\n",
        "#!/bin/sh\necho met\n",
        "#!/bin/sh\necho '{\"met\": true}'; exit 3\n",
        "#!/bin/sh\necho '{\"met\": 1}'\n",
        "#!/bin/sh\nkill -9 $$\n",
    ],
)
def test_only_a_clear_yes_is_a_yes(agents, plug_in, text):
    plug_in("nrunner-runner-vague", text)

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        reason = await talk.environment.check(Requirement("vague", "x"))
        assert reason is not None
        assert reason.startswith("its check ")

    agents.talk(body)


def test_an_executable_from_before_checks_is_not_asked(agents, tmp_path, plug_in):
    plug_in("avocado-runner-line", RUNNER)
    (tmp_path / "here").touch()

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        assert await asker(talk, tmp_path)(Requirement("line", "here"), "x") is True
        assert (tmp_path / "calls").read_text() == "task-run\n"

    agents.talk(body)


def test_only_running_a_test_tells_whether_it_passes(agents, tmp_path):
    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        assert await talk.environment.check(script("touch ran")) == "only running it tells"
        assert not (tmp_path / "ran").exists()

    agents.talk(body)


def test_who_asks_for_what_is_under_way_joins(agents, tmp_path):
    need = script("echo ran >> runs; while [ ! -e go ]; do sleep 0.01; done")

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        ask = asker(talk, tmp_path)
        asked = [asyncio.ensure_future(ask(need, name)) for name in ("a", "b", "c")]
        await asyncio.to_thread(wait_until, (tmp_path / "runs").exists, "it runs")
        asked[0].cancel()  # others want it, too
        (tmp_path / "go").touch()
        assert await asyncio.gather(*asked[1:]) == [True, True]
        assert (tmp_path / "runs").read_text() == "ran\n"

    agents.talk(body)


def test_what_nobody_wants_any_more_is_ended_with_all_that_it_started(agents, tmp_path):
    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        text = "(trap '' TERM; setsid sleep 300) & echo $$ > pid; sleep 300"
        ask = asyncio.ensure_future(asker(talk, tmp_path)(script(text), "x"))
        await asyncio.to_thread(wait_until, (tmp_path / "pid").exists, "it runs")
        ask.cancel()
        await asyncio.wait([ask])
        await asyncio.to_thread(wait_until, lambda: not marked(agents.job_id), "all has ended", 10)

    agents.talk(body)


def test_who_asks_for_what_is_being_ended_has_it_done_anew_after_that(agents, tmp_path):
    need = script("trap : TERM; echo ran >> runs; until [ -e over ]; do sleep 0.01; done")
    runs = tmp_path / "runs"

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        ask = asker(talk, tmp_path, grace=10)
        unwanted = asyncio.ensure_future(ask(need, "a"))
        await asyncio.to_thread(wait_until, runs.exists, "it runs")
        unwanted.cancel()
        await asyncio.wait([unwanted])
        asked = [asyncio.ensure_future(ask(need, name)) for name in ("b", "c")]
        log = tmp_path / "b" / "stdout"
        await asyncio.to_thread(wait_until, lambda: log.exists() and log.read_text(), "it waits")
        assert log.read_text() == "waits until what was cancelled has ended\n"
        assert runs.read_text() == "ran\n"
        (tmp_path / "over").touch()
        assert await asyncio.gather(*asked) == [True, True]
        assert runs.read_text() == "ran\nran\n"

    agents.talk(body)


@pytest.mark.parametrize("by", ["cancelling", "abandoning"])
def test_what_is_given_up_while_it_is_checked_is_not_fulfilled(agents, tmp_path, plug_in, by):
    plug_in("nrunner-runner-slow", "#!/bin/sh\necho $1 >> calls\nexec sleep 300\n")

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        ask = asyncio.ensure_future(asker(talk, tmp_path)(Requirement("slow", "x"), "x"))
        await asyncio.to_thread(wait_until, (tmp_path / "calls").exists, "it is checked")
        if by == "cancelling":
            ask.cancel()
        else:
            await talk.environment.leave()
        await asyncio.to_thread(wait_until, lambda: not marked(agents.job_id), "all has ended", 5)
        ask.cancel()
        assert (tmp_path / "calls").read_text() == "check\n"

    agents.talk(body)


def marked(job_id: str) -> list[str]:
    """Return the processes of attempts of a job."""
    mark, found = f"NRUNNER_ATTEMPT={job_id}:".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            pass
    return found


def test_what_hangs_is_bounded_and_says_what_it_did(agents, tmp_path):
    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        hanging = asker(talk, tmp_path, timeout=0.4)(script("echo so far; sleep 300"), "x")
        quick = asker(talk, tmp_path)(script("true"), "quick")
        hangs, passes = await asyncio.gather(hanging, quick, return_exceptions=True)
        assert passes is True
        assert isinstance(hangs, RequirementError)
        assert str(hangs).startswith("past its 0.4 s limit; sleep 300 (")
        assert (tmp_path / "x" / "stdout").read_text() == "so far\n"
        assert "sleep 300" in (tmp_path / "x" / "evidence.txt").read_text()

    agents.talk(body)


def test_an_answer_that_was_lost_with_its_link_is_given_again(agents, tmp_path):
    """It is what happened, not what would happen now: it changed something, once."""

    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        ask = asyncio.ensure_future(
            asker(talk, tmp_path)(script("echo ran >> runs; until [ -e go ]; do :; done"), "x")
        )
        keeper = asyncio.ensure_future(talk.environment.wait_gone())
        await asyncio.to_thread(wait_until, (tmp_path / "runs").exists, "it runs")
        talk.cut()
        (tmp_path / "go").touch()  # it ends before anybody can have connected again
        assert await ask is True
        keeper.cancel()
        assert (tmp_path / "runs").read_text() == "ran\n"

    agents.talk(body)


def test_a_wrong_description_is_answered(agents, tmp_path):
    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        with pytest.raises(RecipeError, match="needs a uri"):
            await asker(talk, tmp_path)(Requirement("file"), "x")
        assert "needs a uri" in str(await talk.environment.check(Requirement("file")))
        with pytest.raises(RequirementError, match="expected limits in seconds"):
            await talk.environment.fulfil(script("true"), {"limits": {"timeout": "long"}})
        with pytest.raises(RequirementError, match="no program"):
            await asker(talk, tmp_path)(Requirement("exec-test", "/no/such"), "x")

    agents.talk(body)


def test_a_frame_without_a_request_is_refused_alone(agents, tmp_path):
    async def body(talk: Talk, _handle: ProcessHandle) -> None:
        frame = {"type": "fulfil", "requirement": script("touch ran").to_json(), "request": "x"}
        talk.environment._send(encode(frame))  # what no controller would send
        assert await asker(talk, tmp_path)(script("true"), "x") is True
        assert not (tmp_path / "ran").exists()

    agents.talk(body)
