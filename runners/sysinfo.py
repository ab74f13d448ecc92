"""sysinfo: a survey of the system in which tests run, before (``pre``) or after them (``post``).

The uri says which of the two it is; kwarg ``sysinfo`` has the lists of ``commands`` and ``files``,
and ``fail_commands`` and ``fail_files``, which count after a test that failed (``test_fail``).
Without lists there is a short one of ours. Files go to ``sysinfo/pre`` or ``sysinfo/post`` in the
folder for output, or in ``folder``. Not responsible for collecting (``nrunner.runners.survey``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from nrunner.errors import RunnerError
from nrunner.runnable import Runnable
from nrunner.runners.base import Command, Exit, Outcome, Place, Runner
from nrunner.runners.guest import believed, report_path
from nrunner.runners.self_command import self_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional, Union

__all__ = ["Sysinfo"]

_PACKAGES = "sysinfo.collect.installed_packages"
_TIMEOUT = "sysinfo.collect.commands_timeout"
_LOCALE = "sysinfo.collect.locale"
_LISTS = ("commands", "files", "fail_commands", "fail_files")
_USUAL: Mapping[str, Any] = {
    "commands": ["uname -a", "uptime", "df -mP"],
    "files": ["/proc/cpuinfo", "/proc/meminfo", "/proc/mounts", "/proc/version"],
}
_USUAL_TIMEOUT = 20.0


class Sysinfo(Runner):
    """Keeps what commands print and what is in files."""

    kind = "sysinfo"
    description = "surveys of the system, before or after tests"
    configuration_used = (_TIMEOUT, _PACKAGES, _LOCALE)

    def command(self, runnable: Runnable, place: Place) -> Union[Command, Outcome]:
        """Return the child that makes the survey."""
        if runnable.uri not in ("pre", "post"):
            raise RunnerError(f'kind "sysinfo": the uri is "pre" or "post", not {runnable.uri!r}')
        report = report_path(place)
        folder = runnable.kwargs.get("folder") or f"{place.output_dir}/sysinfo"
        spec = {**_spec(runnable), "folder": f"{folder}/{runnable.uri}", "report": report}
        python, *home = self_command("survey")
        argv = (python, "-I", "-S", *home, json.dumps(spec))
        return Command(argv, place.base_dir, report=report)

    def judge(
        self, runnable: Runnable, place: Place, end: Exit, report: Optional[Outcome]
    ) -> Outcome:
        """Return the report, unless there is none or the way the process ended belies it."""
        return believed(report, end)


def _spec(runnable: Runnable) -> dict[str, Any]:
    given = runnable.kwargs.get("sysinfo")
    lists = _lists(_USUAL if given is None else given)
    if runnable.kwargs.get("test_fail") is True:
        for name in ("commands", "files"):
            more = [each for each in lists[f"fail_{name}"] if each not in lists[name]]
            lists[name] = [*lists[name], *more]
    timeout = runnable.config.get(_TIMEOUT, _USUAL_TIMEOUT)
    if timeout is None:
        timeout = 0
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise RunnerError(f'key "{_TIMEOUT}": expected seconds, got {timeout!r}')
    return {
        "commands": lists["commands"],
        "files": lists["files"],
        "packages": runnable.config.get(_PACKAGES) is True,
        "locale": str(runnable.config.get(_LOCALE, "C")),
        "timeout": max(0.0, timeout),  # 0 and less is none, as in Avocado
    }


def _lists(given: Any) -> dict[str, list[str]]:
    if not isinstance(given, Mapping):
        raise RunnerError(f'kwarg "sysinfo": expected an object with lists, got {given!r:.80}')
    lists = {}
    for name in _LISTS:
        found = given.get(name, [])
        if not isinstance(found, (list, tuple)) or any(type(each) is not str for each in found):
            raise RunnerError(f'kwarg "sysinfo": "{name}" is no list of texts')
        lists[name] = [each for each in found if each and "\0" not in each]
    return lists
