"""What the agent knows of one attempt, from the order to the story it tells afterwards.

Not responsible for the course of events; that is ``nrunner.runners.supervisor``.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import enum
import json
import os
import time
from collections.abc import Mapping

from nrunner.errors import RunnerError
from nrunner.record import dataclass, field, fields
from nrunner.runnable import Requirement, Runnable
from nrunner.runners.base import Command, Exit, Outcome, Place, Runner
from nrunner.runners.loop import Timer
from nrunner.runners.slot import Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from nrunner.runners.deliberation import Deliberation
    from nrunner.runners.reception import Reception

__all__ = ["EVIDENCE", "Attempt", "Limits", "Order", "Settings", "Stage", "shortened", "whole"]

EVIDENCE = "evidence.txt"
"""Name of the file that says what an attempt was doing, if anybody had to know."""
_LONGEST_TEXT = 64 << 10
"""Reasons and tracebacks are cut to this many characters, so that a frame stays small."""
_MOST_OUTPUTS = 1000
"""So many names are told of what is in the folder of a task, for the same reason."""
_LOGS = ("stdout", "stderr", "debug.log", "runner.log", "whiteboard", "output")
"""Those names that reports look for."""


@dataclass(frozen=True)
class Settings:
    """What all attempts of a job have in common here."""

    job_id: str = ""
    base_dir: str = "/"
    slots_dir: str = ""
    """Folder for the files of attempts that run; nothing runs until it is said."""
    kept_dir: str = ""
    """Folder for what is made for requirements; below `slots_dir` unless it is said."""
    enclose: int = 0
    """Bytes of files that the end of an attempt may carry, where the controller sees none."""
    least_free: int = 0
    """Bytes that the disk of the slots must have free before an attempt begins."""
    reboots: bool = False
    """Whether tests may ask for a reboot of the machine."""
    slots: int = 1
    env: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    """Runner configuration; a Runnable's own wins."""
    orphan_deadline: float = 60.0
    """Seconds without a controller after which everything is killed."""

    @property
    def kept(self) -> str:
        """Where is what was made for requirements, and stays as long as the environment."""
        return self.kept_dir or f"{self.slots_dir}/kept"

    @property
    def requirement_config(self) -> dict[str, Any]:
        """Return what runners of requirements are to know, with the variables that tests get."""
        variables = dict(self.env)
        own: Any = self.config.get("runner.env")
        if _is_like(own, _VARIABLES):
            variables.update(own)
        return {**self.config, "runner.env": variables, "agent.kept_dir": self.kept}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Settings:
        """Read a ``settings`` frame, passing over what is not known; raise TypeError."""
        usual = cls()
        found: dict[str, Any] = {}
        for each in fields(cls):
            if each.name in data:
                found[each.name] = value = data[each.name]
                if not _is_like(value, getattr(usual, each.name)):
                    raise TypeError(f'"{each.name}" is not what it should be')
        if not _is_like(found.get("env", {}), _VARIABLES):
            raise TypeError('"env" is not what it should be')
        return cls(**found)


@dataclass(frozen=True)
class Limits:
    """Bounds of an attempt in seconds, None for no bound (see ``nrunner.task.TaskLimits``)."""

    timeout: Optional[float] = None
    slow: Optional[float] = None
    silence: Optional[float] = None
    grace: float = 5.0

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Limits:
        """Read the ``limits`` of an order; raise TypeError."""
        if not all(each is None or _is_like(each, 0.0) for each in data.values()):
            raise TypeError("expected limits in seconds")
        return cls(**data)


_NO_LIMITS = Limits()


@dataclass(frozen=True)
class Order:
    """A controller's wish to have an attempt run."""

    task: int
    attempt: int
    id: str
    """The id by which people and status messages know the task."""
    runnable: Runnable
    log_dir: str
    limits: Limits = _NO_LIMITS
    series: str = ""
    """What it has in common with those that may share its process."""
    follower: str = ""
    """The uri of the one that comes next in its series, as far as can be told now."""
    needs: tuple[Requirement, ...] = ()
    """Those requirements, which hold, that tell a test something."""
    is_check: bool = False
    """Whether it only looks whether a requirement holds."""
    reboot: Optional[Mapping[str, Any]] = None
    """What was before the machine was rebooted for it (`nrunner.runners.reboot.Past`)."""

    @property
    def is_errand(self) -> bool:
        """Whether it is no task's attempt but work for one (a requirement)."""
        return self.task < 0

    @classmethod
    def from_json(cls, data: Mapping[str, Any], config: Mapping[str, Any]) -> Order:
        """Read a ``run`` frame; raise RecipeError, KeyError or TypeError if it is not one."""
        recipe = data["runnable"]
        if config:
            recipe = {**recipe, "config": {**config, **recipe.get("config", {})}}
        limits = data.get("limits")
        texts = data["id"], data["log_dir"], data.get("series") or "", data.get("next") or ""
        if not all(isinstance(each, str) for each in texts):
            raise TypeError("expected text")
        name, log_dir, series, follower = texts
        return cls(
            whole(data["task"]),
            whole(data["attempt"]),
            name,
            Runnable.from_json(recipe),
            log_dir,
            Limits.from_json(limits) if limits else _NO_LIMITS,
            series,
            follower,
            tuple(map(Requirement.from_json, data.get("needs") or ())),
            reboot=data.get("reboot"),
        )

    @property
    def env(self) -> Mapping[str, str]:
        """Variables that its Runnable asks for; raise RunnerError."""
        found = self.runnable.config.get("runner.env")
        if found is None:
            return {}
        if not _is_like(found, _VARIABLES):
            raise RunnerError('key "runner.env": expected names of variables with texts')
        return found  # type: ignore[no-any-return]  # seen to be that


def shortened(text: str) -> str:
    """Return a text, or its beginning if it is too long for a frame."""
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "..."


def whole(value: Any) -> int:
    """Return a whole number as it is; raise TypeError for anything else."""
    if type(value) is not int:
        raise TypeError(f"expected a whole number, not {type(value).__name__}")
    return value


_VARIABLES = {"name": "text"}


def _is_like(value: Any, usual: Any) -> bool:
    """Whether a value from outside is of the same sort as another one."""
    if isinstance(usual, float):
        return type(value) in (int, float) and 0 <= value < float("inf")
    if isinstance(usual, Mapping):
        texts = (*usual, *usual.values())
        return isinstance(value, Mapping) and (
            not texts or all(isinstance(each, str) for each in (*value, *value.values()))
        )
    return type(value) is type(usual)


class Stage(enum.Enum):
    """How far an attempt is."""

    RUNNING = "running"
    LINGERING = "lingering"
    """The main process ended; what it started may end by itself."""
    TERMINATING = "terminating"
    KILLING = "killing"
    DONE = "done"


class Attempt:
    """One attempt under supervision."""

    __slots__ = (
        "began",
        "brand",
        "broken",
        "command",
        "deliberation",
        "doing",
        "end",
        "ended",
        "has_evidence",
        "key",
        "leaks",
        "mark",
        "order",
        "outputs",
        "paused",
        "pid",
        "place",
        "reception",
        "refusals",
        "runner",
        "said",
        "slot",
        "stage",
        "stop",
        "stop_detail",
        "timers",
        "trouble",
        "unkillable",
        "whiteboard",
    )

    def __init__(self, order: Order) -> None:
        self.order = order
        self.key = (order.task, order.attempt)
        self.mark = ""
        self.brand = 0
        self.stage = Stage.RUNNING
        self.runner: Optional[Runner] = None
        self.slot: Optional[Slot] = None
        self.reception: Optional[Reception] = None
        """Where its payload speaks for itself, if it does."""
        self.place = Place("", "", "", "")
        self.command: Optional[Command] = None
        self.pid = 0
        self.paused = 0.0
        """For how long it was stopped by people, until now."""
        self.doing = ""
        """What it was doing when it passed a limit."""
        self.has_evidence = False
        self.refusals = 0
        """How many zygotes were to fork it, and did not."""
        self.began = 0.0
        self.ended = 0.0
        self.end: Optional[Exit] = None
        self.deliberation: Optional[Deliberation] = None
        """The search for its verdict, while that takes long."""
        self.said: Optional[Outcome] = None
        """What the payload said in a ``finished`` message of its own."""
        self.broken = ""
        """Why no ``finished`` message is to be expected any more, though its process lives."""
        self.whiteboard = ""
        self.stop: Optional[str] = None
        self.stop_detail = ""
        self.trouble = ""
        self.timers: list[Timer] = []
        self.leaks: list[dict[str, Any]] = []
        self.unkillable: list[dict[str, Any]] = []
        self.outputs: tuple[str, ...] = ()

    @property
    def reboot_request(self) -> str:
        """The file in which it asks for a reboot, where it may."""
        return f"{self.slot.folder}/reboot" if self.slot is not None else ""

    def place_in(self, slot: Slot, settings: Settings) -> Place:
        """Settle in a slot; return the folders of the attempt."""
        order = self.order
        self.mark = f"{settings.job_id}:{order.task}:{order.attempt}"
        self.place = Place(
            order.log_dir,
            slot.output_dir,
            slot.work_dir,
            settings.base_dir,
            order.id,
            settings.job_id,
            slot.report.path,
            quiet=True,
            slot_dir=slot.folder,
            env={**settings.env, **order.env},
        )
        return self.place

    def progress(self) -> int:
        """Return what counts up as long as its payload is not silent."""
        if self.slot is None:
            return 0
        heard = self.reception
        if heard is None:
            return self.slot.written()
        # Avocado's runners print each of their messages, heartbeats too.
        chatty = self.slot.capture("stdout").size if heard.beats > 1 else 0
        return self.slot.written() - chatty + heard.words

    def collect(self) -> int:
        """Move what the attempt wrote to the task's folder; return how many names there are.

        Not all of them may be told as its `outputs`. Raise OSError.
        """
        if self.slot is None:
            return 0
        speaks = self.command is not None and self.command.speaks
        keep_work = self.order.runnable.config.get("runner.keep_tmp") is True
        names = self.slot.collect(self.order.log_dir, keep_names=speaks, keep_work=keep_work)
        if speaks:
            # What it said by messages is there, too, and whatever else it has put there.
            found = sorted(os.listdir(self.order.log_dir))
            logs = [name for name in _LOGS if name in found]
            names = (*logs, *(name for name in found if name not in _LOGS))
        elif self.has_evidence:
            names = (*names, EVIDENCE)
        self.outputs = names[:_MOST_OUTPUTS]
        return len(names)

    def retire(self) -> None:
        """Have nothing more happen to it but that its end is told."""
        self.stage = Stage.DONE
        for timer in self.timers:
            timer.cancel()

    def forget_report(self) -> None:
        """Remove the report that an attempt before may have left in this slot; raise OSError."""
        if self.slot is not None:
            self.slot.report.blank()

    def report(self) -> Optional[Outcome]:
        """Return what the payload said by itself, None if it said nothing readable."""
        if self.said is not None or self.command is None or self.command.report is None:
            return self.said
        try:
            return Outcome.from_json(json.loads(self.slot.report.read())) if self.slot else None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def story(self, outcome: Outcome, layer: str) -> dict[str, Any]:
        """Return what an ``ended`` event says."""
        data = outcome.to_json()
        for name in ("fail_reason", "traceback"):
            if name in data:
                data[name] = shortened(data[name])
        data["time"] = now = time.monotonic()
        data["elapsed"] = max(0.0, (self.ended or now) - self.began - self.paused)
        data["layer"] = layer
        if self.end is not None:
            data["core"] = self.end.core
            data.setdefault("returncode", self.end.returncode)
        if self.stop is not None:
            data.update(result="", stop=self.stop, stop_detail=self.stop_detail)
        for name in ("doing", "leaks", "unkillable", "outputs", "whiteboard", "trouble"):
            value = getattr(self, name)
            if value:
                data[name] = value
        return data
