"""A session of pytest: tests are collected once, and then run, one by one or all together.

It is the user's pytest, with the user's configuration, plugins and conftests; only what makes
sense for a whole run alone is left out: distribution, coverage, reports, what failed last time,
and pytest's own output. Used inside the interpreter of the user's choice. Not responsible for
outcomes (``nrunner.runners.pytest_result``), nor for processes.
Portable: runs on Python 3.7 with pytest 7.
"""

from __future__ import annotations

import os
import pathlib
import sys
import tempfile

import pytest
from _pytest.config import _prepareconfig
from _pytest.main import Session

from nrunner.runners.pytest_result import Recorder
from nrunner.runners.unittest_child import put_first

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = ["PytestSession", "names_of"]

_OLDEST = (7, 0)
_OPTIONS: dict[str, Any] = {
    **dict.fromkeys(("collectonly", "lf", "failedfirst", "newfirst", "stepwise"), False),
    **dict.fromkeys(("setuponly", "setupshow", "setupplan", "usepdb", "trace"), False),
    **dict.fromkeys(("numprocesses", "xmlpath", "htmlpath", "pastebin", "report_log"), None),
    "dist": "no",
    "tx": [],
    "maxfail": 0,
    "durations": None,
}
"""What is set whatever the user's configuration says: there is one test to a process."""
_WRITERS = ("lfplugin", "nfplugin", "stepwiseplugin")
"""They note, in files that all tests have in common, what became of a run."""
_INSTALLED = f"{os.sep}site-packages{os.sep}"
_WORK_DIR = "NRUNNER_TEST_WORKDIR"
_OF_SESSIONS = ("pytest_sessionstart", "pytest_sessionfinish", "pytest_unconfigure")


class PytestSession:
    """One configuration of pytest, and the items that were collected with it."""

    def __init__(self, base_dir: str, words: Sequence[str]) -> None:
        """Collect what pytest finds with a command line; raise whatever pytest raises."""
        found = tuple(int(part) for part in pytest.__version__.split(".")[:2])
        if found < _OLDEST:
            raise pytest.UsageError(f"pytest {pytest.__version__} is too old: 7.0 is needed")
        os.chdir(base_dir)
        put_first(base_dir)
        sys.argv = [os.path.join(os.path.dirname(pytest.__file__), "__main__.py"), *words]
        os.environ["PYTEST_VERSION"] = pytest.__version__
        self.recorder = Recorder()
        self.stopped = ""
        """Why not all items were run, if somebody would have it so."""
        self.config = _prepareconfig(["--capture=no", *words], [self.recorder])
        self._faults: Any = self.config.pluginmanager.get_plugin("faulthandler")
        self.session: Any = self._start()
        self._by_names: dict[str, list[Any]] = {}
        for item in self.session.items:
            self._by_names.setdefault(names_of(item), []).append(item)

    def _start(self) -> Any:
        config = self.config
        for name, value in _OPTIONS.items():
            if hasattr(config.option, name):
                setattr(config.option, name, value)
        if self._faults is not None:
            # It would keep a file that belongs to the process of one test.
            config.hook.pytest_configure._remove_plugin(self._faults)  # noqa: SLF001
        session: Any = Session.from_config(config)
        session.exitstatus = 0
        config._do_configure()  # noqa: SLF001 - as pytest.main does it
        _mute(config)
        config.hook.pytest_sessionstart(session=session)
        config.hook.pytest_collection(session=session)
        session.testsfailed = 0  # what was collected can be run, whatever else could not be
        return session

    @property
    def items(self) -> Sequence[Any]:
        """All that was collected."""
        items: Sequence[Any] = self.session.items
        return items

    def find(self, names: str) -> list[Any]:
        """Return the items that an address within their file leads to."""
        exact = self._by_names.get(names)
        if exact or not names:
            return exact or list(self.items)
        starts = (names + "::", names + "[")
        return [each for each in self.items if names_of(each).startswith(starts)]

    def why_alone(self) -> str:
        """Return why processes cannot share this session; empty if they can."""
        root = str(self.config.rootpath) + os.sep
        for plugin in self.config.pluginmanager.get_plugins():
            path = _file_of(plugin)
            if not path.startswith(root) or _INSTALLED in path:
                continue  # what is installed is trusted to know what a session is
            for hook in _OF_SESSIONS:
                if hasattr(plugin, hook):
                    return f"has {hook} in {os.path.relpath(path)}"
        return ""

    def run(self, items: Sequence[Any]) -> None:
        """Run items, and tear down all that was set up for them.

        A conftest may have the run end after one of them.
        """
        self._settle_in()
        self.session.items = list(items)
        self.session.testscollected = len(items)
        try:
            self.config.hook.pytest_runtestloop(session=self.session)
        except (Session.Interrupted, Session.Failed) as error:
            if not self.recorder.reports:
                raise
            self.stopped = str(error)

    def run_before(self, items: Sequence[Any], follower: Any) -> None:
        """Run items, and tear down what the item that follows has no use for."""
        self._settle_in()
        self.recorder.forget()
        for item, following in zip(items, [*items[1:], follower]):  # noqa: B905 - for old Pythons
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)

    def tear_down(self) -> None:
        """Tear down all that is still set up."""
        self.session._setupstate.teardown_exact(None)  # noqa: SLF001 - as pytest does it

    def close(self, status: int) -> None:
        """End the session as pytest does; raise whatever comes of it."""
        os.chdir(self.session.startpath)
        try:
            self.config.hook.pytest_sessionfinish(session=self.session, exitstatus=status)
        finally:
            self.config._ensure_unconfigure()  # noqa: SLF001

    def _settle_in(self) -> None:
        """Be what pytest is when a test begins, with what belongs to this process alone.

        A crash tells where Python was, in our standard error. The folder for temporary files is
        known, as it is once pytest captures output, and that of tmp_path lies in it, wherever the
        user would have it: others of its name would be removed.
        """
        work_dir = os.environ.get(_WORK_DIR)
        if work_dir and tempfile.tempdir is None and os.environ.get("TMPDIR") == work_dir:
            tempfile.tempdir = work_dir  # it was made for this test
        tempfile.gettempdir()
        factory: Any = getattr(self.config, "_tmp_path_factory", None)
        if work_dir and factory is not None:
            # Nobody else's, so it needs no number, and its path is no longer than it must be.
            factory._given_basetemp = pathlib.Path(work_dir, "t")  # noqa: SLF001
        if self._faults is not None:
            self._faults.pytest_configure(self.config)
            self._faults = None


def _file_of(plugin: Any) -> str:
    """Return the file of a plugin: a module, or an object of a class that a module has."""
    module = sys.modules.get(type(plugin).__module__)
    path = getattr(plugin, "__file__", None) or getattr(module, "__file__", None)
    return path if isinstance(path, str) else ""


def names_of(item: Any) -> str:
    """Return the address of an item within its file."""
    names: str = item.nodeid.partition("::")[2]
    return names


def _mute(config: Any) -> None:
    """Have pytest print and write nothing about the run; plugins may still ask who would."""
    plugins = config.pluginmanager
    for name in _WRITERS:
        if plugins.has_plugin(name):
            plugins.unregister(name=name)
    terminal = plugins.get_plugin("terminalreporter")
    if terminal is not None:
        plugins.unregister(terminal)
        plugins.register(_Mute(terminal), "terminalreporter")


class _Mute:
    """Has what the reporter has, but hears nothing."""

    def __init__(self, reporter: Any) -> None:
        self._reporter = reporter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reporter, name)
