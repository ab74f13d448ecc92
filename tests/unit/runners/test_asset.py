"""The requirement that a fetched file is in the cache, with files that need no network."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from nrunner.errors import RequirementError, RunnerError
from nrunner.runnable import Requirement, Runnable
from nrunner.runners.asset import Asset
from nrunner.runners.base import REQUIREMENT, Command, Place
from nrunner.runners.content_cache import ContentCache
from nrunner.runners.content_stock import entries, remove

DATA = b"content of an asset"
SHA256 = hashlib.sha256(DATA).hexdigest()
SHA1 = hashlib.sha1(DATA).hexdigest()


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "disk.img").write_bytes(DATA)
    return tmp_path


def runner(here: Path, **config: Any) -> Asset:
    asset = Asset()
    asset.config = {"cache.dir": str(here / "cache"), **config}
    return asset


def asset(**kwargs: Any) -> Requirement:
    return Requirement("asset", kwargs={"name": "disk.img", **kwargs})


@pytest.mark.parametrize(
    "kwargs",
    [
        {"locations": ["gone", "disk.img"]},
        {"locations": "disk.img", "sha256": SHA256.upper()},
        {"locations": [".", "/"], "asset_hash": SHA1},
        {"locations": ["./"], "asset_hash": SHA256, "algorithm": "sha256"},
        {"name": "./disk.img"},
    ],
)
def test_an_asset_is_fetched_once_and_handed_to_tests(here: Path, kwargs: dict[str, Any]) -> None:
    wanted = asset(**kwargs)
    assert runner(here).check(wanted, str(here)) == "it is not in the cache"
    runner(here).fulfil(wanted, str(here))
    asked = runner(here)
    assert asked.check(wanted, str(here)) is None
    variables = asked.variables(wanted, str(here))
    assert list(variables) == ["NRUNNER_ASSET_DISK_IMG"]
    path = Path(variables["NRUNNER_ASSET_DISK_IMG"])
    assert (path.name, path.read_bytes()) == ("disk.img", DATA)
    before = path.stat()
    runner(here).fulfil(wanted, str(here))
    assert path.stat() == before


def test_a_wrong_hash_is_named_with_the_right_one_and_the_next_location_is_tried(
    here: Path,
) -> None:
    (here / "other").write_bytes(b"other")
    other = hashlib.sha256(b"other").hexdigest()
    wanted = asset(sha256=SHA256, locations=["other"])
    with pytest.raises(RequirementError) as caught:
        runner(here).fulfil(wanted, str(here))
    assert f"other: its sha256 is {other}, not {SHA256}" in str(caught.value)
    assert entries(ContentCache(str(here / "cache"))) == []
    runner(here).fulfil(asset(sha256=SHA256, locations=["other", "disk.img"]), str(here))


def test_with_a_hash_it_does_not_matter_where_it_came_from_or_what_it_is_called(
    here: Path,
) -> None:
    runner(here).fulfil(asset(sha256=SHA256, locations=["disk.img"]), str(here))
    (here / "disk.img").unlink()
    asked = runner(here)
    same = asset(sha256=SHA256, name="b.iso", locations=["http://127.0.0.1:1/gone"])
    assert asked.check(same, str(here)) is None
    [path] = asked.variables(same, str(here)).values()
    assert (Path(path).name, Path(path).read_bytes()) == ("b.iso", DATA)


def test_a_file_that_was_brought_is_taken_if_it_is_the_right_one(here: Path) -> None:
    brought = here / "brought"
    brought.write_bytes(DATA)
    plain = asset(locations=["http://127.0.0.1:1/gone"])
    wrong = {"path": str(brought), "sha256": "0" * 64}
    with pytest.raises(RequirementError, match="connection refused"):
        runner(here).fulfil(asset(**{**plain.kwargs, "brought": wrong}), str(here))
    right = {"path": str(brought), "sha256": SHA256}
    runner(here).fulfil(asset(**{**plain.kwargs, "brought": right}), str(here))
    assert not brought.exists()
    [path] = runner(here).variables(plain, str(here)).values()
    assert Path(path).read_bytes() == DATA


def test_a_local_file_without_a_hash_is_fetched_again_when_it_has_changed(here: Path) -> None:
    wanted = asset(locations=["disk.img"])
    runner(here).fulfil(wanted, str(here))
    (here / "disk.img").write_bytes(b"new")
    asked = runner(here)
    assert asked.check(wanted, str(here)) is not None
    asked.fulfil(wanted, str(here))
    [path] = asked.variables(wanted, str(here)).values()
    assert Path(path).read_bytes() == b"new"


def test_what_has_expired_is_fetched_again_unless_its_hash_is_known(here: Path) -> None:
    brief = asset(expire=0, locations=["disk.img"])
    known = asset(expire="0s", locations=["disk.img"], sha256=SHA256)
    for each in (brief, known):
        runner(here).fulfil(each, str(here))
    assert runner(here).check(brief, str(here)) is not None
    assert runner(here).check(known, str(here)) is None
    assert runner(here).variables(brief, str(here))


def test_offline_what_is_on_the_network_is_not_asked_for(here: Path) -> None:
    wanted = asset(locations=["http://127.0.0.1:1/x?token=secret", "gone"])
    with pytest.raises(RequirementError) as caught:
        runner(here, **{"cache.offline": True}).fulfil(wanted, str(here))
    assert str(caught.value) == (
        "it is not in the cache, and could not be fetched: "
        "http://127.0.0.1:1/x?...: offline (cache.offline); gone: no such file or directory"
    )
    local = asset(locations=["http://127.0.0.1:1/x", "disk.img"])
    runner(here, **{"cache.offline": True}).fulfil(local, str(here))


def test_an_asset_that_a_test_was_told_of_stays_in_the_cache(here: Path) -> None:
    wanted, asked = asset(sha256=SHA256, locations=["disk.img"]), runner(here)
    asked.fulfil(wanted, str(here))
    asked.variables(wanted, str(here))
    cache = ContentCache(str(here / "cache"))
    assert not remove(cache, SHA256)
    for each in asked._held.values():
        os.close(each)
    assert remove(cache, SHA256)
    with pytest.raises(RequirementError, match=r"'disk.img' was removed from the cache"):
        runner(here).variables(wanted, str(here))


def test_the_cache_is_kept_below_its_size(here: Path) -> None:
    for name in "ab":
        (here / name).write_bytes(name.encode() * 60)
    runner(here).fulfil(asset(name="a", locations=["a"]), str(here))
    cache = ContentCache(str(here / "cache"))
    [entry] = entries(cache)
    os.utime(cache.files(entry.digest)[0], (1, 1))
    runner(here, **{"cache.size": 100}).fulfil(asset(name="b", locations=["b"]), str(here))
    assert [each.names for each in entries(cache)] == [("b",)]


@pytest.mark.parametrize(
    ("kwargs", "reason"),
    [
        ({"name": ""}, 'key "name": expected the name of a file, or a URL'),
        ({"name": "a/.."}, "key \"name\": '..' cannot be the name of a file"),
        ({"name": "x" * 300}, "cannot be the name of a file"),
        ({"locations": [1]}, 'key "locations": expected a list of URLs or paths'),
        ({"locations": [""]}, 'key "locations": expected a list of URLs or paths'),
        ({"sha256": "12"}, 'key "asset_hash": a sha256 has 64 digits, got 2'),
        ({"sha256": "x"}, 'key "asset_hash": expected hexadecimal digits'),
        ({"sha256": SHA256, "asset_hash": SHA1}, "there is another hash beside it"),
        ({"asset_hash": SHA1, "algorithm": "sha257"}, "\"algorithm\": 'sha257' is not known here"),
        ({"asset_hash": SHA1, "algorithm": 5}, '"algorithm": 5 is not known here'),
        ({"asset_hash": "abcd"}, "'' is not known here; use md5, sha1"),
        ({"expire": "soon"}, 'key "expire": expected seconds, or text such as "12h"'),
        ({"location": "x"}, "unknown key 'location'; an asset has name, locations"),
    ],
)
def test_what_is_wrong_with_an_asset_is_said(
    here: Path, kwargs: dict[str, Any], reason: str
) -> None:
    for deed in (runner(here).check, runner(here).fulfil):
        with pytest.raises(RunnerError) as caught:
            deed(asset(**kwargs), str(here))
        assert reason in str(caught.value)


def test_an_asset_that_is_registered_later_needs_no_location(here: Path) -> None:
    with pytest.raises(RequirementError, match="could not be fetched: no location is known"):
        runner(here).fulfil(asset(), str(here))
    assert runner(here).check(asset(), str(here)) is not None


@pytest.mark.parametrize("name", ["http://me:secret@host/a/disk.img?token=secret", "/x/disk.img"])
def test_the_name_may_be_its_location(here: Path, name: str) -> None:
    wanted = asset(name=name)
    assert wanted.title == ("asset disk.img" if "://" in name else "asset /x/disk.img")
    with pytest.raises(RequirementError) as caught:
        runner(here, **{"cache.offline": True}).fulfil(wanted, str(here))
    assert "disk.img" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_cache_that_cannot_be_used_is_a_reason(here: Path) -> None:
    with pytest.raises(RequirementError, match=r"could not use the cache at .*: not a directory"):
        runner(here, **{"cache.dir": str(here / "disk.img")}).fulfil(
            asset(locations=["disk.img"]), str(here)
        )


def test_as_a_runnable_it_is_fetched_by_a_child_that_knows_the_settings(here: Path) -> None:
    place = Place("/l", "/o", "/w", str(here), report="/r")
    runnable = Runnable("asset", "disk.img", config={"cache.offline": True})
    command = Asset().command(runnable, place)
    assert isinstance(command, Command)
    assert (*command.argv[-2:], command.report) == ("fulfil", "/r", "/r")
    requirement = {"type": "asset", "uri": "disk.img"}
    told = {"requirement": requirement, "config": {"cache.offline": True}}
    assert json.loads(command.env[REQUIREMENT]) == told
