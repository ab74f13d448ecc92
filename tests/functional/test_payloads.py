"""Payloads that do what no test should: the right verdict, nothing left running, bounded memory.

What each must come to stands in ``model``, that of unittests in ``odd_kind``.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.functional import model, odd_kind
from tests.functional.model import Expected
from tests.functional.odd_body import HOSTILE
from tests.functional.sandbox import Run, Sandbox, check_moves

MOST_CONTROLLER = 150 << 20
MOST_AGENT = 60 << 20


def prepare(
    sandbox: Sandbox,
    expected: Sequence[Expected],
    folder: Path = model.PAYLOADS,
    timeout: float = model.TIMEOUT,
) -> None:
    """Copy the payloads to where nrunner is started, with the recipes that run them."""
    shutil.copytree(folder, sandbox.here, dirs_exist_ok=True)
    text = json.dumps(model.recipes(expected))
    sandbox.write("payloads.json", text, executable=False)
    sandbox.env["NRUNNER_RUN_TASK_TIMEOUT"] = f"{timeout:g}"
    sandbox.env["NRUNNER_RUN_GRACE"] = f"{model.GRACE:g}"


def assert_as_modelled(sandbox: Sandbox, expected: Sequence[Expected]) -> None:
    assert model.differences(sandbox.results(), sandbox.job, expected) == []
    check_moves(sandbox.records())
    sandbox.wait_nothing_runs()


class Memory(threading.Thread):
    """Samples the peak memory of a run's controller, guardian and agent.

    VmHWM of /proc/PID/status is the largest resident set that the kernel ever saw of a process,
    so a sample that comes late misses nothing as long as the process lives. The controller is
    the process that was started; agent and guardian are those with ``agent`` in their command.
    """

    def __init__(self, run: Run) -> None:
        super().__init__(name="memory")
        self.controller = 0
        self.agent = 0
        self._run = run
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.05):
            self.controller = max(self.controller, _peak(self._run.pid))
            for pid in self._run.sandbox.agents():
                self.agent = max(self.agent, _peak(pid))

    def close(self) -> None:
        self._over.set()
        self.join()


@contextmanager
def sampled(run: Run) -> Iterator[Memory]:
    memory = Memory(run)
    memory.start()
    try:
        yield memory
    finally:
        memory.close()


def _peak(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(found[0]) << 10 if found else 0


def test_hostile_programs_get_the_verdicts_that_the_model_has(sandbox: Sandbox) -> None:
    prepare(sandbox, model.PROGRAMS)
    end = sandbox.run("run", "payloads.json", "--max-parallel-tasks", "8")
    assert end.code == 9
    assert_as_modelled(sandbox, model.PROGRAMS)
    assert not set(end.out) - {"\n"} - set(map(chr, range(32, 127)))
    core = sandbox.tests()["./dumps_core.sh"]
    assert core["attempts"][0]["core"] == _dumps_core(sandbox.here)
    assert core["detail"].endswith("core dumped") == _dumps_core(sandbox.here)


def _dumps_core(folder: Path) -> bool:
    """Whether a crash leaves a core dump here: asked of the kernel, without nrunner."""
    script = 'cd "$1" && ulimit -c unlimited 2> /dev/null; kill -SEGV $$'
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", script, "sh", str(folder)], os.environ)
    return os.WCOREDUMP(os.waitpid(pid, 0)[1])


def test_hostile_unittests_get_the_verdicts_that_the_model_has(sandbox: Sandbox) -> None:
    expected = odd_kind.modelled("python-unittest", HOSTILE, model.TIMEOUT)
    prepare(sandbox, expected)
    end = sandbox.run("run", "hostile_case.py", "--max-parallel-tasks", "4")
    assert end.code == 9
    assert_as_modelled(sandbox, expected)
    assert not set(end.out) - {"\n"} - set(map(chr, range(32, 127)))


def test_output_without_end_costs_neither_controller_nor_agent_memory(sandbox: Sandbox) -> None:
    """200 MB in lines, and 50 MB without a newline: kept to the byte, at no cost in memory.

    Measured as described at ``Memory``; there is a third task so that a verdict has to be passed
    while the others print.
    """
    expected = (
        Expected("./many_megabytes.py", "PASS", outputs={"stdout": 200_000_000}, takes=(0, 30)),
        Expected(
            "./endless_line.py",
            "INTERRUPT",
            "timeout",
            "no output for 1.5 s",
            -15,
            outputs={"stdout": 50_000_000, "evidence.txt": lambda data: len(data) < 10_000},
            ends_in="INTERRUPTED",
            takes=(1.5, 30),
        ),
        Expected("./odd_bytes.py", "PASS", outputs=model.PROGRAMS[7].outputs),
    )
    prepare(sandbox, expected)
    sandbox.env["NRUNNER_RUN_TASK_TIMEOUT"] = "30"
    sandbox.env["NRUNNER_RUN_TASK_SILENCE"] = "1.5"
    run = sandbox.start("run", "payloads.json", "--max-parallel-tasks", "3")
    with sampled(run) as memory:
        end = run.wait()
    assert end.code == 8
    assert_as_modelled(sandbox, expected)
    assert 0 < memory.controller < MOST_CONTROLLER
    assert 0 < memory.agent < MOST_AGENT


def test_a_payload_that_deletes_all_results_costs_only_those(sandbox: Sandbox) -> None:
    fine = Expected("./leaves_output.sh", "PASS", outputs={"stdout": b"||\n", "output": 1})
    expected = (
        Expected("./deletes_folders.sh", "PASS", outputs={"stdout": b"before\nafter\n"}),
        *[fine] * 3,
    )
    prepare(sandbox, expected)
    end = sandbox.run("run", "payloads.json", "--max-parallel-tasks", "1")
    assert end.code == 0
    assert_as_modelled(sandbox, expected)


def test_a_payload_that_kills_the_agent_is_in_error_and_no_other_task_is(sandbox: Sandbox) -> None:
    """Whoever ran when the agent died is tried again alone, so that the culprit shows."""
    fine = Expected("./leaves_output.sh", "PASS", outputs={"stdout": b"||\n", "output": 1})
    fine = replace(fine, attempts=(1, 2))
    killer = Expected(
        "./kills_parent.sh",
        "ERROR",
        "infra",
        r"its environment is gone: the agent .*",
        None,
        ends_in="INTERRUPTED|FAILED_TO_START",  # it may be dead before it could tell of the start
        attempts=(3,),
    )
    expected = (fine, killer, *[fine] * 10, killer, fine)
    prepare(sandbox, expected)
    end = sandbox.run("run", "payloads.json", "--max-parallel-tasks", "3")
    assert end.code == 1
    assert_as_modelled(sandbox, expected)


HOSTILE_RUNNER = """#!/usr/bin/env python3
import base64, json, os, socket, sys, time
words = sys.argv[2:]
name, path = words[words.index("-i") + 1], words[words.index("-s") + 1]
act = words[words.index("-u") + 1]
peer = socket.socket(socket.AF_UNIX)
peer.connect(path)
def say(**message):
    peer.sendall(json.dumps({"id": name, "time": 1.0, **message}).encode() + b"\\n")
def data(raw):
    return {"__base64_encoded__": base64.b64encode(raw).decode()}
say(status="started", output_dir="")
if act == "garbage":
    peer.sendall(b"\\0\\xff{[}\\n" * 100 + b'{"status": "finished"}\\n[]\\n"text"\\n')
    say(status="running", type="log", log="no bytes")
    say(status="running", type="stdout", log={"__base64_encoded__": "!!"})
elif act == "forges":
    say(id="2-no-such-task", status="finished", result="pass")
    say(id="victim", status="finished", result="fail")
elif act == "twice":
    say(status="finished", result="pass")
    say(status="finished", result="fail")
    sys.exit()
elif act == "contradicts":
    say(status="finished", result="pass")
    os.kill(os.getpid(), 9)
elif act == "silent":
    sys.exit()
elif act == "unknown":
    say(status="finished", result="splendid")
    sys.exit()
elif act == "stays":
    say(status="finished", result="pass")
    time.sleep(300)
elif act == "long":
    say(status="running", type="stdout", log=data(bytes(range(256)) * 40_000))
elif act == "escapes":
    for place in ("../../../escaped", os.path.abspath("escaped"), "fine/file"):
        say(status="running", type="file", path=place, log=data(b"x"))
say(status="finished", result="pass")
"""

ACTS = {
    "garbage": ("PASS", "test", ""),
    "forges": ("PASS", "test", ""),
    "twice": ("PASS", "test", ""),
    "contradicts": ("ERROR", "contract", "said 'pass', then signal 9 ended it"),
    "silent": ("ERROR", "contract", "ended with status 0 and without a finished message"),
    "unknown": (
        "ERROR",
        "contract",
        "without a finished message (a message of it was refused: "
        "field \"result\": unknown value 'splendid')",
    ),
    "stays": ("ERROR", "contract", "said 'pass', then signal 9 ended it"),
    "long": ("PASS", "test", ""),
    "escapes": ("PASS", "test", ""),
}


def test_runner_executables_that_break_the_rules_harm_only_themselves(sandbox: Sandbox) -> None:
    sandbox.plug_in("nrunner-runner-hostile", HOSTILE_RUNNER)
    recipes = [{"kind": "hostile", "uri": act} for act in ACTS]
    sandbox.write("acts.json", json.dumps(recipes), executable=False)
    sandbox.env["NRUNNER_RUN_GRACE"] = "0.5"
    end = sandbox.run("run", "acts.json", "--max-parallel-tasks", "4")
    assert end.code == 1
    tests = {each["uri"]: each for each in sandbox.results()["tests"]}
    verdicts = {act: (each["status"], each["cause"]) for act, each in tests.items()}
    assert verdicts == {act: (status, cause) for act, (status, cause, _) in ACTS.items()}
    for act, (_, _, reason) in ACTS.items():
        assert reason in tests[act]["detail"]
    long = sandbox.job / tests["long"]["outputs"]["stdout"]
    assert long.read_bytes() == bytes(range(256)) * 40_000
    assert not [*sandbox.base.rglob("escaped"), *sandbox.here.rglob("escaped")]
    assert [path.read_text() for path in sandbox.job.rglob("file")] == ["x"]
    check_moves(sandbox.records())
    sandbox.wait_nothing_runs()


QUICK_RUNNER = """#!/usr/bin/python3 -IS
import socket, sys
words = sys.argv
name, path = words[words.index("-i") + 1], words[words.index("-s") + 1]
peer = socket.socket(socket.AF_UNIX)
peer.connect(path)
peer.sendall(b'{"status": "started", "id": "%s", "time": 1.0, "output_dir": ""}\\n'
             b'{"status": "running", "type": "log", "id": "%s", "time": 1.0, "encoding": "utf-8",'
             b' "log": {"__base64_encoded__": "aGVsbG8="}}\\n'
             b'{"status": "finished", "result": "pass", "id": "%s", "time": 1.0}\\n'
             % ((name.encode(),) * 3))
"""


def test_the_last_word_of_a_runner_is_heard_though_it_is_gone_by_then(sandbox: Sandbox) -> None:
    """Its end and its message arrive at once where many run, and the end may be seen first."""
    sandbox.plug_in(
        "nrunner-runner-quick", QUICK_RUNNER.replace("/usr/bin/python3", sys.executable)
    )
    sandbox.write("quick.json", json.dumps([{"kind": "quick"}] * 100), executable=False)
    assert sandbox.run("run", "quick.json", "--max-parallel-tasks", "25").code == 0
    for test in sandbox.results()["tests"]:
        assert set(test["outputs"]) == {"debug.log"}
        assert Path(test["logfile"]).read_text() == "hello\n"


def test_many_tasks_at_once_each_keep_their_own_output(sandbox: Sandbox) -> None:
    """Forty tasks at once, each with a child that prints when it may be gone already."""
    sandbox.write("says.sh", '#!/bin/sh\necho "$1"; echo "$1" >&2; { echo "$1"; } &\n')
    recipes = [{"kind": "exec-test", "uri": "./says.sh", "args": [str(n)]} for n in range(120)]
    sandbox.write("says.json", json.dumps(recipes), executable=False)
    end = sandbox.run("run", "says.json", "--max-parallel-tasks", "40")
    assert end.code == 0
    for number, test in enumerate(sandbox.results()["tests"]):
        assert (sandbox.job / test["outputs"]["stdout"]).read_text() == f"{number}\n{number}\n"
        assert (sandbox.job / test["outputs"]["stderr"]).read_text() == f"{number}\n"


def test_few_file_descriptors_end_no_job_badly(sandbox: Sandbox) -> None:
    """With room for a few dozen files only, tasks wait or are in error: none is lost."""

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    recipes = [{"kind": "exec-test", "uri": "/bin/sleep", "args": ["0.1"]}] * 100
    sandbox.write("naps.json", json.dumps(recipes), executable=False)
    run = sandbox.start("run", "naps.json", "--max-parallel-tasks", "50", preexec_fn=few)
    end = run.wait()
    data = sandbox.results()
    assert data["total"] == 100
    assert data["pass"] + data["errors"] == 100
    assert data["errors"] == data["causes"]["infra"]
    assert end.code == (1 if data["errors"] else 0)
    sandbox.wait_nothing_runs()
