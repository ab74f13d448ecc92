"""Attempts from start to end: which start when, what ends them early, and what comes of them.

Not responsible for the controller's connection (``nrunner.runners.agent``), nor for how a process
is started (``nrunner.runners.launcher``), how all of an attempt is ended
(``nrunner.runners.undertaker``), nor for the meaning of a kind (its runner class).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import errno
import functools
import os
import signal
import time
from collections.abc import Callable, Mapping

from nrunner.errors import RequirementError, RunnerError
from nrunner.runnable import Runnable
from nrunner.runners import child, killing
from nrunner.runners.alarm import Alarms
from nrunner.runners.attempt import Attempt, Order, Settings, Stage, shortened
from nrunner.runners.backlog import Backlog
from nrunner.runners.base import Exit, Outcome
from nrunner.runners.examiner import Examiner, Findings
from nrunner.runners.judge import Judge
from nrunner.runners.kin import Kin
from nrunner.runners.launcher import Launcher
from nrunner.runners.loop import Loop
from nrunner.runners.nursery import Nursery
from nrunner.runners.patience import PAUSE, Patience
from nrunner.runners.pause import Pause
from nrunner.runners.procfs import Process
from nrunner.runners.reaper import Reaper
from nrunner.runners.reserve import Reserve, Unwanted
from nrunner.runners.series import Roster, Series
from nrunner.runners.slot import Slot
from nrunner.runners.slot_pool import SlotPool
from nrunner.runners.surveyor import FOLDER, Surveyor
from nrunner.runners.undertaker import Undertaker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

__all__ = ["Supervisor"]

_EXAMINED = ("timeout", "silence")
"""Who is ended for these reasons hangs, as it seems: people will ask what it did."""
_SURVEYED = (None, *_EXAMINED)
"""How an attempt ends after which there is time for a survey."""
_ANSWER_WITHIN = 2.0
"""Seconds that a zygote has to give back an attempt that stood by."""
_MOST_REFUSALS = 5
"""After so many zygotes that ended before they forked an attempt, it gets none."""
_LOW = 2
"""So few orders for the process of a series may be used up before others are here."""
_SHORT_OF_MEANS = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EIO)

_NOBODY = Attempt(Order(0, 0, "", Runnable("noop"), ""))
"""Whom a notice is about that is about no attempt."""

_Start = Callable[[Attempt, tuple[int, int]], None]
Emit = Callable[[Attempt, str, Mapping[str, object]], None]
Taking = Callable[[int, int], None]


class Supervisor:
    """Owns every process of every attempt in an environment."""

    def __init__(
        self, loop: Loop, settings: Settings, emit: Emit, socket: str, *, taking: Taking
    ) -> None:
        """`taking` is told of each attempt before anything of it is done."""
        self.settings = settings
        self._loop = loop
        self._emit = emit
        self._taking = taking
        self._backlog = Backlog()
        self._attempts: dict[tuple[int, int], Attempt] = {}
        self._here: set[tuple[int, int]] = set()
        """What runs or waits, by task and attempt."""
        self._mains: dict[int, Attempt] = {}
        self._slots = SlotPool(loop)
        self._reserve = Reserve()
        self._errands = False
        self._nursery = Nursery(loop, self, self._env_of_interpreter)
        self._series = Roster(loop, self._nursery.dismiss)
        self._is_subreaper = child.set_subreaper()
        self._layer = "subreaper" if self._is_subreaper else "session"
        self._kin = Kin(
            self._attempts,
            self._mains,
            lambda: self._nursery.pids,
            self._series,
            inherits=self._is_subreaper,
        )
        self._examiner = Examiner(loop, self._kin.members)
        self._patience = Patience()
        self._judge = Judge(loop, self._finish, self._notice_of)
        self._alarms = Alarms(loop, self._examiner, self._stop, emit)
        self._launcher = Launcher(
            loop, socket, self._nursery, self._series, self._launched, self._hear, self._give_up
        )
        self._undertaker = Undertaker(loop, self._kin, self._attempts, self._judge.conclude)
        look_again = self._undertaker.look_again
        self._reaper = Reaper(loop, self._nursery, self._kin, self._over, look_again)
        self._pause = Pause(loop)
        self.surveyor = Surveyor(self.run, self.cancel, self.notice)
        loop.on_signal(signal.SIGCHLD, self._reaper.reap)

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return not (self._attempts or self._backlog or self._reserve)

    @property
    def has_backlog(self) -> bool:
        """Whether more than one attempt waits: whoever orders them has nothing to hurry for."""
        return len(self._backlog) > 1 and self._backlog.shortest_aside > _LOW

    def set_spare(self, slots: int) -> None:
        """Say how many attempts may stand by, beside as many as run at once."""
        # Without a subreaper zygotes do not see what tests leave behind.
        self._reserve.most = slots if self._is_subreaper else 0

    def is_grouped(self) -> None:
        """Note that all that is started from now on is in a control group of its own."""
        self._layer = "cgroup"

    def pause(self) -> int:
        """Stop all processes and the time of all limits; return how many were stopped."""
        return self._pause.begin(self._nursery.pids)

    def resume(self) -> None:
        """Let go on what was paused."""
        self._pause.end(self._attempts.values())

    def attempt(self, key: tuple[int, int]) -> Optional[Attempt]:
        """Return an attempt that runs."""
        return self._attempts.get(key)

    def tasks(self) -> list[tuple[int, int]]:
        """Return (task, attempt) of all that runs or waits here."""
        return list(self._here)

    def run(self, order: Order) -> None:
        """Run an attempt as soon as a slot is free (see `pump`); an errand needs none.

        One that runs or waits already is not run a second time.
        """
        key = (order.task, order.attempt)
        if key in self._here:
            return
        self._here.add(key)
        self._errands = self._errands or order.is_errand
        self._backlog.add(order)

    def cancel(
        self, task: int, attempt: int, *, kill: bool, detail: str, examine: bool = False
    ) -> None:
        """End an attempt early; one that still waits ends without having started.

        `examine` says that people will ask what it did.
        """
        running = self._attempts.get((task, attempt))
        if running is not None:
            self._stop(running, "cancelled", detail, kill=kill, examine=examine)
            return
        standing = self._reserve.get((task, attempt))
        if standing is not None:
            self._stand_down(standing, Unwanted("cancelled", "cancelled", detail))
            return
        for order in self._backlog:
            if (order.task, order.attempt) == (task, attempt):
                self._withdraw(order, "cancelled", detail)

    def stop_all(self, reason: str, detail: str, *, kill: bool) -> None:
        """End everything early."""
        cause = "infra" if reason == "orphaned" else "cancelled"
        for order in self._backlog:
            self._withdraw(order, cause, detail)
        for attempt in self._reserve:
            self._stand_down(attempt, Unwanted(cause, reason, detail))
        for attempt in list(self._attempts.values()):
            self._stop(attempt, reason, detail, kill=kill)
        for series in self._series.idle() if kill else ():
            killing.signal_group(series.pid, signal.SIGKILL)

    def _withdraw(self, order: Order, cause: str, detail: str) -> None:
        self._backlog.remove(order)
        self._tell_withdrawn(Attempt(order), cause, detail)

    def _tell_withdrawn(self, attempt: Attempt, cause: str, detail: str) -> None:
        self._here.discard(attempt.key)
        self._emit(attempt, "not_started", {"cause": cause, "reason": detail})

    def _stand_down(self, attempt: Attempt, unwanted: Unwanted) -> None:
        if self._reserve.discard(attempt, unwanted):
            self._nursery.stand_down(attempt)
            self._loop.after(_ANSWER_WITHIN, lambda: self._nursery.abandon(attempt))

    def _hear(self, attempt: Attempt) -> None:
        """A payload said that it is finished: it has a grace to end, too."""
        grace = attempt.order.limits.grace
        attempt.timers.append(self._loop.after(grace, lambda: self._undertaker.kill(attempt)))

    def _give_up(self, attempt: Attempt, reason: str) -> None:
        """A payload that speaks for itself has come to nothing, and would run for ever."""
        attempt.broken = reason

        def end(_: Findings) -> None:
            self._undertaker.kill(attempt)

        self._examiner.examine(attempt, reason, end, is_last=True)

    def end_strays(self) -> None:
        """Kill and name what attempts have left that are over, and was not found before."""
        if not self._attempts:
            self._kill_strays(self._reaper.strays(self._series.idle()))

    def close(self) -> None:
        """Kill what is left without ceremony, and remove the slots."""
        self._nursery.close()
        self._reaper.let_leave(self._series.idle())
        for attempt in self._mains.values():
            killing.signal_group(attempt.pid, signal.SIGKILL)
        self._reaper.kill_all()
        self._slots.remove()

    def _kill_strays(self, left: list[Process]) -> None:
        """Kill what was left by attempts that are over already, and name it."""
        for process in left:
            told = killing.describe(process)
            bearer = self._kin.brands.bearer(process.pid)
            whose = f"task {bearer[0]}" if bearer is not None else "a test"
            self.notice(f"{whose} left process {told['pid']} behind: {told['command']}")
        self._reaper.kill(left, self._mains)

    # Starting.

    def pump(self) -> None:
        """Start what there is room for; to be called after each turn of the loop."""
        if self._pause.is_on:
            return
        for series in self._series.idle():
            self._continue(series)
        while self._reserve and self._has_room():
            attempt = self._reserve.first()
            if attempt is None:
                break
            self._enlist(attempt)
            self._nursery.start(attempt)
        while True:
            order = self._backlog.first()
            if order is None or self._patience.is_waiting:
                return
            if order.is_errand or self._has_room():
                self._take(Attempt(self._backlog.pop()))
            elif not self._may_stand_by(order) or not self._stand_by(Attempt(self._backlog.pop())):
                return

    def _take(self, attempt: Attempt) -> None:
        """Start an attempt in a slot of its own, and its series if it has one."""
        self._attempts[attempt.key] = attempt
        self._taking(*attempt.key)
        try:
            slot, files = self._settle(attempt)
        except OSError as error:
            if not self._put_off(attempt, error):
                self._fail(attempt, "infra", str(error))
            return
        if attempt.order.series:
            self._series.open(attempt, slot)
            self._backlog.open(attempt.order.series)
        self._begin(attempt, files)

    def _settle(self, attempt: Attempt) -> tuple[Slot, tuple[int, int]]:
        """Give an attempt a slot; return that, and where it writes its output. Raise OSError."""
        slot = attempt.slot = self._slots.take(self.settings.slots_dir)
        if self.settings.least_free:
            from nrunner.runners.room import check

            check(self.settings.slots_dir, self.settings.least_free)
        return slot, slot.open()

    def _may_stand_by(self, order: Order) -> bool:
        return (
            self._reserve.may_take(order)
            and self._nursery.has_room_for(order)
            and not self.surveyor.wants(order, self.settings)
        )

    def _stand_by(self, attempt: Attempt) -> bool:
        """Have an attempt stand by, to run once another has ended; return whether it does."""
        self._taking(*attempt.key)
        try:
            _, files = self._settle(attempt)
            attempt.brand = self._kin.brands.of(attempt.key)
            has_outcome = self._launcher.prepare(attempt, self.settings) is not None
            command = attempt.command
            if command and not has_outcome and self._nursery.stand_by(attempt, command, files):
                self._reserve.add(attempt)
                return True
        except (OSError, RunnerError, RequirementError, ValueError):
            pass  # it is told when its turn comes
        self._reserve.pass_over(attempt.order)
        self._put_back(attempt)
        return False

    def _put_back(self, attempt: Attempt) -> None:
        """Have an attempt wait like any other that has no slot yet."""
        if attempt.slot is not None:
            self._slots.give_back(attempt.slot, renew=False)
        self._backlog.put_back(attempt.order)

    def _enlist(self, attempt: Attempt) -> Optional[Unwanted]:
        """Count an attempt that stood by among those that run; return why it should not."""
        unwanted = self._reserve.remove(attempt)
        self._attempts[attempt.key] = attempt
        attempt.began = time.monotonic()
        self._alarms.set(attempt)
        return unwanted

    def _continue(self, series: Series) -> None:
        """Start the next attempt of a series whose process is ready, if it is here."""
        order = None if series.is_leaving else self._backlog.pop_next(series.name)
        if order is None:
            return
        attempt = Attempt(order)
        self._attempts[attempt.key] = attempt
        self._taking(*attempt.key)
        attempt.slot = series.slot
        series.begin(attempt)
        try:
            files = series.slot.open()
        except OSError as error:
            self._fail(attempt, "infra", str(error))
            return
        self._begin(attempt, files)

    def _begin(self, attempt: Attempt, files: tuple[int, int]) -> None:
        """Start an attempt, once its survey is made if there is to be one."""
        if not self.surveyor.wants(attempt.order, self.settings):
            self._try(self._start, attempt, files)
            return

        def go_on() -> None:
            if attempt.stop is None:
                self._try(self._start, attempt, files)
                return
            attempt.stage = Stage.DONE
            self._emit(attempt, "started", {"time": time.monotonic()})
            self._tell_end(attempt, Outcome(None))

        self.surveyor.make("pre", attempt, self.settings, go_on)

    def _try(self, start: _Start, attempt: Attempt, files: tuple[int, int]) -> None:
        """Start an attempt, or say why that is not possible."""
        try:
            start(attempt, files)
        except RunnerError as error:
            self._fail(attempt, "malformed", str(error))
        except RequirementError as error:
            self._fail(attempt, "infra", f"what it requires does not hold any more: {error}")
        except OSError as error:
            if self._put_off(attempt, error):
                return
            program = attempt.command.argv[0] if attempt.command is not None else ""
            ours = error.errno in _SHORT_OF_MEANS or error.filename != program
            cause = "infra" if ours else "malformed"
            self._fail(attempt, cause, child.explain(error, program))
        except ValueError as error:
            self._fail(attempt, "malformed", str(error))

    def _put_off(self, attempt: Attempt, error: OSError) -> bool:
        """Have an attempt wait for what its start lacked; return whether there is hope."""
        begun = attempt.pid or attempt.stop is not None or attempt.order.series
        if begun or not self._patience.hopes(attempt.key, error):
            return False
        for timer in attempt.timers:
            timer.cancel()
        self._release(attempt)
        self._here.add(attempt.key)
        self._backlog.put_back(attempt.order)
        self._loop.after(PAUSE, lambda: None)  # it is tried again after the next turn
        return True

    def _has_room(self) -> bool:
        errands = sum(1 for task, _ in self._attempts if task < 0) if self._errands else 0
        taken = len(self._attempts) - errands + len(self._series.idle())
        return taken < self.settings.slots

    def _start(self, attempt: Attempt, files: tuple[int, int]) -> None:
        attempt.brand = self._kin.brands.of(attempt.key)
        outcome = self._launcher.prepare(attempt, self.settings)
        if outcome is not None:
            self._emit(attempt, "started", {"time": attempt.began})
            self._finish(attempt, outcome)
            return
        self._launch(attempt, files)
        self._alarms.set(attempt)

    def _launch(self, attempt: Attempt, files: tuple[int, int]) -> None:
        self._launcher.launch(attempt, files, self.settings)

    def _spawn(self, attempt: Attempt, files: tuple[int, int]) -> None:
        self._launcher.spawn(attempt, files, self.settings)

    def _launched(self, attempt: Attempt, pid: int) -> None:
        before, attempt.pid = attempt.pid, pid
        if self._patience:
            self._patience.forget(attempt.key)
        self._mains.pop(before, None)
        self._mains[pid] = attempt
        if before:
            return
        folder = attempt.slot.folder if attempt.slot is not None else ""
        self._emit(attempt, "started", {"time": attempt.began, "pid": pid, "slot": folder})

    # What the nursery tells.

    def forked(self, attempt: Attempt, pid: int) -> None:
        """Take over a process that a zygote forked."""
        if attempt.stage is Stage.DONE:
            killing.kill(pid)
            return
        series = self._series.of(attempt)
        if series is not None:
            series.pid = pid
        self._launched(attempt, pid)
        self._pause.spread()

    def follows(self, attempt: Attempt) -> None:
        """Hear that an attempt which stood by is about to be forked: another has ended."""
        unwanted = self._enlist(attempt)
        if unwanted is not None:
            self.resume()
            attempt.stop, attempt.stop_detail = unwanted.stop, unwanted.detail
            self._undertaker.kill(attempt)  # it need not be abandoned: it is forked right now

    def stood_down(self, attempt: Attempt) -> None:
        """Hear that an attempt does not stand by any more, and was not started."""
        unwanted = self._reserve.remove(attempt)
        if unwanted is None:
            self._put_back(attempt)
            return
        assert attempt.slot is not None
        self._slots.give_back(attempt.slot, renew=False)
        self._tell_withdrawn(attempt, unwanted.cause, unwanted.detail)

    def ended(self, pid: int, status: int) -> None:
        """Hear from its zygote that a process ended."""
        self._over(pid, child.exit_of(status))

    def done(self, attempt: Attempt, status: int) -> None:
        """Hear that an attempt is over, and that its process is ready for the next one."""
        attempt.end = Exit(status)
        attempt.ended = time.monotonic()
        if attempt.stop is not None:
            self._undertaker.kill(attempt)  # it was too late: the process is to end, too
        elif attempt.stage is Stage.RUNNING:
            self._judge.conclude(attempt)

    def lost(self, attempt: Attempt) -> None:
        """Hear that a process ended and its zygote did not say how."""
        report = attempt.report()
        if report is None and attempt.stop is None:
            attempt.trouble = "the zygote that knew how it ended was killed"
        good = report is not None and report.result is not None and report.result.is_ok
        self._over(attempt.pid, Exit(0 if good else 1))

    def refused(self, attempt: Attempt) -> None:
        """Start an attempt anew, whose zygote is gone; in the end by a new interpreter."""
        if attempt.stage is Stage.DONE:
            return
        series = self._series.of(attempt)
        if series is not None:
            series.link = None
        if attempt.stop is not None:
            if not attempt.pid:
                self._emit(attempt, "started", {"time": attempt.began})
            self._finish(attempt, Outcome(None))
            return
        slot = attempt.slot
        assert slot is not None
        attempt.refusals += 1
        start = self._launch if attempt.refusals < _MOST_REFUSALS else self._spawn
        self._try(start, attempt, slot.open())

    def has_printed(self, attempt: Attempt) -> bool:
        """Return whether there is output of an attempt until now."""
        if attempt.slot is None:
            return True
        attempt.slot.catch_up()
        return attempt.slot.written() > 0

    def notice(self, text: str) -> None:
        """Have people told something that concerns no attempt that runs."""
        self._emit(_NOBODY, "notice", {"text": text})

    def _notice_of(self, attempt: Attempt, text: str) -> None:
        self._emit(attempt, "notice", {"text": text})

    def _env_of_interpreter(self, attempt: Attempt) -> dict[str, str]:
        return self._launcher.env_of_interpreter(attempt, self.settings)

    def _fail(self, attempt: Attempt, cause: str, reason: str) -> None:
        self._emit(attempt, "not_started", {"cause": cause, "reason": shortened(reason)})
        self._release(attempt)

    # Stopping.

    def _stop(
        self,
        attempt: Attempt,
        stop: str,
        detail: str,
        *,
        kill: bool = False,
        examine: bool = False,
    ) -> None:
        self.resume()
        if attempt.end is not None and attempt.stop is None:
            if kill:
                self._end_rest(attempt, stop, detail)
            return
        first = attempt.stop is None
        if first:
            attempt.stop, attempt.stop_detail = stop, detail
        if self.surveyor.is_before(attempt):
            self.surveyor.abandon(attempt, detail, kill=kill)
            return
        if attempt.stage in (Stage.DONE, Stage.KILLING) or not (first or kill):
            return
        if kill:
            self._undertaker.kill(attempt)
        else:
            attempt.stage = Stage.TERMINATING
        if not attempt.pid:
            self._nursery.abandon(attempt)
        if kill:
            return
        if stop not in _EXAMINED and not examine:
            self._terminate(attempt)
            return
        then = functools.partial(self._terminate, attempt)
        self._examiner.examine(attempt, detail, then, is_last=True)

    def _end_rest(self, attempt: Attempt, stop: str, detail: str) -> None:
        """End what is left of one that ended by itself, as a leak: its own word counts."""
        if attempt.stage is Stage.LINGERING:
            attempt.leaks = [killing.describe(each) for each in self._kin.members(attempt)]
        self._undertaker.kill(attempt)
        self._judge.hurry(attempt, stop, detail)

    def _terminate(self, attempt: Attempt, found: Optional[Findings] = None) -> None:
        if found is not None:
            attempt.doing = found.doing
        if attempt.stage is not Stage.TERMINATING:
            return  # it is killed already
        self._undertaker.terminate(attempt)

    # Ending.

    def _over(self, pid: int, end: Exit) -> bool:
        attempt = self._mains.pop(pid, None)
        if attempt is None:
            return False
        series = self._series.of(attempt)
        if series is not None and series.pid == pid:
            if series.link is not None:
                self._nursery.hear(series.link)  # that the attempt was over before
            series.pid, series.link = 0, None
            if series.is_idle:
                self._disband(series)
                return True
        attempt.end = end
        attempt.ended = time.monotonic()
        # Where the machine is to be rebooted nobody is waited for.
        hurries = self.settings.reboots and os.path.lexists(attempt.reboot_request)
        self._undertaker.main_ended(attempt, hurries=hurries)
        return True

    def _finish(self, attempt: Attempt, outcome: Outcome) -> None:
        attempt.retire()
        if self._pause.is_on:
            self._pause.count(attempt)
        if self.surveyor.wants(attempt.order, self.settings) and attempt.stop in _SURVEYED:
            attempt.ended = attempt.ended or time.monotonic()
            failed = outcome.result is None or not outcome.result.is_ok
            tell = functools.partial(self._tell_end, attempt, outcome)
            self.surveyor.make("post", attempt, self.settings, tell, failed=failed)
        else:
            self._tell_end(attempt, outcome)

    def _tell_end(self, attempt: Attempt, outcome: Outcome) -> None:
        if self.surveyor.wants(attempt.order, self.settings):
            attempt.outputs = (*attempt.outputs, FOLDER)
        story = attempt.story(outcome, self._layer)
        if self.settings.reboots and attempt.command is not None and attempt.stop is None:
            story.update(_wish(attempt))
        if self.settings.enclose and not attempt.order.is_errand:
            story.update(_enclosed(attempt.order.log_dir, self.settings.enclose))
        self._emit(attempt, "ended", story)
        self._release(attempt)

    def _release(self, attempt: Attempt) -> None:
        attempt.stage = Stage.DONE
        self._kin.note_end()
        self._attempts.pop(attempt.key, None)
        self._here.discard(attempt.key)
        if attempt.reception is not None:
            attempt.reception.close()
        series = self._series.of(attempt)
        if series is not None and series.attempt is attempt:
            if series.pid:
                self._series.pause(series)
                return
            self._close_series(series)
        if attempt.slot is not None:
            renew = bool(attempt.leaks or attempt.unkillable or attempt.trouble)
            self._slots.give_back(attempt.slot, renew=renew)

    def _close_series(self, series: Series) -> None:
        self._series.close(series)
        self._backlog.close(series.name)

    def _disband(self, series: Series) -> None:
        """Free the slot of a series whose process ended while it waited."""
        left = self._kin.members(series.last)
        self._close_series(series)
        self._kill_strays(left)
        self._slots.give_back(series.slot, renew=True)


def _wish(attempt: Attempt) -> dict[str, object]:
    """Return the reboot that an attempt has asked for, if it has."""
    from nrunner.runners.reboot import Past, asked

    if attempt.order.is_errand:
        return {}
    found = asked(attempt.reboot_request, Past.from_json(attempt.order.reboot))
    return {} if found is None else {"reboot": found}


def _enclosed(folder: str, most: int) -> dict[str, object]:
    """Return what an event says of files that nobody else sees; most attempts leave none."""
    try:
        os.lstat(folder)
    except FileNotFoundError:
        return {}
    except OSError:
        return {"fetch": True}
    from nrunner.runners.outgoing import enclosed

    return enclosed(folder, most)
