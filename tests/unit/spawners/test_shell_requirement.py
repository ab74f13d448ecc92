"""Requirements that can be checked without Python."""

from __future__ import annotations

import pytest

from nrunner.errors import RequirementError
from nrunner.runnable import Requirement
from nrunner.spawners.shell_requirement import question_of


@pytest.mark.parametrize(
    ("requirement", "words"),
    [
        (Requirement("file", "a/b"), ("file", "/base/a/b")),
        (Requirement("file", kwargs={"path": "/etc/x"}), ("file", "/etc/x")),
        (Requirement("command", "sed"), ("command", "sed")),
        (Requirement("command", "./tool"), ("command", "/base/tool")),
        (Requirement("command", kwargs={"name": "sed"}), ("command", "sed")),
    ],
)
def test_files_and_commands_are_asked_for(requirement, words):
    question = question_of(requirement, "/base")
    assert question is not None
    assert question.words == words


def test_nothing_is_always_there():
    assert question_of(Requirement("noop"), "/base") is None


@pytest.mark.parametrize(
    ("requirement", "reason"),
    [
        (Requirement("pip", "x"), "no Python"),
        (Requirement("file"), "needs a uri"),
        (Requirement("file", "x", kwargs={"sha256": "0" * 64}), 'no Python.*"sha256"'),
        (Requirement("command", "x", kwargs={"version": "2"}), 'no Python.*"version"'),
        (Requirement("command", kwargs={"path": "/bin/sh"}), 'no Python.*"path"'),
    ],
)
def test_what_cannot_be_asked_is_refused(requirement, reason):
    with pytest.raises(RequirementError, match=reason):
        question_of(requirement, "/base")
