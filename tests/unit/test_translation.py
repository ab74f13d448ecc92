"""What our paths are called where a copy of our folder is."""

from __future__ import annotations

import pytest

from nrunner.translation import Translation

THERE = Translation("/home/me/project", "/far/tree")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/home/me/project", "/far/tree"),
        ("/home/me/project/tests/a.py:A.test", "/far/tree/tests/a.py:A.test"),
        ("/home/me/project-2/a", "/home/me/project-2/a"),
        ("/home/me", "/home/me"),
        ("/bin/true", "/bin/true"),
        ("tests/a.py", "tests/a.py"),
        ("", ""),
    ],
)
def test_paths_below_the_folder_are_called_as_the_copy_is(path, told):
    assert THERE.path(path) == told


def test_an_order_speaks_of_the_copy_wherever_it_names_the_folder():
    order = {
        "task": 1,
        "runnable": {
            "kind": "exec-test",
            "uri": "/home/me/project/run.sh",
            "args": ["/home/me/project/data", "--in=/home/me/project", 7],
            "kwargs": {"DATA": "/home/me/project/x", "MANY": ["/home/me/project/y", "/etc"]},
            "config": {
                "runner.env": {"PYTHONPATH": "/lib:/home/me/project/lib", "HOME": "/home/me"}
            },
        },
        "next": "/home/me/project/b.py:B.test",
        "needs": [{"type": "pip", "uri": "/home/me/project/requirements.txt"}],
    }
    told = THERE.order(order)
    assert told["runnable"] == {
        "kind": "exec-test",
        "uri": "/far/tree/run.sh",
        "args": ["/far/tree/data", "--in=/far/tree", 7],
        "kwargs": {"DATA": "/far/tree/x", "MANY": ["/far/tree/y", "/etc"]},
        "config": {"runner.env": {"PYTHONPATH": "/lib:/far/tree/lib", "HOME": "/home/me"}},
    }
    assert told["next"] == "/far/tree/b.py:B.test"
    assert told["needs"] == [{"type": "pip", "uri": "/far/tree/requirements.txt"}]
    assert order["runnable"]["uri"] == "/home/me/project/run.sh"


def test_a_bare_name_of_a_program_is_called_as_the_copy_is_if_it_is_a_file_there(tmp_path):
    (tmp_path / "t.sh").touch()
    (tmp_path / "true").mkdir()
    here = Translation(str(tmp_path), "/far/tree")
    uris = {"t.sh": "/far/tree/t.sh", "true": "true", "./t.sh": "./t.sh", "other.sh": "other.sh"}
    for kind in ("exec-test", "tap"):
        told = [here.runnable({"kind": kind, "uri": uri})["uri"] for uri in uris]
        assert told == [*uris.values()]
    assert here.runnable({"kind": "noop", "uri": "t.sh"})["uri"] == "t.sh"
    assert here.runnable({"kind": "noop", "uri": None})["uri"] is None


@pytest.mark.parametrize(
    ("data", "needs"),
    [
        ({"kind": "exec-test", "uri": "/bin/true"}, False),
        ({"kind": "exec-test", "uri": "true"}, False),
        ({"kind": "exec-test", "uri": "run.sh"}, True),
        ({"kind": "tap", "uri": "./other.sh"}, True),
        ({"kind": "exec-test", "uri": "BASE/other.sh"}, True),
        ({"kind": "exec-test", "uri": "/bin/sh", "args": ["-c", "echo hello; sleep 1"]}, False),
        ({"kind": "exec-test", "uri": "/bin/sh", "args": ["-c", "cat<data/x>y"]}, True),
        ({"kind": "exec-test", "uri": "/bin/sh", "args": ["-c", "cat data/*"]}, True),
        ({"kind": "exec-test", "uri": "/bin/sh", "args": ["-c", "cat ./*.sh"]}, True),
        ({"kind": "exec-test", "uri": "/bin/sh", "args": ["-c", "echo $((2*3)) b*"]}, False),
        ({"kind": "exec-test", "uri": "/bin/sh", "args": ["-c", "cd BASE && ls"]}, True),
        ({"kind": "exec-test", "uri": "/bin/sh", "args": ["-c", "cd . && ls"]}, True),
        ({"kind": "exec-test", "uri": "/bin/sh", "kwargs": {"X": "--in='run.sh'"}}, True),
        ({"kind": "exec-test", "uri": "/bin/sh", "args": ["\0"]}, False),
        ({"kind": "python-unittest", "uri": "/usr/lib/x.py:A.test"}, True),
        ({"kind": "noop", "uri": "run.sh"}, False),
        ({"type": "file", "uri": "/etc/passwd"}, False),
        ({"type": "file", "uri": "data/x"}, True),
        ({"type": "command", "uri": "gcc"}, False),
        ({"type": "pip", "uri": "x"}, True),
    ],
    ids=str,
)
def test_the_copy_is_needed_by_whoever_may_want_something_of_it(tmp_path, data, needs):
    (tmp_path / "run.sh").touch()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x").touch()
    base = str(tmp_path)
    words = {"uri": data["uri"].replace("BASE", base)}
    words["args"] = [each.replace("BASE", base) for each in data.get("args", ())]
    assert Translation(base, "/far").needs_copy({**data, **words}) is needs


@pytest.mark.parametrize(
    ("uri", "leads_out"),
    [
        ("../other/test.sh", True),
        ("tests/../../test.sh", True),
        ("../project/test.py:A.test", True),
        ("tests/../test.sh", False),
        ("..hidden/test.sh", False),
        ("/other/../test.sh", False),
        ("", False),
    ],
)
def test_a_relative_path_that_leaves_the_folder_is_in_no_copy(uri, leads_out):
    assert THERE.leads_out({"kind": "exec-test", "uri": uri}) is leads_out
