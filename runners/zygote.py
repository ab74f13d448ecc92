"""A zygote: a warm interpreter of the user's choice, in which each test is a fork.

Started by the agent as ``zygote FD`` (unittest) or ``pytest-zygote FD``. Over the socket FD come
requests, one packet each: a marshalled dictionary, and the open files that go with it. The answers
are words:

- ``forked NUMBER PID``: the child itself says this before it does anything else, so a request
  that was not answered did not run;
- ``ended PID STATUS NUMBER``: the wait status of a child, and the request that is forked now that
  it has ended, 0 if there is none;
- ``unfit REASON``: nothing can be forked from this interpreter.

A request that ``waits`` is forked as soon as a child has ended that left nothing behind
(``nrunner.runners.standby``), or when the agent says ``go``; ``drop`` takes it back, and is
answered by ``dropped NUMBER`` unless it was forked before. While a test runs, the socket is read
only once that has ended, or when the agent asks for attention by SIGCHLD.

A request may bring a socket of its own. Then the child, once it has imported the module of the
test, says over that socket whether others may share the import: ``imported PID``, and becomes a
zygote for that module if the answer is ``keep``; or ``alone SECONDS REASON``. A zygote may be asked
for a ``twin``, which says ``twin PID`` over the socket that it is given. A request that ``stays``
brings a socket over which further tests come (``nrunner.runners.resident``).

A child behaves as a new interpreter would that runs ``nrunner.runners.unittest_child``, or that of
pytest: session, output, environment, signals and open files are its own. When the agent hangs up,
the zygote ends. It imports little of nrunner, and leaves no trace of that in ``sys.modules``.
Not responsible for what a test is, nor for whom to kill when.
Portable: runs on Python 3.7 with the standard library alone.
"""

from __future__ import annotations

import _socket
import atexit
import gc
import importlib
import os
import select
import sys

from nrunner.runners import brand, resident, stack
from nrunner.runners.footprint import Footprint
from nrunner.runners.standby import Standby
from nrunner.runners.zygote_wire import (
    LONGEST_REQUEST,
    PLACEHOLDER,
    decode_request,
    encode_answer,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType
    from typing import Any, Optional, Protocol

    from nrunner.runners.standby import Due

    Request = dict[str, Any]

    class Craft(Protocol):
        """What knows a kind of test: a module."""

        def vanish(self) -> None:
            """Take what was needed to start this out of sight of the tests."""

        def warm_up(self) -> None:
            """Go through what each test goes through, before there are tests."""

        def load(self, spec: Mapping[str, Any]) -> Any:
            """Go where the test belongs and import its module; return that, or how it ended."""

        def share(self, loaded: Any) -> tuple[Any, str]:
            """Return what makes tests of that module ready; None if not, and perhaps why."""

        def prepare(self, spec: Mapping[str, Any], workshop: Any, output: int) -> Any:
            """Make a test ready, without any line of the tests being run."""

        def conclude(self, spec: Mapping[str, Any], loaded: Any) -> int:
            """Run what was loaded and write the report; return the exit status."""

        def series(self) -> resident.Series:
            """Return what runs the tests of one module one after another."""


__all__ = ["main"]

_SIGNAL = 0x7F
"""Of a wait status: what killed a process, 0 if it ended by itself."""
_ROOM_FOR_FILES = _socket.CMSG_SPACE(4 * 3)

# Not the module signal itself, whose enums would take a tenth of the time of each fork.
_signal: Any = importlib.import_module("_signal")


def main(argv: list[str], craft: Craft) -> int:
    """Serve the agent; in a child, run what was asked for and return the exit status."""
    inherited = _files() - {argv[0]}
    mark = _Mark()
    os.environ.pop(PLACEHOLDER, None)
    craft.vanish()
    agent = os.getppid()
    zygote = _Zygote(int(argv[0]), mark, craft, agent)
    craft.warm_up()
    if len(os.listdir("/proc/self/task")) > 1:
        zygote.say("unfit something starts threads as the interpreter starts")
        return 1
    stack.arm()
    brand.prepare()
    gc.collect()
    gc.freeze()
    # Whatever loses its last name in a fork costs it time: so names are not used again.
    request, files = first, files = zygote.serve()
    if "stays" in request:
        status = resident.reside(request, files[0], mark.show, craft.series())
        return _leave(status, inherited)
    if files:
        heir = _Zygote(files[0], mark, craft, agent)
        request, loaded = _import_for_all(first, heir, craft)
    else:
        loaded = craft.load(request["spec"])
    return _leave(craft.conclude(request["spec"], loaded), inherited)


def _import_for_all(first: Request, zygote: _Zygote, craft: Craft) -> tuple[Request, Any]:
    """Import the module of a test, and serve others of it; return, in a child, what to run."""
    with Footprint(first["env"]) as traces:
        loaded = craft.load(first["spec"])
    workshop, reason = craft.share(loaded)
    try:
        reason = reason or traces.reason()
    except OSError:
        reason = "closes standard files"
    _flush()
    if workshop is None or reason or not zygote.offer():
        zygote.decline(f"alone {traces.seconds:.3f} {reason or 'prints'}")
        return first, loaded
    del traces
    request, _ = zygote.serve(first, workshop)
    return request, zygote.prepared


class _Zygote:
    """One end of the conversation with the agent."""

    def __init__(self, number: int, mark: _Mark, craft: Craft, agent: int) -> None:
        self._socket = _socket.socket(fileno=number)
        self._file = os.fstat(number).st_ino
        os.set_inheritable(number, False)
        self._mark = mark
        self._craft = craft
        self._workshop: Any = None
        self._replaced: dict[str, Optional[str]] = {}
        """What the variables of the last request were before, None for those that were not set."""
        self._room = [bytearray(LONGEST_REQUEST)]
        """For each request; to find room anew costs more."""
        self._words = b""
        """What the next fork says first."""
        self._standby = Standby(agent)
        self._twins: set[int] = set()
        """Children that are zygotes, too, by pid."""
        self._is_prompted = True
        """Whether the agent has something to say while a test runs, that must be heard at once."""
        self.prepared: Any = None
        """The test of the last request, if the module is known."""

    def say(self, words: str) -> None:
        """Tell the agent; without one there is nothing left to do here."""
        try:
            self._socket.send(encode_answer(words))
        except OSError:
            os._exit(0)

    def offer(self) -> bool:
        """Ask the agent whether to be a zygote; it knows what the import has printed."""
        self.say(f"imported {os.getpid()}")
        try:
            return self._socket.recv(16) == b"keep"
        except OSError:
            return False

    def decline(self, words: str) -> None:
        """Say that this is to be no zygote, unless the import did something to the socket."""
        self._standby.close()
        number = self._socket.detach()
        try:
            if os.fstat(number).st_ino == self._file:
                os.write(number, encode_answer(words))
                os.close(number)
        except OSError:
            return

    def serve(
        self, request: Optional[Request] = None, workshop: Any = None
    ) -> tuple[Request, list[int]]:
        """Fork for each request until the agent hangs up.

        Return, in the child, what to run, and further files that came with it. A first `request`
        is known already, and its files are the standard ones of this process. With a `workshop`
        tests are `prepared`.
        """
        self._workshop = workshop
        if request is not None:
            self._prepare(request, [1])
        files: list[int] = []
        collects = gc.isenabled()
        gc.disable()  # nothing is made here, and each page that is touched makes a fork dearer
        while True:
            with _Wakeup() as wakeup:
                if request is not None and self._fork(request):
                    request = None
                    self._withdraw()
                if request is None:
                    request, files = self._fork_for_requests(wakeup)
            if "twin" not in request:
                break
            self._become_twin(files[0])
            request = None
        if collects:
            gc.enable()
        return request, self._become(files)

    def _fork_for_requests(self, wakeup: _Wakeup) -> tuple[Request, list[int]]:
        """Fork for each request; return, in the child, the request with its files."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        poll.register(wakeup.woken, select.POLLIN)
        attends = True
        while True:
            for number, _ in poll.poll():
                if number == wakeup.woken:
                    wakeup.clear()
                    due = self._reap()
                else:
                    due = self._take(*self._receive())
                if due is not None:
                    request, files = due
                    self._prepare(request, files)
                # Before the fork: each page that is touched after it has to be copied.
                if attends != (self._is_prompted or not (due or self._standby.running)):
                    attends = not attends
                    poll.modify(self._socket, select.POLLIN if attends else 0)
                if due is not None:
                    if not self._fork(request):
                        return request, files
                    _close(files)

    def _fork(self, request: Request) -> bool:
        """Fork; return whether this is the zygote still."""
        if "twin" not in request:
            self._standby.count()
            return os.fork() != 0
        pid = os.fork()
        self._twins.add(pid)
        return pid != 0

    def _take(self, request: Request, files: list[int]) -> Optional[Due]:
        """Do what the agent asks for; return what is to be forked, if anything is."""
        if "waits" in request:
            self._standby.hold((request, files))
            return None
        if "go" in request:
            return self._standby.take()
        if "drop" in request:
            dropped = self._standby.take()
            if dropped is not None:
                _close(dropped[1])
                self.say(f"dropped {dropped[0]['number']}")
            return None
        return request, files

    def _prepare(self, request: Request, files: list[int]) -> None:
        """Do what need not be done in the fork, which would have to copy all that it touches."""
        env = request.get("env", {})
        if self._workshop is None:  # all tests of a module are told the same variables
            self._restore(env)
        for name, value in env.items():
            os.environ[name] = value  # update() would ask first what kind of mapping this is
        if "spec" in request:
            stack.answer_at(request["spec"]["report"])
            if self._workshop is not None:
                self.prepared = self._craft.prepare(request["spec"], self._workshop, files[0])
        if "mark" in request:
            self._mark.show(request["mark"])  # forks are made with it
            brand.wear(request["brand"])
            self._words = b"forked %d " % request["number"]

    def _restore(self, env: Mapping[str, str]) -> None:
        """Have those variables as they were that other tests were told, and this one is not."""
        for name in self._replaced.keys() - env.keys():
            value = self._replaced.pop(name)
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        for name in env.keys() - self._replaced.keys():
            self._replaced[name] = os.environ.get(name)

    def _receive(self, flags: int = 0) -> tuple[Request, list[int]]:
        """Return a request with its files; nothing if that would take time, and is not to."""
        try:
            count, ancillary, _, _ = self._socket.recvmsg_into(
                self._room, _ROOM_FOR_FILES, _socket.MSG_CMSG_CLOEXEC | flags
            )
        except BlockingIOError:
            return {}, []
        except OSError:
            count, ancillary = 0, []
        if not count:
            os._exit(0)
        files: list[int] = []
        for _, _, content in ancillary:
            files.extend(memoryview(content).cast("i"))
        return decode_request(self._room[0]), files

    def _reap(self) -> Optional[Due]:
        """Tell of children that have ended; return what is to be forked, if anything is."""
        due: Optional[Due] = None
        ended = False
        while self._standby.running or self._twins or not ended:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            ended = True
            if pid in self._twins:
                self._twins.remove(pid)
                number = 0
            else:
                due, number = self._succeed(due, killed=status & _SIGNAL != 0)
            self.say(f"ended {pid} {status} {number}")
        # Who wakes us while nothing has ended is the agent. It may also do so just then.
        self._is_prompted = not ended or self._standby.running > 0
        return due

    def _succeed(self, due: Optional[Due], *, killed: bool) -> tuple[Optional[Due], int]:
        """Return what is to be forked after a test has ended, and its number if it waited.

        Who kills a test may be about to say that what waits is not wanted either.
        """
        self._standby.ended()
        if due is not None:
            return due, 0
        if not self._is_prompted:
            request, files = self._receive(_socket.MSG_DONTWAIT)
            due = self._take(request, files) if request else None
            if due is not None:
                return due, 0
        due = self._standby.follower(may_go=not killed)
        return due, 0 if due is None else due[0]["number"]

    def _become(self, files: list[int]) -> list[int]:
        """Take on the session, files and environment of an attempt; return what is left over."""
        os.setsid()
        try:
            self._socket.send(self._words + b"%d" % os.getpid())
        except OSError:
            os._exit(0)
        self._socket.close()
        self._standby.close()
        if files:
            os.dup2(files[0], 1)
            os.dup2(files[1], 2)
            os.close(files[0])
            os.close(files[1])
        return files[2:]

    def _withdraw(self) -> None:
        """Let go of what belongs to the attempt that this process was started for."""
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        os.close(null)
        self._mark.show(PLACEHOLDER + "=")

    def _become_twin(self, number: int) -> None:
        """Go on as a zygote that is the same as its parent, with a socket of its own."""
        os.setsid()
        self._socket.close()
        self._standby.clear()
        self._twins.clear()
        self._is_prompted = True
        self._socket = _socket.socket(fileno=number)
        self.say(f"twin {os.getpid()}")


class _Wakeup:
    """While it is entered, the end of a child makes the file `woken` readable."""

    def __enter__(self) -> _Wakeup:
        self.woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._handler = _signal.signal(_signal.SIGCHLD, _note)
        self._before = _signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        return self

    def clear(self) -> None:
        """Make it unreadable until the next child ends."""
        os.read(self.woken, 4096)

    def __exit__(self, *_: object) -> None:
        _signal.set_wakeup_fd(self._before)
        _signal.signal(_signal.SIGCHLD, 0 if self._handler is None else self._handler)
        _close([self.woken, self._wake])


def _note(_number: int, _frame: Optional[FrameType]) -> None:
    """Do nothing: that a signal came is told by the wake-up file."""


def _close(files: list[int]) -> None:
    for number in files:
        os.close(number)


class _Mark:
    """The room for an attempt's mark in the environment that ``/proc`` shows.

    A process that hides from its supervisor is known by it. What a fork puts into its environment
    is not shown there: only what is written where the environment of the start stands.
    """

    def __init__(self) -> None:
        self._address = self._size = 0
        start = PLACEHOLDER.encode() + b"="
        try:
            with open("/proc/self/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            with open("/proc/self/environ", "rb") as file:
                data = b"\0" + file.read()
        except OSError:
            return
        offset = data.find(b"\0" + start)
        if offset >= 0:
            self._address = int(fields[47]) + offset
            self._size = data.index(b"\0", offset + 1) - offset - 1

    def show(self, text: str) -> None:
        """Show `text`, ``NAME=value``; where that cannot be, the mark is not seen."""
        data = text.encode("utf-8", "surrogateescape")
        if len(data) > self._size:
            return
        try:
            number = os.open("/proc/self/mem", os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            return
        try:
            os.pwrite(number, data.ljust(self._size, b"\0"), self._address)
        except OSError:
            pass
        finally:
            os.close(number)


def _files() -> set[str]:
    """Return the numbers of open files."""
    folder = "/proc/self/fd"
    free = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    os.close(free)
    return set(os.listdir(folder)) - {str(free)}  # as what it is listed itself


def _leave(status: int, inherited: set[str]) -> int:
    """End as an interpreter does: wait for threads, run exit handlers, flush what is open.

    Taking all objects apart costs more than most tests, and is only done where something may be
    left to write: where files are open that were not `inherited`. Otherwise this does not return.
    """
    if _files() - inherited:
        return status
    threads = getattr(sys.modules.get("threading"), "_shutdown", None)
    for step in (threads, atexit._run_exitfuncs):  # noqa: SLF001 - what an interpreter's end calls
        try:
            if step is not None:
                step()
        except BaseException:
            sys.excepthook(*sys.exc_info())
    _flush()
    os._exit(status)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            continue
