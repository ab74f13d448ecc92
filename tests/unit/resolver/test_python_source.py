from pathlib import Path

import pytest

from nrunner.resolver.python_source import SourceError, read_source


@pytest.mark.parametrize(
    "data",
    [
        b"x = '\xc3\xa9'\n",
        b"\xef\xbb\xbfx = '\xc3\xa9'\n",
        b"# -*- coding: latin-1 -*-\nx = '\xe9'\n",
        b"#!/usr/bin/python\r\n# coding=latin-1\r\nx = '\xe9'\r\n",
    ],
)
def test_every_encoding_that_python_knows_is_read(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(data)
    assert "é" in read_source(path).text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"x = 1\nclass :\n", ":2:7: "),
        (b"x = 1\ny = '\xff'\n", ":2: not utf-8: byte 0xff"),
        (b"# coding: nonsense\n", ":1: unknown encoding"),
        (b"x\n\n\0", ":3: holds a NUL byte"),
        (b"(" * 100_000, ":"),
        (b"-" * 200_000 + b"1", ": nested too deeply to be read"),
    ],
)
def test_what_is_not_python_says_where(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(data)
    with pytest.raises(SourceError) as caught:
        read_source(path)
    assert str(caught.value).startswith(message)


def test_a_file_too_large_to_be_a_test_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    with path.open("wb") as file:
        file.truncate(17 * 1024 * 1024)
    with pytest.raises(SourceError, match="larger than"):
        read_source(path)


def test_a_file_that_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read: no such file"):
        read_source(tmp_path / "a.py")


def test_bad_escapes_give_no_warning(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("x = '\\d'\n")
    assert read_source(path).text
