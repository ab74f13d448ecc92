"""Odd commands and files for a survey of the system, with what must be kept and said of each.

Not responsible for making surveys (``test_odd_surveys``).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.functional.model import Content, says

__all__ = ["COMMANDS", "FILES", "MOST", "TIMEOUT", "Entry", "make_files"]

MOST = 1 << 20
"""Bytes that are kept of each."""
TIMEOUT = 1.0

_LATE = "did not end within 1 s"
_CUT = f"all but its first {MOST} bytes"
_ABSENT = "no such file or directory"
_ODD_SORT = "it is no regular file"
_LONG = "x" * 300


@dataclass(frozen=True)
class Entry:
    """A command, or the path of a file."""

    text: str
    kept: Content | None = b""
    """What is in its file; None if there is none."""
    said: str = ""
    """Regular expression for what is said of it in the list of what was left out."""


COMMANDS: Sequence[Entry] = (
    # What never ends comes first, so that the rest goes on beside it.
    Entry("sleep 300", said=_LATE),
    Entry("echo so far; exec sleep 300", b"so far\n", _LATE),
    Entry("trap '' TERM INT HUP; while :; do sleep 300; done", said=_LATE),
    Entry("kill -STOP $$", said=_LATE),
    Entry("exec >&- 2>&-; sleep 300", said=_LATE),
    Entry("while :; do echo word; sleep 0.01; done", says(b"word\nword\n"), _LATE),
    Entry("yes", MOST, _CUT),
    Entry("yes | tr -d '\\n'", MOST, _CUT),
    Entry("yes >&2", MOST, _CUT),
    Entry(f"head -c {MOST} /dev/zero", bytes(MOST)),
    Entry(f"head -c {MOST + 1} /dev/zero", bytes(MOST), _CUT),
    Entry("printf '\\377\\376\\0'", b"\xff\xfe\0"),
    Entry("printf 'no newline'", b"no newline"),
    Entry("printf '\\033[2J\\033]0;title\\007'", b"\x1b[2J\x1b]0;title\x07"),
    Entry("no-such-command", says(b"not found"), "there is no such command here"),
    Entry("/no/such/command", says(b"/no/such/command"), "there is no such command here"),
    Entry("/etc/passwd", says(b"ermission denied"), "it cannot be executed here"),
    Entry("/", says(b"/"), "it cannot be executed here"),
    Entry("exit 3"),
    Entry("exit 255"),
    Entry("kill -SEGV $$", said=r"was killed by signal 11 \(SIGSEGV\)"),
    Entry("echo last word; kill -KILL $$", b"last word\n", r"was killed by signal 9 \(SIGKILL\)"),
    Entry("kill -TERM $$", said=r"was killed by signal 15 \(SIGTERM\)"),
    Entry("kill -PIPE $$", said=r"was killed by signal 13 \(SIGPIPE\)"),
    Entry("kill -50 $$", said="was killed by signal 50"),
    Entry("echo one; echo two >&2; echo three", b"one\ntwo\nthree\n"),
    Entry("cat"),
    Entry('read word; echo "read: $word"', b"read: \n"),
    Entry("exec >&- 2>&-; echo lost"),
    Entry("sleep 300 & echo left a child", b"left a child\n"),
    Entry("(sleep 300 &); echo left a grandchild", b"left a grandchild\n"),
    Entry("( sleep 0.5; echo late ) & echo early", b"early\n"),
    Entry("(", says(b"yntax error")),
    Entry('"', says(b"nterminated quoted string")),
    Entry(":"),
    Entry("# a remark"),
    Entry("   "),
    Entry("echo \xe4\u20ac", "\xe4\u20ac\n".encode()),
    Entry("echo \udcff", b"\xff\n"),
    Entry("echo \ud800", None, "'utf-8' codec can't encode .*"),
    Entry(f"echo {_LONG}", f"{_LONG}\n".encode()),
    Entry(f"echo {_LONG} again", f"{_LONG} again\n".encode()),
    Entry("echo " + "\xe4" * 300, ("\xe4" * 300 + "\n").encode()),
    Entry("echo same", b"same\n"),
    Entry("echo same", b"same\n"),
    Entry("echo a/b", b"a/b\n"),
    Entry("echo a_b", b"a_b\n"),
    Entry("echo one\necho two", b"one\ntwo\n"),
    Entry("left-out.txt", says(b"not found"), "there is no such command here"),
    Entry("cd /; pwd", b"/\n"),
    Entry("echo $LC_ALL", b"C\n"),
    Entry("env -i sh -c 'echo $HOME'", b"\n"),
    Entry("ulimit -f 0; echo over", b"over\n"),
    Entry("ulimit -n 3; echo few", b"few\n"),
    Entry("echo ${x:?unset}", says(b"unset")),
    Entry("set -e; false; echo never"),
    Entry("trap 'echo bye' EXIT; echo hello", b"hello\nbye\n"),
    Entry("test -t 0 || test -t 1 || test -t 2 || echo dark", b"dark\n"),
    Entry("cat /dev/tty", says(b"/dev/tty")),
    Entry("exec 3>&1 >/dev/null; echo three >&3", b"three\n"),
    Entry("true & wait; echo waited", b"waited\n"),
    Entry("cat /proc/version >/dev/full", says(b"No space left")),
    Entry("cat </no/such/file", says(b"/no/such/file")),
)
"""In the order in which they are run, four at once."""

FILES: Sequence[Entry] = (
    Entry("small", b"few words"),
    Entry("empty"),
    Entry("none", None, _ABSENT),
    Entry("folder", None, _ODD_SORT),
    Entry("pipe", None, _ODD_SORT),
    Entry("socket", None, _ODD_SORT),
    Entry("nowhere", None, _ABSENT),
    Entry("circle", None, "too many levels of symbolic links"),
    Entry("link", b"few words"),
    Entry("/dev/null", None, _ODD_SORT),
    Entry("/dev/zero", None, _ODD_SORT),
    Entry("/proc/self/mem", None, "input/output error"),
    Entry("/proc/self/clear_refs", None, "invalid argument"),
    Entry("/proc/self/fd/0", None, _ODD_SORT),
    Entry("/proc/self/comm", says(b"\n")),
    Entry("terabyte", bytes(MOST), _CUT),
    Entry("full", b"x" * MOST),
    Entry("over", b"x" * MOST, _CUT),
    Entry("folder/small", b"others"),
    Entry("folder/left-out.txt", b"not that list"),
    Entry("small/", None, "not a directory"),
    Entry("small/inner", None, "not a directory"),
    Entry("*", None, _ABSENT),
    Entry("~/.profile", None, _ABSENT),
    Entry("$HOME/.profile", None, _ABSENT),
    Entry("no\nline", b"two lines"),
    Entry("no-utf8-\udcff", b"no UTF-8"),
    Entry("no-utf8-\ud800", None, "'utf-8' codec can't encode .*"),
    Entry("n" * 300, None, "file name too long"),
    Entry("\xe4" * 120, b"wide"),
    Entry("\x1b[31mred", b"red"),
)


def make_files(here: Path) -> None:
    """Make those of the files that are not there anyway."""
    (here / "folder").mkdir()
    os.mkfifo(here / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(here / "socket"))
    for name, target in {"nowhere": "none", "circle": "circle", "link": "small"}.items():
        (here / name).symlink_to(target)
    (here / "terabyte").touch()
    os.truncate(here / "terabyte", 1 << 40)
    (here / "over").write_bytes(b"x" * (MOST + 1))
    for each in FILES:
        if isinstance(each.kept, bytes) and not os.path.lexists(here / each.text):
            (here / each.text).write_bytes(each.kept)
