"""Errands: what an agent does so that requirements hold, or to see whether they do.

What is quick is done at once; all else runs as attempts do, under negative numbers, without a slot,
and with its output in its folder from the first moment. Who asks for what is under way joins; what
is being ended, since nobody wanted it any more, is done anew after that. Not responsible for what a
kind means (its runner), nor for processes (``nrunner.runners.supervisor``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping

from nrunner.errors import NrunnerError, RunnerError
from nrunner.runnable import Requirement, Runnable
from nrunner.runners import registry
from nrunner.runners.attempt import Attempt, Limits, Order, whole
from nrunner.runners.handover import handed_over
from nrunner.runners.removal import remove_tree
from nrunner.runners.slot import open_log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from nrunner.runners.supervisor import Supervisor

__all__ = ["Errands"]

_CHECK_WITHIN = 30.0
"""Seconds after which a check counts as a no: it was to be cheap."""
_MOST_AT_ONCE = 32
_MOST_ANSWERS = 1000
_LONGEST_REASON = 1000
_MET = ("pass", "warn", "skip")


class _Errand:
    """What is asked for, by whom, and how far it is."""

    def __init__(self, head: Mapping[str, Any], *, is_check: bool) -> None:
        self.requirement = Requirement.from_json(head["requirement"])
        self.what = (is_check, self.requirement.key)
        """The same for those that can be one."""
        self.key: tuple[object, ...] = self.what
        """Under which others find it, for as long as they may join."""
        self.is_check = is_check
        self.requests = {head["request"]: None}
        self.id, self.log_dir = head.get("id", ""), head.get("log_dir", "")
        self.limits = Limits.from_json(head.get("limits") or {})
        if not isinstance(self.id, str) or not isinstance(self.log_dir, str):
            raise TypeError("expected text")
        self.resource = ""
        self.task = 0
        """The number of what runs for it, 0 while it waits."""
        self.began = 0.0
        self.is_asking = False
        """Whether what runs only looks whether it holds."""
        self.is_given_up = False
        """Whether what runs is being ended."""

    @property
    def title(self) -> str:
        """How people call it."""
        return self.requirement.title


class Errands:
    """All errands of an agent."""

    def __init__(
        self, supervisor: Supervisor, folder: str, answer: Callable[[Mapping[str, Any]], None]
    ) -> None:
        """`folder` is for what nobody wants to keep; `answer` is called with each reply."""
        self._supervisor = supervisor
        self._folder = folder
        self._answer = answer
        self._number = 0
        self._all: dict[tuple[object, ...], _Errand] = {}
        """Those under way and those that wait, in the order in which they came."""
        self._answers: dict[object, Mapping[str, Any]] = {}
        """What was answered: a reply can be lost with its link, and is asked for again then."""

    @property
    def is_idle(self) -> bool:
        """Whether there are none."""
        return not self._all

    def take(self, head: Mapping[str, Any], *, is_check: bool = False) -> None:
        """Take up what a ``fulfil`` or ``check`` frame asks for; it is answered once it is over."""
        known = self._answers.get(whole(head["request"]))
        if known is not None:
            self._answer(known)
            return
        errand = _Errand(head, is_check=is_check)
        joined = self._all.get(errand.key)
        if joined is not None:
            joined.requests.update(errand.requests)
        elif not self._do_at_once(errand):
            self._all[errand.key] = errand
            self._begin_more()

    def forget_requests(self) -> None:
        """Another controller counts its requests anew: who asked until now hears no answer."""
        self._answers.clear()
        for errand in self._all.values():
            errand.requests.clear()

    def cancel(self, request: object, detail: str) -> None:
        """Give up what was asked for by a request, unless others have asked for it, too."""
        for errand in list(self._all.values()):
            if request in errand.requests:
                del errand.requests[request]
                if not errand.requests:
                    self._give_up(errand, detail)

    def stop_waiting(self, detail: str) -> None:
        """Give up those that wait for something; whoever runs is ended by the supervisor."""
        for errand in [each for each in self._all.values() if not each.task]:
            self._give_up(errand, detail)

    def heard(self, attempt: Attempt, event: str, fields: Mapping[str, Any]) -> None:
        """Hear what became of an attempt with a negative number."""
        errand = next((each for each in self._all.values() if each.task == attempt.key[0]), None)
        if errand is None or event not in ("ended", "not_started"):
            return
        is_met = fields.get("result") in _MET
        error = "" if is_met else _reason(errand, fields)
        if is_met and not errand.is_check and not errand.is_asking:
            error = self._hand_over(errand)
            is_met = not error
        if errand.is_asking:
            remove_tree(attempt.order.log_dir)
            if is_met or errand.is_check or _is_given_up(event, fields):
                self._end(errand, is_met, changed=False, error=error)
            else:
                self._start(errand, is_asking=False)
            return
        # Who does not say whether anything changed may have changed something.
        is_malformed = fields.get("malformed") is True
        changed = is_met and _report(attempt).get("changed") is not False
        self._end(errand, is_met, changed=changed, error=error, malformed=is_malformed)

    # What is done.

    def _do_at_once(self, errand: _Errand) -> bool:
        """Answer what takes no time; return whether that was possible."""
        requirement = errand.requirement
        kind = requirement.kind
        if kind not in registry.REQUIREMENT_KINDS:
            if not errand.is_check or kind not in registry.KINDS:
                return False
            self._end(errand, False, changed=False, error="only running it tells")
            return True
        runner = registry.requirement_runner(kind)
        settings = self._supervisor.settings
        base_dir, runner.config = settings.base_dir, settings.requirement_config
        is_changed, is_malformed, error = False, False, ""
        try:
            if not runner.is_instant(requirement):
                errand.resource = runner.resource(requirement)
                return False
            reason = runner.check(requirement, base_dir)
            if reason is not None and errand.is_check:
                error = reason
            elif reason is not None:
                runner.fulfil(requirement, base_dir)
                is_changed = True
        except (NrunnerError, OSError) as trouble:
            is_malformed = isinstance(trouble, RunnerError)
            error = str(trouble) or "no reason was given"
        if not error and not errand.is_check:
            error = self._hand_over(errand)
        self._end(errand, not error, changed=is_changed, error=error, malformed=is_malformed)
        return True

    def _begin_more(self) -> None:
        """Begin what waits and need not any more."""
        begun = [each for each in self._all.values() if each.task]
        busy = {each.resource: each for each in begun if each.resource}
        ending = {each.what for each in begun if each.is_given_up}
        for errand in [each for each in self._all.values() if not each.task]:
            if len(begun) >= _MOST_AT_ONCE:
                return
            if errand.what in ending:
                self._say_waiting(errand, "until what was cancelled has ended")
                continue
            holder = busy.get(errand.resource) if not errand.is_check else None
            if holder is not None:
                user = f"which is in use for {holder.title!r}"
                self._say_waiting(errand, f"for the {errand.resource}, {user}")
                continue
            begun.append(errand)
            if errand.resource and not errand.is_check:
                busy[errand.resource] = errand
            errand.began = time.monotonic()
            self._start(errand, is_asking=errand.is_check or self._asks_first(errand))

    def _asks_first(self, errand: _Errand) -> bool:
        """Whether to look first, in a process of its own, if a requirement holds already."""
        if errand.requirement.kind in registry.KINDS:
            return False  # ours look by themselves, and tests do not
        from nrunner.runners.checker import can_check

        return can_check(errand.requirement.kind)

    def _start(self, errand: _Errand, *, is_asking: bool) -> None:
        self._number -= 1
        errand.task, errand.is_asking = self._number, is_asking
        what = errand.requirement
        settings = self._supervisor.settings
        config = settings.config
        if what.kind in registry.REQUIREMENT_KINDS:
            more = {"agent.folder": self._folder, "agent.kept_dir": settings.kept}
            config = {**config, **more}
        order = Order(
            self._number,
            0,
            errand.id or what.kind,
            Runnable(what.kind, what.uri, what.args, what.kwargs, config=config),
            f"{self._folder}/check{self._number}" if is_asking else errand.log_dir,
            _rest(errand, _CHECK_WITHIN if is_asking else None),
            is_check=is_asking,
        )
        self._supervisor.run(order)

    def _hand_over(self, errand: _Errand) -> str:
        """Have what tests are told stay true from now on; return why that is not possible."""
        settings = self._supervisor.settings
        try:
            handed_over((errand.requirement,), settings.base_dir, settings.requirement_config)
        except (NrunnerError, OSError) as error:
            return str(error) or "no reason was given"
        return ""

    def _give_up(self, errand: _Errand, detail: str) -> None:
        if not errand.task:
            self._end(errand, False, changed=False, error=detail)
            return
        # Who asks for it from now on wants it done, and not to hear that it was cancelled.
        del self._all[errand.key]
        errand.key, errand.is_given_up = (*errand.what, errand.task), True
        self._all[errand.key] = errand
        self._supervisor.cancel(errand.task, 0, kill=False, detail=detail)

    def _end(
        self, errand: _Errand, is_met: bool, *, changed: bool, error: str, malformed: bool = False
    ) -> None:
        reason = _cut(error)
        if errand.is_check:
            reply: dict[str, Any] = {"met": is_met}
            if reason:
                reply["reason"] = reason
        else:
            reply = {"ok": is_met, "changed": changed}
            if reason:
                reply["error"] = reason
            if malformed:
                reply["malformed"] = True
        was_known = self._all.pop(errand.key, None)
        for request in errand.requests:
            self._answers[request] = found = {"type": "reply", "request": request, **reply}
            self._answer(found)
        while len(self._answers) > _MOST_ANSWERS:
            del self._answers[next(iter(self._answers))]
        if was_known is not None:
            self._begin_more()

    def _say_waiting(self, errand: _Errand, what: str) -> None:
        """Have people read, where they look for its output, for what an errand waits."""
        if not errand.log_dir:
            return  # nobody looks
        try:
            with open_log(errand.log_dir, "stdout") as file:
                file.write(f"waits {what}\n".encode())
        except OSError:
            pass  # whether it can be told or not, it waits


def _rest(errand: _Errand, most: Optional[float]) -> Limits:
    """Return the limits of what an errand does next, so that all together keeps its own."""
    limits = errand.limits
    left = limits.timeout
    if left is not None:
        left = max(0.0, left - (time.monotonic() - errand.began))
    bounds = [each for each in (left, most) if each is not None]
    return Limits(min(bounds) if bounds else None, None, None, limits.grace)


def _is_given_up(event: str, fields: Mapping[str, Any]) -> bool:
    """Whether something was ended since nobody wants it any more."""
    if event == "not_started":
        return fields.get("cause") != "malformed"
    return fields.get("stop") not in (None, "timeout")


def _reason(errand: _Errand, fields: Mapping[str, Any]) -> str:
    if fields.get("stop"):
        detail, doing = fields.get("stop_detail"), fields.get("doing")
        if fields["stop"] == "timeout" and not errand.is_asking:
            # Of all that was done for it, not just of what was done last.
            detail = f"past its {errand.limits.timeout:g} s limit"
        return f"{detail}{f'; {doing}' if doing else ''}"
    found = fields.get("fail_reason") or fields.get("reason") or fields.get("trouble")
    return str(found or "it ended without a reason")


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_REASON else line[:_LONGEST_REASON] + "..."


def _report(attempt: Attempt) -> Mapping[str, Any]:
    """Return what a child of ours has left beside its outcome."""
    if attempt.slot is None or attempt.command is None or attempt.command.report is None:
        return {}
    try:
        found = json.loads(attempt.slot.report.read())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
