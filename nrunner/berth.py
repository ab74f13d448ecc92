"""Where an environment is or will be, one after the other, and the one that is there now.

Knows what runs there, keeps orders until the environment is open, and learns which kinds have a
runner there. Not responsible for when an environment is needed (``nrunner.scheduler``), nor for
what is said to its agent (``nrunner.environment``), nor for places that have many
(``nrunner.fleet``).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from nrunner.attendance import Attendance, event_of
from nrunner.environment import Environment, Key, destroy, run_frame
from nrunner.errors import (
    LinkError,
    NrunnerError,
    ProtocolError,
    SpawnError,
)
from nrunner.folders import Folders
from nrunner.fulfilment import Fulfilment
from nrunner.ground import BoundGround, Ground
from nrunner.reboots import Reboots
from nrunner.record import dataclass
from nrunner.runnable import Requirement
from nrunner.runners.procfs import boot_id
from nrunner.runners.registry import KINDS
from nrunner.runners.spool import read_remains
from nrunner.spawners.base import Distant, Handle, Layered, Offer, Restarting, Spawner

__all__ = ["Berth", "Gone", "Watcher"]


@dataclass(frozen=True, slots=True)
class Gone:
    """How an environment ended."""

    why: str
    generation: int
    lost: tuple[Key, ...] = ()
    """Attempts that went with it: nothing more is known about them."""
    begun: frozenset[Key] = frozenset()
    """Those that may have run."""
    is_replaced: bool = False
    """Whether it is another controller's now."""


class Watcher(Protocol):
    """Who is told what happens at a place."""

    def opened(self, berth: Berth, generation: int, address: Mapping[str, Any]) -> bool:
        """An environment was opened, and nothing was ordered there yet; return whether it may be.

        It may not while nobody could find it again.
        """
        ...

    def heard(self, berth: Berth, heads: Sequence[Mapping[str, Any]]) -> bool:
        """An agent told of events of attempts that run here; return whether they are recorded."""
        ...

    def missing(self, berth: Berth, keys: Sequence[Key]) -> None:
        """Attempts that were to run here are not known to the agent, which lives."""
        ...

    def closing(self, berth: Berth, why: str) -> None:
        """The environment here is gone; what its agent had still to say is told after this."""
        ...

    def notice(self, text: str) -> None:
        """There is something that people should know."""
        ...


class Berth:
    """One place of a job."""

    def __init__(
        self,
        offer: Offer,
        spawner: Spawner,
        settings: Mapping[str, Any],
        watcher: Watcher,
        *,
        epoch: int = 1,
        generation: int = 1,
        name: str = "",
        has: dict[str, bool] | None = None,
    ) -> None:
        """`epoch` is this controller's, `generation` counts the environments there were here.

        `name` is given where the place has several; `has` is what they all know of kinds.
        """
        self.place = name or offer.place
        self.base = ""
        """The layer that the next environment begins from."""
        self.environment: Environment | None = None
        self._offer = offer
        self._spawner = spawner
        self._settings = {**settings, "slots": offer.slots}
        self._watcher = watcher
        self._epoch = epoch
        self._handle: Handle | None = None
        self._expected: dict[Key, Mapping[str, Any]] = {}
        """Orders of an earlier controller that may run in the environment that is taken over."""
        self._pending: dict[Key, bytes] = {}
        self._waiting: dict[Key, Mapping[str, Any]] = {}
        """Orders, beside those, that are put in the words of the environment once it is there."""
        self._reboots = Reboots(functools.partial(watcher.heard, self), self._fail_attempt)
        self._attempts = Attendance(self._reboots)
        """Those that run here, or will."""
        self._has = dict.fromkeys(KINDS, True) if has is None else has
        self._folders = None if offer.shares_files else Folders()
        self._ground = Ground({}, self._tell)
        """What the environment that is here sees of our files."""
        self._wanted = asyncio.Event()
        self._openers: list[asyncio.Future[Environment]] = []
        self._generation = generation
        self._tried: dict[int, int] = {}
        self._fulfilment = Fulfilment(self.place, self._settings, shares_files=offer.shares_files)
        self._dismissal = ""
        """Why the environment that is being opened is to end at once, if it is."""
        self._same_clock: bool | None = None

    @property
    def berths(self) -> Sequence[Berth]:
        """All berths of a place that has no other than this one."""
        return (self,)

    @property
    def refused(self) -> int:
        """What the agent said of attempts that do not run here: forged, late, repeated."""
        return self._attempts.refused

    @property
    def is_free(self) -> bool:
        """Whether there is nothing here, nor will be."""
        return self._handle is None and not self._wanted.is_set()

    @property
    def is_open(self) -> bool:
        """Whether there is or will be an environment."""
        return self._wanted.is_set()

    @property
    def is_idle(self) -> bool:
        """Whether there is or will be an environment with nothing to do."""
        return self._wanted.is_set() and not (
            self._attempts.running or self._openers or self.is_holding
        )

    @property
    def is_holding(self) -> bool:
        """Whether attempts are over whose files are not here yet."""
        return self._ground.is_holding

    @property
    def is_resuming(self) -> bool:
        """Whether attempts go on here after a reboot, once there is an environment."""
        return any(map(self._reboots.is_resumed, self._waiting))

    # What runs here.

    def accept(self, number: int) -> None:
        """Note that a task is to run in the environment that is here now."""
        self._tried[number] = self._generation

    def note_tried(self, number: int) -> None:
        """Note that a task ran in an environment that was here before."""
        self._tried[number] = 0

    def run_nowait(self, order: Mapping[str, Any]) -> None:
        """Have an attempt run as soon as there is an environment; raise ProtocolError."""
        key = (order["task"], order["attempt"])
        self._reboots.ordered(order)
        if self.environment is not None:
            self._ground.run_nowait(self.environment, order)
        else:
            frame = run_frame(order)
            if self._folders is None:
                self._pending[key] = frame
            else:
                self._waiting[key] = order
            self._wanted.set()
        self._attempts.running[key] = False
        self.accept(order["task"])

    def cancel_nowait(self, task: int, attempt: int, *, kill: bool, examine: bool = False) -> None:
        """Have an attempt end early; one that no agent knows of has ended on return.

        `examine` says that people will ask what it did. One that is being taken over goes on:
        nobody knows yet whether an agent has it.
        """
        key, detail = (task, attempt), "cancelled"
        if key in self._expected:
            return
        is_waiting = self._reboots.is_waiting(key)
        if is_waiting or (self._reboots.is_resumed(key) and self._withdraw(key)):
            self._end_attempt(event_of("ended", key, stop="cancelled", stop_detail=detail))
        elif self._withdraw(key):
            self._end_attempt(event_of("not_started", key, cause="cancelled", reason=detail))
        elif self._ground.hurry(key, kill=kill):
            pass  # it is over
        elif self.environment is not None:
            self._attempts.cancelled.add(key)
            self.environment.cancel_nowait(key, kill=kill, detail=detail, examine=examine)

    def follow_nowait(self, number: int, stream: str) -> str:
        """Have what a task prints, that runs here, in a file as it comes; return its folder.

        Nothing if it does not run here, or is seen in the folder that its agent tells.
        """
        for key, is_started in self._attempts.running.items():
            if key[0] == number and is_started and self.environment is not None:
                return self._ground.follow_nowait(self.environment, key, stream)
        return ""

    def _end_attempt(self, head: Mapping[str, Any]) -> None:
        """Tell the end of an attempt that no agent has."""
        self._attempts.forget((head["task"], head["attempt"]))
        self._watcher.heard(self, [head])

    def _fail_attempt(self, key: Key, trouble: str) -> None:
        self._end_attempt(event_of("ended", key, trouble=trouble))

    def _withdraw(self, key: Key) -> bool:
        """Order an attempt no more; return whether that was still to be done."""
        if self._ground.withdraw(key):
            return True
        return bool(self._pending.pop(key, None) or self._waiting.pop(key, None))

    def forget(self, number: int) -> None:
        """A task is settled: nothing about it is needed any more."""
        self._tried.pop(number, None)

    def is_renewed(self, number: int) -> bool:
        """Whether the environment here is another one than the task was tried in."""
        return self._tried.get(number, self._generation) != self._generation

    def time_of(self, head: Mapping[str, Any], now: float) -> float:
        """Return when an event happened, by our clock."""
        if self._same_clock is None:
            environment = self.environment
            hello = environment.hello if environment is not None else {}
            self._same_clock = hello.get("boot_id") == boot_id()
        return float(head.get("time", now)) if self._same_clock else now

    # What can run here.

    def knows(self, kind: str) -> bool:
        """Whether it is known if a kind has a runner here."""
        return kind in self._has

    def has(self, kind: str) -> bool:
        """Whether a kind, that is known, has a runner here."""
        return self._has[kind]

    def unknown_kind(self, kind: str) -> str:
        """Say that a kind has no runner here, and which one may have been meant."""
        from difflib import get_close_matches

        known = sorted(each for each, has in self._has.items() if has)
        near = get_close_matches(kind, known, 1)
        hint = f'did you mean "{near[0]}"?' if near else f"known: {', '.join(known)}"
        if kind == "avocado-instrumented":
            hint = f"avocado-runner-{kind} of Avocado has to be on PATH, or beside --python"
        named = f'"{kind}"' if kind.isprintable() else ascii(kind)
        return f"no runner for kind {named} ({hint})"

    async def learn(self, kinds: Sequence[str]) -> None:
        """Ask the agent about kinds; raise LinkError or SpawnError."""
        environment = await self._open()
        self._has.update(await environment.probe(kinds))

    async def fulfil(self, requirement: Requirement, timeout: float | None) -> bool:
        """Have a requirement fulfilled here; return whether that changed anything.

        Raise RequirementError, LinkError or SpawnError.
        """
        environment = await self._open()
        return await self._fulfilment.fulfil(environment, self._ground, requirement, timeout)

    async def keep(self, spawner: Layered, requirements: Sequence[Requirement]) -> str:
        """Have what is in the environment here kept as a layer; raise SpawnError."""
        if self._handle is None:
            raise SpawnError("keep what was prepared: its environment is gone")
        return await spawner.keep(self._handle, requirements)

    # The environment.

    def refuse(self, error: NrunnerError) -> None:
        """Tell those who wait for an environment that there will be none."""
        self._fail(error)

    def want_nowait(self) -> None:
        """Have an environment opened before there is anything for it."""
        self._wanted.set()

    def dismiss_nowait(self, why: str) -> None:
        """Have the environment end that is here, or about to be, with all that is in it."""
        if self.environment is not None:
            self.environment.dismiss_nowait(why)
        else:
            self._dismissal = why

    async def wait_wanted(self) -> None:
        """Wait until somebody needs an environment here."""
        await self._wanted.wait()

    async def hold(self) -> Gone:
        """Open an environment, unless there is one, and stay with it; return how it ended.

        What its agent had still to say has been told then. Raise SpawnError or LinkError if it
        cannot be opened.
        """
        if self.environment is None:
            await self._open_new()
        environment, handle = self.environment, self._handle
        assert environment is not None
        assert handle is not None
        why = await environment.wait_gone()
        return await self._end(environment, handle, why)

    async def adopt(self, past: Mapping[str, Any], running: Mapping[Key, bool]) -> Gone | None:
        """Take over an environment that an earlier controller opened, at address `past`.

        `running` are the attempts that were ordered, and whether they are known to have started.
        Return how it ended if it is gone. Raise SpawnError for an address that is none.
        """
        handle = await self._spawner.adopt(self.place, past)
        self._handle = handle
        self._attempts.running.update(running)
        for task, _ in running:
            self.accept(task)
        for order in (*self._expected.values(), *self._waiting.values()):
            self._reboots.ordered(order)
        self._ground = self._ground_of(handle, is_new=False)
        pending = self._resume_orders()
        environment = self.environment = self._environment(handle, pending)
        try:
            await environment.open(at_once=True)
        except LinkError as error:
            if environment.reach_later():
                self._settle_in(environment)
                self._wanted.set()
                return None
            if not environment.is_replaced:
                with contextlib.suppress(NrunnerError):  # what is left is told by `clear`
                    await handle.destroy()
            self._same_clock = past.get("boot_id") == boot_id()
            return await self._end(environment, handle, f"could not {error}")
        self._settle_in(environment)
        self._wanted.set()  # somebody has to stay with it
        return None

    def expect(self, order: Mapping[str, Any]) -> None:
        """Note the order of an attempt that may run in the environment that `adopt` takes over."""
        self._expected[order["task"], order["attempt"]] = order

    def order_later(self, order: Mapping[str, Any]) -> None:
        """Have `adopt` repeat an order that may not have arrived; raise ProtocolError."""
        self._waiting[order["task"], order["attempt"]] = order
        run_frame(order)

    async def _open_new(self) -> None:
        self._dismissal = ""
        try:
            handle = await self._spawner.open(self._offer.place, self.base, self._own_folder())
        except NrunnerError as error:
            self._fail(error)
            raise
        self._handle = handle
        self._ground = self._ground_of(handle, is_new=True)
        environment = self._environment(handle, None)
        await self._greet(environment)
        is_recorded = self._watcher.opened(self, self._generation, handle.address)
        self._settle_in(environment)
        if not is_recorded:
            return
        pending, self._pending = self._pending, {}
        for key, frame in pending.items():
            environment.run_nowait(key, frame)
        waiting, self._waiting = self._waiting, {}
        for order in waiting.values():
            self._order_late(environment, order)
        if self._dismissal:
            environment.dismiss_nowait(self._dismissal)

    def _order_late(self, environment: Environment, order: Mapping[str, Any]) -> None:
        """Order an attempt that waited for the environment."""
        try:
            self._ground.run_nowait(environment, order)
        except ProtocolError as error:
            key = order["task"], order["attempt"]
            reason = f"could not {error}"
            self._refuse(event_of("not_started", key, cause="malformed", reason=reason))

    def _refuse(self, head: Mapping[str, Any]) -> None:
        """Tell that an attempt will not be ordered."""
        key = head["task"], head["attempt"]
        if self._reboots.is_resumed(key):
            self._fail_attempt(key, str(head.get("reason")))
        else:
            self._end_attempt(head)

    def _ground_of(self, handle: Handle, *, is_new: bool) -> Ground:
        """See what is seen of our files where an environment is."""
        if isinstance(handle, Distant):
            from nrunner.outpost import Outpost

            return Outpost(
                handle.folder,
                self._settings,
                self._tell,
                self._refuse,
                epoch=self._epoch,
                is_new=is_new,
                live=self._folder,
            )
        settings = {**self._settings, "slots_dir": self._folder}
        if self._folders is not None:
            return BoundGround(settings, self._tell, self._folders, self._folder)
        # Spools lie in the job's folder, since others may be cleared at a reboot.
        folder = self._settings.get("spool_dir")
        spool = f"{folder}/{self.place}-{self._generation}" if folder else ""
        return Ground(settings, self._tell, spool)

    def _resume_orders(self) -> dict[Key, bytes]:
        """Return the frames of what may have to be ordered where somebody else did, or did not."""
        expected, self._expected = self._expected, {}
        for order in expected.values():
            self._ground.expect(order)
        waiting, self._waiting = self._waiting, {}
        pending, self._pending = self._pending, {}
        return {**pending, **self._ground.resumed(waiting.values())}

    @property
    def _folder(self) -> str:
        """Where the environment writes while attempts run."""
        return f"{self._settings['slots_dir']}/{self.place}-{self._generation}"

    def _own_folder(self) -> str:
        return "" if self._folders is None else self._folders.make(self._folder)

    def _environment(self, handle: Handle, orders: Mapping[Key, bytes] | None) -> Environment:
        settings = self._ground.settings()
        self._same_clock = None
        if isinstance(handle, Restarting):
            settings["reboots"] = True
        return Environment(
            self.place,
            handle,
            settings,
            self._hear,
            epoch=self._epoch,
            orders=orders,
            on_missing=self._look_for_missing,
            on_notice=self._watcher.notice,
            is_wanted=lambda: self._attempts.is_wanted,
        )

    def _settle_in(self, environment: Environment) -> None:
        self.environment = environment
        self._wanted.set()  # whoever had it opened
        for opener in self._openers:
            if not opener.done():
                opener.set_result(environment)
        self._openers.clear()

    async def _end(self, environment: Environment, handle: Handle, why: str) -> Gone:
        """Part with an environment, after hearing what its agent had still to say."""
        generation = self._generation
        if environment.is_replaced:
            return Gone(why, generation, is_replaced=True)
        self._watcher.closing(self, why)
        self._ground.give_up(why)
        remains = read_remains(self._ground.spool) if self._ground.spool else None
        if remains is None:  # some agents have it elsewhere
            remains = await handle.remains()
        before = list(self._attempts.running)
        self._attempts.cancelled.clear()
        # What is heard now may lead to new orders, for another environment.
        self.environment = None
        self._wanted.clear()
        self._generation += 1
        if remains is not None:
            environment.take_remains(remains.events)
        again = self._reboots.resume(handle)
        self._waiting.update(again)
        if again:
            self._wanted.set()
        lost = tuple(key for key in before if key in self._attempts.running and key not in again)
        begun = (key for key in lost if remains is None or self._attempts.running[key])
        maybe = frozenset(begun) | (remains.taken if remains is not None else frozenset())
        for key in lost:
            self._attempts.forget(key)
        if self._folders is not None:
            self._folders.leave(lost)
        return Gone(why, generation, lost, maybe)

    def _look_for_missing(self, here: frozenset[Key]) -> None:
        environment = self.environment
        waiting = (
            self._ground.greeted(environment, here, self._attempts.running) if environment else ()
        )
        for key in self._attempts.cancelled.intersection(waiting):
            self.cancel_nowait(*key, kill=False)  # no agent has it, as is known now
        lost = [
            key
            for key in self._attempts.running
            if key not in here
            and key not in waiting
            and not self._reboots.is_waiting(key)
            and environment is not None
            and not environment.is_ordered(key)
        ]
        for key in lost:
            self._attempts.forget(key)
        if lost:
            self._watcher.missing(self, lost)

    async def clear(self) -> None:
        """Remove what is left of an environment that is gone."""
        if self._handle is not None:
            await destroy(self._handle, self._watcher.notice)
            self._handle = None
        _forget_spool(self._ground.spool)
        if self._folders is not None:
            await self._folders.remove()

    async def leave(self) -> None:
        """Have the agent end everything and keep what comes of it for another controller."""
        self._reboots.stop()
        if self.environment is not None:
            await self.environment.leave()
            self.environment = None

    def abandon(self) -> list[Key]:
        """Note that no environment could be opened; return the attempts that waited for it."""
        self.environment = None
        self._same_clock = None
        self._wanted.clear()
        self._generation += 1
        self._expected.clear()
        self._pending.clear()
        self._waiting.clear()
        lost = list(self._attempts.running)
        for key in lost:
            self._attempts.forget(key)
        if self._folders is not None:
            self._folders.leave(lost)
        return lost

    async def close(self) -> None:
        """End the environment and everything in it, also one that was being cleared away."""
        self._reboots.stop()
        if self.environment is not None:
            self._ground.give_up("the job is over")
            await self.environment.close()
            self.environment = self._handle = None
            if self._folders is not None:
                self._folders.leave(self._attempts.running)
                await self._folders.remove()
        elif self._handle is not None:
            await self.clear()

    async def _greet(self, environment: Environment) -> None:
        try:
            await environment.open()
        except BaseException as error:
            await self.clear()
            if isinstance(error, NrunnerError):
                self._fail(error)
            raise

    def _fail(self, error: NrunnerError) -> None:
        for opener in self._openers:
            if not opener.done():
                opener.set_exception(error)
        self._openers.clear()

    async def _open(self) -> Environment:
        if self.environment is not None:
            return self.environment
        opener: asyncio.Future[Environment] = asyncio.get_running_loop().create_future()
        self._openers.append(opener)
        self._wanted.set()
        return await opener

    def _hear(self, environment: Environment, heads: Sequence[Mapping[str, Any]]) -> bool:
        return self._ground.hear(
            environment, [(self._attempts.checked(head), head) for head in heads]
        )

    def _tell(self, heads: Sequence[Mapping[str, Any]]) -> bool:
        """Tell what happened; return whether it is recorded, and may be forgotten there."""
        handle = None if self.environment is None else self._handle
        return self._reboots.tell(heads, handle)


def _forget_spool(path: str) -> None:
    if path:
        with contextlib.suppress(OSError):
            Path(path).unlink()
