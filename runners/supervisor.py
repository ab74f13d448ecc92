"""Attempts from start to end: spawning, limits, complete killing, the word of the runner.

Not responsible for the controller's connection (``nrunner.runners.agent``) nor for the meaning of
a kind (its runner class).
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
from nrunner.record import replace
from nrunner.runnable import Runnable
from nrunner.runners import child, killing, procfs
from nrunner.runners.alarm import Alarms
from nrunner.runners.attempt import Attempt, Order, Settings, Stage
from nrunner.runners.backlog import Backlog
from nrunner.runners.base import Command, Exit, Outcome, Runner
from nrunner.runners.brand import wear
from nrunner.runners.examiner import Examiner, Findings
from nrunner.runners.executable_runner import find_runner
from nrunner.runners.handover import handed_over, interpreter_of
from nrunner.runners.kin import Kin
from nrunner.runners.loop import Loop
from nrunner.runners.memory import MemoryWatch
from nrunner.runners.nursery import Nursery
from nrunner.runners.patience import PAUSE, Patience
from nrunner.runners.procfs import Process
from nrunner.runners.series import LEAVE_WITHIN, Roster, Series
from nrunner.runners.slot import make_folder, open_log
from nrunner.runners.slot_pool import SlotPool
from nrunner.runners.suspension import Suspension

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

__all__ = ["Supervisor"]

_LINGER = 0.2
"""Seconds in which what a test started may end by itself before it is called a leak."""
_LEAK_GRACE = 0.5
_KILL_FOR = 5.0
"""Seconds after which a process that SIGKILL does not end is called unkillable."""
_EXAMINED = ("timeout", "silence")
"""Who is ended for these reasons hangs, as it seems: people will ask what it did."""
_MOST_AT_ONCE = 1000
"""How many ended processes are heard of before others have their turn."""
_MOST_NAMED = 100
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
        self._socket = socket
        self._backlog = Backlog()
        self._attempts: dict[tuple[int, int], Attempt] = {}
        self._here: set[tuple[int, int]] = set()
        """What runs or waits, by task and attempt."""
        self._mains: dict[int, Attempt] = {}
        self._slots = SlotPool(loop)
        self._errands = False
        self._env = dict(os.environ)
        self._nursery = Nursery(loop, self, self._env_of_interpreter)
        self._series = Roster(loop, self._nursery.dismiss)
        self._kin = Kin(self._attempts, self._mains, lambda: self._nursery.pids, self._series)
        self._examiner = Examiner(loop, self._kin.members)
        self._patience = Patience()
        self._memory = MemoryWatch()
        self._alarms = Alarms(loop, self._examiner, self._stop, emit)
        self._suspension: Optional[Suspension] = None
        self._paused_at = 0.0
        self._layer = "subreaper" if child.set_subreaper() else "session"
        loop.on_signal(signal.SIGCHLD, self._reap)

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return not self._attempts and not self._backlog

    @property
    def has_backlog(self) -> bool:
        """Whether more than one attempt waits: whoever orders them has nothing to hurry for."""
        return len(self._backlog) > 1 and self._backlog.shortest_aside > _LOW

    def is_grouped(self) -> None:
        """Note that all that is started from now on is in a control group of its own."""
        self._layer = "cgroup"

    def pause(self) -> int:
        """Stop all processes and the time of all limits; return how many were stopped."""
        if self._suspension is None:
            self._loop.hold()
            self._paused_at = time.monotonic()
            strange = self._nursery.pids
            self._suspension = Suspension(lambda: killing.descendants(strange))
        return len(self._suspension)

    def resume(self) -> None:
        """Let go on what was paused."""
        if self._suspension is None:
            return
        for attempt in self._attempts.values():
            self._count_pause(attempt)
        suspension, self._suspension = self._suspension, None
        suspension.end()
        self._loop.release()

    def _count_pause(self, attempt: Attempt) -> None:
        until = attempt.ended or time.monotonic()
        attempt.paused += max(0.0, until - max(self._paused_at, attempt.began))

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
        for order in self._backlog:
            if (order.task, order.attempt) == (task, attempt):
                self._withdraw(order, "cancelled", detail)

    def stop_all(self, reason: str, detail: str, *, kill: bool) -> None:
        """End everything early."""
        for order in self._backlog:
            self._withdraw(order, "infra" if reason == "orphaned" else "cancelled", detail)
        for attempt in list(self._attempts.values()):
            self._stop(attempt, reason, detail, kill=kill)
        for series in self._series.idle() if kill else ():
            killing.signal_group(series.pid, signal.SIGKILL)

    def _withdraw(self, order: Order, cause: str, detail: str) -> None:
        self._backlog.remove(order)
        self._here.discard((order.task, order.attempt))
        self._emit(Attempt(order), "not_started", {"cause": cause, "reason": detail})

    def _hear(self, attempt: Attempt) -> None:
        """A payload said that it is finished: it has a grace to end, too."""
        grace = attempt.order.limits.grace
        attempt.timers.append(self._loop.after(grace, lambda: self._begin_killing(attempt)))

    def end_strays(self) -> None:
        """Kill and name what attempts have left that are over, and was not found before."""
        if not self._attempts:
            self._kill_strays(self._kin.strays({each.pid for each in self._series.idle()}))

    def close(self) -> None:
        """Kill what is left without ceremony, and remove the slots."""
        self._nursery.close()
        self._let_leave(self._series.idle())
        for attempt in self._mains.values():
            killing.signal_group(attempt.pid, signal.SIGKILL)
        for _ in range(200):
            strays = killing.orphans(())
            if not strays:
                break
            for pid in strays:
                killing.kill(pid)
            self._reap_strays()
            time.sleep(0.005)
        self._slots.remove()

    def _kill_strays(self, left: list[Process]) -> None:
        """Kill what was left by attempts that are over already, and name it."""
        for process in left:
            told = killing.describe(process)
            bearer = self._kin.brands.bearer(process.pid)
            whose = f"task {bearer[0]}" if bearer is not None else "a test"
            self.notice(f"{whose} left process {told['pid']} behind: {told['command']}")
        killing.kill_all(left, {*self._nursery.pids, *self._mains})

    def _let_leave(self, waiting: list[Series]) -> None:
        """Give processes that wait for nobody any more the time to tear down what they set up."""
        until = time.monotonic() + LEAVE_WITHIN
        for series in waiting:
            if series.link is not None:
                self._nursery.dismiss(series.link)
        while time.monotonic() < until and any(procfs.read_process(each.pid) for each in waiting):
            self._reap_strays()
            time.sleep(0.005)

    # Starting.

    def pump(self) -> None:
        """Start what there is room for; to be called after each turn of the loop."""
        if self._suspension is not None:
            return
        for series in self._series.idle():
            self._continue(series)
        while True:
            order = self._backlog.first()
            if order is None or not (order.is_errand or self._has_room()):
                return
            if self._patience.is_waiting:
                return
            self._take(Attempt(self._backlog.pop()))

    def _take(self, attempt: Attempt) -> None:
        """Start an attempt in a slot of its own, and its series if it has one."""
        self._attempts[attempt.key] = attempt
        self._taking(*attempt.key)
        try:
            slot = attempt.slot = self._slots.take(self.settings.slots_dir)
            if self.settings.least_free:
                _check_room(self.settings.slots_dir, self.settings.least_free)
            files = slot.open()
        except OSError as error:
            if not self._put_off(attempt, error):
                self._fail(attempt, "infra", str(error))
            return
        if attempt.order.series:
            self._series.open(attempt, slot)
            self._backlog.open(attempt.order.series)
        self._try(self._start, attempt, files)

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
        self._try(self._start, attempt, files)

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
        order, slot = attempt.order, attempt.slot
        assert slot is not None
        socket = f"{self._socket}-{order.task}.{order.attempt}"
        runner = attempt.runner = _runner_of(order, socket)
        place = attempt.place_in(slot, self.settings)
        attempt.brand = self._kin.brands.of(attempt.key)
        runnable = self._where_required(order) if order.needs else order.runnable
        command = runner.command(runnable, place)
        attempt.began = time.monotonic()
        if isinstance(command, Outcome):
            self._emit(attempt, "started", {"time": attempt.began})
            self._finish(attempt, command)
            return
        if order.needs:
            told = handed_over(order.needs, place.base_dir, self.settings.requirement_config)
            command = replace(command, env={**told, **command.env})
        if self.settings.reboots and not order.is_errand:
            command = replace(command, env={**command.env, **self._of_reboots(attempt, command)})
        attempt.command = command
        if command.report is not None:
            attempt.forget_report()
        if command.speaks:
            make_folder(order.log_dir)
            self._listen(attempt, socket)
        self._nursery.slots = self.settings.slots
        if order.is_errand:
            self._spawn_errand(attempt)
        elif command.warm is None or not self._hand_over(attempt, command, files):
            self._spawn(attempt, files)
        self._alarms.set(attempt)

    def _of_reboots(self, attempt: Attempt, command: Command) -> dict[str, str]:
        """Return what an attempt is told of reboots."""
        from nrunner.runners import reboot

        reboot.asked(attempt.reboot_request)  # of who was in this slot before
        past = reboot.Past.from_json(attempt.order.reboot)
        place = reboot.helpers(self.settings.slots_dir)
        env = self._environment(attempt, command)
        return reboot.variables(place, attempt.reboot_request, past, env)

    def _where_required(self, order: Order) -> Runnable:
        """Return a Runnable for the interpreter in which is what it requires."""
        config = self.settings.requirement_config
        python = interpreter_of(order.needs, self.settings.base_dir, config)
        if python is None:
            return order.runnable
        return replace(order.runnable, config={**order.runnable.config, "runner.python": python})

    def _listen(self, attempt: Attempt, socket: str) -> None:
        # Most jobs have no payload that speaks for itself: they do without these imports.
        from nrunner.runners.reception import Reception

        attempt.reception = Reception(self._loop, socket, attempt, self._hear)
        attempt.reception.open()

    def _hand_over(self, attempt: Attempt, command: Command, files: tuple[int, int]) -> bool:
        """Have a zygote, or the process of its series, run an attempt; return whether it will."""
        series = self._series.of(attempt)
        if series is None:
            return self._nursery.take(attempt, command, files)
        if series.link is None:
            series.link = self._nursery.take_first(attempt, command, files)
            return series.link is not None
        if not self._nursery.send_on(series.link, attempt, command):
            return False
        self._launched(attempt, series.pid)
        return True

    def _spawn(self, attempt: Attempt, files: tuple[int, int]) -> None:
        command = attempt.command
        assert command is not None
        env = self._environment(attempt, command)
        wear(attempt.brand)
        self._launched(attempt, child.spawn(command.argv, env, command.cwd, *files))

    def _spawn_errand(self, attempt: Attempt) -> None:
        """Start what others wait for: they can read from its first moment what it says."""
        command = attempt.command
        assert command is not None
        names = ("runner.log", "runner.log") if command.speaks else ("stdout", "stderr")
        out, err = (open_log(attempt.order.log_dir, name) for name in names)
        with out, err:
            self._spawn(attempt, (out.fileno(), err.fileno()))

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

    def ended(self, pid: int, status: int) -> None:
        """Hear from its zygote that a process ended."""
        self._over(pid, child.exit_of(status))

    def done(self, attempt: Attempt, status: int) -> None:
        """Hear that an attempt is over, and that its process is ready for the next one."""
        attempt.end = Exit(status)
        attempt.ended = time.monotonic()
        if attempt.stop is not None:
            self._begin_killing(attempt)  # it was too late: the process is to end, too
        elif attempt.stage is Stage.RUNNING:
            self._conclude(attempt)

    def lost(self, attempt: Attempt) -> None:
        """Hear that a process ended and its zygote did not say how."""
        report = attempt.report()
        if report is None:
            attempt.trouble = "the zygote that knew how it ended was killed"
        good = report is not None and report.result is not None and report.result.is_ok
        self._over(attempt.pid, Exit(0 if good else 1))

    def refused(self, attempt: Attempt) -> None:
        """Start an attempt by a new interpreter, since no zygote would."""
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
        self._try(self._spawn, attempt, slot.open())

    def has_printed(self, attempt: Attempt) -> bool:
        """Return whether there is output of an attempt until now."""
        if attempt.slot is None:
            return True
        attempt.slot.catch_up()
        return attempt.slot.written() > 0

    def notice(self, text: str) -> None:
        """Have people told something that concerns no attempt that runs."""
        self._emit(_NOBODY, "notice", {"text": text})

    def _env_of_interpreter(self, attempt: Attempt) -> dict[str, str]:
        """Return what all attempts with the same configuration have in common."""
        env = self._env.copy()
        env.update(self.settings.env)
        env.update(attempt.order.env)
        return env

    def _environment(self, attempt: Attempt, command: Command) -> dict[str, str]:
        env = {} if command.clear_env else self._env.copy()
        env.update(self.settings.env)
        env.update(attempt.order.env)
        env.update(command.env)
        env[killing.MARK] = attempt.mark
        return env

    def _fail(self, attempt: Attempt, cause: str, reason: str) -> None:
        self._emit(attempt, "not_started", {"cause": cause, "reason": reason})
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
            # It ended by itself: its word counts, and what it left is ended as a leak.
            if kill:
                if attempt.stage is Stage.LINGERING:
                    attempt.leaks = [killing.describe(each) for each in self._kin.members(attempt)]
                self._begin_killing(attempt)
            return
        first = attempt.stop is None
        if first:
            attempt.stop, attempt.stop_detail = stop, detail
        if attempt.stage in (Stage.DONE, Stage.KILLING) or not (first or kill):
            return
        if kill:
            self._begin_killing(attempt)
            return
        attempt.stage = Stage.TERMINATING
        if not attempt.pid:
            self._nursery.abandon(attempt)
        if stop not in _EXAMINED and not examine:
            self._terminate(attempt)
            return
        then = functools.partial(self._terminate, attempt)
        self._examiner.examine(attempt, detail, then, is_last=True)

    def _terminate(self, attempt: Attempt, found: Optional[Findings] = None) -> None:
        if found is not None:
            attempt.doing = found.doing
        if attempt.stage is not Stage.TERMINATING:
            return  # it is killed already
        killing.signal_all(self._kin.members(attempt), signal.SIGTERM)
        grace = attempt.order.limits.grace
        attempt.timers.append(self._loop.after(grace, lambda: self._begin_killing(attempt)))

    # Ending.

    def _reap(self) -> None:
        strays = False
        for _ in range(_MOST_AT_ONCE):
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            end = child.exit_of(status)
            if not self._nursery.reaped(pid, status) and not self._over(pid, end):
                # What zygotes have said until now may tell whose process it was.
                self._nursery.catch_up()
                strays |= not self._nursery.reaped(pid, status) and not self._over(pid, end)
        else:
            self._loop.after(0.0, self._reap)  # there may be more, but others wait, too
            return
        if strays:
            for attempt in list(self._attempts.values()):
                if attempt.end is not None:
                    self._look_again(attempt)

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
        self._main_ended(attempt)
        return True

    def _reap_strays(self) -> None:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass

    def _main_ended(self, attempt: Attempt) -> None:
        if attempt.stage is Stage.DONE:
            return
        if not self._kin.orphans() or not self._kin.left(attempt):
            self._conclude(attempt)
        elif self.settings.reboots and os.path.lexists(attempt.reboot_request):
            self._begin_killing(attempt)  # the machine is to be rebooted: nobody is waited for
        elif attempt.stage is Stage.RUNNING:
            attempt.stage = Stage.LINGERING
            attempt.timers.append(self._loop.after(_LINGER, lambda: self._find_leaks(attempt)))

    def _look_again(self, attempt: Attempt) -> None:
        if attempt.stage is not Stage.DONE and not self._kin.left(attempt):
            self._conclude(attempt)

    def _find_leaks(self, attempt: Attempt) -> None:
        if attempt.stage is not Stage.LINGERING:
            return
        left = self._kin.left(attempt)
        attempt.leaks = [killing.describe(process) for process in left[:_MOST_NAMED]]
        killing.signal_all(left, signal.SIGTERM)
        grace = min(_LEAK_GRACE, attempt.order.limits.grace)
        attempt.timers.append(self._loop.after(grace, lambda: self._begin_killing(attempt)))
        self._look_again(attempt)

    def _begin_killing(self, attempt: Attempt) -> None:
        if attempt.stage not in (Stage.DONE, Stage.KILLING):
            attempt.stage = Stage.KILLING
            self._kill_round(attempt, time.monotonic() + _KILL_FOR, 0.005)

    def _kill_round(self, attempt: Attempt, until: float, pause: float) -> None:
        if attempt.stage is Stage.DONE:
            return
        self._catch(attempt)
        left = self._kin.left(attempt)
        if not left and attempt.end is not None:
            self._conclude(attempt)
        elif time.monotonic() > until:
            attempt.unkillable = [killing.describe(process) for process in left[:_MOST_NAMED]]
            self._conclude(attempt)
        else:
            self._kin.kill(attempt, left)
            self._loop.after(pause, lambda: self._kill_round(attempt, until, min(pause * 2, 0.5)))

    def _catch(self, attempt: Attempt) -> None:
        """Kill what flees; others may have lost what was waited for on the way."""
        self._kin.catch(attempt)
        for each in list(self._attempts.values()):
            if each.end is not None and each is not attempt:
                self._look_again(each)

    def _conclude(self, attempt: Attempt) -> None:
        """Everything of the attempt is gone: collect what it left and let its runner judge."""
        outcome = Outcome(None)
        if attempt.reception is not None:
            attempt.reception.drain()
            if attempt.reception.refused:
                self._emit(attempt, "notice", {"text": attempt.reception.summary()})
        try:
            attempt.collect()
            if attempt.stop is None and attempt.end is not None and attempt.runner is not None:
                outcome = attempt.runner.judge(
                    attempt.order.runnable, attempt.place, attempt.end, attempt.report()
                )
                outcome = _explained(self._memory.blamed(outcome))
        except OSError as error:
            attempt.trouble = f"its results cannot be kept: {error}"
        except RunnerError as error:
            outcome = Outcome(None, str(error), contract=True)
        self._finish(attempt, outcome)

    def _finish(self, attempt: Attempt, outcome: Outcome) -> None:
        attempt.stage = Stage.DONE
        if self._suspension is not None:
            self._count_pause(attempt)
        for timer in attempt.timers:
            timer.cancel()
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


def _check_room(folder: str, least: int) -> None:
    """Raise OSError if the disk of a folder is so full that whatever runs may suffer from it."""
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if free < least:
        had, needed = f"{free >> 10} KiB free", f"{least >> 10} are needed"
        raise OSError(f"the disk with {folder} has {had}, {needed} before a test begins")


def _runner_of(order: Order, socket: str) -> Runner:
    if order.is_check:
        from nrunner.runners.checker import Checker

        return Checker(order.runnable.kind)
    return find_runner(order.runnable.kind, socket)


def _explained(outcome: Outcome) -> Outcome:
    if not outcome.fail_reason:
        return outcome
    from nrunner.runners.room import blamed, full

    return blamed(outcome, full())


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
