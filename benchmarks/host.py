"""What is worth knowing of the machine on which figures were taken."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

__all__ = ["describe_host"]


def describe_host(python: str, scratch: Path) -> dict[str, object]:
    """Return facts that figures depend on, and no name of the machine."""
    return {
        "processor": _processor(),
        "processors": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "kernel": ".".join(platform.release().split(".")[:2]),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        "python": _python_version(python),
        "load_before": round(os.getloadavg()[0], 1),
        "files_in_memory": scratch.is_relative_to("/dev/shm"),
    }


def _python_version(python: str) -> str:
    say = "import platform as p; print(p.python_version(), p.python_compiler(), sep=', ')"
    return subprocess.check_output([python, "-c", say], text=True).strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()
