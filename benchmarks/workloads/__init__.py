"""The workloads, by name: each a module with a TITLE and ``cases(short)``."""

from __future__ import annotations

from types import ModuleType

from benchmarks.workloads import w1_programs

__all__ = ["WORKLOADS"]

WORKLOADS: dict[str, ModuleType] = {
    "W1": w1_programs,
}
