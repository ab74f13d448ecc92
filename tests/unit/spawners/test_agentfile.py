"""The agent as one file: named by its content, made once, whole."""

from __future__ import annotations

import errno
import os
import time
import zipfile
from pathlib import Path

import pytest

import nrunner
from nrunner.errors import SpawnError
from nrunner.spawners import agentfile
from nrunner.spawners.agentfile import agent_file, portable_files

ROOT = Path(nrunner.__file__).parent


def test_it_holds_the_portable_set_and_nothing_else(tmp_path):
    with zipfile.ZipFile(agent_file(tmp_path)) as archive:
        sources = {name for name in archive.namelist() if name.endswith(".py")}
        assert sources == {"__main__.py", *(name for name, _ in portable_files())}
        assert archive.read("nrunner/runners/agent.py") == (ROOT / "runners/agent.py").read_bytes()
        assert archive.testzip() is None
    assert "nrunner/errors.py" in sources
    assert not any("spawners" in name or "scheduler" in name for name in sources)


def test_every_source_has_bytecode_that_this_interpreter_believes(tmp_path):
    with zipfile.ZipFile(agent_file(tmp_path)) as archive:
        names = set(archive.namelist())
        assert all(f"{name}c" in names for name, _ in portable_files())


def test_the_same_code_is_the_same_file_and_is_not_written_again(tmp_path):
    first = agent_file(tmp_path)
    before = first.stat()
    assert agent_file(tmp_path) == first
    assert first.stat().st_mtime_ns == before.st_mtime_ns
    assert [each for each in tmp_path.iterdir() if not each.is_symlink()] == [first]
    other = agent_file(tmp_path / "other")
    assert other.name == first.name
    assert other.read_bytes() == first.read_bytes()


def test_other_code_is_another_file_beside_it(tmp_path, monkeypatch):
    first = agent_file(tmp_path / "cache")
    changed = tmp_path / "errors.py"
    changed.write_text("CHANGED = True\n")
    files = [(n, changed if n == "nrunner/errors.py" else path) for n, path in portable_files()]
    monkeypatch.setattr(agentfile, "portable_files", lambda: iter(files))
    second = agent_file(tmp_path / "cache")
    assert second != first
    assert first.exists()


@pytest.fixture
def read(monkeypatch):
    """What was read of the sources."""
    seen = []
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: seen.append(self) or read_bytes(self))
    return seen


def test_sources_that_lie_there_as_before_are_not_read_again(tmp_path, read):
    first = agent_file(tmp_path)
    assert len(read) == len([*portable_files()])
    read.clear()
    assert agent_file(tmp_path) == first
    assert read == []


def test_a_source_that_was_changed_in_its_place_makes_another_file(tmp_path, monkeypatch):
    source = tmp_path / "errors.py"
    source.write_text("ONE = 1\n")
    files = [("nrunner/errors.py", source)]
    monkeypatch.setattr(agentfile, "portable_files", lambda: iter(files))
    first = agent_file(tmp_path / "cache")
    source.write_text("TWO = 2\n")
    second = agent_file(tmp_path / "cache")
    assert second != first
    source.write_text("ONE = 1\n")
    assert agent_file(tmp_path / "cache") == first


def test_a_file_that_was_removed_is_made_again(tmp_path, read):
    first = agent_file(tmp_path)
    before = first.read_bytes()
    first.unlink()
    assert agent_file(tmp_path) == first
    assert first.read_bytes() == before


@pytest.mark.parametrize("target", ["../agent-00.pyz", "/bin/sh", "agent-00.pyz", "."])
def test_a_memory_that_leads_elsewhere_is_not_believed(tmp_path, target):
    first = agent_file(tmp_path)
    (tmp_path.parent / "agent-00.pyz").write_text("somebody else's")
    [link] = [each for each in tmp_path.iterdir() if each.is_symlink()]
    link.unlink()
    link.symlink_to(target)
    assert agent_file(tmp_path) == first
    assert link.readlink() == Path(first.name)


def test_a_cache_that_cannot_be_written_is_an_error_that_names_it(tmp_path):
    place = tmp_path / "file"
    place.write_text("")
    with pytest.raises(SpawnError, match="write the agent to"):
        agent_file(place / "cache")


def test_where_a_cache_cannot_be_written_the_next_folder_is_taken(tmp_path):
    place = tmp_path / "file"
    place.write_text("")
    assert agent_file(place / "cache", tmp_path / "own").parent == tmp_path / "own"
    with pytest.raises(SpawnError, match=r"write the agent to .*cache.*; nor write the agent to"):
        agent_file(place / "cache", place / "own")


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_a_folder_in_which_others_may_write_is_not_used(tmp_path, mode):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(mode)
    planted = shared / agent_file(tmp_path / "other").name
    planted.write_text("what others would have us run")
    with pytest.raises(SpawnError, match="others may write there"):
        agent_file(shared)
    planted.unlink()
    with pytest.raises(SpawnError, match="others may write there"):
        agent_file(shared)


def test_a_file_that_others_may_change_is_not_used(tmp_path):
    agent_file(tmp_path).chmod(0o666)
    with pytest.raises(SpawnError, match="others may write there"):
        agent_file(tmp_path)


def test_a_file_of_somebody_else_is_not_used(tmp_path, monkeypatch):
    agent_file(tmp_path)
    monkeypatch.setattr(agentfile.os, "geteuid", lambda: 12345)
    if os.getuid() == 0:
        assert agent_file(tmp_path)  # root's own
        os.chown(agent_file(tmp_path), 54321, 54321)
    with pytest.raises(SpawnError, match="it belongs to somebody else"):
        agent_file(tmp_path)


def test_nothing_is_left_of_a_file_that_could_not_be_written(tmp_path, monkeypatch):
    def fail(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(agentfile.os, "fsync", fail)
    with pytest.raises(SpawnError, match="No space left on device"):
        agent_file(tmp_path)
    assert list(tmp_path.iterdir()) == []


def aged(path: Path, days: float) -> Path:
    """Have a file, or the link itself, not have changed for some days."""
    then = time.time() - days * 86400
    os.utime(path, (then, then), follow_symlinks=False)
    return path


def link_to(name: str, path: Path) -> Path:
    path.symlink_to(name)
    return path


def test_what_was_not_used_for_long_is_removed(tmp_path, monkeypatch):
    """Each checkout and each installation leaves a memory, and each version an agent."""
    first = agent_file(tmp_path)
    files = {name: tmp_path / name for name in ("agent-0a.pyz", "agent-0b.pyz", ".agent-half")}
    for file in files.values():
        file.write_text("")
        aged(file, 31)
    new = tmp_path / "agent-0c.pyz"
    new.write_text("")
    old = aged(link_to("agent-0a.pyz", tmp_path / "agent-00.link"), 31)
    late = aged(link_to("agent-0b.pyz", tmp_path / "agent-01.link"), 29)
    monkeypatch.setattr(agentfile, "_known_as", lambda: "agent-02.link")
    assert agent_file(tmp_path) == first
    left = {*tmp_path.iterdir()}
    assert not left & {old, files["agent-0a.pyz"], files[".agent-half"]}
    assert {late, files["agent-0b.pyz"], new, first} < left


def test_an_agent_that_is_used_again_and_again_is_never_old(tmp_path, monkeypatch):
    first = aged(agent_file(tmp_path), 31)
    [link] = [aged(each, 31) for each in tmp_path.iterdir() if each.is_symlink()]
    assert agent_file(tmp_path) == first
    monkeypatch.setattr(agentfile, "_known_as", lambda: "agent-02.link")
    (tmp_path / "agent-0a.pyz").write_text("")
    monkeypatch.setattr(agentfile, "source_hash", lambda _: b"\x0a")
    assert agent_file(tmp_path).name == "agent-0a.pyz"
    assert {first, link} < {*tmp_path.iterdir()}
