"""Where a control group can be, and whose it is; without making one."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from nrunner.runners import cgroup, procfs
from nrunner.runners.cgroup import Whose
from nrunner.runners.procfs import Process

HYBRID = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
36 31 0:33 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
PURE = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
CONTAINER = "30 23 0:26 /docker/1f /sys/fs/cgroup rw - cgroup2 cgroup rw\n"


def found(monkeypatch, own: str, mounts: str) -> str | None:
    files = {"/proc/self/cgroup": own, "/proc/self/mountinfo": mounts}

    def opened(path, **_):
        if path not in files:
            raise FileNotFoundError(path)
        return io.StringIO(files[path])

    monkeypatch.setitem(cgroup.__dict__, "open", opened)
    return cgroup.own_folder()


@pytest.mark.parametrize(
    ("own", "mounts", "folder"),
    [
        ("4:memory:/a\n0::/\n", HYBRID, "/sys/fs/cgroup/unified"),
        ("4:memory:/a\n0::/a b/c\n", HYBRID, "/sys/fs/cgroup/unified/a b/c"),
        ("0::/user.slice/x.scope\n", PURE, "/sys/fs/cgroup/user.slice/x.scope"),
        ("0::/\n", PURE, "/sys/fs/cgroup"),
        ("0::/docker/1f\n", CONTAINER, "/sys/fs/cgroup"),
        ("0::/docker/1f/in\n", CONTAINER, "/sys/fs/cgroup/in"),
        ("0::/docker/1foo\n", CONTAINER, None),
        ("0::/../2e\n", PURE, None),
        ("4:memory:/a\n", HYBRID, None),
        ("0::/\n", HYBRID.replace("cgroup2", "cgroup"), None),
        ("0::/a\n", PURE.replace("/sys/fs/cgroup", r"/mnt/a\040b\134"), "/mnt/a b\\/a"),
    ],
)
def test_our_own_group_is_found_wherever_it_is_mounted(monkeypatch, own, mounts, folder):
    assert found(monkeypatch, own, mounts) == folder


@pytest.fixture
def guardian(monkeypatch):
    """A guardian 17 that was started at tick 900, and lives in our namespace."""
    known = {17: Process(17, 1, 17, "S", 900), 18: Process(18, 1, 18, "Z", 900)}
    monkeypatch.setattr(procfs, "read_process", known.get)
    return Path("/proc/self/ns/pid").stat().st_ino


def test_a_group_is_named_after_its_guardian(monkeypatch, guardian):
    monkeypatch.setattr(cgroup, "own_folder", lambda: "/groups")
    group = cgroup.group_for(17)
    assert group is not None
    assert group.folder == f"/groups/nrunner-{guardian}-17-900"
    assert cgroup._whose(group.folder.rpartition("/")[2]) is Whose.SOMEBODYS
    assert cgroup.group_for(99) is None


@pytest.mark.parametrize(
    ("name", "whose"),
    [
        ("nrunner-{}-17-900", Whose.SOMEBODYS),
        ("nrunner-{}-17-901", Whose.NOBODYS),
        ("nrunner-{}-18-900", Whose.NOBODYS),
        ("nrunner-{}-19-900", Whose.NOBODYS),
        ("nrunner-1{}-19-900", Whose.ELSEWHERE),
        ("nrunner-{}-19", Whose.SOMEBODYS),
        ("nrunner-{}-x-900", Whose.SOMEBODYS),
        ("nrunner-tests", Whose.SOMEBODYS),
    ],
    ids=["lives", "pid reused", "zombie", "gone", "elsewhere", "short", "odd", "strange"],
)
def test_only_groups_whose_guardian_is_surely_gone_are_nobodys(guardian, name, whose):
    assert cgroup._whose(name.format(guardian)) is whose


def test_a_group_that_is_no_more_is_empty_and_removed(tmp_path):
    group = cgroup.Group(str(tmp_path / "gone"))
    assert group.kill(0.0)
    assert group.wait_empty(0.0)
    assert group.remove()


def test_where_no_group_can_be_made_there_is_none(tmp_path):
    (tmp_path / "file").write_text("")
    assert not cgroup.Group(str(tmp_path / "file" / "x")).make()
    assert not cgroup.Group(str(tmp_path)).make()
    assert not cgroup.Group(str(tmp_path)).take(0)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """Return where groups are; they are plain folders, removed when they are empty."""
    monkeypatch.setattr(cgroup, "own_folder", lambda: str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(("age", "is_left"), [(0, True), (3600, False)])
def test_an_empty_group_of_another_namespace_is_removed_once_it_is_old(folder, age, is_left):
    group = folder / "nrunner-1-2-3"
    group.mkdir()
    long_ago = group.stat().st_mtime - age
    os.utime(group, (long_ago, long_ago))
    cgroup.remove_stale()
    assert group.exists() is is_left


def test_a_group_of_another_namespace_is_kept_while_somebody_is_in_it(folder):
    group = folder / "nrunner-1-2-3"
    group.mkdir()
    (group / "somebody").write_text("")
    os.utime(group, (0, 0))
    cgroup.remove_stale()
    assert group.exists()
