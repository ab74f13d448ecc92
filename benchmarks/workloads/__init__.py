"""The workloads, by name: each a module with a TITLE and ``cases(short)``."""

from __future__ import annotations

from types import ModuleType

from benchmarks.workloads import (
    w1_programs,
    w2_methods,
    w3_sleepers,
    w4_output,
    w5_scale,
    w6_tap,
    w7_start,
    w8_messages,
    w9_containers,
    w10_devices,
    w11_viewers,
)

__all__ = ["WORKLOADS"]

WORKLOADS: dict[str, ModuleType] = {
    "W1": w1_programs,
    "W2": w2_methods,
    "W3": w3_sleepers,
    "W4": w4_output,
    "W5": w5_scale,
    "W6": w6_tap,
    "W7": w7_start,
    "W8": w8_messages,
    "W9": w9_containers,
    "W10": w10_devices,
    "W11": w11_viewers,
}
