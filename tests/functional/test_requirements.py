"""Requirements from job files, the command line, docstrings and recipes, in real jobs."""

from __future__ import annotations

from tests.functional.sandbox import Sandbox

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
