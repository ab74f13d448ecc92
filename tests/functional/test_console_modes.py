"""The console for those who want less, and those who ask for more."""

from __future__ import annotations

import os
import pty
import signal
from pathlib import Path

import pytest

from tests.functional.sandbox import Sandbox, wait_until

FAILS = "#!/bin/sh\necho what went wrong >&2\nexit 3\n"


@pytest.mark.parametrize("how", [("--quiet",), ()])
def test_compact_output_is_silent_if_all_is_well_and_dense_if_not(
    sandbox: Sandbox, how: tuple[str, ...]
) -> None:
    env = {} if how else {"NRUNNER_OUTPUT": "compact"}
    well = sandbox.run("run", *how, "/bin/true", env=env)
    assert (well.code, well.out, well.err) == (0, "", "")
    sandbox.write("a.sh", FAILS)
    sandbox.write("b.sh", FAILS)
    ill = sandbox.run("run", *how, "--max-parallel-tasks=1", "a.sh", "/bin/true", "b.sh", env=env)
    assert ill.code == 1
    first, tail, same, foot = ill.lines
    assert first.startswith("FAIL a.sh: exited with status 3 (test, 0.")
    assert tail == "  stderr | what went wrong"
    assert same == "  same: b.sh"
    assert foot.startswith("1 PASS, 2 FAIL of 3, ")
    assert foot.endswith(str(sandbox.job))


def test_flags_and_other_words_beat_the_variable_for_compact_output(sandbox: Sandbox) -> None:
    env = {"NRUNNER_OUTPUT": "compact"}
    assert "PASS" in sandbox.run("run", "--no-quiet", "/bin/true", env=env).out
    env["NRUNNER_OUTPUT_QUIET"] = "false"
    assert "PASS" in sandbox.run("run", "/bin/true", env=env).out


def test_a_job_is_shown_as_densely_as_the_variable_says(sandbox: Sandbox) -> None:
    assert sandbox.run("run", "/bin/true").code == 0
    env = {"NRUNNER_OUTPUT": "compact"}
    assert sandbox.run("jobs", "attach", "latest", env=env).out == ""
    assert "PASS" in sandbox.run("jobs", "attach", "--no-quiet", "latest", env=env).out


def test_sigusr1_has_a_job_say_what_it_is_about(sandbox: Sandbox) -> None:
    sandbox.write("t.sh", "#!/bin/sh\nsleep 60\n")
    run = sandbox.start("run", "--max-parallel-tasks", "1", "t.sh", "/bin/true")
    run.wait_started(1)
    run.signal(signal.SIGUSR1)
    run.wait_said("STATUS     : 0 of 2 done, 1 run, 1 wait; ")
    run.signal(signal.SIGINT)
    end = run.wait()
    assert end.code == 8
    assert "s  1-t.sh (process)" in end.out
    assert "STATUS" not in (sandbox.job / "journal.jsonl").read_text()


def test_s_and_enter_on_a_terminal_ask_the_same(sandbox: Sandbox) -> None:
    sandbox.write("t.sh", "#!/bin/sh\nsleep 60\n")
    ours, theirs = pty.openpty()
    run = sandbox.start(
        *("run", "t.sh"), stdin=theirs, start_new_session=True, preexec_fn=_take_terminal
    )
    os.close(theirs)
    run.wait_started(1)
    os.write(ours, b"nonsense\ns\n")
    run.wait_said("STATUS     : 0 of 1 done")
    assert run._said.count(b"STATUS") == 1
    run.signal(signal.SIGINT)
    assert run.wait().code == 8
    os.close(ours)


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_a_job_whose_terminal_goes_away_does_not_listen_to_it_any_more(sandbox: Sandbox) -> None:
    sandbox.write("t.sh", f"#!/bin/sh\nuntil test -e {sandbox.here}/go; do sleep 0.05; done\n")
    ours, theirs = pty.openpty()
    run = sandbox.start("run", "t.sh", stdin=theirs, start_new_session=True)
    os.close(theirs)
    run.wait_started(1)
    before = _computed(run.pid)
    os.close(ours)
    (sandbox.here / "go").touch()
    assert run.wait().code == 0
    assert before < 20


def _computed(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_github_and_gitlab_are_told_of_failures(sandbox: Sandbox) -> None:
    sandbox.write("a.sh", FAILS)
    github = sandbox.run("run", "a.sh", env={"CI": "true", "GITHUB_ACTIONS": "true"})
    assert github.lines[-1] == "::error file=a.sh,title=FAIL a.sh::exited with status 3"
    gitlab = sandbox.run("run", "a.sh", env={"CI": "true", "GITLAB_CI": "true"})
    assert "section_start:" in gitlab.out
    assert "     stderr | what went wrong" in gitlab.lines
    wait_until(lambda: not sandbox.running(), "all has ended")
