"""Surveys of the system where tests run, before and after each of them, if a job wants that.

Each is an errand: it has no slot of its own, and its time is not the test's. Not responsible for
when an attempt may start or has ended (``nrunner.runners.supervisor``), nor for what is collected
(``nrunner.runners.survey``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nrunner.record import dataclass
from nrunner.runnable import Runnable
from nrunner.runners.attempt import Attempt, Limits, Order, Settings
from nrunner.runners.folder import make_folder
from nrunner.runners.removal import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["FOLDER", "SURVEY", "Surveyor"]

SURVEY = "sysinfo.survey"
"""Key of the settings: what is collected, and whether that is done for each test."""
FOLDER = "sysinfo"
"""Name of the folder of a test in which its surveys are."""

_FIRST = -(1 << 26)
"""Errands for requirements have numbers above. Brands know nothing below twice this one."""
_LISTS = ("commands", "files", "fail_commands", "fail_files")
_LIMITS = Limits(timeout=120.0, grace=1.0)


@dataclass
class _Survey:
    attempt: Attempt
    then: Callable[[], None]
    log_dir: str


class Surveyor:
    """Makes surveys for attempts; whoever asks for one goes on once it is made, or has failed."""

    def __init__(
        self,
        run: Callable[[Order], None],
        cancel: Callable[..., None],
        notice: Callable[[str], None],
    ) -> None:
        self._run = run
        self._cancel = cancel
        self._notice = notice
        self._number = _FIRST
        self._under_way: dict[int, _Survey] = {}

    def wants(self, order: Order, settings: Settings) -> bool:
        """Whether an attempt is to have surveys."""
        wanted: Any = settings.config.get(SURVEY)
        return bool(wanted) and wanted.get("test") is True and not order.is_errand

    def make(
        self,
        when: str,
        attempt: Attempt,
        settings: Settings,
        then: Callable[[], None],
        *,
        failed: bool = False,
    ) -> None:
        """Make a survey, ``pre`` or ``post``; call `then` afterwards, whatever became of it."""
        wanted: Mapping[str, Any] = settings.config[SURVEY]
        self._number -= 1
        folder = f"{attempt.order.log_dir}/{FOLDER}"
        survey = _Survey(attempt, then, f"{settings.slots_dir}/survey{-self._number}")
        kwargs = {
            "sysinfo": {name: wanted.get(name, []) for name in _LISTS},
            "folder": folder,
            "test_fail": failed,
        }
        config = {key: each for key, each in wanted.items() if key.startswith("sysinfo.collect.")}
        try:
            make_folder(attempt.order.log_dir)
        except OSError as error:
            self._notice(f"no system information on {attempt.order.id}: {error}")
            then()
            return
        self._under_way[self._number] = survey
        runnable = Runnable("sysinfo", when, kwargs=kwargs, config=config)
        self._run(
            Order(self._number, 0, f"sysinfo-{when}", runnable, survey.log_dir, limits=_LIMITS)
        )

    def is_before(self, attempt: Attempt) -> bool:
        """Whether an attempt has not begun, since its survey is not made yet."""
        return attempt.end is None and bool(self._of(attempt))

    def abandon(self, attempt: Attempt, detail: str, *, kill: bool) -> None:
        """End the survey of an attempt early; who waits for it goes on."""
        for number in self._of(attempt):
            self._cancel(number, 0, kill=kill, detail=detail)

    def heard(self, attempt: Attempt, event: str, fields: Mapping[str, object]) -> bool:
        """Hear what became of an errand; return whether it is one of ours."""
        number = attempt.key[0]
        if number > _FIRST:
            return False
        if event in ("ended", "not_started") and number in self._under_way:
            survey = self._under_way.pop(number)
            remove_tree(survey.log_dir)
            if event == "not_started" or fields.get("result") != "pass":
                why = fields.get("fail_reason") or fields.get("reason") or fields.get("stop_detail")
                self._notice(f"no system information on {survey.attempt.order.id}: {why}")
            survey.then()
        return True

    def _of(self, attempt: Attempt) -> list[int]:
        return [number for number, each in self._under_way.items() if each.attempt is attempt]
