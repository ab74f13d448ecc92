"""What agents and zygotes have to agree on beside the words that they exchange.

The words are described in ``nrunner.runners.zygote``. Loaded by both, so it imports nothing.
Portable: runs on Python 3.7 with the standard library alone.
"""

from __future__ import annotations

__all__ = ["LONGEST_REQUEST", "PLACEHOLDER"]

LONGEST_REQUEST = 1 << 16
"""In bytes; what is longer is for a new interpreter."""

PLACEHOLDER = "NRUNNER_ZYGOTE"
"""A variable that reserves room in a zygote's environment for the mark of an attempt."""
