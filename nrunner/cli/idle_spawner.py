"""Spawners without a job: for commands that look after what jobs have left or keep.

Not responsible for what is asked of them.
"""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nrunner.cli.settings import configuration
from nrunner.errors import NrunnerError
from nrunner.plugins import Plugin, every_plugin, find_plugin
from nrunner.spawners.base import Spawner, SpawnerContext
from nrunner.userfolder import user_folder

__all__ = ["every_idle_spawner", "idle_spawner"]


@contextlib.contextmanager
def idle_spawner(name: str) -> Iterator[Spawner]:
    """Have a spawner that is asked to open nothing; raise PluginError or UsageError."""
    with _folder() as folder:
        yield _made(find_plugin("spawners", name), folder)


@contextlib.contextmanager
def every_idle_spawner() -> Iterator[list[Spawner]]:
    """Have all spawners, but for those that cannot be used here."""
    with _folder() as folder:
        made = []
        for plugin in every_plugin("spawners"):
            with contextlib.suppress(NrunnerError):
                made.append(_made(plugin, folder))
        yield made


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="nrunner-idle-") as folder:
        yield Path(folder)


def _made(plugin: Plugin, folder: Path) -> Spawner:
    job_id = f"idle-{secrets.token_hex(8)}"
    config = configuration({}).for_plugins()
    context = SpawnerContext(job_id, folder, user_folder("cache"), 1, config)
    made: Spawner = plugin.load()(context)
    return made
