"""W10: programs on a device over SSH: by an agent there, by asyncssh, by OpenSSH."""

from __future__ import annotations

import atexit
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from benchmarks.adapters import ours
from benchmarks.tool import OURS, Case, Command, Reading, Site, Tool
from benchmarks.workloads.w1_programs import true_programs
from tests.duts import Dut, bench, write_inventory

__all__ = ["TITLE", "cases"]

TITLE = "/bin/true on a device, over SSH"
_SLOTS = 8
_DRIVER = Path(__file__).resolve().parent.parent / "drivers" / "ssh_execs.py"


@cache
def _device() -> Dut:
    """Return a device that is there until the benchmark is over."""
    stack = ExitStack()
    atexit.register(stack.close)
    (dut,) = stack.enter_context(bench(1, sshd=("MaxSessions 64",)))
    return dut


def _ours(site: Site) -> Command:
    dut = _device()
    inventory = write_inventory(site.folder / "duts.toml", [dut])
    inventory.write_text(f"{inventory.read_text()}slots = {_SLOTS}\n")
    references = site.folder / "references"
    references.write_text("".join(f"{program}\n" for program in site.programs))
    command = ours.ours(site, ("--spawner=ssh", f"@{references}"))
    env = {"NRUNNER_SSH_INVENTORY": str(inventory), "XDG_STATE_HOME": str(site.folder / "state")}
    return Command(command.words, env=env)


def _asyncssh(site: Site) -> Command:
    dut = _device()
    known = site.folder / "known_hosts"
    known.write_text(f"{dut.address} {dut.host_key}\n")
    words = (str(_DRIVER), dut.address, str(dut.key), str(known))
    return Command((site.find("python"), *words, str(site.tests), str(site.parallel)))


def _counted(site: Site, output: str) -> Reading:
    return Reading(int(output.split()[-1]) if output.split() else 0)


def _control_master(site: Site) -> Command:
    """Have a shell run ``ssh DEVICE true`` again and again over one connection."""
    socket = ("-o", "ControlPath=%d/control-%C", "-o", "ControlMaster=auto")
    first, *rest = _plain(_device().ssh("/bin/true"))
    words = shlex.join([first, *socket, "-o", "ControlPersist=yes", *rest])
    script = site.folder / "all.sh"
    leave = shlex.join([first, *socket, "-O", "exit", *rest[:-1]])
    script.write_text(
        f"#!/bin/sh\nn=0\nwhile [ $n -lt {site.tests} ]; do\n"
        f"{words} </dev/null || exit 1\nn=$((n + 1))\ndone\n{leave} 2>/dev/null\necho $n\n"
    )
    script.chmod(0o755)
    return Command((str(script),), env={"HOME": str(site.folder)})


def _plain(words: list[str]) -> list[str]:
    """Leave out what keeps ssh from its own configuration: people's ssh reads it."""
    at = words.index("-F")
    return [*words[:at], *words[at + 2 :]]


_TOOLS = (
    Tool(f"{OURS} on a device", OURS, _ours, ours.read_ours),
    Tool("asyncssh", "asyncssh", _asyncssh, _counted),
    Tool("ssh, ControlMaster, one by one", "ssh", _control_master, _counted, most=50),
)


def cases(short: bool) -> tuple[Case, ...]:
    """Return one case: tests at once on one device."""
    return tuple(_cases())


def _cases() -> Iterator[Case]:
    yield Case("W10", "200", _TOOLS, 200, _SLOTS, true_programs, "asyncssh", memory=False)
    yield Case("W10", "2,000", _TOOLS, 2000, _SLOTS, true_programs, "asyncssh", memory=False)
