"""Packages: with a real apt that has everything of its own, and imitations of other managers."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nrunner.errors import RequirementError, RunnerError
from nrunner.runnable import Requirement, Runnable
from nrunner.runners.base import Command, Place
from nrunner.runners.package import Package
from nrunner.testing.runner_contract import RequirementContract
from tests.functional.distribution import Apt, Imitation
from tests.functional.sandbox import Sandbox, wait_until


def want(*args: Any, **kwargs: Any) -> Requirement:
    return Requirement("package", *args, kwargs=kwargs)


def check(*args: Any, **kwargs: Any) -> str:
    return Package().check(want(*args, **kwargs), "/") or ""


def fulfil(*args: Any, folder: Path | None = None, **kwargs: Any) -> None:
    """Fulfil it, in an agent that has a folder where one is given."""
    runner = Package()
    runner.config = {} if folder is None else {"agent.folder": str(folder)}
    runner.fulfil(want(*args, **kwargs), "/")


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Apt:
    apt = Apt(tmp_path / "apt")
    for name, value in apt.env.items():
        monkeypatch.setenv(name, value)
    return apt


@pytest.fixture(params=["dnf", "zypper", "pacman", "apk"])
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: Any) -> Imitation:
    imitation = Imitation(tmp_path, request.param)
    monkeypatch.setenv("PATH", str(imitation.bin))
    return imitation


def test_apt_installs_what_it_learns_of_and_says_what_it_does(
    apt: Apt, capfd: pytest.CaptureFixture[str]
) -> None:
    apt.publish("hello-nrunner", "1.0-1")
    assert check("hello-nrunner", manager="apt") == "package 'hello-nrunner' is missing"
    fulfil("hello-nrunner")
    assert check("hello-nrunner") == ""
    assert apt.installed("hello-nrunner") == "1.0-1"
    said = capfd.readouterr().out
    places = [said.index(each) for each in ("Unable to locate", "update -q", "Setting up")]
    assert places == sorted(places)


def test_apt_refreshes_once_not_for_each_package_that_nobody_has(
    apt: Apt, capfd: pytest.CaptureFixture[str]
) -> None:
    apt.publish("hello-nrunner", "1.0-1")
    for name in ("none-such", "none-either"):
        with pytest.raises(RequirementError) as caught:
            fulfil(name, folder=apt.folder)
        assert str(caught.value) == (
            f"package '{name}' is missing; apt-get says: E: Unable to locate package {name}"
        )
    assert capfd.readouterr().out.count("apt-get update") == 1


def test_apt_takes_the_version_that_is_asked_for(apt: Apt) -> None:
    apt.publish("hello-nrunner", "1.0-1")
    apt.publish("hello-nrunner", "2.0-1")
    fulfil(names=["hello-nrunner=1.0-1"])
    assert apt.installed("hello-nrunner") == "1.0-1"
    assert check("hello-nrunner", version="1.0") == ""
    reason = check("hello-nrunner", version="2.0-1")
    assert reason == "package 'hello-nrunner' is there in version 1.0-1, not 2.0-1"
    fulfil("hello-nrunner", version="2.0-1")
    assert apt.installed("hello-nrunner") == "2.0-1"
    with pytest.raises(RequirementError, match=r"not 3\.0; apt-get says: E: Version '3\.0' for"):
        fulfil("hello-nrunner", version="3.0")


def test_apt_removes_and_checks_alone(apt: Apt) -> None:
    apt.publish("hello-nrunner", "1.0-1")
    with pytest.raises(RequirementError, match="package 'hello-nrunner' is missing"):
        fulfil("hello-nrunner", action="check")
    assert check("hello-nrunner", action="remove") == ""
    fulfil("hello-nrunner")
    reason = check("hello-nrunner", action="remove")
    assert reason == "package 'hello-nrunner' is installed (1.0-1)"
    fulfil("hello-nrunner", action="remove")
    assert apt.installed("hello-nrunner") == ""


@pytest.fixture
def lock(apt: Apt) -> Iterator[Any]:
    with (apt.admin / "lock-frontend").open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield file


def in_process(apt: Apt, tmp_path: Path, timeout: float) -> tuple[subprocess.Popen[bytes], Path]:
    """Have a child of its own do it: what locks a file is a process."""
    place = Place(*[str(tmp_path)] * 4, report=f"{tmp_path}/report")
    kwargs = {"name": "hello-nrunner", "timeout": timeout}
    command = Package().command(Runnable("package", kwargs=kwargs), place)
    assert isinstance(command, Command)
    env = {**os.environ, **apt.env, **command.env}
    log = tmp_path / "log"
    with log.open("wb") as out:
        return subprocess.Popen(command.argv, stdout=out, stderr=out, env=env), log


def test_a_lock_of_apt_is_waited_for(apt: Apt, lock: Any, tmp_path: Path) -> None:
    apt.publish("hello-nrunner", "1.0-1")
    process, log = in_process(apt, tmp_path, 30)
    with process:
        wait_until(lambda: "waits for the lock of apt-get" in log.read_text(), "it waits")
        assert "It is held by process" in log.read_text()
        fcntl.lockf(lock, fcntl.LOCK_UN)
        assert process.wait(30) == 0
    assert apt.installed("hello-nrunner") == "1.0-1"


def test_a_lock_of_apt_is_not_waited_for_without_end(apt: Apt, lock: Any, tmp_path: Path) -> None:
    apt.publish("hello-nrunner", "1.0-1")
    process, _ = in_process(apt, tmp_path, 0.3)
    with process:
        assert process.wait(30) == 1
    reason = json.loads((tmp_path / "report").read_text())["fail_reason"]
    assert reason.startswith("apt-get was locked by somebody else for 0.")
    assert "lock-frontend" in reason


def test_other_managers_learn_of_a_package_and_install_it(other: Imitation) -> None:
    assert check("tree") == "package 'tree' is missing"
    fulfil("tree")
    assert check("tree", version="2.1") == ""
    verbs = [call.partition(" ")[2] for call in other.calls]
    assert len(verbs) == 3  # tried, refreshed, done
    assert "tree" not in verbs[1]
    fulfil("tree")
    assert len(other.calls) == 3


def test_other_managers_say_what_they_do_not_know(other: Imitation) -> None:
    with pytest.raises(RequirementError, match=rf"'none' is missing; {other.name} says: .*none"):
        fulfil("none")


def test_other_managers_remove(other: Imitation) -> None:
    fulfil("hello")
    assert check("hello", action="remove") == "package 'hello' is installed (1.0-1)"
    fulfil("hello", action="remove")
    assert check("hello", action="remove") == ""


def test_other_managers_are_asked_for_a_version_where_they_have_it(other: Imitation) -> None:
    fulfil("hello", version="1.0-1")
    called = {"dnf": "hello-1.0-1", "pacman": "hello"}.get(other.name, "hello=1.0-1")
    assert other.calls[0].endswith(" " + called)
    with pytest.raises(RequirementError, match=r"is there in version 1\.0-1, not 9"):
        fulfil("hello", version="9")


def test_locks_of_other_managers_are_waited_for(other: Imitation) -> None:
    (other.state / "locked").touch()
    with pytest.raises(RequirementError, match=f"{other.name} was locked by somebody else"):
        fulfil("hello", timeout=0)
    timer = threading.Timer(0.3, (other.state / "locked").unlink)
    timer.start()
    fulfil("hello", timeout=20)
    timer.join()
    assert check("hello") == ""


def test_without_root_and_sudo_it_is_said_who_could(
    other: Imitation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1234)
    fulfil("hello")  # by sudo
    (other.bin / "sudo").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(RequirementError, match="root, this is user 1234, and sudo asks for a pass"):
        fulfil("tree")
    (other.bin / "sudo").unlink()
    with pytest.raises(RequirementError, match=r"needs root, .* and there is no sudo"):
        fulfil("tree")


def test_where_there_is_no_manager_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RequirementError, match="no package manager here that is known"):
        check("tree")
    with pytest.raises(RequirementError, match=r"is known \(zypper\)"):
        check("tree", manager="zypper")


@pytest.mark.parametrize(
    ("kwargs", "reason"),
    [
        ({}, "needs a uri"),
        ({"names": []}, "needs a uri"),
        ({"names": ["-y"]}, "'-y' is no name of a package"),
        ({"names": ["a b"]}, "'a b' is no name"),
        ({"name": "a", "action": "instal"}, "expected one of install, check, remove"),
        ({"name": "a", "manager": "yum"}, "expected one of apt, dnf"),
        ({"names": ["a", "b"], "version": "1"}, "it is for one package"),
        ({"name": "a", "timeout": -1}, "expected a number"),
        ({"nmae": "a"}, 'did you mean "name"'),
    ],
)
def test_what_is_wrong_with_a_description_is_named(kwargs: dict[str, Any], reason: str) -> None:
    with pytest.raises(RunnerError, match=reason):
        check(**kwargs)


class TestPackageRequirement(RequirementContract):
    @pytest.fixture(autouse=True)
    def manager(self, tmp_path_factory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        imitation = Imitation(tmp_path_factory.mktemp("apk"), "apk")
        monkeypatch.setenv("PATH", str(imitation.bin))

    def make_runner(self) -> Package:
        return Package()

    def met(self, folder: Path) -> Requirement:
        return want("tree", action="remove")

    def unmet(self, folder: Path) -> Requirement:
        return want("none")

    def fulfillable(self, folder: Path) -> Requirement:
        return want(names=["tree", "hello=1.0-1"])

    def impossible(self, folder: Path) -> Requirement:
        return want("tree", action="burn")


def test_tests_that_need_packages_get_them_one_after_another(sandbox: Sandbox, apt: Apt) -> None:
    """Two that are there, one that is not: by the command line, each in turn."""
    apt.publish("hello-nrunner", "1.0-1")
    apt.publish("bye-nrunner", "1.0-1")
    sandbox.env.update({**apt.env, "PATH": f"{apt.folder}/bin:{sandbox.env['PATH']}"})
    names = ["hello-nrunner", "bye-nrunner", "none-nrunner"]
    recipes = [
        {"kind": "noop", "identifier": name, "requirements": [{"type": "package", "uri": name}]}
        for name in names
    ]
    sandbox.write("needy.json", json.dumps(recipes), executable=False)
    end = sandbox.run("run", "needy.json")
    assert end.code == 0
    tests = sandbox.tests()
    assert [tests[name]["status"] for name in names] == ["PASS", "PASS", "SKIP"]
    assert tests["none-nrunner"]["cause"] == "requirement"
    assert (
        "apt-get says: E: Unable to locate package none-nrunner" in tests["none-nrunner"]["detail"]
    )
    assert apt.installed("hello-nrunner") == apt.installed("bye-nrunner") == "1.0-1"
    logs = [path.read_text() for path in sandbox.job.rglob("requirements/*/stdout")]
    assert sum("waits for the package manager, which is in use for" in log for log in logs) == 2
    again = sandbox.run("run", "needy.json")
    assert again.code == 0
    logs = [path.read_text() for path in sandbox.job.rglob("requirements/*/stdout")]
    assert sum("install" in log for log in logs) == 1
