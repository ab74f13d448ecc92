"""What attempts leave where none of our files are seen, brought home before their ends count.

Only once the files are here the agent may forget that an attempt ended: whoever goes on with the
job after a crash fetches them again. Ends that wait for their files hold back nothing but
themselves and the acknowledgement. Not responsible for the frames (``nrunner.environment``), nor
for what is run there (``nrunner.outpost``).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from nrunner.arrival import LEFT_OUT, Allowance, Arrival
from nrunner.environment import Environment, Key
from nrunner.errors import LinkError, NrunnerError, ProtocolError
from nrunner.ground import Tell
from nrunner.offload import offload
from nrunner.pace import Pace
from nrunner.receipts import Receipts

__all__ = ["Harvest", "allowance_of"]

_AT_ONCE = 4
"""How many attempts' files are fetched at once; others wait for these."""
_PROGRESS_WITHIN = 60.0
"""Seconds without a piece, while the link holds, after which no more is hoped for."""
_HURRY = 2.0
"""Seconds that what is left to fetch has once its task is cancelled."""
_MOST_EMPTY = 10_000
"""Answers without files, in which the agent looked through folders."""
_ENDS = ("ended", "not_started")
_MOST_DROPPED = 64
_UNBOUNDED = 1 << 62

_T = TypeVar("_T")
News = tuple[int, Mapping[str, Any] | None, Mapping[str, Any]]


class Harvest:
    """The events of one environment, and the files that belong to them."""

    def __init__(
        self, tell: Tell, where: Callable[[Key], str], allowance: Allowance | None = None
    ) -> None:
        """`tell` returns whether events are recorded; `where` says where an attempt's logs are."""
        self._where = where
        self._tell = tell
        self._allowance = allowance or Allowance()
        self._ways: dict[Key, tuple[str, str]] = {}
        """Where the logs of attempts are written there, and where they belong here."""
        self._receipts = Receipts()
        self._drops: list[str] = []
        """Folders there that nobody needs any more."""
        self._dropped: deque[str] = deque(maxlen=_MOST_DROPPED)
        """Those of which the agent was told last: with a link that breaks it may not have heard."""
        self._held: dict[Key, _Patience] = {}
        """Ends that wait for their files."""
        self._asides: set[_Patience] = set()
        """Folders of others that are fetched."""
        self._work: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._pace = Pace()
        self._gone = ""
        """Why nothing can be fetched any more, if it cannot."""

    def expect(self, key: Key, there: str, here: str) -> None:
        """Note where the logs of an attempt are written there, and where they belong here."""
        self._ways[key] = there, here

    @property
    def is_holding(self) -> bool:
        """Whether attempts are over whose files are not here yet."""
        return bool(self._held)

    def hear(self, environment: Environment, news: Sequence[News]) -> None:
        """Take events by their numbers, as they can be believed and as they were told.

        One that is about nothing here is None.
        """
        heads: list[Mapping[str, Any]] = []
        numbers: list[int] = []
        for number, head, raw in news:
            self._receipts.expect(number)
            if head is None:
                self._receipts.settle(number)
                self._forget(raw)
            elif head.get("fetch") is True and head["event"] == "ended" and not self._gone:
                self._hold(environment, number, head)
            else:
                heads.append(self._unpacked(head))
                numbers.append(number)
        self._pass_on(environment, heads, numbers)

    def _forget(self, raw: Mapping[str, Any]) -> None:
        """Nobody needs files any more that belong to an end which an earlier controller told."""
        key: Any = raw.get("task"), raw.get("attempt")
        if raw.get("fetch") is not True or not (type(key[0]) is type(key[1]) is int):
            return
        if key not in self._ways and key not in self._held:
            self._drops.append(self._where(key))

    def greeted(self, environment: Environment) -> None:
        """The link is a new one: say again what may have been lost with the one before."""
        self._drops += self._dropped
        self._acknowledge(environment)

    def hurry(self, key: Key, *, kill: bool) -> bool:
        """Nobody wants to wait for the files of an attempt; return whether that is what is left."""
        held = self._held.get(key)
        if held is None:
            return False
        if kill:
            held.give_up("it was cancelled")
        else:
            asyncio.get_running_loop().call_later(_HURRY, held.give_up, "it was cancelled")
        return True

    def give_up(self, why: str) -> None:
        """The environment is gone: what is not here will not come."""
        self._gone = self._gone or why
        for patience in (*self._held.values(), *self._asides):
            patience.give_up(why)
        self._ways.clear()

    async def fetch(self, environment: Environment, there: str, here: str) -> None:
        """Bring a folder of logs, as far as it can be."""
        arrival, patience = Arrival(here, self._allowance), _Patience()
        self._asides.add(patience)
        try:
            with contextlib.suppress(OSError):
                await self._bring(environment, there, arrival, patience)
                environment.acknowledge_nowait(self._receipts.told, [there])
        finally:
            self._asides.discard(patience)

    # Ends that wait for their files.

    def _hold(self, environment: Environment, number: int, head: Mapping[str, Any]) -> None:
        key = head["task"], head["attempt"]
        patience = self._held[key] = _Patience()
        way = self._ways.pop(key, ("", ""))
        work = self._bring_home(environment, number, head, way, patience)
        task = asyncio.get_running_loop().create_task(work, name=f"fetch files of {key}")
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _bring_home(
        self,
        environment: Environment,
        number: int,
        head: Mapping[str, Any],
        way: tuple[str, str],
        patience: _Patience,
    ) -> None:
        """Fetch the files of an attempt; then its end counts, whatever came."""
        there, here = way
        arrival = Arrival(here, self._allowance)
        trouble = ""
        try:
            await self._bring(environment, there, arrival, patience)
        except OSError as error:
            trouble = f"its results cannot be kept: {error.strerror}"
        finally:
            del self._held[head["task"], head["attempt"]]
            self._drops.append(there)
            self._pass_on(environment, [_retold(head, arrival, trouble)], [number])

    async def _bring(
        self, environment: Environment, there: str, arrival: Arrival, patience: _Patience
    ) -> None:
        """Bring what is in a folder, and say what is not; raise OSError if it cannot be kept."""
        try:
            async with self._turn(patience):
                await self._bring_all(environment, there, arrival, patience)
        except NrunnerError as error:
            arrival.leave_out("the rest", f"could not {error}")
        except OSError:
            raise
        except Exception as error:  # an end that is held back has to be told, whatever it is
            arrival.leave_out("the rest", repr(error))
        finally:
            arrival.close()
        await offload(arrival.end)

    @contextlib.asynccontextmanager
    async def _turn(self, patience: _Patience) -> AsyncIterator[None]:
        """Wait until few others are at it."""
        await patience.wait_for(self._turns.acquire())
        try:
            yield
        finally:
            self._turns.release()

    async def _bring_all(
        self, environment: Environment, there: str, arrival: Arrival, patience: _Patience
    ) -> None:
        cursor: Any = None
        empty = 0
        while True:
            answer = await self._next(environment, there, cursor, patience)
            entries, left_out = answer.get("entries"), answer.get("left_out", [])
            if not isinstance(entries, list) or not isinstance(left_out, list):
                raise ProtocolError("fetch files: the agent's answer makes no sense")
            for each in left_out:
                arrival.leave_out(*_reason(each))
            empty = 0 if entries else empty + 1
            if empty > _MOST_EMPTY:
                raise ProtocolError("fetch files: the agent goes on without sending any")
            if entries:
                body = answer.get("body")
                await offload(arrival.take, entries, body if isinstance(body, bytes) else b"")
            cursor = answer.get("next")
            if cursor is None:
                return

    async def _next(
        self, environment: Environment, there: str, cursor: Any, patience: _Patience
    ) -> Mapping[str, Any]:
        """Ask for a piece, and see how large the next one may be."""
        limits = {"most_files": self._allowance.files, "most_bytes": self._allowance.bytes}
        fields = {"folder": there, "most": self._pace.size, **limits}
        if cursor is not None:
            fields["from"] = cursor
        loop = asyncio.get_running_loop()
        began = loop.time()
        answer = await patience.wait_for(environment.get(fields), environment)
        self._pace.took(loop.time() - began)
        return answer

    # What is told.

    def _unpacked(self, head: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return an event as it can be told here, once the files that it carries are kept."""
        event = head["event"]
        if event not in _ENDS:
            return head
        _, here = self._ways.pop((head["task"], head["attempt"]), ("", ""))
        files, fetch = head.get("files"), head.get("fetch")
        if not files and not fetch:
            return head
        arrival, trouble = Arrival(here, self._allowance), ""
        if fetch:
            arrival.leave_out("all files", self._gone)
        try:
            _keep(arrival, files)
        except ProtocolError as error:
            arrival.leave_out("the rest", f"could not {error}")
        except OSError as error:
            trouble = f"its results cannot be kept: {error.strerror}"
        with contextlib.suppress(OSError):
            arrival.end()
        return _retold(head, arrival, trouble)

    def _pass_on(
        self,
        environment: Environment,
        heads: Sequence[Mapping[str, Any]],
        numbers: Sequence[int],
    ) -> None:
        """Tell events, and acknowledge what can be then."""
        if heads and not self._tell(heads):
            return
        for number in numbers:
            self._receipts.settle(number)
        if self._receipts.due() is not None or self._drops:
            self._acknowledge(environment)

    def _acknowledge(self, environment: Environment) -> None:
        drops, self._drops = self._drops, []
        self._dropped.extend(each for each in drops if each not in self._dropped)
        environment.acknowledge_nowait(self._receipts.told, drops)


def allowance_of(settings: Mapping[str, Any]) -> Allowance:
    """Return how much may come of one attempt, as a job has it."""
    usual = Allowance()
    files = settings.get("fetch_most_files", usual.files)
    size = settings.get("fetch_most_bytes", usual.bytes)
    return Allowance(files, _UNBOUNDED if size is None else size)


class _Patience:
    """How long files of an attempt are waited for: until they are given up, or nothing comes."""

    def __init__(self) -> None:
        self._why: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def give_up(self, why: str) -> None:
        """Have nobody wait for what is not here yet."""
        if not self._why.done():
            self._why.set_result(why)

    async def wait_for(
        self, wanted: Coroutine[Any, Any, _T], environment: Environment | None = None
    ) -> _T:
        """Wait for something; raise LinkError once it is given up.

        For an answer of an `environment` as long as its link is down, or something comes.
        """
        work = asyncio.ensure_future(wanted)
        try:
            while True:
                links = environment.links if environment is not None else 0
                either: set[asyncio.Future[Any]] = {work, self._why}
                hope = None if environment is None else _PROGRESS_WITHIN
                await asyncio.wait(either, timeout=hope, return_when=asyncio.FIRST_COMPLETED)
                if work.done():
                    return work.result()
                if self._why.done():
                    raise LinkError(f"fetch files: {self._why.result()}")
                if environment is not None and environment.is_linked and environment.links == links:
                    raise LinkError(f"fetch files: nothing came for {_PROGRESS_WITHIN:g} s")
        finally:
            work.cancel()


def _retold(head: Mapping[str, Any], arrival: Arrival, trouble: str) -> dict[str, Any]:
    """Return the end of an attempt as it can be told here."""
    told = {name: each for name, each in head.items() if name not in ("files", "fetch")}
    if trouble:
        told["trouble"] = trouble
    if not arrival.is_whole:
        told["outputs"] = [*_texts(head.get("outputs")), LEFT_OUT]
    return told


def _keep(arrival: Arrival, files: Any) -> None:
    """Keep the files that came with an event; raise ProtocolError or OSError."""
    for each in files if isinstance(files, list) else ():
        try:
            path, mode, text = each
            data = base64.b64decode(text, validate=True)
        except (TypeError, ValueError, binascii.Error) as error:
            raise ProtocolError(f"receive files: {each!r:.100} describes none") from error
        arrival.take([[path, mode, 0, len(data), True]], data)


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _reason(value: Any) -> tuple[str, str]:
    if isinstance(value, list) and len(value) == 2 and _texts(value) == value:
        return value[0], value[1]
    return "something", "the agent does not say what, nor why"
