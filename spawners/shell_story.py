"""What the agent of sh says of attempts, told as any agent tells it.

Takes the lines of its events, in order, and makes events with the fields of docs/agent.md of them;
at the end of an attempt it collects what that has left and has its runner judge. Not responsible
for the conversation (``nrunner.spawners.shell_agent``).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nrunner.errors import NrunnerError, RunnerError
from nrunner.record import dataclass, replace
from nrunner.runners import registry
from nrunner.runners.attempt import Order
from nrunner.runners.base import Exit, Outcome, Place
from nrunner.runners.folder import make_folder
from nrunner.runners.removal import remove_tree
from nrunner.runners.room import blamed
from nrunner.runners.spool import Remains
from nrunner.spawners.shell_order import order_of

__all__ = ["Story", "Told", "read_spool", "remains_in"]

_LONGEST_TEXT = 64 << 10
_KEPT = {"o": ("out", "stdout"), "e": ("err", "stderr"), "d": ("output", "output")}
"""What the agent says is there: the ending of its name, and how the task's folder calls it."""
_UNFIT = {
    "missing": "there is no program {program!r}{where}",
    "is-folder": "cannot execute {program!r}: it is a folder",
    "forbidden": "cannot execute {program!r}: permission denied",
    "folder": "cannot enter the folder it is to run in",
}
_NO_BYTES = (json.JSONDecodeError, KeyError, TypeError, ValueError, NrunnerError)

Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Told:
    """One event of the agent."""

    number: int
    """0 for work that belongs to no attempt, which is not numbered."""
    key: Key
    at: float
    """Seconds since the agent began."""
    words: tuple[str, ...]

    @property
    def kept(self) -> str:
        """Letters for what an attempt that ended has left."""
        return self.words[-1] if self.words[0] == "ended" else ""

    @property
    def is_last(self) -> bool:
        """Whether the attempt is over, and its slot free."""
        return self.words[0] in ("ended", "unfit")


class Story:
    """What is known of the attempts of one agent."""

    def __init__(self, *, shares_files: bool = True, staging: Path | None = None) -> None:
        """`shares_files` says whether what the agent writes is to be found here.

        If it is not, `staging` is where what was fetched is kept, unless that goes to the tasks'
        folders at once.
        """
        self._shares_files = shares_files
        self._staging = staging
        self._slots_dir = ""
        self.orders: dict[Key, Order] = {}
        """Attempts that were ordered, and of whose end nobody has asked."""
        self._facts: dict[Key, dict[str, Any]] = {}

    def take(self, word: str, rest: str) -> Told | None:
        """Take a line of the agent; return the event, if it is one. Raise ValueError."""
        if word in ("event", "errand"):
            return _told(word, rest)
        if word == "slots":
            self._slots_dir = rest
            return None
        task, attempt, text = (*rest.split(" ", 2), "")[:3]
        key = int(task), int(attempt)
        if word == "order":
            with contextlib.suppress(*_NO_BYTES):
                self.expect(order_of(*key, text))
            return None
        self._note(self._facts.setdefault(key, {}), word, text)
        return None

    def _note(self, facts: dict[str, Any], word: str, text: str) -> None:
        if word == "stopped":
            facts["stop"], _, facts["detail"] = text.partition(" ")
        elif word in ("trouble", "full"):
            facts[word] = text
        elif word in ("leak", "stuck"):
            pid, age, channel, command = (*text.split(" ", 3), "")[:4]
            name = "leaks" if word == "leak" else "unkillable"
            process = {"pid": int(pid), "command": _printable(command), "age": int(age) / 100}
            channel = "" if channel == "0" else channel
            facts.setdefault(name, []).append({**process, "wait_channel": channel})

    def expect(self, order: Order) -> None:
        """Note what an attempt is about, of which the agent will tell."""
        if self._staging is not None:
            order = replace(order, log_dir=self.staged(order.log_dir))
        self.orders[order.task, order.attempt] = order

    def staged(self, log_dir: str) -> str:
        """Return where it is kept here what an attempt writes to its folder there."""
        return log_dir if self._staging is None else str(self._staging / Path(log_dir).name)

    def forget(self, told: Told) -> None:
        """Forget the attempt of an event that has been heard before, if it was its last."""
        if told.is_last:
            self.orders.pop(told.key, None)
            self._facts.pop(told.key, None)

    def fields(self, told: Told) -> dict[str, Any]:
        """Return an event as it is to be told. What it has left is moved to the task's folder."""
        word, *words = told.words
        if word == "told":
            return dict(json.loads(words[0]))
        if word == "started":
            return {"event": "started", "pid": int(words[0])}
        if word == "slow":
            channel = words[1] if len(words) > 1 and words[1] != "0" else ""
            return {"event": "slow", "elapsed": int(words[0]) / 100, "wait_channel": channel}
        order, facts = self.orders.pop(told.key, None), self._facts.pop(told.key, {})
        if word == "unfit":
            return {"event": "not_started", **_refusal(order, words[0], facts)}
        prefix = f"{self._slots_dir}/{told.key[0]}.{told.key[1]}" if self._shares_files else ""
        return {"event": "ended", **_ending(order, words, facts, prefix)}


def _told(word: str, rest: str) -> Told:
    number = 0
    if word == "event":
        first, _, rest = rest.partition(" ")
        number = int(first)
    task, attempt, at, name, *more = rest.split(" ", 4)
    # What somebody else has written in JSON is one word, whatever is in it.
    words = more if name == "told" else more[0].split(" ") if more else []
    return Told(number, (int(task), int(attempt)), int(at) / 100, (name, *words))


def _refusal(order: Order | None, why: str, facts: Mapping[str, Any]) -> dict[str, str]:
    if why == "stopped":
        cause = "cancelled" if facts.get("stop") == "cancelled" else "infra"
        return {"cause": cause, "reason": facts.get("detail", "")}
    if "trouble" in facts or why not in _UNFIT:
        return {"cause": "infra", "reason": facts.get("trouble", "its files could not be made")}
    program = order.runnable.uri or "" if order is not None else ""
    where = "" if "/" in program else ", here or on PATH"
    return {"cause": "malformed", "reason": _UNFIT[why].format(program=program, where=where)}


def _ending(
    order: Order | None, words: list[str], facts: Mapping[str, Any], prefix: str
) -> dict[str, Any]:
    status, number, core, elapsed, kept = words
    outcome, end = Outcome(None), _exit(status, number, core)
    more: dict[str, Any] = {}
    if order is None:
        more["trouble"] = "its agent does not know any more what was to run"
    else:
        try:
            more["outputs"] = _collect(prefix, order.log_dir, kept)
            if _lacks_words(order, kept, more["outputs"]):
                more["trouble"] = "what it wrote was lost with its agent"
            elif end is not None and "stop" not in facts and "trouble" not in facts:
                outcome = blamed(_judged(order, end), [facts["full"]] if "full" in facts else [])
        except OSError as error:
            more["trouble"] = f"its results cannot be kept: {error}"
        except RunnerError as error:
            outcome = Outcome(None, str(error), contract=True)
    data = outcome.to_json()
    if len(data.get("fail_reason", "")) > _LONGEST_TEXT:
        data["fail_reason"] = data["fail_reason"][:_LONGEST_TEXT] + "..."
    data.update(elapsed=max(0, int(elapsed)) / 100, layer="session")
    if end is not None:
        data["core"] = end.core
        data.setdefault("returncode", end.returncode)
    if "stop" in facts:
        data.update(result="", stop=facts["stop"], stop_detail=_detail(order, facts))
    told = {name: facts[name] for name in ("leaks", "unkillable", "trouble") if name in facts}
    return {**data, **{name: value for name, value in {**more, **told}.items() if value}}


def _lacks_words(order: Order, kept: str, outputs: list[str]) -> bool:
    """Whether it cannot be judged: what it wrote, which says how it ended, is not here."""
    return "o" in kept and "stdout" not in outputs and order.runnable.kind != "exec-test"


def _exit(status: str, number: str, core: str) -> Exit | None:
    if status == "-":
        return None
    if number != "0":
        return Exit(None, int(number), core == "1")
    return Exit(int(status))


def _detail(order: Order | None, facts: Mapping[str, Any]) -> str:
    limits = order.limits if order is not None else None
    if facts["stop"] == "timeout" and limits is not None and limits.timeout is not None:
        return f"past its {limits.timeout:g} s limit"
    if facts["stop"] == "silence" and limits is not None and limits.silence is not None:
        return f"no output for {limits.silence:g} s"
    return str(facts.get("detail", ""))


def _judged(order: Order, end: Exit) -> Outcome:
    # Judging needs what was written, and none of the folders that are gone by now.
    place = Place(order.log_dir, "", "", "", order.id)
    return registry.runner(order.runnable.kind).judge(order.runnable, place, end, None)


def _collect(prefix: str, log_dir: str, kept: str) -> list[str]:
    """Move what an attempt has left to the task's folder; return the names. Raise OSError.

    What was moved before, by a controller that could not say so any more, is there already, and
    so is what was fetched (then there is no `prefix`).
    """
    names = []
    for letter, (ending, name) in _KEPT.items():
        source, target = f"{prefix}.{ending}", f"{log_dir}/{name}"
        if letter in kept:
            if prefix and os.path.lexists(source):
                make_folder(log_dir)
                _move(source, target, is_folder=letter == "d")
            if os.path.lexists(target):
                names.append(name)
        elif prefix:
            with contextlib.suppress(OSError):
                Path(source).unlink()
    return names


def _move(source: str, target: str, *, is_folder: bool) -> None:
    found = os.lstat(source).st_mode
    if not (stat.S_ISDIR(found) if is_folder else stat.S_ISREG(found)):
        remove_tree(source)  # a test has put something else there
        return
    remove_tree(target)
    try:
        Path(source).rename(target)
    except OSError:
        shutil.move(source, target)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text).strip()[:200]


def read_spool(path: Path) -> Remains | None:
    """Return what an agent has left in the file of its spool; None if there is none."""
    try:
        return remains_in(path.read_bytes())
    except OSError:
        return None


def remains_in(data: bytes, *, shares_files: bool = True) -> Remains:
    """Return what the spool of an agent that has left tells."""
    story = Story(shares_files=shares_files)
    events, begun = [], set()
    for each in _lines(data):
        word, _, rest = each.partition(" ")
        try:
            told = story.take(word, rest)
            if told is None:
                continue
            begun.add(told.key)
            task, attempt = told.key
            head = {"type": "event", "seq": told.number, "task": task, "attempt": attempt}
            events.append({**head, **story.fields(told)})
        except _NO_BYTES:
            break  # somebody else has written there: what follows is not believed either
    return Remains(tuple(events), frozenset(story.orders.keys() - begun))


def _lines(data: bytes) -> Iterable[str]:
    # What comes after the last newline was not written to its end.
    return data.decode("utf-8", "surrogateescape").split("\n")[:-1]
