"""An agent that follows a script: speaks the frames of docs/agent.md and runs nothing.

It lives in the test's own event loop and keeps what a real one keeps (numbered events until they
are acknowledged, limits, the orphan deadline), and goes wrong exactly where it is told to. Not
responsible for how it is reached (``nrunner.testing.fake_spawner``).
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from nrunner.runners.spool import Remains, Spool
from nrunner.runners.wire import PROTOCOL_VERSION, encode
from nrunner.testing.script import Script, Trouble

__all__ = ["FakeAgent", "Stream"]

_UNTIL_FIRST_HELLO = 15.0


class Stream(Protocol):
    """The agent's end of a connection."""

    def send(self, data: bytes) -> None:
        """Send bytes to the controller."""
        ...

    def cut(self) -> None:
        """End the connection; what is on its way is lost."""
        ...


class _Run:
    def __init__(self, order: Mapping[str, Any], script: Script) -> None:
        self.order = order
        self.script = script
        self.key = (order["task"], order["attempt"])
        self.stop: tuple[str, str] | None = None
        self.began = 0.0
        self.is_over = False
        self.timers: list[asyncio.TimerHandle] = []


class FakeAgent:
    """The other end of an Environment."""

    def __init__(
        self,
        script_of: Callable[[Mapping[str, Any]], Script],
        token: str,
        kinds: frozenset[str],
        *,
        protocol: int = PROTOCOL_VERSION,
        is_silent: bool = False,
    ) -> None:
        self.ran: Counter[tuple[int, int]] = Counter()
        """How often each (task, attempt) was started."""
        self.fulfilled: list[str] = []
        """Uris of the requirements that were asked for, in order."""
        self.asked_for: list[str] = []
        """Paths of the files that were to be put here, all of which it says it has."""
        self.far: dict[str, dict[str, bytes]] = {}
        """What is in folders that only it sees, by folder and name."""
        self.gone = asyncio.Event()
        self.why = ""
        self.is_paused = False
        self.unreachable_until = 0.0
        self._script_of = script_of
        self._token = token
        self._kinds = kinds
        self._protocol = protocol
        self._is_silent = is_silent
        self._loop = asyncio.get_running_loop()
        self._spool = Spool()
        self._runs: dict[tuple[int, int], _Run] = {}
        self._queue: list[_Run] = []
        self._asked: set[int] = set()
        self._settings: Mapping[str, Any] = {}
        self._stream: Stream | None = None
        self._epoch = -1
        self._orphan = self._loop.call_later(_UNTIL_FIRST_HELLO, self.leave, "nobody came")

    # The stream.

    def take(self, stream: Stream, frames: Sequence[Mapping[str, Any]]) -> None:
        """Take the frames of a controller."""
        for head in frames:
            if self.gone.is_set() or self._is_silent:
                return
            if stream is self._stream:
                self._handle(head)
            elif head.get("type") == "hello":
                self._greet(stream, head)

    def lost(self, stream: Stream) -> None:
        """A connection has ended."""
        if stream is self._stream:
            self._stream = None
            deadline = self._settings.get("orphan_deadline", 60.0)
            self._orphan = self._loop.call_later(deadline, self.leave, "alone for too long")

    def leave(self, why: str) -> None:
        """End, and everything with it."""
        self._orphan.cancel()
        for run in self._runs.values():
            _silence(run)
        self.why = self.why or why
        self.gone.set()
        if self._stream is not None:
            self._stream.cut()

    def hang_up(self) -> None:
        """Cut the link, as if the controller were killed."""
        if self._stream is not None:
            self._stream.cut()

    def remains(self) -> Remains:
        """Return what nobody has acknowledged, and who was about to start."""
        kept = (frame for frame in self._spool.replay(0) if frame)
        return Remains(tuple(json.loads(frame) for frame in kept), self._spool.taken)

    def _greet(self, stream: Stream, head: Mapping[str, Any]) -> None:
        reason = self._objection(head)
        if reason:
            replaced = head["epoch"] < self._epoch
            stream.send(encode({"type": "refused", "reason": reason, "replaced": replaced}))
            self._loop.call_soon(stream.cut)
            return
        self._epoch = head["epoch"]
        if self._stream is not None:
            former, self._stream = self._stream, None
            reason = f"replaced by {self._epoch}"
            former.send(encode({"type": "refused", "reason": reason, "replaced": True}))
            self._loop.call_soon(former.cut)
        self._stream = stream
        self._orphan.cancel()
        stream.send(encode(self._hello()))
        for frame in self._spool.replay(head["acknowledged"]):
            stream.send(frame)

    def _objection(self, head: Mapping[str, Any]) -> str:
        if head["token"] != self._token:
            return "wrong token"
        if abs(head["protocol"] - PROTOCOL_VERSION) > 1:
            return f"protocol {head['protocol']} is too far from mine"
        if head["epoch"] < self._epoch:
            return f"epoch {head['epoch']} is older than {self._epoch}"
        return ""

    @property
    def orders(self) -> list[Mapping[str, Any]]:
        """What was ordered and runs now."""
        return [each.order for each in self._runs.values()]

    def _hello(self) -> dict[str, Any]:
        return {
            "type": "hello",
            "protocol": self._protocol,
            "boot_id": "fake",
            "kinds": sorted(self._kinds),
            "tasks": [*self._runs, *(run.key for run in self._queue)],
            "first": self._spool.first,
            "last": self._spool.last,
        }

    # What a controller may ask.

    def _handle(self, head: Mapping[str, Any]) -> None:
        kind = head["type"]
        if kind == "settings":
            self._settings = head
        elif kind == "run":
            self._order(head)
        elif kind == "cancel":
            self._cancel(head)
        elif kind in ("probe", "ping", "put"):
            self._inform(head)
        elif kind == "fulfil":
            self._fulfil(head)
        elif kind in ("get", "ack"):
            self._give(head)
        elif kind in ("pause", "resume"):
            self.is_paused = kind == "pause"
            self._reply(head, **{f"{kind}d": len(self._runs)})
        elif kind == "abandon":
            self._be_abandoned()
        elif kind == "shutdown":
            self.leave("it was told to leave")

    def _inform(self, head: Mapping[str, Any]) -> None:
        if "path" in head:
            self.asked_for.append(head["path"])
        asked = head.get("kinds", ())
        self._reply(head, kinds={each: each in self._kinds for each in asked}, have=True)

    def _be_abandoned(self) -> None:
        for run in [*self._runs.values()]:
            self._stop(run, "orphaned", "its controller gave up", kill=True)
        self.leave("it was abandoned")

    def _order(self, head: Mapping[str, Any]) -> None:
        script = self._script_of(head)
        if script.trouble is Trouble.LOSE_ORDER:
            self._cut(script)
            return
        if script.trouble is Trouble.DIE_FIRST:
            self.leave("the script has it end")
            return
        self._queue.append(_Run(head, script))
        self._pump()

    def _pump(self) -> None:
        while self._queue and len(self._runs) < self._settings.get("slots", 1):
            run = self._queue.pop(0)
            self._runs[run.key] = run
            self._begin(run)

    def _fulfil(self, head: Mapping[str, Any]) -> None:
        if head["request"] in self._asked:
            return
        requirement = head["requirement"]
        script = self._script_of({"runnable": requirement})
        if script.trouble in (Trouble.LOSE_LINK, Trouble.LOSE_ORDER):
            self._cut(script)
        if script.trouble is Trouble.LOSE_ORDER:
            return
        self._asked.add(head["request"])
        self.fulfilled.append(requirement.get("uri") or requirement["kind"])
        if script.trouble is Trouble.DIE:
            self._loop.call_later(script.run_for, self.leave, "the script has it end")
        elif not script.blocks:
            self._loop.call_later(script.run_for, self._fulfilled, head, script)

    def _fulfilled(self, head: Mapping[str, Any], script: Script) -> None:
        self._asked.discard(head["request"])
        if script.result == "pass":
            self._reply(head, ok=True, changed=True)
        else:
            self._reply(
                head, ok=False, error=script.fields.get("fail_reason", "it could not be met")
            )

    def _give(self, head: Mapping[str, Any]) -> None:
        if head["type"] == "get":
            self._get(head)
            return
        self._spool.acknowledge(head["seq"])
        for folder in head.get("drop", ()):
            self.far.pop(folder, None)

    def _get(self, head: Mapping[str, Any]) -> None:
        """Send a piece of what is far away: of one file, since it has but that."""
        found = self.far.get(head["folder"])
        if found is None:
            self._reply(head, entries=[])
            return
        [(name, data)] = found.items()
        offset = head.get("from", 0)
        piece = data[offset : offset + head["most"]]
        end = offset + len(piece)
        fields: dict[str, Any] = {"entries": [[name, 0o600, offset, len(piece), end == len(data)]]}
        if end < len(data):
            fields["next"] = end
        if self._stream is not None:
            reply = {"type": "reply", "request": head["request"], **fields}
            self._stream.send(encode(reply, piece))

    def _reply(self, head: Mapping[str, Any], **fields: Any) -> None:
        if self._stream is not None:
            self._stream.send(encode({"type": "reply", "request": head.get("request"), **fields}))

    # Attempts.

    def _begin(self, run: _Run) -> None:
        script = run.script
        self._spool.take(*run.key)
        if script.refuse_to_start:
            fields = {"cause": script.refuse_cause, "reason": script.refuse_to_start}
            self._over(run, "not_started", fields)
            return
        self.ran[run.key] += 1
        run.began = self._loop.time()
        if script.trouble is Trouble.GAP:
            self._spool.add(b"")
        elif script.trouble is not Trouble.END_ONLY:
            self._emit(run, "started", {"pid": 0, "slot": f"/{self._token}"})
        timeout = run.order.get("limits", {}).get("timeout")
        if timeout is not None:
            self._after(run, timeout, lambda: self._stop(run, "timeout", f"past {timeout:g} s"))
        if script.trouble is Trouble.FORGE:
            self._forge(run)
        if script.trouble is Trouble.LOSE_LINK:
            self._after(run, script.run_for, lambda: self._cut(script))
        if script.trouble is Trouble.DIE:
            self._after(run, script.run_for, lambda: self.leave("the script has it end"))
        elif not script.blocks:
            self._after(run, script.run_for, lambda: self._end(run))

    def _after(self, run: _Run, delay: float, callback: Callable[[], None]) -> None:
        run.timers.append(self._loop.call_later(delay, callback))

    def _cancel(self, head: Mapping[str, Any]) -> None:
        key = (head["task"], head["attempt"])
        for run in self._queue:
            if run.key == key:
                self._queue.remove(run)
                self._over(run, "not_started", {"cause": "cancelled", "reason": "cancelled"})
                return
        found = self._runs.get(key)
        if found is not None and found.script.trouble is not Trouble.DEAF:
            self._stop(found, "cancelled", head["detail"], kill=head["kill"])

    def _stop(self, run: _Run, stop: str, detail: str, *, kill: bool = False) -> None:
        run.stop = run.stop or (stop, detail)
        if kill or not run.script.ignores_term:
            self._end(run)
        else:
            self._after(run, run.order.get("limits", {}).get("grace", 5.0), lambda: self._end(run))

    def _end(self, run: _Run) -> None:
        if run.is_over:
            return
        script = run.script
        fields: dict[str, Any] = {"result": script.result, "returncode": 0, **script.fields}
        fields["elapsed"] = self._loop.time() - run.began
        if run.stop is not None:
            fields.update(result="", stop=run.stop[0], stop_detail=run.stop[1])
        if script.stdout:
            fields["outputs"] = ["stdout"]
            fields.update(self._kept(run.order["log_dir"], script.stdout))
        if script.trouble is Trouble.NONSENSE:
            fields.update(leaks=17, outputs=3, stop="boredom")
        name = "not_started" if script.trouble is Trouble.CONTRADICT else "ended"
        self._over(run, name, fields)
        if script.trouble is Trouble.LOSE_EVENT:
            self._cut(script)
        if script.trouble is Trouble.LATE:
            self._emit(run, "started", {})
            self._emit(run, name, fields)

    def _kept(self, log_dir: str, stdout: bytes) -> dict[str, Any]:
        """Keep what was printed; return what its event says where nobody else sees it."""
        most = self._settings.get("enclose", 0)
        if not most:
            _keep(log_dir, stdout)
            return {}
        if len(stdout) <= most:
            return {"files": [["stdout", 0o600, base64.b64encode(stdout).decode()]]}
        self.far[log_dir] = {"stdout": stdout}
        return {"fetch": True}

    def _over(self, run: _Run, name: str, fields: Mapping[str, Any]) -> None:
        _silence(run)
        self._runs.pop(run.key, None)
        self._emit(run, name, fields)
        self._loop.call_soon(self._pump)

    def _forge(self, run: _Run) -> None:
        task, attempt = run.key
        strangers: tuple[tuple[Any, Any], ...] = (
            (task + 1000, 1),
            (task, attempt + 1),
            (task, attempt - 1),
            ("x", []),
            (None, True),
        )
        for stranger, number in strangers:
            for name in ("started", "ended", "not_started", "slow", "exploded", 7):
                self._tell({"task": stranger, "attempt": number, "event": name, "result": "fail"})
        self._tell({})

    def _emit(self, run: _Run, name: str, fields: Mapping[str, Any]) -> None:
        head = {"task": run.key[0], "attempt": run.key[1], "event": name, **fields}
        frame = self._tell(head)
        if run.script.trouble is Trouble.RENUMBER:
            self._tell(head)
        elif run.script.trouble is Trouble.REPEAT and self._stream is not None:
            self._stream.send(frame)

    def _tell(self, head: Mapping[str, Any]) -> bytes:
        frame = encode({"type": "event", "seq": self._spool.next_number(), **head})
        begins = head.get("event") in ("started", "not_started")
        self._spool.add(frame, (head["task"], head["attempt"]) if begins else None)
        if self._stream is not None:
            self._stream.send(frame)
        return frame

    def _cut(self, script: Script) -> None:
        self.unreachable_until = self._loop.time() + script.link_lost_for
        if self._stream is not None:
            self._stream.cut()


def _silence(run: _Run) -> None:
    run.is_over = True
    for timer in run.timers:
        timer.cancel()


def _keep(log_dir: str, stdout: bytes) -> None:
    folder = Path(log_dir)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stdout").write_bytes(stdout)
