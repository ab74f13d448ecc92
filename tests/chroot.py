"""A small Debian to change the root of programs to: made offline, and gone with whoever made it.

Its files are in memory, in a namespace of mounts and pids whose first process waits for our end.
Nothing is mounted that anybody else sees, and nothing has to be unmounted or removed: however the
test ends, the kernel kills all that is in there, and drops the rest with it. Not responsible for
what is run.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.debian_image import debian_archive

__all__ = ["Chroot", "chroot"]

_ROOT = Path(__file__).resolve().parent.parent
_TOP = "/mnt"
"""Where it is, in its own namespace."""
_READY = b"ready\n"
_WITHIN = 20.0

_SCRIPT = """
mount --make-rprivate /
mount -t tmpfs -o size=512M,mode=755 tmpfs {top}
tar -C {top} -xf {archive}
for path in {shown}; do
    mkdir -p {top}$path
    mount --bind $path {top}$path
done
mount --rbind /dev {top}/dev
mount -t proc proc {top}/proc
{more}
echo ready
exec cat
"""
_ONE_USER = "echo 'APT::Sandbox::User root;' >{top}/etc/apt/apt.conf.d/one-user"
"""For apt, which would have another user fetch packages."""
_IS_MAPPED = os.geteuid() != 0
"""Whether we have to be root in a namespace of users for all that."""


class Chroot:
    """One such place, for as long as it is open."""

    def __init__(self, pid: int) -> None:
        """`pid` is its first process, as we see it."""
        self._pid = pid

    def words(self, *command: str, folder: Path) -> list[str]:
        """Return the command that runs another one in there, in a folder."""
        users = ["--user", "--preserve-credentials"] if _IS_MAPPED else []
        enter = ["nsenter", "--target", str(self._pid), *users, "--mount", "--pid"]
        script = f"cd {shlex.quote(str(folder))} && exec {shlex.join(command)}"
        return [*enter, "chroot", _TOP, "sh", "-c", script]

    def read(self, path: str) -> str:
        """Return what is in a file there; empty if there is none."""
        with contextlib.suppress(FileNotFoundError):
            return Path(f"/proc/{self._pid}/root{_TOP}{path}").read_text()
        return ""


@contextlib.contextmanager
def chroot(*shown: Path) -> Iterator[Chroot]:
    """Have a place in which these folders are seen, and our Python with all that it has."""
    seen = dict.fromkeys([*_ours(), *shown])
    script = _SCRIPT.format(
        top=_TOP,
        archive=shlex.quote(str(debian_archive())),
        shown=" ".join(shlex.quote(str(path)) for path in seen),
        more=_ONE_USER.format(top=_TOP) if _IS_MAPPED else "",
    )
    users = ["--user", "--map-root-user"] if _IS_MAPPED else []
    words = ["unshare", *users, "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", script]
    pipe = subprocess.PIPE
    # Its standard input ends with us, however we end.
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stderr is not None
            assert holder.stdout.readline() == _READY, holder.stderr.read().decode()
            children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text()
            yield Chroot(int(children))
        finally:
            holder.kill()


def _ours() -> Sequence[Path]:
    wanted = {Path(each).resolve() for each in (_ROOT, sys.prefix, sys.base_prefix)}
    return sorted(wanted - {Path("/usr")})
