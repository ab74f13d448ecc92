"""Our own runner classes against the published conformance suites."""

import os
import sys
from pathlib import Path

import pytest

from nrunner.errors import RequirementError
from nrunner.result import Result
from nrunner.runnable import Requirement, Runnable
from nrunner.runners import kernel_module
from nrunner.runners.asset import Asset
from nrunner.runners.base import Command, Outcome, RequirementRunner
from nrunner.runners.command import CommandOnPath
from nrunner.runners.env import Env
from nrunner.runners.exec_test import ExecTest
from nrunner.runners.file import File
from nrunner.runners.golang import Golang
from nrunner.runners.kernel_module import KernelModule
from nrunner.runners.noop import Noop
from nrunner.runners.pytest import Pytest
from nrunner.runners.python import Python
from nrunner.runners.python_unittest import PythonUnittest
from nrunner.runners.robot import Robot
from nrunner.runners.sysinfo import Sysinfo
from nrunner.runners.tap import Tap
from nrunner.testing.runner_contract import RequirementContract, RunnerContract
from tests.contract.sample_kind import GolangTests, PytestTests, PythonUnittestTests, RobotTests


class TestNoop(RunnerContract):
    def make_runner(self):
        return Noop()

    def passing(self, folder):
        return Runnable("noop")


class TestExecTest(RunnerContract):
    def make_runner(self):
        return ExecTest()

    def passing(self, folder):
        return Runnable("exec-test", "/bin/true")

    def failing(self, folder):
        return Runnable("exec-test", "/bin/sh", ("-c", "exit 3"))

    def impossible(self, folder):
        return Runnable("exec-test")


class TestTap(RunnerContract):
    def make_runner(self):
        return Tap()

    def passing(self, folder):
        return Runnable("tap", "/bin/echo", ("1..1\nok 1",))

    def failing(self, folder):
        return Runnable("tap", "/bin/echo", ("1..1\nnot ok 1 - on purpose",))

    def impossible(self, folder):
        return Runnable("tap", "/bin/\0")


class TestPytest(PytestTests, RunnerContract):
    def make_runner(self):
        return Pytest()


class TestPythonUnittest(PythonUnittestTests, RunnerContract):
    def make_runner(self):
        return PythonUnittest()


class TestGolang(GolangTests, RunnerContract):
    def make_runner(self):
        return Golang()


class TestRobot(RobotTests, RunnerContract):
    def make_runner(self):
        return Robot()


class TestSysinfo(RunnerContract):
    def make_runner(self):
        return Sysinfo()

    def passing(self, folder):
        return Runnable("sysinfo", "pre", kwargs={"sysinfo": {"commands": ["true"]}})

    def failing(self, folder):
        (folder / "taken").touch()
        return Runnable("sysinfo", "post", kwargs={"folder": f"{folder}/taken"})

    def impossible(self, folder):
        return Runnable("sysinfo", "between")


class TestFile(RunnerContract):
    def make_runner(self):
        return File()

    def passing(self, folder):
        return Runnable("file", ".")

    def failing(self, folder):
        return Runnable("file", "none")

    def impossible(self, folder):
        return Runnable("file")


class TestFileRequirement(RequirementContract):
    def make_runner(self):
        return File()

    def met(self, folder):
        return Requirement("file", ".")

    def unmet(self, folder):
        return Requirement("file", "none")

    def impossible(self, folder):
        return Requirement("file")


class TestAsset(RunnerContract):
    def make_runner(self):
        return Asset()

    @pytest.fixture(autouse=True)
    def cache(self, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache-home"))

    def passing(self, folder):
        (folder / "data.bin").write_text("data")
        return Runnable("asset", "./data.bin")

    def failing(self, folder):
        return Runnable("asset", "none")


class TestAssetRequirement(RequirementContract):
    def make_runner(self):
        return Asset()

    @pytest.fixture(autouse=True)
    def cache(self, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache-home"))

    def met(self, folder):
        (folder / "data.bin").write_text("data")
        requirement = Requirement("asset", kwargs={"name": "data.bin", "locations": ["data.bin"]})
        Asset().fulfil(requirement, str(folder))
        return requirement

    def unmet(self, folder):
        return Requirement("asset", kwargs={"name": "data.bin", "locations": ["none"]})


class TestCommandRequirement(RequirementContract):
    def make_runner(self):
        return CommandOnPath()

    def met(self, folder):
        return Requirement("command", "sh", kwargs={"version_args": "-c"})

    def unmet(self, folder):
        kwargs = {"version": "two", "version_args": ["-c", "echo; echo one"]}
        return Requirement("command", "sh", kwargs=kwargs)

    def impossible(self, folder):
        return Requirement("command")


class TestEnvRequirement(RequirementContract):
    def make_runner(self):
        return Env()

    def met(self, folder):
        return Requirement("env", "PATH", kwargs={"pattern": "/"})

    def unmet(self, folder):
        return Requirement("env", "NO_SUCH_VARIABLE")

    def impossible(self, folder):
        return Requirement("env", "PATH", kwargs={"pattern": "("})


class TestPythonRequirement(RequirementContract):
    def make_runner(self):
        return Python()

    def met(self, folder):
        return Requirement("python", sys.executable, kwargs={"version": ">=3.11,<4"})

    def unmet(self, folder):
        return Requirement("python", "/bin/sh", kwargs={"version": ">=3"})

    def impossible(self, folder):
        return Requirement("python", kwargs={"version": "new"})


class TestKernelModuleRequirement(RequirementContract):
    """With a kernel of our own, and a modprobe that knows one module."""

    @pytest.fixture(autouse=True)
    def kernel(self, tmp_path_factory, monkeypatch):
        folder = tmp_path_factory.mktemp("kernel")
        (folder / "modules").write_text("loop 1 0 - Live 0x0\n")
        sudo, modprobe = folder / "sudo", folder / "modprobe"
        sudo.write_text('#!/bin/sh\nshift\nexec "$@"\n')
        modprobe.write_text(
            f'#!/bin/sh\nif [ "$2" = nbd ]; then echo nbd 1 0 - Live 0x0 >> {folder}/modules\n'
            "else echo modprobe: FATAL: Module $2 not found in directory /lib; exit 1; fi\n"
        )
        sudo.chmod(0o755)
        modprobe.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        monkeypatch.setattr(kernel_module, "PROC", f"{folder}/modules")

    def make_runner(self):
        return KernelModule()

    def met(self, folder):
        return Requirement("kernel-module", "loop", kwargs={"load": False})

    def unmet(self, folder):
        return Requirement("kernel-module", "none")

    def fulfillable(self, folder):
        return Requirement("kernel-module", "nbd")

    def impossible(self, folder):
        return Requirement("kernel-module", "nbd", kwargs={"load": "maybe"})


class TestNoopRequirement(RequirementContract):
    def make_runner(self):
        return Noop()

    def met(self, folder):
        return Requirement("noop")


class Careless(RequirementRunner):
    """A runner that does wrong what the suites look for."""

    kind = "Care less"
    calls = 0

    def command(self, runnable, place):
        Careless.calls += 1
        return Command(("true", str(Careless.calls), "\0"), "here")

    def judge(self, runnable, place, end, report):
        return Outcome(Result.PASS)

    def check(self, requirement, base_dir):
        Path(base_dir, "checked").touch()
        return "no\nyes" if requirement.uri == "two lines" else None

    def fulfil(self, requirement, base_dir):
        if requirement.uri == "two lines":
            raise RequirementError("no\nyes")

    def resource(self, requirement):
        return "\n"


class _Suite(RunnerContract, RequirementContract):
    def make_runner(self):
        return Careless()

    def passing(self, folder):
        return Runnable("careless")

    def failing(self, folder):
        return Runnable("careless")

    def met(self, folder):
        return Requirement("careless")

    def unmet(self, folder):
        return Requirement("careless", "two lines")

    def fulfillable(self, folder):
        return Requirement("careless")

    def impossible(self, folder):
        return Requirement("careless")


def test_a_kind_that_cannot_be_typed_is_found():
    with pytest.raises(AssertionError):
        _Suite().test_it_says_what_it_is()


@pytest.mark.parametrize(
    "name",
    [
        "test_it_keeps_nothing_from_one_task_to_the_next",
        "test_a_command_can_be_executed_as_it_stands",
        "test_a_payload_that_was_killed_has_not_passed",
        "test_a_requirement_that_holds_is_met_again_and_again",
        "test_one_that_does_not_hold_has_a_reason",
        "test_one_that_can_be_made_to_hold_holds_once_that_was_done",
        "test_one_that_can_never_hold_is_refused_by_name",
        "test_what_is_used_alone_has_a_name",
    ],
)
def test_a_runner_that_breaks_the_contract_is_found(tmp_path, name):
    with pytest.raises(AssertionError):
        getattr(_Suite(), name)(tmp_path)
