"""Processes that put, use and remove the same entries of a cache, and are killed at any moment."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nrunner.runners.content_cache import ContentCache
from nrunner.runners.content_partial import Partial
from nrunner.runners.content_stock import entries, remove, shrink, tidy

KEYS = 5
SECONDS = 2.5


def data_of(key: int) -> bytes:
    return b"%d" % key * 5000


def put_and_use(cache: ContentCache, source: random.Random) -> None:
    """Put something unless it is there; while it is held it must be there, and right."""
    key = source.randrange(KEYS)
    name = f"{key}-{source.randrange(2)}"
    found = cache.find(name)
    if found is None:
        partial = cache.begin(name, 30.0)
        try:
            found = cache.find(name)
            if found is None:
                partial.restart()
                partial.write(data_of(key)[:7000])
                partial.write(data_of(key)[7000:])
                found = partial.finish(name, "")
        finally:
            partial.close()
    held = cache.hold(found.path)
    if held is not None:
        for _ in range(3):
            assert Path(found.path).read_bytes() == data_of(key)
        os.close(held)


def work(folder: Path, seed: int) -> None:
    """Use the cache as jobs and people do, for ever."""
    cache, source = ContentCache(str(folder)), random.Random(seed)
    while True:
        deed = source.random()
        if deed < 0.6:
            put_and_use(cache, source)
        elif deed < 0.9:
            for entry in entries(cache):
                if source.random() < 0.3:
                    remove(cache, entry.digest)
        else:
            tidy(cache)
            shrink(cache, 10_000)


def start(folder: Path, seed: int) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            work(folder, seed)
        finally:
            os._exit(1)
    return pid


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # nothing here has threads
def test_nobody_finds_half_a_file_or_loses_one_that_is_held_whoever_is_killed(
    tmp_path: Path,
) -> None:
    seed = random.randrange(2**32)
    source, kills = random.Random(seed), 0
    living = [start(tmp_path, seed + number) for number in range(4)]
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        # Not to wait for anything: it is killed wherever it is then.
        time.sleep(source.random() * 0.02)
        victim = living.pop(source.randrange(len(living)))
        os.kill(victim, signal.SIGKILL)
        status = os.waitpid(victim, 0)[1]
        assert os.WIFSIGNALED(status), f"it found something wrong (seed {seed})"
        kills += 1
        living.append(start(tmp_path, seed + 3 + kills))
    for each in living:
        os.kill(each, signal.SIGKILL)
        os.waitpid(each, 0)
    assert kills > 20

    cache = ContentCache(str(tmp_path))
    tidy(cache)
    assert [cache.names(name) for name in ("partial", "locks", "trash")] == [[], [], []]
    assert not any(entry.in_use for entry in entries(cache))
    check(cache)


def check(cache: ContentCache) -> None:
    """Each entry is what its name says, and nobody may write to it."""
    for entry in entries(cache):
        for path in map(Path, cache.files(entry.digest)):
            assert hashlib.sha256(path.read_bytes()).hexdigest() == entry.digest
            assert path.stat().st_mode & 0o777 == 0o444


def fill(cache: ContentCache, data: bytes) -> None:
    """Put something under a key, whatever that leads to already."""
    partial = cache.begin("key", 0.0)
    partial.restart()
    partial.write(data)
    partial.finish("file", "")
    partial.close()


def in_fork(user: int, deed: Callable[[], None]) -> int:
    """Have a process of a user do something; return its exit status, negative for a signal."""
    pid = os.fork()
    if pid == 0:
        try:
            if user != os.geteuid():
                os.setuid(user)
            deed()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


NOBODY = 65534
"""Root may write where the mode forbids it, others may not."""


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # nothing here has threads
@pytest.mark.parametrize("user", [os.geteuid()] if os.geteuid() else [0, NOBODY])
@pytest.mark.parametrize("moment", [(os, "fsync"), (Partial, "close")], ids=["whole", "entry"])
def test_what_is_killed_as_it_makes_an_entry_is_in_nobodys_way(
    monkeypatch: pytest.MonkeyPatch, moment: tuple[Any, str], user: int
) -> None:
    def killed() -> None:
        monkeypatch.setattr(*moment, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        fill(cache, b"first")

    def put_again() -> None:
        fill(cache, b"second")
        check(cache)

    def tidied() -> None:
        tidy(cache)
        assert (cache.names("partial"), cache.names("locks")) == ([], [])
        check(cache)

    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, user, -1)
        cache = ContentCache(folder)
        for deed in (put_again, tidied):
            assert in_fork(user, killed) == -signal.SIGKILL
            assert in_fork(user, deed) == 0
