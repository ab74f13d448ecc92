"""Assets from a real server: fetched once, whole or not at all, whoever is killed meanwhile."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nrunner.errors import RequirementError
from nrunner.runnable import Requirement
from nrunner.runners.asset import Asset
from nrunner.runners.content_cache import ContentCache
from nrunner.runners.content_stock import entries, tidy
from tests.functional.file_server import FileServer, serving
from tests.functional.sandbox import Sandbox, wait_until

SHA256 = hashlib.sha256(FileServer.data).hexdigest()
FULFIL = """
import json, sys
from nrunner.runnable import Requirement
from nrunner.runners.asset import Asset
asset = Asset()
asset.config = {"cache.dir": sys.argv[1]}
asset.fulfil(Requirement.from_json(json.loads(sys.argv[2])), "/")
"""


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as server:
        yield server


@pytest.fixture
def cache(tmp_path: Path) -> ContentCache:
    return ContentCache(str(tmp_path / "cache"))


def wanted(*locations: str, **kwargs: Any) -> Requirement:
    return Requirement("asset", None, (), {"name": "disk", "locations": locations, **kwargs})


def fulfil(cache: ContentCache, requirement: Requirement) -> str:
    """Fulfil a requirement; return what went wrong."""
    asset = Asset()
    asset.config = {"cache.dir": cache.at()}
    try:
        asset.fulfil(requirement, "/")
    except RequirementError as error:
        return str(error)
    return ""


def start(cache: ContentCache, requirement: Requirement, *wrapper: str) -> subprocess.Popen[bytes]:
    """Fulfil a requirement in a process of its own."""
    words = [sys.executable, "-c", FULFIL, cache.at(), json.dumps(requirement.to_json())]
    return subprocess.Popen([*wrapper, *words], stderr=subprocess.PIPE)


def contents(cache: ContentCache) -> list[bytes]:
    return [Path(cache.files(each.digest)[0]).read_bytes() for each in entries(cache)]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("breaks", "it broke off after 1000 of 1048576 bytes"),
        ("chunks-break", "it broke off after 500 bytes"),
        ("gone", "HTTP 404 not found"),
        ("to-a-file", "HTTP 302"),
        ("wrong", f"its sha256 is {hashlib.sha256(b'wrong').hexdigest()}, not {SHA256}"),
    ],
)
def test_a_location_that_fails_is_named_and_the_next_one_is_tried(
    server: FileServer, cache: ContentCache, path: str, reason: str
) -> None:
    assert f"{server.url(path)}: {reason}" in fulfil(cache, wanted(server.url(path), sha256=SHA256))
    assert contents(cache) == []
    assert fulfil(cache, wanted(server.url(path), server.url("good"), sha256=SHA256)) == ""
    assert contents(cache) == [server.data]
    assert server.asked == {path: 2, "good": 1}


FETCH = """
import sys
from nrunner.runners.fetch import FetchError, fetch
for url in sys.argv[1:]:
    found = []
    try:
        fetch(url, "/", found.append, stall=0.5 if url.endswith(("waits", "silent")) else 20)
    except FetchError as error:
        print(error)
    else:
        print(len(b"".join(found)))
"""


def test_every_python_says_alike_what_went_wrong(
    server: FileServer, root: Path, portable_python: Path
) -> None:
    urls = [server.url(each) for each in ("good", "breaks", "chunks-break", "waits", "silent")]
    told = subprocess.run(
        [portable_python, "-c", FETCH, *urls, "http://127.0.0.1:1/"],
        env={"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert told.stdout.decode().splitlines() == [
        "1048576",
        "it broke off after 1000 of 1048576 bytes",
        "it broke off after 500 bytes",
        "nothing came for 0.5 s after 524288 bytes",
        "no answer within 0.5 s",
        "connection refused",
    ]


def test_user_and_password_are_for_the_server_that_was_named_alone(
    server: FileServer, cache: ContentCache
) -> None:
    url = server.url("moved?token=hidden", "me:pass%20word@")
    assert fulfil(cache, wanted(url)) == ""
    assert contents(cache) == [server.data]
    assert [each.get("Authorization") for each in server.heads] == [
        "Basic bWU6cGFzcyB3b3Jk",
        None,
    ]


def test_a_download_that_is_killed_leaves_nothing_that_could_be_used(
    server: FileServer, cache: ContentCache
) -> None:
    requirement = wanted(server.url("waits"))
    killed = start(cache, requirement)
    assert server.halfway.wait(30)
    # It has half of it, and some of that is on the disk.
    [name] = cache.names("partial")
    wait_until(lambda: Path(cache.at("partial", name)).stat().st_size > 0, "something is written")
    killed.kill()
    killed.communicate()
    assert contents(cache) == []

    server.go_on.set()
    assert fulfil(cache, requirement) == ""
    assert contents(cache) == [server.data]
    assert cache.names("partial") == []
    assert server.asked == {"waits": 2}


def test_a_cache_without_room_is_named_and_keeps_nothing_of_it(
    server: FileServer, cache: ContentCache
) -> None:
    requirement = wanted(server.url("good"), server.url("good/again"))
    full = start(cache, requirement, "/bin/sh", "-c", 'ulimit -f 8; exec "$@"', "sh")
    said = full.communicate(timeout=30)[1].decode()
    assert full.returncode == 1
    last = said.splitlines()[-1]
    assert "RequirementError: could not write " in last
    assert last.endswith(": file too large")
    assert (contents(cache), cache.names("partial")) == ([], [])
    assert server.asked == {"good": 1}, "another location would not help"


def test_what_a_killed_download_left_is_tidied_but_not_what_another_fills(
    server: FileServer, cache: ContentCache
) -> None:
    killed = start(cache, wanted(server.url("waits/a")))
    assert server.halfway.wait(30)
    server.halfway.clear()
    killed.kill()
    killed.communicate()
    living = start(cache, wanted(server.url("waits/b")))
    assert server.halfway.wait(30)
    assert len(cache.names("partial")) == 2
    tidy(cache)
    assert len(cache.names("partial")) == 1
    server.go_on.set()
    living.communicate()
    assert living.returncode == 0
    assert contents(cache) == [server.data]


def test_many_processes_at_once_fetch_it_once(server: FileServer, cache: ContentCache) -> None:
    requirement = wanted(server.url("waits"), sha256=SHA256)
    first = start(cache, requirement)
    assert server.halfway.wait(30)
    others = [start(cache, requirement) for _ in range(3)]
    for each in others:
        assert each.stderr is not None
        assert each.stderr.readline() == b"another process fetches it\n"
    server.go_on.set()
    for each in (first, *others):
        each.communicate(timeout=30)
        assert each.returncode == 0
    assert server.asked == {"waits": 1}
    assert contents(cache) == [server.data]


def test_who_waits_for_a_download_that_is_killed_goes_on_with_it(
    server: FileServer, cache: ContentCache
) -> None:
    requirement = wanted(server.url("waits"))
    first = start(cache, requirement)
    assert server.halfway.wait(30)
    second = start(cache, requirement)
    assert second.stderr is not None
    assert second.stderr.readline() == b"another process fetches it\n"
    server.go_on.set()
    first.kill()
    first.communicate()
    second.communicate(timeout=30)
    assert second.returncode == 0
    assert contents(cache) == [server.data]


def test_who_waits_for_a_download_that_fails_tries_by_itself(
    server: FileServer, cache: ContentCache
) -> None:
    first = start(cache, wanted(server.url("waits-in-vain"), sha256=SHA256))
    assert server.halfway.wait(30)
    second = start(cache, wanted(server.url("good"), sha256=SHA256))
    assert second.stderr is not None
    assert second.stderr.readline() == b"another process fetches it\n"
    server.go_on.set()
    assert first.communicate(timeout=30)[1].count(b"it broke off after 524288 of 1048576 bytes")
    second.communicate(timeout=30)
    assert (first.returncode, second.returncode) == (1, 0)
    assert contents(cache) == [server.data]


TESTS = '''
import os, pathlib, unittest

class A(unittest.TestCase):
    """
    :avocado: dependency={"type": "asset", "name": "disk.img", "locations": ["LOCATION"], MORE}
    """
    def test_one(self):
        path = pathlib.Path(os.environ["NRUNNER_ASSET_DISK_IMG"])
        self.assertEqual(path.name, "disk.img")
        self.assertEqual(path.stat().st_size, 1048576)

    def test_two(self):
        self.test_one()
'''


def write(sandbox: Sandbox, location: str, more: str = f'"sha256": "{SHA256}"') -> None:
    text = TESTS.replace("LOCATION", location).replace("MORE", more)
    sandbox.write("test_a.py", text, executable=False)
    recipe = {
        "kind": "exec-test",
        "uri": "/bin/sh",
        "args": ["-c", 'test "$(wc -c < $NRUNNER_ASSET_DISK_IMG)" = 1048576'],
        "requirements": [
            {"type": "asset", "name": "disk.img", "locations": [location], "sha256": SHA256}
        ],
    }
    sandbox.write("sh.json", json.dumps(recipe), executable=False)


@pytest.mark.parametrize("isolation", ["process", "module", "interpreter"])
def test_a_test_finds_its_asset_by_a_variable(
    sandbox: Sandbox, server: FileServer, isolation: str
) -> None:
    write(sandbox, server.url("good"))
    for _ in range(2):
        end = sandbox.run("run", "--isolation", isolation, "test_a.py", "sh.json")
        assert end.code == 0, end
        assert [each["status"] for each in sandbox.tests().values()] == ["PASS"] * 3
    assert server.asked == {"good": 1}


ALONE = '''
import os, unittest
with open("imports.txt", "a") as file:
    file.write("imported\\n")
def told():
    return [name for name in os.environ if name.startswith("NRUNNER_ASSET_")]
TOLD = told()

class Disk(unittest.TestCase):
    """
    :avocado: dependency={"type": "asset", "name": "disk", "locations": ["LOCATION"], MORE}
    """
    needs = ["NRUNNER_ASSET_DISK"]
    def test_one(self):
        self.assertEqual((TOLD, told()), (self.needs, self.needs))

    def test_two(self):
        self.test_one()

class Tape(Disk):
    """
    :avocado: dependency={"type": "asset", "name": "tape", "locations": ["LOCATION"], MORE}
    """
    needs = ["NRUNNER_ASSET_TAPE"]

class Neither(Disk):
    needs = []
'''


@pytest.mark.parametrize(("isolation", "imports"), [("process", 3), ("interpreter", 6)])
def test_only_who_asks_for_an_asset_finds_it_as_its_module_is_imported_and_later(
    sandbox: Sandbox, server: FileServer, isolation: str, imports: int
) -> None:
    text = ALONE.replace("LOCATION", server.url("good")).replace("MORE", f'"sha256": "{SHA256}"')
    for name in ("test_a.py", "test_b.py"):
        sandbox.write(name, text, executable=False)
    flags = ("--isolation", isolation, "--max-parallel-tasks", "1")
    end = sandbox.run("run", *flags, "test_a.py", "test_b.py")
    assert end.code == 0, end
    assert [each["status"] for each in sandbox.tests().values()] == ["PASS"] * 12
    assert (sandbox.here / "imports.txt").read_text().count("imported") == 2 * imports


def test_two_jobs_at_once_fetch_an_asset_once(sandbox: Sandbox, server: FileServer) -> None:
    write(sandbox, server.url("waits"))
    one = sandbox.start("run", "test_a.py")
    assert server.halfway.wait(30)
    first = sandbox.job
    two = sandbox.start("run", "test_a.py")
    wait_until(lambda: sandbox.job != first, "another job has begun")
    wait_until(lambda: any(m["phase"] == "PREPARING" for m in sandbox.moves()), "it prepares")
    server.go_on.set()
    assert one.wait().code == two.wait().code == 0
    assert server.asked == {"waits": 1}


def test_an_asset_that_cannot_be_had_skips_its_tests_and_tells_no_secret(
    sandbox: Sandbox, server: FileServer
) -> None:
    write(sandbox, server.url("gone?token=hush-hush", "me:hush-hush@"))
    end = sandbox.run("run", "--json", "out.json", "test_a.py", "/bin/true")
    assert end.code == 0
    skipped = sandbox.tests()["test_a.py:A.test_one"]
    assert (skipped["status"], skipped["cause"]) == ("SKIP", "requirement")
    assert skipped["detail"] == (
        "requirement asset disk.img: it is not in the cache, and could not be fetched: "
        f"{server.url('gone')}?...: HTTP 404 not found (log: test-results/requirements/1)"
    )
    assert sandbox.tests()["/bin/true"]["status"] == "PASS"
    told = (
        end.out
        + end.err
        + "".join(
            path.read_text("utf-8", "replace")
            for path in [sandbox.here / "out.json", *sandbox.job.rglob("*")]
            if path.is_file() and path.name != "journal.jsonl"
        )
    )
    assert "hush" not in told
    assert server.asked["gone"] == 1


def test_what_a_job_uses_is_not_removed_until_it_is_over(
    sandbox: Sandbox, server: FileServer
) -> None:
    write(sandbox, server.url("good"))
    os.mkfifo(sandbox.here / "gate")
    sandbox.write("wait.sh", "#!/bin/sh\nread line < gate\n")
    run = sandbox.start("run", "sh.json", "wait.sh", "--max-parallel-tasks", "2")
    run.wait_started(2)
    listed = json.loads(sandbox.run("cache", "list", "--json").out)
    assert [each["in_use"] for each in listed["entries"]] == [True]
    end = sandbox.run("cache", "clear", "--yes")
    assert end.code == 0
    assert end.lines == [
        "removed 0 files, 0B; left: 1 file, 1.0M",
        "in use, and therefore kept: 1 file, 1.0M",
    ]
    (sandbox.here / "gate").write_text("go on\n")
    assert run.wait().code == 0
    assert sandbox.run("cache", "clear", "--yes").lines[-1] == (
        "removed 1 file, 1.0M; left: 0 files, 0B"
    )


def test_nobody_sees_a_secret_in_the_command_that_fetches(
    sandbox: Sandbox, server: FileServer
) -> None:
    write(sandbox, server.url("waits?token=hush-hush", "me:hush-hush@"))
    run = sandbox.start("run", "test_a.py")
    assert server.halfway.wait(30)
    commands = [command for command in sandbox.running().values() if "requirement" in command]
    assert commands
    assert "hush" not in "".join(commands)
    server.go_on.set()
    assert run.wait().code == 0


def test_offline_a_job_uses_what_is_in_the_cache_and_says_what_is_not(
    sandbox: Sandbox, server: FileServer
) -> None:
    write(sandbox, server.url("good"), '"expire": "10d"')
    assert sandbox.run("run", "test_a.py").code == 0
    assert sandbox.run("run", "--offline", "test_a.py").code == 0
    assert {each["status"] for each in sandbox.tests().values()} == {"PASS"}
    sandbox.env["NRUNNER_CACHE_DIR"] = "other"
    assert sandbox.run("run", "--offline", "test_a.py").code == 0
    assert "good: offline (cache.offline)" in sandbox.tests()["test_a.py:A.test_one"]["detail"]
    assert server.asked == {"good": 1}
