"""Images that are built, and what podman says while it gets one."""

from __future__ import annotations

import pytest

from nrunner.errors import SpawnError
from nrunner.spawners.podman.client import Answer
from nrunner.spawners.podman.images import _check_stream, _packed


def test_an_error_in_the_middle_of_a_long_answer_is_one():
    _check_stream("build", Answer(200, '{"stream":"STEP 1"}\n{"stream":"done"}\n'))
    _check_stream("build", Answer(200, {"stream": "done"}))
    with pytest.raises(SpawnError, match=r"build: no such file \(after: STEP 1\)"):
        _check_stream("build", Answer(200, '{"stream":"STEP 1\\n"}\n{"error":"no such file"}\n'))


def test_a_context_is_known_by_what_is_in_it(tmp_path):
    (tmp_path / "Containerfile").write_text("FROM a")
    (tmp_path / "file").write_text("x")
    _, key, recipe = _packed(tmp_path, None)
    assert recipe == "Containerfile"
    (tmp_path / "file").touch()
    assert _packed(tmp_path, None)[1] == key
    assert _packed(tmp_path / "Containerfile", None)[1:] == (key, "Containerfile")
    (tmp_path / "file").write_text("y")
    assert _packed(tmp_path, None)[1] != key


def test_a_recipe_of_another_name_is_found(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM a")
    assert _packed(tmp_path, None)[2] == "Dockerfile"
    (tmp_path / "own").write_text("FROM b")
    assert _packed(tmp_path, "own")[2] == "own"
    with pytest.raises(FileNotFoundError):
        _packed(tmp_path, "gone")
