"""Consoles at the end of real pipes and terminals."""

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

JOB = """
import sys
from nrunner.results.registry import make_console
from nrunner.testing.sample import sample_job, sample_report
console = make_console(sys.stdout, show=["app"], quiet=False)
console.job_opened(sample_job())
sys.stdin.read()
for number in range(20_000):
    console.task_settled(sample_report(number))
    console.flush()
console.job_closed(sample_job())
"""

LIVE_JOB = """
import asyncio, sys, time
from nrunner.results.registry import make_console
from nrunner.runnable import Runnable
from nrunner.task import Task
from nrunner.testing.sample import sample_job, sample_report
async def main():
    console = make_console(sys.stdout, show=["app"], quiet=False)
    console.job_opened(sample_job())
    animate = getattr(console, "animate", lambda: asyncio.sleep(0))
    animation = asyncio.create_task(animate())
    console.task_started(Task(1, "1-lasting", Runnable("noop")), time.monotonic())
    await asyncio.sleep(0.9)
    if "fail" in sys.argv:
        raise SystemExit("boom")
    console.task_settled(sample_report())
    animation.cancel()
    await asyncio.gather(animation, return_exceptions=True)
    console.job_closed(sample_job())
asyncio.run(main())
"""


def _environment(**changes):
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    return {**environment, **changes}


def _on_a_terminal(*arguments, **environment):
    """Run the live job on a pseudo terminal; return its exit status and what it wrote."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", LIVE_JOB, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=_environment(**environment),
    )
    os.close(theirs)
    pieces = []
    try:
        while select.select([ours], [], [], 30)[0]:
            pieces.append(os.read(ours, 65536))
    except OSError:
        pass  # how Linux says that the other end is closed
    os.close(ours)
    return child.wait(30), b"".join(pieces).decode()


def test_a_reader_that_leaves_early_leaves_no_trace():
    child = subprocess.Popen(
        [sys.executable, "-c", JOB],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout.readline().startswith(b"JOB ID")
    child.stdout.close()
    child.stdin.close()
    with child.stderr:
        assert child.stderr.read() == b""
    assert child.wait(30) == 0


def test_a_full_disk_behind_standard_output_stops_nothing():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", JOB],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=50,
        )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_gets_colours_and_a_footer_that_goes_away():
    status, text = _on_a_terminal(TERM="xterm-256color", COLUMNS="80", LINES="24")
    assert status == 0
    assert "\x1b[32mPASS\x1b[0m (0.26 s)" in text
    before, footer, after = text.partition("1-lasting")
    assert footer
    assert "0/0" in before
    assert "1-lasting" not in after.rpartition("\x1b[J")[2]
    assert "\x1b[?25l" not in text


def test_the_footer_goes_away_when_the_job_breaks():
    status, text = _on_a_terminal("fail", TERM="xterm-256color", COLUMNS="80", LINES="24")
    assert status == 1
    assert "1-lasting" in text
    assert text.rpartition("\x1b[J")[2].split() == ["boom"]


def test_a_dumb_terminal_gets_plain_lines():
    status, text = _on_a_terminal(TERM="dumb")
    assert status == 0
    assert "PASS (0.26 s)" in text
    assert "\x1b" not in text


def test_choosing_a_console_loads_nothing_heavy():
    script = (
        "import sys, io, nrunner.results.registry as registry\n"
        "registry.make_console(io.StringIO(), show=['app'], quiet=False)\n"
        "heavy = {'rich', 'msgspec', 'asyncio', 'importlib.metadata', 'jsonschema'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=50
    )
    assert done.stdout == "[]\n"
