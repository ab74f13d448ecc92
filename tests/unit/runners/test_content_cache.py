"""The cache of files by what is in them."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from nrunner.errors import CacheError
from nrunner.runners.content_cache import ContentCache, Found
from nrunner.runners.content_stock import entries, remove, shrink, tidy
from nrunner.userfolder import content_folder

DATA = b"what is in it"
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def cache(tmp_path: Path) -> ContentCache:
    return ContentCache(str(tmp_path / "cache"))


def put(cache: ContentCache, key: str, data: bytes = DATA, name: str = "file.bin") -> Found:
    partial = cache.begin(key, 5.0)
    try:
        partial.restart()
        partial.write(data[:5])
        partial.write(data[5:])
        return partial.finish(name, f"from {key}")
    finally:
        partial.close()


def age(found: Found, seconds: float) -> None:
    """Have an entry be used so long ago."""
    then = time.time() - seconds
    os.utime(found.path, (then, then))


def left(cache: ContentCache) -> list[str]:
    return [each.names[0] for each in entries(cache)]


def test_what_was_put_is_found_by_its_key_and_by_its_hash(cache: ContentCache) -> None:
    assert cache.find("a") is None
    assert cache.find_content(DIGEST) is None
    made = put(cache, "a")
    assert made.digest == DIGEST
    found = cache.find("a")
    assert found is not None
    assert Path(found.path).read_bytes() == DATA
    assert Path(found.path).name == "file.bin"
    assert Path(found.path).stat().st_mode & 0o777 == 0o444
    assert cache.find_content(DIGEST) == Found(DIGEST, found.path)
    assert cache.find("b") is None


def test_nothing_is_in_the_cache_before_it_is_whole(cache: ContentCache) -> None:
    partial = cache.begin("a", 5.0)
    partial.restart()
    partial.write(DATA)
    assert cache.find("a") is None
    assert entries(cache) == []
    partial.close()
    assert cache.find("a") is None
    assert cache.names("partial") == []


def test_to_begin_anew_forgets_what_came_before(cache: ContentCache) -> None:
    partial = cache.begin("a", 5.0)
    partial.restart("md5")
    partial.write(b"x" * 100)
    partial.restart("sha1")
    partial.write(DATA)
    assert partial.size == len(DATA)
    assert partial.digest("sha1") == hashlib.sha1(DATA).hexdigest()
    assert Path(partial.finish("f", "s").path).read_bytes() == DATA
    partial.close()


def test_the_same_content_is_kept_once_under_each_of_its_names(cache: ContentCache) -> None:
    one, two = put(cache, "a", name="one"), put(cache, "b", name="two")
    again = cache.find("a")
    assert again is not None
    three = cache.named(again, "three")
    assert len({Path(path).stat().st_ino for path in (one.path, two.path, three)}) == 1
    [entry] = entries(cache)
    assert entry.names == ("one", "three", "two")
    assert entry.sources == ("from a", "from b")
    assert entry.size == len(DATA)


def test_what_is_too_old_or_from_the_future_is_not_found(cache: ContentCache) -> None:
    put(cache, "a")
    [index] = cache.names("index")
    file = Path(cache.at("index", index))
    row = json.loads(file.read_text())
    for passed, found in ((100, False), (10, True), (-100, False)):
        file.write_text(json.dumps({**row, "fetched": time.time() - passed}))
        assert (cache.find("a", 50.0) is not None) is found
        assert cache.find("a") is not None


@pytest.mark.parametrize("row", [b"", b"[]", b"{}", b'{"digest": "../..", "size": 1}', b"\xff"])
def test_a_broken_row_of_the_index_leads_nowhere(cache: ContentCache, row: bytes) -> None:
    put(cache, "a")
    [index] = cache.names("index")
    Path(cache.at("index", index)).write_bytes(row)
    assert cache.find("a") is None
    assert left(cache) == ["file.bin"]
    put(cache, "a")
    assert cache.find("a") is not None


def test_a_file_that_was_cut_off_is_not_found_and_is_put_again(cache: ContentCache) -> None:
    path = Path(put(cache, "a").path)
    path.chmod(0o644)
    path.write_bytes(b"cut")
    assert cache.find("a") is None
    assert Path(put(cache, "a").path).read_bytes() == DATA


def test_two_that_want_the_same_do_not_fill_it_both(cache: ContentCache) -> None:
    first = cache.begin("a", 5.0)
    other = cache.begin("b", 5.0)
    told: list[str] = []
    with pytest.raises(CacheError, match=r"wait longer than 0.1 s for whoever fetches it"):
        cache.begin("a", 0.1, lambda: told.append("waits"))
    assert told == ["waits"]
    first.restart()
    first.write(DATA)
    first.finish("file.bin", "")
    first.close()
    second = cache.begin("a", 0.1)
    assert cache.find("a") is not None
    second.close()
    other.close()


def test_an_entry_that_is_held_is_not_removed(cache: ContentCache) -> None:
    found = put(cache, "a")
    other_name = cache.named(found, "other")
    held = cache.hold(other_name)
    assert held is not None
    assert [each.in_use for each in entries(cache)] == [True]
    age(found, 1000)
    assert not remove(cache, DIGEST)
    assert shrink(cache, 0) == []
    os.close(held)
    assert [each.in_use for each in entries(cache)] == [False]
    assert remove(cache, DIGEST)
    assert (entries(cache), cache.find("a"), cache.hold(found.path)) == ([], None, None)
    assert cache.names("trash") == []


def test_an_entry_to_which_something_is_added_is_not_removed(
    cache: ContentCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has just put it there would lose it again, though it is held a moment later."""
    put(cache, "a", name="one")
    link, tried = os.link, []

    def slowly(source: str, target: str) -> None:
        tried.append(remove(cache, DIGEST))
        link(source, target)

    monkeypatch.setattr(os, "link", slowly)
    second = put(cache, "b", name="two")
    cache.named(second, "three")
    assert tried == [False, False]
    assert entries(cache)[0].names == ("one", "three", "two")


def test_an_entry_that_goes_while_it_is_put_is_put_again(
    cache: ContentCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(cache, "a")
    make, removed = os.makedirs, []

    def then_removed(*words: Any, **more: Any) -> None:
        make(*words, **more)
        if DIGEST in words[0] and "trash" not in words[0] and not removed:
            removed.append(remove(cache, DIGEST))

    monkeypatch.setattr(os, "makedirs", then_removed)
    found = put(cache, "b")
    assert removed == [True]
    assert Path(found.path).read_bytes() == DATA


def test_an_entry_can_be_held_by_many(cache: ContentCache) -> None:
    found = put(cache, "a")
    one, two = cache.hold(found.path), cache.hold(found.path)
    assert one is not None
    assert two is not None
    os.close(one)
    assert not remove(cache, DIGEST)
    os.close(two)


def test_what_was_used_least_recently_goes_first(cache: ContentCache) -> None:
    found = [put(cache, name, name.encode() * 100, name) for name in "abcd"]
    for seconds, each in zip((400, 300, 200, 100), found, strict=True):
        age(each, seconds)
    held = cache.hold(found[0].path)  # a is the one that was used last, from now on
    assert held is not None
    assert left(cache) == ["b", "c", "d", "a"]
    assert [each.names for each in shrink(cache, 250)] == [("b",), ("c",)]
    assert left(cache) == ["d", "a"]
    assert shrink(cache, 250) == []
    os.close(held)


def test_what_was_used_just_now_stays_since_somebody_is_about_to_hold_it(
    cache: ContentCache,
) -> None:
    found = put(cache, "a")
    assert shrink(cache, 0) == []
    age(found, 61)
    assert len(shrink(cache, 0)) == 1


def test_tidying_removes_what_was_left_and_nothing_else(cache: ContentCache) -> None:
    kept, gone = put(cache, "a"), put(cache, "b", b"b")
    assert remove(cache, gone.digest)
    filling = cache.begin("c", 5.0)
    Path(cache.at("partial", "left")).write_text("half")
    old = Path(cache.at("index", "x.123"))
    old.write_text("")
    os.utime(old, (1, 1))
    Path(cache.at("trash", "left")).mkdir(parents=True)
    tidy(cache)
    assert len(cache.names("partial")) == len(cache.names("index")) == 1
    assert cache.names("trash") == []
    assert cache.find("a") == Found(kept.digest, kept.path, pytest.approx(kept.fetched))
    filling.restart()
    filling.close()


def test_a_cache_into_which_others_could_put_something_is_refused(cache: ContentCache) -> None:
    put(cache, "a")
    Path(cache.at()).chmod(0o777)
    with pytest.raises(CacheError, match="others may write there"):
        cache.begin("b", 5.0)


def test_a_cache_that_cannot_be_made_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match=r"use the cache at .*/file/cache: not a directory"):
        ContentCache(str(tmp_path / "file" / "cache")).begin("a", 5.0)


def test_index_and_files_do_not_tell_the_key(cache: ContentCache) -> None:
    put(cache, "https://user:secret@host/x")
    told = [path.read_text("utf-8", "replace") for path in Path(cache.at("index")).iterdir()]
    names = [str(path) for path in Path(cache.at()).rglob("*")]
    assert "secret" not in "".join(told).replace("from https://user:secret@host/x", "")
    assert "secret" not in "".join(names)


@pytest.mark.parametrize("value", ["", "/elsewhere"])
def test_controller_and_agent_agree_where_the_cache_is(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    from nrunner.runners.content_cache import default_folder

    monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert default_folder() == str(content_folder())
