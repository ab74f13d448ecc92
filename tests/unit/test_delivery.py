"""Files that are brought from here to where tests run."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from nrunner.delivery import deliver, delivery_of, pinned
from nrunner.errors import RecipeError, RequirementError
from nrunner.runnable import Requirement

DATA = os.urandom((2 << 20) + 11)
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "lib.py").write_bytes(DATA)
    (tmp_path / "lib.py").chmod(0o640)
    return tmp_path


def stamp(path: Path) -> tuple[int, ...]:
    """Return what changes with a file; when it was read last says nothing of that."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mode, status.st_mtime_ns, status.st_ctime_ns


def brought(uri: str | None = "lib.py", **kwargs: Any) -> Requirement:
    return Requirement("file", uri, (), kwargs)


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def share(requirement: Requirement, here: Path) -> bool:
    """Bring a file to where files are shared."""
    return asyncio.run(deliver(delivery_of(requirement, str(here)), None))


class There:
    """An environment that takes files."""

    def __init__(self) -> None:
        self.fields: Mapping[str, Any] = {}
        self.data = b""

    async def put(self, fields: Mapping[str, Any], read: Callable[[int], Awaitable[bytes]]) -> bool:
        self.fields, self.data = fields, b""
        while len(self.data) < fields["size"]:
            piece = await read(len(self.data))
            assert 0 < len(piece) <= 1 << 20
            self.data += piece
        return True


def test_a_file_is_put_where_it_is_wanted_with_its_mode_and_hash(here: Path) -> None:
    there = There()
    delivery = delivery_of(brought("sub/../to/lib.py", **{"from": "./lib.py"}), str(here))
    assert asyncio.run(deliver(delivery, there.put)) is True
    assert there.data == DATA
    path = str(here / "to" / "lib.py")
    assert there.fields == {"path": path, "size": len(DATA), "mode": 0o640, "sha256": SHA256}
    assert delivery.arrived == Requirement("file", "sub/../to/lib.py")


def test_where_files_are_shared_one_in_its_place_is_only_looked_at(here: Path) -> None:
    before = stamp(here / "lib.py")
    assert share(brought(bring=True), here) is False
    assert share(brought(bring=True, sha256=SHA256.upper()), here) is False
    assert stamp(here / "lib.py") == before
    with pytest.raises(RequirementError, match=f"its sha256 is {SHA256}, not {'a' * 64}"):
        share(brought(bring=True, sha256="a" * 64), here)


def test_where_files_are_shared_it_is_copied_unless_a_copy_is_there(here: Path) -> None:
    wanted, copy = brought("to/lib.py", **{"from": "lib.py"}), here / "to" / "lib.py"
    assert share(wanted, here) is True
    assert (copy.read_bytes(), copy.stat().st_mode & 0o777) == (DATA, 0o640)
    before = copy.stat()
    assert share(wanted, here) is False
    assert copy.stat() == before
    (here / "lib.py").write_text("new")
    assert share(wanted, here) is True
    assert copy.read_text() == "new"
    assert names_in(copy.parent) == ["lib.py"]


@pytest.mark.parametrize(
    ("requirement", "reason"),
    [
        (brought("gone", bring=True), "gone cannot be brought: no such file or directory"),
        (brought(".", bring=True), "cannot be brought: it is no file"),
        (brought("pipe", bring=True), "pipe cannot be brought: it is no file"),
        (brought("lib.py/below", **{"from": "lib.py"}), "below cannot be brought: file exists"),
        (brought("folder", **{"from": "lib.py"}), "folder cannot be brought: is a directory"),
    ],
)
def test_what_cannot_be_brought_is_said(here: Path, requirement: Requirement, reason: str) -> None:
    os.mkfifo(here / "pipe")
    (here / "folder").mkdir()
    with pytest.raises(RequirementError) as caught:
        share(requirement, here)
    assert reason in str(caught.value)
    assert names_in(here) == ["folder", "lib.py", "pipe"]


@pytest.mark.parametrize(
    ("requirement", "reason"),
    [
        (brought(None, bring=True), 'a file needs a uri, or the key "name" or "path"'),
        (brought(bring="yes"), 'key "bring": expected true'),
        (brought(**{"from": 5}), 'key "from": expected the path of a file'),
        (brought(**{"from": ""}), 'key "from": expected the path of a file'),
        (brought("a\0b", bring=True), "needs a uri"),
        (brought(bring=True, sha256="abc"), 'key "sha256": expected 64 hexadecimal digits'),
        (brought(bring=True, sha256=5), 'key "sha256": expected 64 hexadecimal digits'),
    ],
)
def test_a_file_is_brought_only_where_what_is_said_of_it_makes_sense(
    here: Path, requirement: Requirement, reason: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        delivery_of(requirement, str(here))
    assert reason in str(caught.value)
    assert pinned((requirement,), here)


def test_a_file_that_is_brought_is_known_by_what_is_in_it_at_the_beginning(here: Path) -> None:
    plain, gone = Requirement("file", "lib.py"), brought("gone", bring=True)
    known = brought(bring=True, sha256="a" * 64)
    [found, *rest] = pinned((brought(bring=True), plain, gone, known), here)
    assert found == brought(bring=True, sha256=SHA256)
    assert rest == [plain, gone, known]
