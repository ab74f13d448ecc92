"""What nrunner means to reach, held against what was measured. Pure.

For information: a figure that misses its target on a noisy machine fails nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.figure import CaseFigures, Figures
from benchmarks.statistic import median_or_none
from benchmarks.tool import OURS

__all__ = ["TARGETS", "Target", "verdicts"]

_Value = Callable[[Figures], float | None]


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on one figure."""

    text: str
    value: _Value
    limit: float
    at_least: bool = False
    unit: str = "x"

    def holds(self, value: float) -> bool:
        """Say whether a value is within the bound."""
        return value >= self.limit if self.at_least else value <= self.limit


def verdicts(figures: Figures) -> Iterator[tuple[Target, float]]:
    """Return each target that was measured, with its value."""
    for target in TARGETS:
        value = target.value(figures)
        if value is not None:
            yield target, value


def _of(key: str, value: Callable[[CaseFigures], float | None]) -> _Value:
    def look_up(figures: Figures) -> float | None:
        case = figures.case(key)
        return None if case is None else value(case)

    return look_up


def _test(key: str, tool: str) -> _Value:
    return _of(key, lambda case: case.ratio(OURS, tool))


def _whole(key: str, tool: str, ours: str = OURS) -> _Value:
    return _of(key, lambda case: case.whole_ratio(ours, tool))


def _faster(key: str, tool: str) -> _Value:
    return _of(key, lambda case: case.whole_ratio(tool, OURS))


def _megabytes(key: str, part: str) -> _Value:
    def of_case(case: CaseFigures) -> float | None:
        size = case.memory(OURS, part)
        return None if size is None else size / 1024

    return _of(key, of_case)


def _figure(key: str, name: str) -> _Value:
    return _of(key, lambda case: case.figure(OURS, name))


def _growth(key: str, small: str) -> _Value:
    """Return the time of a test among many as a multiple of one among few."""

    def compare(figures: Figures) -> float | None:
        cases = figures.case(key), figures.case(small)
        times = [median_or_none(case.per_test(OURS)) if case else None for case in cases]
        return times[0] / times[1] if times[0] and times[1] else None

    return compare


def _kib_per_task(key: str, small: str) -> _Value:
    """Return the controller's memory for each task beyond those of a small job."""

    def compare(figures: Figures) -> float | None:
        many, few = figures.case(key), figures.case(small)
        if many is None or few is None:
            return None
        sizes = many.memory(OURS), few.memory(OURS)
        if sizes[0] is None or sizes[1] is None:
            return None
        return (sizes[0] - sizes[1]) / (many.case.tests - few.case.tests)

    return compare


def _programs() -> Iterator[Target]:
    two = "W1 parallelism 2"
    yield Target("W1: a test, start-up taken off, of xargs at 1,000", _test(two, "xargs"), 1.4)
    large = "W5 10,000 x /bin/true"
    yield Target("W1: the same at 10,000", _test(large, "xargs"), 1.3)
    for tool in ("stestr", "ctest", "lit", "pytest", "pytest -n", "kyua", "parallel", "meson"):
        yield Target(f"W1: the whole run, of {tool}", _whole(two, tool), 1.0)
    yield Target("W1: times faster than Avocado", _faster(two, "avocado"), 100, at_least=True)


def _methods() -> Iterator[Target]:
    key = "W2 parallelism 2"
    yield Target("W2: a process per test, of pytest -n2", _whole(key, "pytest -n"), 1.2)
    forked = _faster(key, "pytest --forked -n")
    yield Target("W2: times faster than pytest --forked -n2", forked, 4, at_least=True)
    yield Target("W2: times faster than Avocado", _faster(key, "avocado"), 80, at_least=True)
    by_module = _whole(key, "stestr", f"{OURS} by module")
    yield Target("W2: --isolation=module, of stestr", by_module, 1.3)


def _sleepers() -> Iterator[Target]:
    for parallel, limit in ((2, 1.03), (8, 1.08), (32, 1.2), (128, 1.3)):
        key = f"W3 parallelism {parallel}"
        text = f"W3: {parallel} at a time, of xargs"
        yield Target(f"{text}, start-up taken off", _test(key, "xargs"), limit)
        yield Target(f"{text}, the whole run", _whole(key, "xargs"), limit)


def _output() -> Iterator[Target]:
    for label in ("1 GB", "100 x 10 MB"):
        key = f"W4 {label}"
        yield Target(f"W4: {label}, once started, of cat", _test(key, "| cat > file"), 1.0)
        yield Target(f"W4: {label}, controller", _megabytes(key, "main"), 60, unit="MB")
        yield Target(f"W4: {label}, agent", _megabytes(key, "agent"), 60, unit="MB")
    yield Target("W6: the whole run, of prove -j2", _whole("W6 parallelism 2", "prove"), 0.5)


def _scale() -> Iterator[Target]:
    for number in ("10,000", "100,000"):
        for kind in ("/bin/true", "noop"):
            key, small = f"W5 {number} x {kind}", f"W5 1,000 x {kind}"
            text = f"W5: {number} x {kind}"
            yield Target(f"{text}, time of a task, of that at 1,000", _growth(key, small), 1.2)
            memory = _kib_per_task(key, small)
            yield Target(f"{text}, memory for each further task", memory, 1.5, unit="KiB")


def _start() -> Iterator[Target]:
    run = "W7 run one test"
    yield Target("W7: run of one noop, of lit", _whole(run, "lit"), 1.0)
    yield Target("W7: run of one noop, of pytest", _whole(run, "pytest"), 1.0)
    yield Target("W7: --help, of python -S -c pass", _whole("W7 help", "python -S -c pass"), 5)


def _messages() -> Iterator[Target]:
    for connections in ("1", "100", "1,000"):
        key = f"W8 status messages, connections {connections}"
        text = f"W8: {connections} connection{'' if connections == '1' else 's'}"
        if connections == "1":
            rate = _figure(key, "messages/s")
            yield Target(f"{text}, messages", rate, 150_000, at_least=True, unit="/s")
        lag = _figure(key, "lag p99 ms")
        yield Target(f"{text}, lag at the 99th percentile", lag, 100, unit="ms")


def _containers() -> Iterator[Target]:
    each, one = "W9 one each", "W9 one for all"
    faster = _of(each, lambda case: case.whole_ratio("podman run --rm", f"{OURS} in one each"))
    yield Target("W9: a container each, times podman run --rm", faster, 1.3, at_least=True)
    times = _of(one, lambda case: case.ratio("podman exec", f"{OURS} in one"))
    yield Target("W9: one for all, times podman exec", times, 20, at_least=True)
    yield Target(
        "W9: a test in one for all, start-up taken off, of one outside",
        _of(one, lambda case: case.ratio(f"{OURS} in one", OURS)),
        1.3,
    )


def _devices() -> Iterator[Target]:
    key = "W10 200"
    ours = f"{OURS} on a device"
    text, one_by_one = "W10: tests a second, times", "ssh, ControlMaster, one by one"
    faster = _of(key, lambda case: case.ratio("asyncssh", ours))
    yield Target(f"{text} asyncssh", faster, 1.5, at_least=True)
    faster = _of(key, lambda case: case.ratio(one_by_one, ours))
    yield Target(f"{text} {one_by_one}", faster, 10, at_least=True)
    whole = _of(key, lambda case: case.one(ours))
    yield Target("W10: a whole run of one test", whole, 1.0, unit="s")


def _viewers() -> Iterator[Target]:
    few, many = "W11 viewers 0", "W11 viewers 501"
    text = "W11: 500 viewers and one that takes nothing"
    yield Target(f"{text}, the job's time", _of_both("job s", many, few), 1.05)
    yield Target(f"{text}, memory", _of_both("peak MiB", many, few), 2)


def _of_both(name: str, upper: str, lower: str) -> _Value:
    def divide(figures: Figures) -> float | None:
        above, below = _figure(upper, name)(figures), _figure(lower, name)(figures)
        return above / below if above and below else None

    return divide


TARGETS: tuple[Target, ...] = (
    *_programs(),
    *_methods(),
    *_sleepers(),
    *_output(),
    *_scale(),
    *_start(),
    *_messages(),
    *_containers(),
    *_devices(),
    *_viewers(),
)
