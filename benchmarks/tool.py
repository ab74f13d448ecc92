"""What the suite knows of a tool and of the work that it is given.

Data only. Not responsible for installing (``peer``), running (``gauge``) or order (``series``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["OURS", "Broken", "Case", "Command", "Reading", "Site", "Tool", "no_input"]

OURS = "nrunner"
"""The name of the installation that all others are compared with."""


class Broken(Exception):
    """A tool did not do the work, so that its time means nothing."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command, as a user would type it."""

    words: tuple[str, ...]
    stdin: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    """Where it runs; if nothing is said, in the new folder."""
    watch_output: bool = False
    """Read the output as it comes, to know when it begins; else it goes to a file."""
    status: int = 0


@dataclass(frozen=True, slots=True)
class Site:
    """Where a command runs, and on what.

    ``input`` holds the tests and is kept from round to round, so that caches beside them are warm
    for each tool as they would be for its users. ``folder`` is new and empty each time.
    """

    input: Path
    folder: Path
    tests: int
    parallel: int
    programs: tuple[str, ...]
    find: Callable[[str], str]
    """From the name of an executable to its path."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a run said of itself: how many tests, and figures of its own."""

    tests: int | None = None
    """None where the tool does not say."""
    figures: Mapping[str, float] = field(default_factory=dict)


def _says_nothing(site: Site, output: str) -> Reading:
    return Reading()


@dataclass(frozen=True, slots=True)
class Tool:
    """How one tool does a sort of work."""

    name: str
    """As the table shows it."""
    peer: str
    """The installation that it needs."""
    prepare: Callable[[Site], Command]
    """Write what the tool wants to find, untimed, and say what is to be timed."""
    read: Callable[[Site, str], Reading] = _says_nothing
    most: int | None = None
    """Slow tools get no more tests than this; figures per test stay comparable."""
    option: str = ""
    """An option that nrunner must take; a version that does not take it is left out."""


def no_input(folder: Path, tests: int) -> tuple[str, ...]:
    """Make no input."""
    return ()


@dataclass(frozen=True, slots=True)
class Case:
    """One setting of a workload, given to several tools."""

    workload: str
    label: str
    tools: tuple[Tool, ...]
    tests: int
    parallel: int = 1
    make_input: Callable[[Path, int], tuple[str, ...]] = no_input
    """Make so many tests in a folder; return them if they are programs."""
    reference: str = ""
    """The tool, usually the barest, whose time stands for 1 beside ours."""
    with_one: bool = True
    """Whether a run of one test is measured, too, so that the start-up can be taken off."""
    own_seconds: float = 0.0
    """What one test takes by its nature; it is no part of the start-up."""
    times: int = 1
    """How often each round is run, where a run is so short that chance has a large part in it."""
    memory: bool = True
    """Whether a further run, untimed, is watched for its memory."""

    @property
    def key(self) -> str:
        """The name of the case in JSON and in targets."""
        return f"{self.workload} {self.label}"

    def tests_for(self, tool: Tool) -> int:
        """Return how many tests a tool gets."""
        return self.tests if tool.most is None else min(self.tests, tool.most)
