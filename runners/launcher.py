"""Starting the process of an attempt: what is executed, with which environment, and by whom.

That is a child of the agent, a fork of a zygote, or a process that the series of the attempt has
already. Not responsible for when attempts start, nor for them afterwards
(``nrunner.runners.supervisor``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from nrunner.record import replace
from nrunner.runnable import Runnable
from nrunner.runners import child, killing
from nrunner.runners.attempt import Attempt, Order, Settings
from nrunner.runners.base import Command, Outcome, Runner
from nrunner.runners.brand import wear
from nrunner.runners.executable_runner import find_runner
from nrunner.runners.folder import make_folder
from nrunner.runners.handover import handed_over, interpreter_of
from nrunner.runners.loop import Loop
from nrunner.runners.nursery import Nursery
from nrunner.runners.series import Roster
from nrunner.runners.slot import open_log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

__all__ = ["Launcher"]


class Launcher:
    """Starts what attempts execute."""

    def __init__(
        self,
        loop: Loop,
        socket: str,
        nursery: Nursery,
        roster: Roster,
        launched: Callable[[Attempt, int], None],
        hear: Callable[[Attempt], None],
        give_up: Callable[[Attempt, str], None],
    ) -> None:
        """`launched` is told of the process of an attempt, once it is there.

        `hear` is told when a payload has said that it is finished, on a socket whose name begins
        like `socket`; `give_up` when it never will, and why.
        """
        self._loop = loop
        self._socket = socket
        self._nursery = nursery
        self._roster = roster
        self._launched = launched
        self._hear = hear
        self._give_up = give_up
        self._env = dict(os.environ)

    def prepare(self, attempt: Attempt, settings: Settings) -> Optional[Outcome]:
        """Find out what an attempt executes in its slot; return its outcome if that is nothing.

        Raise RunnerError, RequirementError or OSError.
        """
        order, slot = attempt.order, attempt.slot
        assert slot is not None
        socket = f"{self._socket}-{order.task}.{order.attempt}"
        runner = attempt.runner = _runner_of(order, socket, settings.base_dir)
        place = attempt.place_in(slot, settings)
        runnable = _where_required(order, settings) if order.needs else order.runnable
        command = runner.command(runnable, place)
        attempt.began = time.monotonic()
        if isinstance(command, Outcome):
            return command
        if order.needs:
            told = handed_over(order.needs, place.base_dir, settings.requirement_config)
            command = replace(command, env={**told, **command.env})
        if settings.reboots and not order.is_errand:
            told = self._of_reboots(attempt, command, settings)
            command = replace(command, env={**command.env, **told})
        attempt.command = command
        if command.report is not None:
            attempt.forget_report()
        if command.speaks:
            make_folder(order.log_dir)
            self._listen(attempt, socket)
        return None

    def launch(self, attempt: Attempt, files: tuple[int, int], settings: Settings) -> None:
        """Start what was prepared, writing to these files. Raise OSError or ValueError."""
        command = attempt.command
        assert command is not None
        self._nursery.slots = settings.slots
        if attempt.order.is_errand:
            self._spawn_errand(attempt, settings)
        elif command.warm is None or not self._hand_over(attempt, command, files):
            self.spawn(attempt, files, settings)

    def spawn(self, attempt: Attempt, files: tuple[int, int], settings: Settings) -> None:
        """Start it as a child of ours. Raise OSError or ValueError."""
        command = attempt.command
        assert command is not None
        env = self._environment(attempt, command, settings)
        wear(attempt.brand)
        self._launched(attempt, child.spawn(command.argv, env, command.cwd, *files))

    def env_of_interpreter(self, attempt: Attempt, settings: Settings) -> dict[str, str]:
        """Return what all attempts with the same configuration have in common."""
        env = self._env.copy()
        env.update(settings.env)
        env.update(attempt.order.env)
        return env

    def _spawn_errand(self, attempt: Attempt, settings: Settings) -> None:
        """Start what others wait for: they can read from its first moment what it says."""
        command = attempt.command
        assert command is not None
        names = ("runner.log", "runner.log") if command.speaks else ("stdout", "stderr")
        out, err = (open_log(attempt.order.log_dir, name) for name in names)
        with out, err:
            self.spawn(attempt, (out.fileno(), err.fileno()), settings)

    def _hand_over(self, attempt: Attempt, command: Command, files: tuple[int, int]) -> bool:
        """Have a zygote, or the process of its series, run an attempt; return whether it will."""
        series = self._roster.of(attempt)
        if series is None:
            return self._nursery.take(attempt, command, files)
        if series.link is None:
            series.link = self._nursery.take_first(attempt, command, files)
            return series.link is not None
        if not self._nursery.send_on(series.link, attempt, command):
            return False
        self._launched(attempt, series.pid)
        return True

    def _listen(self, attempt: Attempt, socket: str) -> None:
        # Most jobs have no payload that speaks for itself: they do without these imports.
        from nrunner.runners.reception import Reception
        from nrunner.runners.vigil import Vigil

        attempt.reception = Reception(self._loop, socket, attempt, self._hear)
        attempt.reception.open()
        vigil = Vigil(self._loop, attempt, attempt.reception, self._give_up)
        attempt.reception.vigil = vigil

    def _of_reboots(self, attempt: Attempt, command: Command, settings: Settings) -> dict[str, str]:
        """Return what an attempt is told of reboots."""
        from nrunner.runners import reboot

        reboot.asked(attempt.reboot_request)  # of who was in this slot before
        past = reboot.Past.from_json(attempt.order.reboot)
        place = reboot.helpers(settings.slots_dir)
        env = self._environment(attempt, command, settings)
        return reboot.variables(place, attempt.reboot_request, past, env)

    def _environment(
        self, attempt: Attempt, command: Command, settings: Settings
    ) -> dict[str, str]:
        env = {} if command.clear_env else self._env.copy()
        env.update(settings.env)
        env.update(attempt.order.env)
        env.update(command.env)
        if command.first_on_path:
            env["PATH"] = f"{command.first_on_path}{os.pathsep}{env.get('PATH', os.defpath)}"
        env[killing.MARK] = attempt.mark
        return env


def _where_required(order: Order, settings: Settings) -> Runnable:
    """Return a Runnable for the interpreter in which is what it requires."""
    python = interpreter_of(order.needs, settings.base_dir, settings.requirement_config)
    if python is None:
        return order.runnable
    return replace(order.runnable, config={**order.runnable.config, "runner.python": python})


def _runner_of(order: Order, socket: str, base_dir: str) -> Runner:
    if order.is_check:
        from nrunner.runners.checker import Checker

        return Checker(order.runnable.kind)
    return find_runner(order.runnable.kind, socket, order.runnable.config, base_dir)
