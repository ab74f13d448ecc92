"""Requirements from job files, the command line, docstrings and recipes, in real jobs."""

from __future__ import annotations

import json
import re
import sys

import pytest

from tests.functional.sandbox import TAKES_WORDS, Sandbox, wait_until

TESTS = '''
import unittest

class A(unittest.TestCase):
    """
    :nrunner: requires={"type": "file", "uri": "here"}
    """
    def test_one(self):
        pass

    def test_two(self):
        """
        :avocado: dependency={"type": "file", "uri": "gone-of-method"}
        """
'''


def test_requirements_of_job_suite_and_docstring_hold_each_its_own_tests_back(
    sandbox: Sandbox,
) -> None:
    sandbox.write("here", "", executable=False)
    sandbox.write("test_a.py", TESTS, executable=False)
    sandbox.write(
        "job.toml",
        '[job]\nrequirements = [{ type = "file", uri = "here" }]\n'
        '[[suite]]\nname = "one"\nreferences = ["test_a.py"]\n'
        '[[suite]]\nname = "two"\nreferences = ["/bin/true"]\n'
        '[[suite.requirements]]\ntype = "file"\nuri = "gone-of-suite"\n',
    )
    assert sandbox.run("run", "--job", "job.toml").code == 0
    told = [(each["status"], each["detail"].partition(":")[0]) for each in sandbox.tests().values()]
    assert told == [
        ("PASS", ""),
        ("SKIP", "requirement file gone-of-method"),
        ("SKIP", "requirement file gone-of-suite"),
    ]

    wanted = '{"type": "file", "uri": "gone-of-job"}'
    assert sandbox.run("run", "--job", "job.toml", "--job-dependency", wanted).code == 0
    details = [each["detail"] for each in sandbox.tests().values()]
    assert [detail.partition(":")[0] for detail in details] == ["requirement file gone-of-job"] * 3


def test_a_file_is_brought_to_where_a_test_wants_it(sandbox: Sandbox) -> None:
    sandbox.write("source.txt", "brought\n", executable=False)
    needs = [
        '{"type": "file", "uri": "to/target.txt", "from": "source.txt"}',
        '{"type": "file", "uri": "source.txt", "bring": true}',
    ]
    words = [word for each in needs for word in ("--job-dependency", each)]
    sandbox.write("check.sh", '#!/bin/sh\ntest "$(cat to/target.txt)" = brought\n')
    assert sandbox.run("run", *words, "check.sh").code == 0
    assert sandbox.tests()["check.sh"]["status"] == "PASS"

    wrong = '{"type": "file", "uri": "to/x", "from": "source.txt", "sha256": "%s"}' % ("0" * 64)
    assert sandbox.run("run", "--job-dependency", wrong, "check.sh").code == 0
    skipped = sandbox.tests()["check.sh"]
    assert (skipped["status"], skipped["cause"]) == ("SKIP", "requirement")
    assert "source.txt cannot be brought: its sha256 is" in skipped["detail"]


def test_what_is_secret_of_a_url_is_in_nothing_but_the_journal(sandbox: Sandbox) -> None:
    uri = "http://someuser:somepass@127.0.0.1:1/f.bin?key=somequery"
    wanted = json.dumps({"type": "asset", "uri": uri})
    words = ("--offline", "--job-dependency", wanted, "/bin/true")
    end = sandbox.run("run", "--xunit", "-", *words)
    assert sandbox.tests()["/bin/true"]["cause"] == "requirement"
    texts = {"output": end.out + end.err}
    for path in sandbox.job.rglob("*"):
        if path.is_file():
            texts[path.name] = path.read_text(errors="replace")
    secrets = ("someuser", "somepass", "somequery")
    telling = [name for name, text in texts.items() if any(each in text for each in secrets)]
    assert telling == ["journal.jsonl"]
    assert "http://127.0.0.1:1/f.bin?..." in texts["results.json"]


@pytest.mark.parametrize("limit", ["0", "none"])
def test_what_fulfils_a_requirement_may_go_on_where_there_is_no_limit(
    sandbox: Sandbox, limit: str
) -> None:
    slow = '{"type": "exec-test", "uri": "/bin/sleep", "args": ["0.1"]}'
    words = ("--requirement-timeout", limit, "--job-dependency", slow)
    assert sandbox.run("run", *words, "/bin/true").code == 0
    assert sandbox.tests()["/bin/true"]["status"] == "PASS"


def test_a_broken_directive_is_named_with_its_line_and_is_an_error_of_its_file_alone(
    sandbox: Sandbox,
) -> None:
    sandbox.write("test_a.py", TESTS.replace('"gone-of-method"}', "gone"), executable=False)
    end = sandbox.run("run", "test_a.py", "/bin/true")
    assert end.code == 2
    assert "test_a.py:13: dependency=" in end.err

    end = sandbox.run("run", "--ignore-missing-references", "test_a.py", "/bin/true")
    assert end.code == 1
    broken = sandbox.tests()["test_a.py"]
    assert (broken["status"], broken["cause"]) == ("ERROR", "malformed")
    assert "test_a.py:13: dependency=" in broken["detail"]
    assert sandbox.tests()["/bin/true"]["status"] == "PASS"


def test_a_requirement_that_does_not_hold_is_told_in_the_line_of_its_test(sandbox: Sandbox) -> None:
    needs = [
        {"type": "command", "uri": "no-such-command"},
        {"type": "python", "uri": sys.executable, "version": "<3"},
        {"type": "env", "uri": "NO_SUCH_VARIABLE"},
        {"type": "env", "uri": "GIVEN", "value": "yes"},
        {"type": "kernel-module", "uri": "no_such_module", "load": False},
        {"type": "env", "uri": "PATH", "pattern": "("},
        {"type": "pip", "uri": "attrs", "versoin": "1"},
        {"type": "pip", "uri": "attrs", "environment": "a b"},
        {"type": "file", "uri": "/etc/passwd", "size": float("inf")},
        {"type": "asset", "name": "x", "sha265": "0"},
    ]
    recipes = [
        {"kind": "noop", "identifier": f"{i}-{each['type']}", "requirements": [each]}
        for i, each in enumerate(needs)
    ]
    sandbox.write("needy.json", json.dumps(recipes), executable=False)
    end = sandbox.run("run", "needy.json", "-p", "GIVEN=yes")
    assert end.code == 1
    lines = [line.partition(": ")[2] for line in end.lines if " (" in line and "/10)" in line]
    told = {line.partition("requirement ")[2].partition(" (0.")[0] for line in lines}
    assert {each for each in told if each.startswith("command")} == {
        "command no-such-command: there is no command 'no-such-command' on PATH"
    }
    assert any(each.startswith(f"python {sys.executable}: ") for each in told)
    assert "env NO_SUCH_VARIABLE: the environment variable NO_SUCH_VARIABLE is not set" in told
    assert any("no_such_module' is not loaded, and is not to be" in each for each in told)
    assert any('key "pattern": no regular expression' in each for each in told)
    assert any('key "versoin": nobody knows it' in each for each in told)
    ends = [(each["status"], each["cause"]) for each in sandbox.results()["tests"]]
    assert ends[:3] == [("SKIP", "requirement")] * 3
    assert ends[3:5] == [("PASS", "test"), ("SKIP", "requirement")]
    assert ends[5:] == [("ERROR", "malformed")] * 5


COUNTED = f"""#!/bin/sh
# Holds once there is a file; counts how often it is made.
{TAKES_WORDS}"""
COUNTED += """[ "$verb" = task-run ] || exit 2
echo "$uri" >> made
[ "$uri" != hangs ] || sleep 300
exec python3 -IS -c '
import json, socket, sys
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[2])
say = {"id": sys.argv[1], "time": 1.0, "status": "finished", "result": "pass"}
peer.sendall(json.dumps(say).encode() + bytes([10]))' "$id" "$socket"
"""


def test_the_line_of_a_test_says_where_to_read_what_its_requirement_printed(
    sandbox: Sandbox,
) -> None:
    script = "echo much that went wrong; exit 3"
    need = {"type": "exec-test", "uri": "/bin/sh", "args": ["-c", script]}
    silent = {"type": "exec-test", "uri": "/bin/false"}
    recipes = [{"kind": "noop", "requirements": [each]} for each in (need, silent)]
    sandbox.write("needy.json", json.dumps(recipes), executable=False)
    end = sandbox.run("run", "needy.json", "--max-parallel-tasks", "1")
    told, silent_one = (each["fail_reason"] for each in sandbox.results()["tests"])
    where = re.search(r"exited with status 3 \(log: (\S+)\)$", told)
    assert where is not None, told
    assert (sandbox.job / where[1] / "stdout").read_text() == "much that went wrong\n"
    assert where[0] in end.out
    assert "log:" not in silent_one


def test_what_is_fulfilled_for_a_test_that_was_cancelled_is_ended(sandbox: Sandbox) -> None:
    need = {"type": "exec-test", "uri": "/bin/sh", "args": ["-c", "echo > begun; sleep 300"]}
    recipe = {"kind": "noop", "requirements": [need]}
    sandbox.write("needy.json", json.dumps(recipe), executable=False)
    sandbox.write("wait.sh", "#!/bin/sh\nwhile [ ! -e go ]; do sleep 0.02; done\n")
    job = sandbox.start("run", "wait.sh", "needy.json")
    job.wait_started(1)
    wait_until((sandbox.here / "begun").exists, "its fulfilment has begun")
    assert sandbox.run("jobs", "cancel", "latest", "--task", "2").code == 0
    wait_until(lambda: "sleep 300" not in sandbox.payloads().values(), "nobody waits for it", 10)
    assert job.process.poll() is None, "it was the end of the job"
    sandbox.write("go", "")
    job.wait()
    assert [each["status"] for each in sandbox.results()["tests"]] == ["PASS", "CANCEL"]


def test_a_hundred_tests_share_ten_requirements_and_one_that_hangs_is_bounded_and_named(
    sandbox: Sandbox,
) -> None:
    sandbox.plug_in("nrunner-runner-counted", COUNTED)
    needs = [{"type": "counted", "uri": f"need{i}"} for i in range(10)]
    recipes = [
        {"kind": "noop", "requirements": [needs[i % 10], needs[i * 7 % 10]]} for i in range(100)
    ]
    hangs = {"type": "counted", "uri": "hangs"}
    hanging = {"kind": "noop", "identifier": "waits", "requirements": [hangs]}
    sandbox.write("needy.json", json.dumps([hanging, *recipes]), executable=False)
    sandbox.env["NRUNNER_RUN_REQUIREMENT_TIMEOUT"] = "2.5"
    end = sandbox.run("run", "needy.json", "--max-parallel-tasks", "4")
    assert end.code == 0
    data = sandbox.results()
    assert (data["pass"], data["skip"]) == (100, 1)
    made = (sandbox.here / "made").read_text().split()
    assert sorted(made) == sorted(["hangs", *(f"need{i}" for i in range(10))])
    (waits,) = [each for each in data["tests"] if each["status"] == "SKIP"]
    assert (waits["name"], waits["cause"]) == ("waits", "requirement")
    assert "counted hangs: past its 2.5 s limit; sleep 300" in waits["detail"]
    sandbox.wait_nothing_runs()
