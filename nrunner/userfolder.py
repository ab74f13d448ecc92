"""The user's own folders for configuration, data, memories and what can be made again.

Not responsible for what is in them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal

__all__ = ["content_folder", "results_folder", "user_folder"]

_XDG = {
    "cache": ("XDG_CACHE_HOME", "~/.cache"),
    "config": ("XDG_CONFIG_HOME", "~/.config"),
    "data": ("XDG_DATA_HOME", "~/.local/share"),
    "state": ("XDG_STATE_HOME", "~/.local/state"),
}


def user_folder(sort: Literal["cache", "config", "data", "state"]) -> Path:
    """Return where nrunner keeps the user's files of this sort; it may not exist."""
    if sys.platform != "linux":
        import platformdirs

        find = {
            "cache": platformdirs.user_cache_path,
            "config": platformdirs.user_config_path,
            "data": platformdirs.user_data_path,
            "state": platformdirs.user_state_path,
        }[sort]
        return find("nrunner", appauthor=False)
    # What platformdirs says here, without the 12 ms that importing it takes at every start.
    variable, fallback = _XDG[sort]
    base = os.environ.get(variable, "").strip()
    if not base.startswith("/"):
        base = os.path.expanduser(fallback)  # noqa: PTH111 - pathlib's raises without a home
    return Path(base) / "nrunner"


def content_folder() -> Path:
    """Return where files are cached unless a setting says otherwise."""
    return user_folder("cache") / "content"


def results_folder() -> Path:
    """Return where the folders of jobs are made unless a setting says otherwise."""
    return user_folder("data") / "job-results"
