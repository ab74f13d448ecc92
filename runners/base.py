"""The contract of a runner: what the code that knows one kind of Runnable must offer.

One class serves the agent, the zygote and the standalone executable. A runner never spawns,
waits or kills by itself: it says which command to run (`Runner.command`) and, once that has
ended, what the outcome was (`Runner.judge`). Not responsible for supervising; that is the agent.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from nrunner.record import dataclass, field
from nrunner.result import Result
from nrunner.runnable import Requirement, Runnable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Union

__all__ = [
    "REQUIREMENT",
    "Command",
    "Exit",
    "Outcome",
    "Place",
    "RequirementRunner",
    "Runner",
    "Warm",
]

REQUIREMENT = "NRUNNER_REQUIREMENT"
"""Variable by which a child is told of its requirement: others can read command lines."""


@dataclass(frozen=True)
class Place:
    """The folders of one attempt, absolute paths, all of them there before the payload starts."""

    log_dir: str
    """Holds ``stdout`` and ``stderr``; what people open afterwards."""
    output_dir: str
    """For files the test wants to keep."""
    work_dir: str
    """Fresh and temporary: removed after the attempt."""
    base_dir: str
    """The folder relative uris and commands are relative to (that of ``nrunner run``)."""
    task_id: str = ""
    job_id: str = ""
    report: str = ""
    """Path, outside all that a test may delete, for a payload that leaves an Outcome as JSON."""
    quiet: bool = False
    """Whether nobody wants to read that all went well."""
    slot_dir: str = ""
    """The slot's own folder: what is made there is found by the attempts that come after it."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables that the user gives all payloads; those of a command beat them."""

    @property
    def stdout(self) -> str:
        """Path of the file that gets the payload's standard output."""
        return self.log_dir + "/stdout"

    @property
    def stderr(self) -> str:
        """Path of the file that gets the payload's standard error."""
        return self.log_dir + "/stderr"


@dataclass(frozen=True)
class Warm:
    """How a payload that is Python code starts without a new interpreter: a zygote forks."""

    argv: tuple[str, ...]
    """Starts the zygote; the number of an open socket is added."""
    spec: Mapping[str, Any]
    """What the fork is to run, as JSON types."""
    module: str = ""
    """What has to be imported for it: the same for all that may share one import."""
    is_shared: bool = False
    """Whether the fork stays for the others of its series, one after another."""


@dataclass(frozen=True)
class Command:
    """What to execute for a payload; stdout and stderr go to the files of the Place."""

    argv: tuple[str, ...]
    """``argv[0]`` is a path, or a name to be looked up on PATH."""
    cwd: str
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the environment that the agent was given."""
    clear_env: bool = False
    """Start from an empty environment instead."""
    report: str | None = None
    """Path of a file in which the payload leaves its Outcome as JSON, for kinds that do."""
    speaks: bool = False
    """Whether the payload sends status messages (wire format) to the agent's status socket."""
    warm: Warm | None = None
    """Another way to run it, with the same outcome."""
    first_on_path: str = ""
    """A folder in which the payload, and what it starts, look for programs first."""
    answers: bool = False
    """Whether the payload says where its Python is when it is asked (``nrunner.runners.stack``)."""


@dataclass(frozen=True)
class Exit:
    """How the main process of an attempt ended, as its supervisor saw it."""

    status: int | None
    """Exit status, or None if a signal ended it."""
    signal: int | None = None
    core: bool = False

    @property
    def returncode(self) -> int:
        """As ``subprocess`` says it: negative for a signal."""
        return -self.signal if self.signal is not None else self.status or 0


@dataclass(frozen=True)
class Outcome:
    """What a runner has to say about an attempt: the content of a ``finished`` message.

    `result` is None where no answer was found (a TAP producer that printed no TAP).
    """

    result: Result | None
    fail_reason: str | None = None
    returncode: int | None = None
    class_name: str | None = None
    fail_class: str | None = None
    traceback: str | None = None
    contract: bool = False
    """The payload broke its contract with us (crashed, said nothing): cause `contract`."""
    malformed: bool = False
    """The Runnable can never work as described: cause `malformed`."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields that say something, as JSON types."""
        data: dict[str, Any] = {"result": "" if self.result is None else self.result.wire}
        for name in _REST:
            value = getattr(self, name)
            if value:
                data[name] = value
        if self.returncode is not None:
            data["returncode"] = self.returncode
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcome:
        """Read what `to_json` wrote; raise ValueError or TypeError if it is not that."""
        word = data["result"]
        if type(word) is not str:
            raise TypeError(f"result is no word: {word!r:.80}")
        rest = {name: data[name] for name in _TYPES if data.get(name) is not None}
        for name, value in rest.items():
            if type(value) is not _TYPES[name]:
                raise TypeError(f"{name} is no {_TYPES[name].__name__}: {value!r:.80}")
        return cls(Result.from_wire(word) if word else None, **rest)


_REST = ("fail_reason", "class_name", "fail_class", "traceback", "contract", "malformed")
_TYPES = {
    **dict.fromkeys(_REST[:4], str),
    **dict.fromkeys(_REST[4:], bool),
    "returncode": int,
}


class Runner:
    """Knows one kind of Runnable. Stateless: one instance serves all tasks of an agent."""

    kind: str = ""
    description: str = ""
    configuration_used: tuple[str, ...] = ()
    """Keys of ``Runnable.config`` that it reads."""
    reads_output: bool = False
    """Whether `judge` reads all that was printed; where that is much, it is called in a thread."""

    def command(self, runnable: Runnable, place: Place) -> Union[Command, Outcome]:
        """Say what to execute, or, where nothing has to be, how it ended.

        Raise RunnerError if the Runnable can never work as described.
        """
        raise NotImplementedError

    def company(self, runnable: Runnable) -> str:
        """Name what Runnables that can share a process have in common; empty if this one cannot.

        Those that do are a series: they run one after another, in the order of the job.
        """
        return ""

    def judge(self, runnable: Runnable, place: Place, end: Exit, report: Outcome | None) -> Outcome:
        """Turn exit status, output files and the payload's own report into the outcome.

        Called once, after the main process has ended by itself (not after a timeout or a
        cancellation). `report` is None unless the command promised one and it was readable.
        """
        raise NotImplementedError


class RequirementRunner(Runner):
    """Knows one kind of requirement: how to see whether it holds, and how to make it hold.

    A subclass has `check`, and `fulfil` if anything can be done about a requirement that does not
    hold. Running it as a task is to fulfil it. What takes its time is done in a child: its output
    is the log that people read, so say there what is done and what is waited for.
    """

    instant: bool = True
    """Whether `check` and `fulfil` are quick enough for the agent's loop, on which all waits.

    Quick is what starts no process, waits for nobody, and reads no more than a small file.
    """
    config: Mapping[str, Any] = {}
    """The settings of the job, given by whoever uses the runner."""

    def is_instant(self, requirement: Requirement) -> bool:
        """Say the same of one requirement, where some of a kind take longer than others."""
        return self.instant

    def resource(self, requirement: Requirement) -> str:
        """Name what no two fulfilments may use at once in an environment; empty for nothing."""
        return ""

    def check(self, requirement: Requirement, base_dir: str) -> str | None:
        """Return None if the requirement is met here, else the reason why not.

        Changes nothing, and is cheap beside fulfilling. The reason is one line that says what is
        wrong, and what would be right. Raise RunnerError for what can never hold as described.
        """
        raise NotImplementedError

    def fulfil(self, requirement: Requirement, base_dir: str) -> None:
        """Make hold what does not; raise RequirementError with the reason if that cannot be done.

        Where it holds already nothing is done. As it stands, nothing can be done at all.
        """
        reason = self.check(requirement, base_dir)
        if reason is not None:
            from nrunner.errors import RequirementError

            raise RequirementError(reason)

    def variables(self, requirement: Requirement, base_dir: str) -> Mapping[str, str]:
        """Return what tests are told, where it holds; raise RequirementError if it does not.

        Asked in the agent, for kinds in ``registry.HANDING_KINDS``, when a requirement has been
        fulfilled and again for each attempt; it must be instant.
        """
        return {}

    def interpreter(self, requirement: Requirement, base_dir: str) -> str | None:
        """Return the Python in which tests of Python are to run; None if that does not matter."""
        return None

    def command(self, runnable: Runnable, place: Place) -> Union[Command, Outcome]:
        """Return how fulfilling ended, or the child that does it."""
        requirement = Requirement(runnable.kind, runnable.uri, runnable.args, runnable.kwargs)
        if self.is_instant(requirement):
            self.config = runnable.config
            return self._at_once(requirement, place.base_dir)
        import json

        from nrunner.runners.self_command import self_command

        python, *home = self_command("requirement")
        spec = {"requirement": requirement.to_json(), "config": dict(runnable.config)}
        argv = (python, "-I", "-S", *home, "fulfil", place.report)
        env = {REQUIREMENT: json.dumps(spec)}
        return Command(argv, place.base_dir, env, report=place.report)

    def _at_once(self, requirement: Requirement, base_dir: str) -> Outcome:
        from nrunner.errors import RequirementError

        try:
            if self.check(requirement, base_dir) is not None:
                self.fulfil(requirement, base_dir)
        except RequirementError as error:
            return Outcome(Result.ERROR, str(error))
        return Outcome(Result.PASS)

    def judge(self, runnable: Runnable, place: Place, end: Exit, report: Outcome | None) -> Outcome:
        """Believe what the child has written; raise RunnerError where there can have been none."""
        requirement = Requirement(runnable.kind, runnable.uri, runnable.args, runnable.kwargs)
        if self.is_instant(requirement):
            from nrunner.errors import RunnerError

            raise RunnerError(f'a requirement of kind "{self.kind}" is not executed')
        how = f"status {end.status}" if end.signal is None else f"signal {end.signal}"
        if report is None:
            reason = f"what fulfils it ended with {how} and without a word"
            return Outcome(None, reason, end.returncode, contract=True)
        if end.signal is not None:
            reason = f"what fulfils it was ended by {how}"
            return Outcome(None, reason, end.returncode, contract=True)
        return report
