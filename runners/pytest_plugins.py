"""Imports the plugins of pytest that are installed, before there are tests.

Which of them a session will load depends on options, so pytest reads those as it always does, and
is stopped where it would load what is installed. Nothing is imported but modules of installed
plugins: no conftest, and nothing that the user's options name.
Used inside the interpreter of the user's choice. Not responsible for sessions.
Portable: runs on Python 3.8 with pytest 7; on older ones each session imports its plugins.
"""

from __future__ import annotations

import os
import sys

from _pytest.config import get_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["import_plugins"]

_GROUP = "pytest11"


class _Stop(BaseException):
    """Pytest has read its options, and goes on to load plugins."""


def import_plugins() -> None:
    """Import pytest, and plugins as it would import them; whatever goes wrong can wait."""
    config: Any = get_config()
    plugins = config.pluginmanager

    def stop(*_args: Any, **_rest: Any) -> None:
        raise _Stop

    plugins.load_setuptools_entrypoints = stop
    plugins.import_plugin = lambda *_args, **_rest: None
    path, environ = list(sys.path), dict(os.environ)
    try:
        config.parse(["--capture=no"])
    except _Stop:
        _import(plugins)
    except BaseException:  # the tests will say so
        return
    finally:
        config._ensure_unconfigure()  # noqa: SLF001 - as pytest.main does it
        sys.path[:] = path
        if dict(os.environ) != environ:
            os.environ.clear()
            os.environ.update(environ)


def _import(plugins: Any) -> None:
    try:
        from importlib.metadata import distributions
    except ImportError:
        return
    for distribution in distributions():
        for point in distribution.entry_points:
            if point.group == _GROUP and not plugins.is_blocked(point.name):
                try:
                    point.load()
                except Exception:
                    continue
