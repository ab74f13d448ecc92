"""The agent's zygotes: starts them, hands attempts to them, hears what became of the forks.

There is one for each interpreter, folder and environment, and, for each module of tests whose
import can be shared, one that has imported it, with twins where several attempts run at once. A
zygote that ends takes no attempt with it: what it had forked goes on, as the agent's child; what
it had not is started by a new interpreter. Not responsible for attempts as such
(``nrunner.runners.supervisor``), nor for what a zygote does (``nrunner.runners.zygote``).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Mapping

from nrunner.runners import child, killing, procfs
from nrunner.runners.attempt import Attempt, Order
from nrunner.runners.base import Command
from nrunner.runners.loop import Loop
from nrunner.runners.patience import is_passing
from nrunner.runners.payload import describe
from nrunner.runners.warm import Kind, Module, Sharing, Waiting, Zygote, socket_pair
from nrunner.runners.zygote_wire import LONGEST_ANSWER, PLACEHOLDER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Optional, Protocol

__all__ = ["Nursery"]

_LONGEST_MARK = 128
_LONG_IMPORT = 0.5
"""In seconds: whoever waits so long for each test should know why."""
_STATUSES = 1 << 16
"""How many wait statuses there are."""
_SPARE = 8
"""How many modules may stay imported beside those whose tests run."""

_Key = tuple[object, ...]


if TYPE_CHECKING:

    class Listener(Protocol):
        """What a nursery tells its supervisor."""

        def forked(self, attempt: Attempt, pid: int) -> None:
            """An attempt runs, from now on in a process that is no child of the agent."""

        def ended(self, pid: int, status: int) -> None:
            """A process that was forked ended with a wait status."""

        def done(self, attempt: Attempt, status: int) -> None:
            """An attempt is over whose process stays for the next of its series."""

        def lost(self, attempt: Attempt) -> None:
            """A process ended, and nobody knows how."""

        def refused(self, attempt: Attempt) -> None:
            """An attempt was not started after all."""

        def follows(self, attempt: Attempt) -> None:
            """An attempt that stood by is forked, since the one before it has ended."""

        def stood_down(self, attempt: Attempt) -> None:
            """An attempt that stood by was not started, and will not be."""

        def has_printed(self, attempt: Attempt) -> bool:
            """Return whether there is output of an attempt until now."""

        def notice(self, text: str) -> None:
            """Something that people should know."""


class Nursery:
    """Owns the zygotes of an agent."""

    def __init__(
        self, loop: Loop, listener: Listener, env: Callable[[Attempt], Mapping[str, str]]
    ) -> None:
        """`env` says in which environment the interpreter for an attempt is started."""
        self.slots = 1
        """How many attempts run at once."""
        self._loop = loop
        self._listener = listener
        self._env = env
        self._processors = len(os.sched_getaffinity(0))
        self._kinds: dict[_Key, Kind] = {}
        self._zygotes: dict[int, Zygote] = {}
        """By pid, until their end is known."""
        self._open: dict[int, Zygote] = {}
        """By the socket, for as long as something may be said there; the process may be gone."""
        self._heirs: dict[int, Zygote] = {}
        """Processes of attempts that may become zygotes, by pid."""
        self._expected: dict[int, Zygote] = {}
        """The same before they are forked, by the number of the request."""
        self._number = 0

    @property
    def pids(self) -> Mapping[int, object]:
        """The zygotes themselves, which are no attempt's processes."""
        return self._zygotes

    def take(self, attempt: Attempt, command: Command, files: tuple[int, int]) -> bool:
        """Have an attempt run by a fork; return whether there is an answer to wait for."""
        assert command.warm is not None
        kind = self._kind(attempt, command)
        waiting = Waiting(attempt, self._request(attempt, command), files)
        return self._assign(kind, _module(command), waiting)

    def has_room_for(self, order: Order) -> bool:
        """Whether it seems that an attempt could stand by."""
        return any(
            _are_alike(order, each.order)
            for zygote in self._zygotes.values()
            if zygote.module is not None and zygote.has_room
            for each in zygote.running.values()
        )

    def stand_by(self, attempt: Attempt, command: Command, files: tuple[int, int]) -> bool:
        """Have an attempt forked as soon as one of its module has ended; return whether it will."""
        if command.warm is None or not command.warm.module:
            return False
        module = self._kind(attempt, command).modules.get(_module(command))
        zygote = module.next_room() if module is not None else None
        return zygote is not None and zygote.ask_later(
            attempt, self._request(attempt, command), files
        )

    def start(self, attempt: Attempt) -> None:
        """Have an attempt forked now that stands by."""
        for zygote, number in self._standing(attempt):
            if not zygote.go(number):
                zygote.asked.pop(number)
                self._listener.refused(attempt)

    def stand_down(self, attempt: Attempt) -> None:
        """Take back an attempt that stands by; it may be forked already."""
        for zygote, number in self._standing(attempt):
            if not zygote.drop():
                zygote.standing.pop(number)
                self._listener.stood_down(attempt)

    def _standing(self, attempt: Attempt) -> list[tuple[Zygote, int]]:
        return [
            (zygote, number)
            for zygote in self._open.values()
            for number, each in zygote.standing.items()
            if each is attempt
        ]

    def take_first(
        self, attempt: Attempt, command: Command, files: tuple[int, int]
    ) -> Optional[Zygote]:
        """Have the first attempt of a series run by a fork, which stays for the others.

        Return the way to it for `send_on`, None if there is no answer to wait for.
        """
        kind = self._kind(attempt, command)
        base = kind.zygote or self._start(kind, self._env(attempt))
        if base is None:
            return None
        ours, theirs = socket_pair()
        with theirs:
            request = {**self._request(attempt, command), "stays": True}
            if not base.ask(attempt, request, (*files, theirs.fileno())):
                ours.close()
                return None
        resident = self._watch(Zygote(kind, None, ours))
        resident.parent, resident.tenant = base, attempt
        return resident

    def send_on(self, resident: Zygote, attempt: Attempt, command: Command) -> bool:
        """Have the next attempt of a series run; return whether it will be."""
        before = resident.tenant
        if resident.is_closed or not resident.send(self._request(attempt, command), ()):
            return False
        resident.tenant = attempt
        if resident.parent is not None and before is not None:
            resident.parent.running[before.pid] = attempt
        return True

    def hear(self, resident: Zygote) -> None:
        """Take whatever the process of a series has said until now."""
        self._listen(resident)

    def dismiss(self, resident: Zygote) -> None:
        """Tell the process of a series that nobody comes any more."""
        if not resident.is_closed:
            resident.socket.shutdown(socket.SHUT_WR)

    def abandon(self, attempt: Attempt) -> None:
        """Have an attempt that is not forked yet refused, by force."""
        for kind in self._kinds.values():
            for module in kind.modules.values():
                for each in module.waiting:
                    if each.attempt is attempt:
                        module.waiting.remove(each)
                        self._listener.refused(attempt)
                        return
        for zygote in [each for each in self._open.values() if each.owes(attempt)]:
            self._listen(zygote)
            if zygote.owes(attempt):
                self._end(zygote)

    def reaped(self, pid: int, status: int) -> bool:
        """Hear that a process ended; return whether it was a zygote."""
        heir = self._heirs.pop(pid, None)
        if heir is not None:
            self._listen(heir)  # it may have become one
        zygote = self._zygotes.pop(pid, None)
        if zygote is None:
            return False
        self._bury(zygote, status)
        self._bury_unseen()
        return True

    def catch_up(self) -> None:
        """Take whatever the zygotes have said until now."""
        for zygote in list(self._open.values()):
            if zygote.tenant is None:  # those of a series are heard when they are wanted
                self._listen(zygote)

    def close(self) -> None:
        """Hang up: zygotes end by themselves."""
        for number, zygote in self._open.items():
            if zygote.tenant is None:
                self._loop.unwatch(number)
                zygote.socket.close()

    def _end(self, zygote: Zygote) -> None:
        """End a zygote that does not answer."""
        if zygote.process is None:
            self._hang_up(zygote)  # a twin that was never made, or finds that nobody listens
            return
        zygote.fate = "did not answer and was killed"
        killing.signal_all([zygote.process], signal.SIGKILL)

    # Choosing and starting.

    def _kind(self, attempt: Attempt, command: Command) -> Kind:
        assert command.warm is not None
        argv = command.warm.argv
        key = (argv, command.cwd, tuple(sorted(attempt.order.env.items())))
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = Kind(argv, command.cwd)
        return kind

    def _request(self, attempt: Attempt, command: Command) -> dict[str, Any]:
        assert command.warm is not None
        self._number += 1
        request = {
            "number": self._number,
            "spec": command.warm.spec,
            "env": {**command.env, killing.MARK: attempt.mark},
            "mark": f"{killing.MARK}={attempt.mark}",
            "brand": attempt.brand,
        }
        if attempt.order.follower:
            request["next"] = attempt.order.follower
        return request

    def _assign(self, kind: Kind, name: str, waiting: Waiting) -> bool:
        module = kind.modules.setdefault(name, Module(name)) if name else None
        if module is not None and module.sharing is Sharing.LEARNING:
            module.waiting.append(waiting)
            return True
        while module is not None and module.sharing is Sharing.SHARED:
            zygote = self._choose(module)
            if zygote.ask(waiting.attempt, waiting.request, waiting.files):
                return True
            self._listen(zygote)
            if not zygote.is_closed:
                return False  # it is there, but cannot be asked
        base = kind.zygote or self._start(kind, self._env(waiting.attempt))
        if base is None:
            return False
        if module is None or module.sharing is Sharing.ALONE:
            return base.ask(waiting.attempt, waiting.request, waiting.files)
        return self._learn(base, module, waiting)

    def _start(self, kind: Kind, env: Mapping[str, str]) -> Optional[Zygote]:
        if kind.is_cold:
            return None
        ours, theirs = socket_pair()
        theirs.set_inheritable(True)
        with theirs, open(os.devnull, "wb") as null:
            words = (*kind.argv, str(theirs.fileno()))
            env = {**env, PLACEHOLDER: "-" * _LONGEST_MARK}
            try:
                pid = child.spawn(words, env, kind.cwd, null.fileno(), null.fileno())
            except (OSError, ValueError) as error:
                ours.close()
                if not is_passing(error):
                    kind.give_up()  # a new interpreter will say what is wrong
                return None
        zygote = kind.zygote = self._watch(Zygote(kind, None, ours))
        self._is_ready(zygote, pid)
        return zygote

    def _learn(self, base: Zygote, module: Module, waiting: Waiting) -> bool:
        """Have a module imported by a fork that becomes a zygote if that can be shared."""
        ours, theirs = socket_pair()
        with theirs:
            files = (*waiting.files, theirs.fileno())
            if not base.ask(waiting.attempt, waiting.request, files):
                ours.close()
                return False
        heir = self._watch(Zygote(base.kind, module, ours))
        heir.parent, heir.last = base, waiting.request["number"]
        heir.env = waiting.request["env"]
        self._expected[heir.last] = heir
        module.sharing = Sharing.LEARNING
        return True

    def _choose(self, module: Module) -> Zygote:
        zygote, is_twin_wanted = module.choose(min(self.slots, self._processors))
        if not is_twin_wanted:
            return zygote
        ours, theirs = socket_pair()
        with theirs:
            if not zygote.send({"twin": True}, [theirs.fileno()]):
                ours.close()
                return zygote
        twin = self._watch(Zygote(zygote.kind, module, ours))
        twin.env = zygote.env
        module.zygotes.append(twin)
        return twin

    def _watch(self, zygote: Zygote) -> Zygote:
        number = zygote.socket.fileno()
        self._open[number] = zygote
        self._loop.watch(number, lambda: self._hear(zygote))
        return zygote

    def _is_ready(self, zygote: Zygote, pid: int) -> None:
        zygote.process = procfs.read_process(pid)
        self._zygotes[pid] = zygote
        self._dismiss_idle()

    def _dismiss_idle(self) -> None:
        """Let the zygote go that was not asked for longest, if there are too many."""
        if len(self._zygotes) <= self.slots + _SPARE:
            return
        idle = [each for each in self._zygotes.values() if each.module and not each.load]
        if idle:
            oldest = min(idle, key=lambda each: each.last)
            oldest.is_dismissed = True
            self._hang_up(oldest)

    # Listening.

    def _listen(self, zygote: Zygote) -> None:
        """Take all that a zygote, and those it forked, have said until now."""
        while not zygote.is_closed and self._hear(zygote):
            pass

    def _hear(self, zygote: Zygote) -> bool:
        """Take what was said first; return whether there was anything."""
        try:
            # What says more than fits is cut, be it within a character.
            words = zygote.socket.recv(LONGEST_ANSWER).decode("utf-8", "replace").split(" ", 2)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            words = [""]
        if not _makes_sense(zygote, words):
            words = [""]  # a test has found the socket: nothing is believed any more
        self._handlers[words[0]](self, zygote, words[1:])
        return True

    def _hear_forked(self, zygote: Zygote, words: list[str]) -> None:
        zygote.kind.failures = 0
        number, pid = int(words[0]), int(words[1])
        attempt = zygote.asked.pop(number)
        zygote.running[pid] = attempt
        heir = self._expected.pop(number, None)
        if heir is not None:
            self._heirs[pid] = heir
        self._listener.forked(attempt, pid)

    def _hear_ended(self, zygote: Zygote, words: list[str]) -> None:
        pid, (status, number) = int(words[0]), map(int, words[1].split())
        if number in zygote.standing:
            follower = zygote.asked[number] = zygote.standing.pop(number)
            self._listener.follows(follower)
        if not self.reaped(pid, status):
            zygote.running.pop(pid, None)
            self._listener.ended(pid, status)

    def _hear_dropped(self, zygote: Zygote, words: list[str]) -> None:
        attempt = zygote.standing.pop(int(words[0]), None)
        if attempt is not None:
            self._listener.stood_down(attempt)

    def _hear_done(self, resident: Zygote, words: list[str]) -> None:
        """The process of a series has run an attempt, and waits for the next one."""
        if resident.parent is not None:
            self._listen(resident.parent)  # it has said that it forked that process
        if resident.tenant is not None:
            self._listener.done(resident.tenant, int(words[0]))

    def _hear_trouble(self, resident: Zygote, words: list[str]) -> None:
        """What a series had set up could not be torn down."""
        name = resident.tenant.order.id if resident.tenant is not None else ""
        self._listener.notice(f"after {name}: {' '.join(words)}")

    def _hear_imported(self, heir: Zygote, words: list[str]) -> None:
        """The process of an attempt offers to be a zygote, and to fork that attempt.

        What the import printed belongs to each of the tests, so such a module is not shared.
        """
        module, base, pid = heir.module, heir.parent, int(words[0])
        assert module is not None
        assert base is not None
        self._listen(base)  # it has said that it forked the heir
        attempt = base.running.get(pid)
        if attempt is None or self._listener.has_printed(attempt):
            _answer(heir, b"alone")
            return
        _answer(heir, b"keep")
        self._heirs.pop(pid, None)
        heir.asked[heir.last] = base.running.pop(pid)
        module.sharing = Sharing.SHARED
        module.zygotes.append(heir)
        self._is_ready(heir, pid)
        self._go_on(heir.kind, module)

    def _hear_alone(self, heir: Zygote, words: list[str]) -> None:
        """A module cannot be shared."""
        seconds, why = float(words[0]), words[1]
        if heir.module is not None and seconds > _LONG_IMPORT:
            name = heir.module.name.partition("|")[0]
            self._listener.notice(
                f"{name} is imported for each of its tests, {seconds:.1f} s each, since it {why}"
            )
        self._hang_up(heir)

    def _hear_twin(self, twin: Zygote, words: list[str]) -> None:
        self._is_ready(twin, int(words[0]))

    def _hear_unfit(self, zygote: Zygote, words: list[str]) -> None:
        zygote.fate = "cannot be forked: " + " ".join(words)
        zygote.kind.give_up()

    def _hang_up(self, zygote: Zygote, _words: object = None) -> None:
        """The conversation is over: what was not forked until now never will be."""
        zygote.is_closed = True
        number = zygote.socket.fileno()
        self._loop.unwatch(number)
        del self._open[number]
        zygote.socket.close()
        self._expected.pop(zygote.last, None)
        is_heir = zygote.module is not None and zygote not in zygote.module.zygotes
        self._forget(zygote)
        asked, zygote.asked = zygote.asked, {}
        if asked and zygote.module is None:
            zygote.kind.failures += 1
        for attempt in asked.values():
            self._listener.refused(attempt)
        standing, zygote.standing = zygote.standing, {}
        for attempt in standing.values():
            self._listener.stood_down(attempt)
        if is_heir and zygote.module is not None:
            zygote.module.sharing = Sharing.ALONE
            self._go_on(zygote.kind, zygote.module)

    def _bury(self, zygote: Zygote, status: int) -> None:
        """A zygote is gone: the ends of those it forked are told to the agent from now on."""
        self._listen(zygote)  # which those are
        self._forget(zygote)
        if not zygote.is_dismissed:
            self._listener.notice(_obituary(zygote, status))
        me = os.getpid()
        for pid, attempt in zygote.running.items():
            process = procfs.read_process(pid)
            is_mine = process is not None and process.parent == me
            if attempt.end is None and not is_mine:
                self._listener.lost(attempt)

    def _bury_unseen(self) -> None:
        """Bury those that ended, too, and whose end the one that forked them can tell no more."""
        for pid, zygote in list(self._zygotes.items()):
            if self._zygotes.get(pid) is zygote and procfs.read_process(pid) is None:
                del self._zygotes[pid]
                zygote.fate = zygote.fate or "ended with the one that forked it"
                self._bury(zygote, 0)

    def _forget(self, zygote: Zygote) -> None:
        """Ask it for nothing more; its socket may stay open in a child for a moment."""
        kind, module = zygote.kind, zygote.module
        if kind.zygote is zygote:
            kind.zygote = None
        if module is not None and zygote in module.zygotes:
            module.zygotes.remove(zygote)
            if not module.zygotes:
                module.sharing = Sharing.UNKNOWN

    def _go_on(self, kind: Kind, module: Module) -> None:
        waiting, module.waiting = module.waiting, []
        for each in waiting:
            try:
                is_assigned = self._assign(kind, module.name, each)
            except OSError:
                is_assigned = False  # what is lacking, it is told when it is started anew
            if not is_assigned:
                self._listener.refused(each.attempt)

    _handlers: ClassVar[Mapping[str, Callable[[Nursery, Zygote, list[str]], None]]] = {
        "": _hang_up,
        "alone": _hear_alone,
        "done": _hear_done,
        "dropped": _hear_dropped,
        "ended": _hear_ended,
        "forked": _hear_forked,
        "imported": _hear_imported,
        "trouble": _hear_trouble,
        "twin": _hear_twin,
        "unfit": _hear_unfit,
    }


def _makes_sense(zygote: Zygote, words: list[str]) -> bool:
    """Whether a zygote may say this now."""
    try:
        if words[0] == "forked":
            return int(words[1]) in zygote.asked and int(words[2]) > 0
        if words[0] == "ended":
            return len([*map(int, " ".join(words[1:]).split())]) == 3
        if words[0] == "imported":
            is_heir = zygote.module is not None and zygote.parent is not None
            return is_heir and zygote.last not in zygote.asked and int(words[1]) > 0
        if words[0] == "alone":
            return len(words) == 3 and float(words[1]) >= 0
        if words[0] == "done":
            return 0 <= int(words[1]) < _STATUSES
        return words[0] in ("", "unfit", "trouble") or (
            words[0] in ("dropped", "twin") and int(words[1]) >= 0
        )
    except (LookupError, ValueError):
        return False


def _are_alike(order: Order, other: Order) -> bool:
    """Whether two seem to be tests of one module, as far as that can be told at once."""
    one, two = order.runnable, other.runnable
    return (
        one.kind == two.kind
        and order.needs == other.needs
        and one.config == two.config
        and str(one.uri).partition(":")[0] == str(two.uri).partition(":")[0]
    )


def _module(command: Command) -> str:
    """Name what tests may share: the import of a module while the same variables are set.

    A requirement tells its own tests some that others are not to find, nor is their import.
    """
    assert command.warm is not None
    module = command.warm.module
    return "|".join((module, *sorted(command.env))) if module else ""


def _answer(zygote: Zygote, word: bytes) -> None:
    try:
        zygote.socket.send(word)
    except OSError:
        return  # its end will be told


def _obituary(zygote: Zygote, status: int) -> str:
    pid = zygote.process.pid if zygote.process is not None else 0
    of = f" of {zygote.module.name.partition('|')[0]}" if zygote.module is not None else ""
    fate = zygote.fate or f"ended: {describe(child.exit_of(status)) or 'exited with status 0'}"
    rest = "another takes its place"
    if zygote.kind.is_cold:
        rest = "tests get interpreters of their own"
    return f"the zygote {pid}{of} ({zygote.kind.argv[0]}) {fate}; {rest}"
