"""What each payload in tests/fixtures/payloads must come to, and who holds a run against that.

The verifier compares a whole results.json with the model: every task, its verdict with cause and
detail, exit status, attempts, outputs to the byte, and the counts that follow. A payload that is
not in the model, or a field that differs, is a difference.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = [
    *("PROGRAMS", "Expected", "differences", "killed_late", "leaky", "recipes", "refused"),
    "says",
]

PAYLOADS = Path(__file__).resolve().parent.parent / "fixtures" / "payloads"

TIMEOUT = 4.0
GRACE = 0.5

Content = bytes | int | Callable[[bytes], bool]
"""What a file must hold: these bytes, so many bytes, or what a function says yes to."""


@dataclass(frozen=True)
class Expected:
    """One task: how to run it, and what must be reported."""

    name: str
    status: str
    cause: str = "test"
    detail: str = ""
    """Regular expression for the whole detail."""
    returncode: int | None = 0
    outputs: Mapping[str, Content] = field(default_factory=dict)
    kind: str = "exec-test"
    uri: str = ""
    """What is run, where that is not its name."""
    args: tuple[str, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    leaks: str = ""
    """Regular expression for the command of each process that it leaves."""
    ends_in: str = "FINISHED"
    """Regular expression for the last phase."""
    attempts: Collection[int] = (1,)
    """How many there may be."""
    takes: tuple[float, float] = (0.0, TIMEOUT)
    """Seconds that it may take at least, and at most."""

    def recipe(self) -> dict[str, Any]:
        """Return it as a recipe."""
        recipe: dict[str, Any] = {"kind": self.kind, "uri": self.uri or self.name}
        if self.uri:
            recipe["identifier"] = self.name
        if self.args:
            recipe["args"] = list(self.args)
        if self.kwargs:
            recipe["kwargs"] = dict(self.kwargs)
        return recipe


def says(text: bytes) -> Callable[[bytes], bool]:
    """Accept what holds these bytes."""
    return lambda data: text in data


def killed_late(name: str, *, returncode: int, timeout: float = TIMEOUT, **more: Any) -> Expected:
    """What runs past its limit: to be told to end, or killed once its grace is over."""
    outputs = {**more.pop("outputs", {}), "evidence.txt": says(b" s limit\n\nPID ")}
    return Expected(
        name,
        "INTERRUPT",
        "timeout",
        f"past its {timeout:g} s limit",
        returncode,
        ends_in="INTERRUPTED",
        takes=(timeout, timeout + GRACE + 3),
        outputs=outputs,
        **more,
    )


def leaky(name: str, command: str, *, count: str = "1 process", **more: Any) -> Expected:
    """What passes, and leaves processes behind."""
    detail = rf"left {count} \(.*\) behind"
    return Expected(name, "WARN", detail=detail, leaks=command, **more)


def refused(name: str, detail: str) -> Expected:
    """What can never be executed."""
    return Expected(name, "ERROR", "malformed", detail, None, ends_in="FAILED_TO_START")


PROGRAMS: Sequence[Expected] = (
    killed_late("./ignores_term.sh", returncode=-9),
    killed_late("./stops_itself.sh", returncode=-15),
    leaky("./stopped_child.sh", r"sh -c kill -STOP .*"),
    leaky("./leaves_daemon.sh", "sleep 300"),
    leaky("./leaves_many.sh", "sleep 300", count="20 processes"),
    leaky("./leaves_hidden.py", "hidden-mark-.* 300"),
    Expected("./lingers_shortly.sh", "PASS", outputs={"stdout": b"first word\nlast word\n"}),
    Expected(
        "./odd_bytes.py",
        "PASS",
        outputs={
            "stdout": bytes(range(256)),
            "stderr": b"\x1b[2J\x1b]0;title\x07\x1b[31mred\r\xff\xfe\x00no newline",
        },
    ),
    Expected("./closes_descriptors.py", "PASS", takes=(0.2, TIMEOUT)),
    Expected(
        "./replaces_folders.sh", "PASS", outputs={"stdout": lambda data: data.count(b"\n") == 1}
    ),
    Expected("./forbids_folders.sh", "PASS", outputs={"output": 1}),
    Expected(
        "./dumps_core.sh",
        "FAIL",
        detail=r"killed by signal 11 \(SIGSEGV\)(, core dumped)?",
        returncode=-11,
    ),
    Expected(
        "./killed.sh",
        "FAIL",
        detail=r"killed by signal 9 \(SIGKILL\)",
        returncode=-9,
        outputs={"stdout": b"so far\n"},
    ),
    refused(
        "./missing_interpreter.sh",
        r"cannot execute '.*/missing_interpreter.sh': "
        "its interpreter '/no/such/interpreter' is missing",
    ),
    refused(
        "./not_a_program.bin",
        "cannot execute '.*/not_a_program.bin': it is no program, nor a script that begins with #!",
    ),
    refused("./not_executable.sh", "cannot execute '.*/not_executable.sh': permission denied"),
    refused("..", "cannot execute '..': it is a folder"),
    refused("no-such-program", "there is no program 'no-such-program', here or on PATH"),
    Expected(
        "./leaves_output.sh",
        "PASS",
        args=("-x", "two words"),
        kwargs={"GREETING": "hel\nlo"},
        outputs={"stdout": b"hel\nlo|-x|two words\n", "output": 1},
    ),
    Expected(
        "./escape_codes.t",
        "FAIL",
        detail=r"1 of 2 tests failed: 2 \(\x1b\[31mred\x07\)",
        kind="tap",
        outputs={"stdout": b"1..2\nok 1 - fine\nnot ok 2 - \x1b[31mred\x07\nHere: \xff\n"},
    ),
    Expected(
        "./endless_plan.t",
        "ERROR",
        detail=r"not proper TAP: \d+ tests planned, 1 run",
        kind="tap",
        outputs={"stdout": 29},
    ),
    Expected("./long_line.t", "PASS", kind="tap", outputs={"stdout": 40_000_020}),
    Expected(
        "./bail_out.t",
        "ERROR",
        detail="bailed out: no disk; not proper TAP: 3 tests planned, 1 run",
        kind="tap",
        outputs={"stdout": 28},
    ),
)
"""Payloads that are programs; all of them can run at once."""


def recipes(expected: Sequence[Expected]) -> list[dict[str, Any]]:
    """Return what runs them, in order."""
    return [each.recipe() for each in expected]


def differences(data: Mapping[str, Any], job: Path, expected: Sequence[Expected]) -> list[str]:
    """Return in what a results.json differs from the model."""
    found = []
    tests = data["tests"]
    if [each["name"] for each in tests] != [each.name for each in expected]:
        found.append(f"tests: {[each['name'] for each in tests]}")
    for test, model in zip(tests, expected, strict=False):
        found += [f"{model.name}: {each}" for each in _differences(test, model, job)]
    counts = Counter(each.status for each in expected)
    names = {"failures": "FAIL", "errors": "ERROR"}
    for key in ("pass", "failures", "errors", "skip", "warn", "interrupt", "cancel"):
        status = names.get(key, key.upper())
        if data[key] != counts[status]:
            found.append(f"{key}: {data[key]}, not {counts[status]}")
    causes = Counter(each.cause for each in expected)
    if {key: count for key, count in data["causes"].items() if count} != causes:
        found.append(f"causes: {data['causes']}, not {dict(causes)}")
    return found


def _differences(test: Mapping[str, Any], model: Expected, job: Path) -> list[str]:
    found = [
        f"{key}: {test[key]!r}, not {getattr(model, key)!r} ({test['detail']!r})"
        for key in ("status", "cause", "kind", "returncode")
        if test[key] != getattr(model, key)
    ]
    if not re.fullmatch(model.detail, test["detail"]):
        found.append(f"detail: {test['detail']!r}")
    if test["fail_reason"] != (test["detail"] or None):
        found.append(f"fail_reason: {test['fail_reason']!r}")
    if not re.fullmatch(model.ends_in, test["phases"][-1]["phase"]):
        found.append(f"phases: {test['phases']}")
    if len(test["attempts"]) not in model.attempts:
        found.append(f"attempts: {test['attempts']}")
    least, most = model.takes
    if not least <= test["time_elapsed"] <= most:
        found.append(f"time_elapsed: {test['time_elapsed']}, not {model.takes}")
    return [*found, *_leaks(test, model), *_outputs(test, model, job)]


def _leaks(test: Mapping[str, Any], model: Expected) -> list[str]:
    leaks = [leak for attempt in test["attempts"] for leak in attempt["leaks"]]
    if bool(leaks) != bool(model.leaks):
        return [f"leaks: {leaks}"]
    return [f"leak: {each}" for each in leaks if not re.fullmatch(model.leaks, each["command"])]


def _outputs(test: Mapping[str, Any], model: Expected, job: Path) -> list[str]:
    if set(test["outputs"]) != set(model.outputs):
        return [f"outputs: {test['outputs']}"]
    return [
        f"{name}: not what it should be: {_beginning(job / path)!r}"
        for name, path in test["outputs"].items()
        if not _holds(job / path, model.outputs[name])
    ]


def _holds(path: Path, content: Content) -> bool:
    if path.is_dir():
        return len(list(path.iterdir())) == content
    if isinstance(content, int):
        return path.stat().st_size == content
    data = path.read_bytes()
    return data == content if isinstance(content, bytes) else content(data)


def _beginning(path: Path) -> Any:
    if path.is_dir():
        return list(path.iterdir())
    with path.open("rb") as file:
        return file.read(200)
