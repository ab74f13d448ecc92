"""What is worth knowing of the machine on which figures were taken."""

from __future__ import annotations

import os
import platform
from pathlib import Path

__all__ = ["describe_host"]


def describe_host(python: str, scratch: Path) -> dict[str, object]:
    """Return facts that figures depend on, and no name of the machine."""
    return {
        "processor": _processor(),
        "processors": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        "python": f"{python} {platform.python_version()}",
        "load_before": os.getloadavg()[0],
        "in_memory": scratch.is_relative_to("/dev/shm"),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()
