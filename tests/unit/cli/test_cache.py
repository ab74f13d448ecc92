"""``nrunner cache``: looking at what is kept, and removing some of it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from nrunner.cli.main import main
from nrunner.errors import ExitCode
from nrunner.runners.content_cache import ContentCache
from nrunner.runners.content_stock import entries
from nrunner.spawners.podman import layers
from nrunner.spawners.shelf import Shelf

DAY = 86400


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job_results: Path) -> ContentCache:
    """Three files: old.bin of 3000 bytes, mid.bin of 2000, new\nname of 500."""
    del job_results
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NRUNNER_CACHE_DIR", "kept")
    kept = ContentCache(str(tmp_path / "kept"))
    for name, size, days in (("old.bin", 3000, 40), ("new\nname", 500, 0.1), ("mid.bin", 2000, 5)):
        put(kept, name, size, days)
    return kept


def put(kept: ContentCache, name: str, size: int, days: float) -> str:
    partial = kept.begin(name, 5.0)
    partial.restart()
    partial.write(name[:1].encode() * size)
    path = partial.finish(name, f"http://host/{name}").path
    partial.close()
    os.utime(path, (time.time() - days * DAY,) * 2)
    return path


def left(kept: ContentCache) -> list[str]:
    return [each.names[0] for each in entries(kept)]


def hold(kept: ContentCache, name: str) -> int:
    """Use a file; that it is old does not change by that."""
    [entry] = [each for each in entries(kept) if name in each.names]
    path = kept.files(entry.digest)[0]
    held = kept.hold(path)
    assert held is not None
    os.utime(path, (entry.used, entry.used))
    return held


def test_what_is_kept_is_listed_in_the_order_of_its_use(
    kept: ContentCache, capsys: pytest.CaptureFixture[str]
) -> None:
    held = hold(kept, "mid.bin")
    assert main(["cache", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1:] for line in lines[:3]] == [
        ["2.9K", "40d", "ago", "free", "old.bin", "http://host/old.bin"],
        ["2.0K", "5d", "ago", "in", "use", "mid.bin", "http://host/mid.bin"],
        ["500B", "2h", "ago", "free", "new\\nname", "http://host/new\\nname"],
    ]
    assert lines[3] == f"3 files, 5.4K in {kept.at()}"
    os.close(held)


def test_the_list_for_programs_has_all_that_is_known(
    kept: ContentCache, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cache", "list", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["folder"], data["size"]) == (kept.at(), 5500)
    [first, *_] = data["entries"]
    assert first == {
        "sha256": entries(kept)[0].digest,
        "size": 3000,
        "used": pytest.approx(time.time() - 40 * DAY, abs=60),
        "in_use": False,
        "names": ["old.bin"],
        "sources": ["http://host/old.bin"],
    }


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--age", "30d"], ["mid.bin", "new\nname"]),
        (["--age", "1d"], ["new\nname"]),
        (["--age", "50d"], ["old.bin", "mid.bin", "new\nname"]),
        (["--size", "1K"], ["new\nname"]),
        (["--size", "2500"], ["mid.bin", "new\nname"]),
        (["--size", "0"], []),
        (["--size", "none"], ["old.bin", "mid.bin", "new\nname"]),
        (["--size", "2500", "--age", "1h"], []),
        (["--size", "10K", "--age", "30d"], ["mid.bin", "new\nname"]),
    ],
    ids=" ".join,
)
def test_pruning_removes_what_is_old_and_then_what_is_too_much(
    kept: ContentCache, words: list[str], names: list[str]
) -> None:
    assert main(["cache", "prune", *words]) == 0
    assert left(kept) == names


def test_pruning_goes_down_to_the_size_that_is_set(
    kept: ContentCache, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("SIZE", "AGE"):
        monkeypatch.setenv(f"NRUNNER_CACHE_LAYERS_{name}", "none")
    assert main(["cache", "prune"]) == ExitCode.USAGE
    assert "say --size or --age, or set cache.size" in capsys.readouterr().err
    monkeypatch.setenv("NRUNNER_CACHE_SIZE", "2500")
    assert main(["cache", "prune", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [each["names"] for each in data["removed"]] == [["old.bin"]]
    assert (data["in_use"], data["size"]) == ([], 2500)


def test_what_is_in_use_stays_and_that_is_said(
    kept: ContentCache, capsys: pytest.CaptureFixture[str]
) -> None:
    held = hold(kept, "old.bin")
    assert main(["cache", "prune", "--size", "3000"]) == 0
    assert left(kept) == ["old.bin"]
    capsys.readouterr()
    assert main(["cache", "clear", "--yes"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines() == [
        "removed 0 files, 0B; left: 1 file, 2.9K",
        "in use, and therefore kept: 1 file, 2.9K",
    ]
    os.close(held)
    assert main(["cache", "clear", "-y", "--json"]) == 0
    assert [each["names"] for each in json.loads(capsys.readouterr().out)["removed"]] == [
        ["old.bin"]
    ]
    assert left(kept) == []


def test_clearing_is_not_done_unasked(
    kept: ContentCache, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert main(["cache", "clear"]) == ExitCode.USAGE
    assert "say --yes" in capsys.readouterr().err
    assert len(left(kept)) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["prune", "--size", "1X"], "use --size: expected a size such as 4096, 500M or 1.5G"),
        (["prune", "--age", "soon"], "use --age: expected a duration such as 90"),
    ],
)
def test_what_is_no_size_or_age_is_said(
    kept: ContentCache, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cache", *words]) == ExitCode.USAGE
    assert message in capsys.readouterr().err
    assert len(left(kept)) == 3


def test_a_cache_that_is_not_there_is_empty(
    kept: ContentCache, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NRUNNER_CACHE_DIR", "elsewhere")
    assert main(["cache", "list"]) == main(["cache", "clear"]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("0 files, 0B in ")
    assert len(left(kept)) == 3


@pytest.fixture
def shelved(kept: ContentCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """Two layers of podman's beside the files, of 4000 bytes and 1000; no podman to ask."""
    del kept
    monkeypatch.setenv("PATH", "/nowhere")
    folder = tmp_path / "home" / ".cache" / "nrunner" / "layers" / "podman"
    shelved = Shelf(folder)
    for name, size, days in (("aaaa", 4000, 20.0), ("bbbb", 1000, 0.2)):
        shelved.hold(name)
        shelved.note(name, size, [f"package {name}", "noop"])
        shelved.release()
        os.utime(folder / name, (time.time() - days * DAY,) * 2)
    return shelved


@pytest.fixture
def removing(shelved: Shelf, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The layers that are removed from a podman that is not there."""
    removed: list[str] = []

    async def images(_layers: layers.Layers, key: str) -> list[str]:
        removed.append(key)
        return []

    monkeypatch.setattr(layers.Layers, "_images", images)
    return removed


def test_layers_are_listed_beside_files_and_nobody_is_asked(
    shelved: Shelf, capsys: pytest.CaptureFixture[str]
) -> None:
    shelved.hold("bbbb")
    assert main(["cache", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].startswith("3 files, 5.4K in ")
    assert [line.split() for line in lines[4:6]] == [
        ["aaaa", "3.9K", "20d", "ago", "free", "podman", "package", "aaaa,", "noop"],
        ["bbbb", "1000B", "now", "in", "use", "podman", "package", "bbbb,", "noop"],
    ]
    assert lines[6:] == ["2 layers, 4.9K"]
    assert main(["cache", "list", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["size"] == 5500
    assert data["layers"][0] == {
        "spawner": "podman",
        "name": "aaaa",
        "size": 4000,
        "used": pytest.approx(time.time() - 20 * DAY, abs=60),
        "in_use": False,
        "holds": ["package aaaa", "noop"],
    }
    shelved.release()


@pytest.mark.parametrize(
    ("words", "files", "layers"),
    [
        (["--size", "7500"], 2, ["aaaa", "bbbb"]),
        (["--size", "7000"], 2, ["bbbb"]),
        (["--size", "2000"], 1, ["bbbb"]),
        (["--age", "10d"], 2, ["bbbb"]),
        (["--age", "30d"], 2, ["aaaa", "bbbb"]),
        ([], 3, ["bbbb"]),
    ],
)
def test_layers_and_files_are_pruned_as_one(
    kept: ContentCache,
    shelved: Shelf,
    removing: list[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    files: int,
    layers: list[str],
) -> None:
    monkeypatch.setenv("NRUNNER_CACHE_LAYERS_SIZE", "1500")
    assert main(["cache", "prune", *words]) == 0
    assert len(left(kept)) == files
    assert [each.name for each in shelved.entries()] == layers
    assert removing == (["aaaa"] if "aaaa" not in layers else [])


def test_what_went_is_told_apart_and_what_is_in_use_stays(
    shelved: Shelf, removing: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    shelved.hold("aaaa")
    assert main(["cache", "clear", "--yes", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (len(data["removed"]), data["size"]) == (3, 0)
    assert [each["name"] for each in data["layers"]["removed"]] == ["bbbb"] == removing
    assert [each["name"] for each in data["layers"]["in_use"]] == ["aaaa"]
    assert data["layers"]["size"] == 4000
    assert main(["cache", "clear", "--yes"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "removed 0 files, 0B; left: 1 layer, 3.9K",
        "in use, and therefore kept: 1 layer, 3.9K",
    ]
    shelved.release()


def test_layers_that_podman_cannot_be_asked_about_stay(
    shelved: Shelf, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cache", "clear", "--yes"]) == ExitCode.JOB_FAILED
    assert "there is no podman on PATH" in capsys.readouterr().err
    assert len(shelved.entries()) == 2
