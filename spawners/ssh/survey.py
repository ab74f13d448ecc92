"""Looking a device over, before anything of ours is there: what it is, and whether it will do.

One script of POSIX sh says all of it, so it costs one round trip and needs no Python there. Pure:
makes the command, reads what it printed, judges. Not responsible for running it.
"""

from __future__ import annotations

import re
from shlex import quote

from nrunner.errors import SpawnError
from nrunner.record import dataclass

__all__ = ["LEAST_PYTHON", "Survey", "read_survey", "survey_command", "work_word"]

LEAST_PYTHON = (3, 9)
_LEAST_FREE = 32 << 20
_SHARED = ("9p", "afs", "ceph", "cifs", "coda", "gfs/gfs2", "lustre", "nfs", "ocfs2", "smb", "smb2")
"""File systems, as stat calls them, of which several machines may have the same."""
_LARGEST = 1e12
_MARK = "nrunner-survey"
_END = "nrunner-end"
_VERSION = "import sys; print(*sys.version_info[:3])"
_STEPS = (
    "umask 077",
    'mkdir -p "$w/agents" && cd "$w" || exit 1',
    f"echo {_MARK}",
    'echo "work $(pwd -P)"',
    'echo "boot $(cat /proc/sys/kernel/random/boot_id)"',
    'echo "time $(date +%s)"',
    'echo "arch $(uname -m)"',
    'echo "load $(cat /proc/loadavg)"',
    'echo "cpus $(grep -c ^processor /proc/cpuinfo)"',
    'echo "free $(df -Pk . | tail -n 1)"',
    'echo "sort $(stat -f -c %T . 2>/dev/null)"',
    "t=.exec-$$",
    'printf "#!/bin/sh\\n" >$t && chmod 700 $t && ./$t && echo "exec yes"',
    "rm -f $t",
    'echo "python $("$p" -I -S -c "$v")"',
    '[ ! -f "agents/$a" ] || echo "agent $(sha256sum <"agents/$a")"',
    f"echo {_END}",
)


@dataclass(frozen=True, slots=True)
class Survey:
    """What a device is like at this moment."""

    work: str
    """The folder of all that is ours, by its full name."""
    boot_id: str
    clock: float
    """Seconds after 1970 there."""
    arch: str
    load: float
    cpus: int
    free: int
    """Bytes of the disk with the work folder that can be written still."""
    file_system: str
    """What sort the file system with the work folder is, empty if nothing tells."""
    can_execute: bool
    """Whether files in the work folder can be executed."""
    python: tuple[int, ...]
    """Its version, empty if there is none of ours."""
    agent: str
    """The SHA-256 of the agent that is there, empty if none is."""

    @property
    def has_python(self) -> bool:
        """Whether the usual agent can run there."""
        return self.python >= LEAST_PYTHON

    @property
    def slowness(self) -> float:
        """How many times longer than on an idle device things may take."""
        return max(1.0, self.load / max(1, self.cpus))

    def complaint(self) -> str:
        """Return why nothing can run there, empty if it can."""
        if not self.boot_id:
            return "it has no /proc/sys/kernel/random/boot_id (is it Linux, with /proc mounted?)"
        if self.file_system in _SHARED:
            return (
                f"its work folder {self.work} is on {self.file_system}, which other machines may"
                " have, too, and its lease with it: name another one in the inventory"
                ' (work = "/...")'
            )
        # Before the next: on a full disk no file can be made that could be executed.
        if self.free < _LEAST_FREE:
            return (
                f"its work folder {self.work} has {self.free >> 20} MiB free,"
                f" {_LEAST_FREE >> 20} at least are needed"
            )
        if not self.can_execute:
            return (
                f"nothing in its work folder {self.work} can be executed (noexec?): name another"
                ' one in the inventory (work = "/...")'
            )
        return ""


def work_word(work: str) -> str:
    """Return a work folder as a word for a shell; raise SpawnError for one that is none."""
    if work.startswith("~/"):
        return f'"$HOME"/{quote(work[2:])}'
    if not work.startswith("/"):
        raise SpawnError(f'use work folder "{work}": it has to begin with / or ~/')
    return quote(work)


def survey_command(work: str, python: str, agent: str) -> str:
    """Return the command that looks a device over; `agent` is the name of the file to look for."""
    names = f"w={work_word(work)}; p={quote(python)}; a={quote(agent)}; v={quote(_VERSION)}"
    return f"exec sh -c {quote('; '.join((names, *_STEPS)))}"


def read_survey(printed: str) -> Survey:
    """Read what the command printed; raise ValueError for what it did not."""
    found = re.search(rf"^{_MARK}$(.*)^{_END}$", printed, re.DOTALL | re.MULTILINE)
    if found is None:
        raise ValueError("it was cut off")
    lines = (line.partition(" ") for line in found[1].splitlines())
    said = {name: text.strip() for name, _, text in lines}
    return Survey(
        said["work"],
        said.get("boot", ""),
        float(_number(said.get("time"))),
        said.get("arch", ""),
        _number(said.get("load")),
        int(_number(said.get("cpus"))) or 1,
        _free(said.get("free", "")),
        said.get("sort", ""),
        said.get("exec") == "yes",
        _version(said.get("python", "")),
        said.get("agent", "").partition(" ")[0],
    )


def _version(text: str) -> tuple[int, ...]:
    found = re.fullmatch(r"(\d{1,3}) (\d{1,3}) (\d{1,3})", text)
    return tuple(map(int, found.groups())) if found else ()


def _number(text: str | None) -> float:
    try:
        found = float((text or "").split()[0])
    except (IndexError, ValueError):
        return 0.0
    return found if 0 <= found < _LARGEST else 0.0


def _free(line: str) -> int:
    """Return the bytes that are available, from a line of df: its name may hold blanks."""
    found = re.search(r"(\d+)\s+(\d+)\s+(\d{1,18})\s+\d+%\s", f"{line} ")
    return int(found[3]) << 10 if found else 0
