"""Runner executables of others, and what goes wrong with them: each a bounded, right verdict."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from tests.functional.sandbox import TAKES_WORDS, Sandbox

SAY = f"""#!/bin/sh
{TAKES_WORDS}
say() {{
    for each; do printf '{{"id": "%s", "time": 1, %s}}\\n' "$id" "$each"; done |
        {sys.executable} -IS -c '
import socket, sys
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[1])
peer.sendall(sys.stdin.buffer.read())' "$socket"
}}
begun='"status": "started", "output_dir": ""'
beat='"status": "running"'
pass='"status": "finished", "result": "pass"'
fail='"status": "finished", "result": "fail"'
"""
RUNNERS = {
    "fine": 'say "$begun" "$beat" "$pass"',
    "twice": 'say "$begun" "$pass" "$fail"',
    "twice-apart": 'say "$pass"; say "$fail"; say "$beat"',
    "garbage": "say '}' 'nonsense: [' \"$pass\"; echo garbage",
    "killed": 'say "$begun"; kill -9 $$',
    "silent": "exit 0",
    "leaves": 'say "$begun"; exit 3',
    "nothing-but-garbage": "say '}' '{' 'x'",
    "late": '( sleep 60 && say "$pass" ) & exit 0',
    "aborts": 'say "$begun" "$beat"; sh -c \'kill -ABRT $$\' & exec sleep 300',
    "hangs": 'say "$begun" "$beat" "$beat"; exec sleep 300',
    "hung-up": 'say "$begun"; exec sleep 300',
}
VERDICTS = {
    "fine": ("PASS", "test", ""),
    "twice": ("PASS", "test", ""),
    "twice-apart": ("PASS", "test", ""),
    "garbage": ("PASS", "test", ""),
    "killed": ("ERROR", "contract", "ended with signal 9 and without a finished message"),
    "silent": ("ERROR", "contract", "ended with status 0 and without a finished message"),
    "leaves": ("ERROR", "contract", "ended with status 3 and without a finished message"),
    "nothing-but-garbage": ("ERROR", "contract", "status 0 and without a finished message"),
    "late": ("ERROR", "contract", "ended with status 0 and without a finished message"),
    "aborts": ("ERROR", "contract", "its process was killed by signal 6 (SIGABRT)"),
    "hangs": ("ERROR", "contract", "its runner hung up 1.2 s ago, and goes on running"),
    "hung-up": ("ERROR", "contract", "its runner hung up 1.2 s ago, and goes on running"),
}


STUCK = ("aborts", "hangs", "hung-up")
"""Those that go on running, until they are given up."""


@pytest.fixture
def kinds(sandbox: Sandbox) -> Sandbox:
    """A sandbox with a runner for each way to go wrong."""
    for kind, text in RUNNERS.items():
        prefix = "avocado" if len(kind) % 2 else "nrunner"
        sandbox.plug_in(f"{prefix}-runner-{kind}", SAY + text + "\n")
    return sandbox


def verdicts(kinds: Sandbox, chosen: list[str], *words: str) -> dict[str, dict[str, Any]]:
    """Run a test of each kind and hold it against what has to come of it; return them all."""
    kinds.write("all.json", json.dumps([{"kind": kind} for kind in chosen]), executable=False)
    assert kinds.run("run", "all.json", "--max-parallel-tasks", "12", *words).code == 1
    tests = {each["kind"]: each for each in kinds.results()["tests"]}
    said = {kind: (each["status"], each["cause"]) for kind, each in tests.items()}
    assert said == {kind: VERDICTS[kind][:2] for kind in chosen}
    for kind in chosen:
        assert VERDICTS[kind][2] in tests[kind]["detail"], kind
    kinds.wait_nothing_runs()
    return tests


def test_whatever_a_runner_does_wrong_ends_its_own_test_only(kinds: Sandbox) -> None:
    tests = verdicts(kinds, [kind for kind in RUNNERS if kind not in STUCK])
    assert tests["late"]["attempts"][0]["leaks"]
    job_log = (kinds.job / "job.log").read_text()
    for kind, count in ("twice", "a status message"), ("garbage", "2 status messages"):
        assert f"refused {count} of {tests[kind]['number']}-{kind}" in job_log


def test_a_runner_that_is_stuck_is_given_up(kinds: Sandbox) -> None:
    tests = verdicts(kinds, list(STUCK), "--grace", "0.1")
    assert "sleep 300" in (kinds.job / tests["hangs"]["outputs"]["evidence.txt"]).read_text()


def test_a_last_word_after_the_limit_of_time_comes_too_late(sandbox: Sandbox) -> None:
    text = "trap 'say \"$pass\"; exit' TERM; touch ready; sleep 300 & wait\n"
    sandbox.plug_in("nrunner-runner-slow", SAY + text)
    sandbox.write("slow.json", '{"kind": "slow"}', executable=False)
    assert sandbox.run("run", "slow.json", "--task-timeout", "1.5").code == 8
    [test] = sandbox.results()["tests"]
    assert (test["status"], test["cause"]) == ("INTERRUPT", "timeout")
    assert (sandbox.here / "ready").exists()
    sandbox.wait_nothing_runs()


BEATS = 'say "$beat" "$beat"; echo "$beat"'
NEWS = 'say \'"status": "running", "type": "news"\''


@pytest.mark.parametrize(
    ("act", "silence", "status"),
    [(BEATS, "0.8", "INTERRUPT"), (NEWS, "2", "PASS")],
    ids=["heartbeats", "messages"],
)
def test_heartbeats_do_not_break_the_silence_of_a_test(
    sandbox: Sandbox, act: str, silence: str, status: str
) -> None:
    text = f'{SAY}for n in $(seq 12); do {act}; sleep 0.2; done\nsay "$pass"\n'
    sandbox.plug_in("nrunner-runner-quiet", text)
    sandbox.write("quiet.json", '{"kind": "quiet"}', executable=False)
    sandbox.run("run", "quiet.json", "--task-silence", silence, "--grace", "2")
    [test] = sandbox.results()["tests"]
    assert test["status"] == status, test


WORDS = """if [ $verb = capabilities ]; then
    echo asked >> asked
    echo '{"runnables": ["words"], "commands": ["task-run"], "configuration_used": ["mine"]}'
    exit
fi
say "$pass"
"""


def test_avocados_sort_of_executable_is_asked_once_which_settings_it_takes(
    sandbox: Sandbox,
) -> None:
    shown = 'verb=$1; [ $verb = capabilities ] || echo "$@"'
    sandbox.plug_in("avocado-runner-words", SAY.replace("verb=$1", shown, 1) + WORDS)
    recipes = [
        {"kind": "words", "uri": "plain"},
        {"kind": "words", "uri": "first", "config": {"mine": 1, "other": 2}},
        {"kind": "words", "uri": "second", "config": {"mine": [3], "runner.exectest.x": 4}},
    ]
    sandbox.write("words.json", json.dumps(recipes), executable=False)
    words = ["--max-parallel-tasks", "1", "--python", sys.executable]
    assert sandbox.run("run", "words.json", *words).code == 0
    assert (sandbox.here / "asked").read_text() == "asked\n"
    given = []
    for test in sandbox.results()["tests"]:
        log = (sandbox.job / test["outputs"]["runner.log"]).read_text()
        last = log.rpartition(" -c ")[2]  # of two the last counts
        given.append(json.loads(last.partition(" output_dir=")[0]))
    assert given == [{}, {"mine": 1}, {"mine": [3]}]


def test_an_executable_beside_the_interpreter_finds_the_programs_there_first(
    sandbox: Sandbox,
) -> None:
    sandbox.write("venv/bin/python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    sandbox.write("venv/bin/tells", "#!/bin/sh\necho ours\n")
    sandbox.plug_in("tells", "#!/bin/sh\necho another\n")
    sandbox.write("venv/bin/nrunner-runner-told", f'{SAY}tells; say "$pass"\n')
    sandbox.write("told.json", '{"kind": "told"}', executable=False)
    assert sandbox.run("run", "told.json", "--python", "venv/bin/python").code == 0
    [test] = sandbox.results()["tests"]
    assert (sandbox.job / test["outputs"]["runner.log"]).read_text() == "ours\n"
