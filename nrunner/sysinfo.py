"""What is worth knowing of a system, and the surveys of the one on which a job is controlled.

Lists of commands and files are ours, or those in files that settings name. Not responsible for
collecting (``nrunner.runners.survey``), nor for surveys where tests run, which agents make.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nrunner.config import Config
from nrunner.errors import ResultsError, UsageError
from nrunner.runners.self_command import self_command

__all__ = ["COMMANDS", "FILES", "SURVEY", "Survey", "lists_of", "survey_of"]

SURVEY = "sysinfo.survey"
"""Key of a plan's configuration: the lists, and whether there is a survey of each test."""

# No list of processes: command lines of others may hold what is nobody's business.
COMMANDS = (
    *("df -mP", "dmesg", "hostname", "ip address", "ip link", "lscpu", "lsblk", "lsmod"),
    *("lspci -vvnn", "numactl --hardware", "sysctl -a", "uname -a", "uptime"),
    *("gcc --version", "ld --version", "dmidecode", "ulimit -a"),
)
FILES = (
    *("/etc/os-release", "/proc/cmdline", "/proc/cpuinfo", "/proc/interrupts", "/proc/loadavg"),
    *("/proc/meminfo", "/proc/modules", "/proc/mounts", "/proc/partitions", "/proc/slabinfo"),
    *("/proc/version", "/proc/pressure/cpu", "/proc/pressure/memory", "/proc/pressure/io"),
    "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
    "/sys/devices/system/clocksource/clocksource0/current_clocksource",
)
_USUAL: Mapping[str, tuple[str, ...]] = {
    "commands": COMMANDS,
    "files": FILES,
    "fail_commands": (),
    "fail_files": (),
}
_LONGEST = 120.0
"""Seconds for a whole survey, whatever its commands may take."""


def survey_of(config: Config, base_dir: Path) -> dict[str, Any]:
    """Return what a job is to know of its surveys, nothing if there are none; raise UsageError."""
    is_off = "sysinfo.collect.enabled" in config.sources and not config.sysinfo
    if not (config.sysinfo or (config.sysinfo_per_test and not is_off)):
        return {}
    return {"job": config.sysinfo, "test": config.sysinfo_per_test, **lists_of(config, base_dir)}


def lists_of(config: Config, base_dir: Path) -> dict[str, Any]:
    """Return what is collected, and how; raise UsageError if a list cannot be read."""
    places = {
        "commands": config.sysinfo_commands,
        "files": config.sysinfo_files,
        "fail_commands": config.sysinfo_fail_commands,
        "fail_files": config.sysinfo_fail_files,
    }
    return {
        **{
            name: list(_USUAL[name]) if path is None else _lines(name, base_dir / path, config)
            for name, path in places.items()
        },
        "sysinfo.collect.commands_timeout": config.sysinfo_timeout,
        "sysinfo.collect.installed_packages": config.sysinfo_packages,
        "sysinfo.collect.locale": config.sysinfo_locale,
    }


def _lines(name: str, path: Path, config: Config) -> list[str]:
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        source = config.source(f"sysinfo.collectibles.{name}")
        raise UsageError(f"use {source}: {path} cannot be read: {reason}") from error
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


class Survey:
    """A survey of this system that is being made, by a process that ends when we do."""

    def __init__(self, folder: Path, wanted: Mapping[str, Any], *, failed: bool = False) -> None:
        """Begin one in a folder; raise ResultsError if that is not possible.

        A job that `failed` may want more.
        """
        python, *home = self_command("survey")
        spec = json.dumps(_spec(folder, wanted, failed=failed))
        leash, held = os.pipe()
        self._held = os.fdopen(held, "wb")
        with os.fdopen(leash) as end:
            try:
                self._process = subprocess.Popen(
                    [python, "-I", "-S", *home, spec],
                    stdin=end,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
            except OSError as error:
                self._held.close()
                raise ResultsError(str(error.strerror or error).lower()) from error

    def end(self) -> None:
        """Have it end soon, with what it has."""
        self._held.close()

    def wait(self) -> str:
        """Return what went wrong, empty if nothing did. Blocks; to be called once."""
        with self._process as process, self._held:
            try:
                _, said = process.communicate(timeout=_LONGEST)
            except subprocess.TimeoutExpired:
                process.terminate()
                said = f"it did not end within {_LONGEST:g} s".encode()
        if process.returncode < 0 and not said:
            return f"it was ended by signal {-process.returncode}"
        return said.decode("utf-8", "replace").strip()[-500:] if process.returncode else ""


def _spec(folder: Path, wanted: Mapping[str, Any], *, failed: bool) -> dict[str, Any]:
    more = ("fail_commands", "fail_files") if failed else ()
    lists = {name: list(wanted[name]) for name in ("commands", "files")}
    for name in more:
        lists[name[5:]] += [each for each in wanted[name] if each not in lists[name[5:]]]
    return {
        **lists,
        "folder": str(folder),
        "packages": wanted["sysinfo.collect.installed_packages"],
        "locale": wanted["sysinfo.collect.locale"],
        "timeout": wanted["sysinfo.collect.commands_timeout"],
        "leashed": True,
    }
