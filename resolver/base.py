"""The contract of a resolver, and the answers it may give.

Not responsible for the order in which resolvers are asked, nor for directories, globs and
missing files; that is ``nrunner.resolver.engine``.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from nrunner.record import dataclass, field
from nrunner.runnable import Runnable

__all__ = ["HINTS", "Answer", "Context", "Declined", "Resolution", "Resolver"]


HINTS = (".nrunner.hint", ".avocado.hint")
"""Names of files in which people say of which kind their tests are; the first there is counts."""


class Answer(enum.Enum):
    """What a resolver says about a reference."""

    SUCCESS = "success"
    NOT_MINE = "not mine"
    CORRUPT = "corrupt"


@dataclass(frozen=True, slots=True)
class Declined:
    """Why a resolver did not take a file."""

    reference: str
    resolver: str
    reason: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """A resolver's answer for one reference."""

    reference: str
    answer: Answer
    runnables: tuple[Runnable, ...] = ()
    reason: str = ""
    """Why it is corrupt, or not mine: a fragment that names file, line and key where known."""
    resolver: str = ""
    declined: tuple[Declined, ...] = ()
    """Who was asked before, or in vain, and had a reason to say no."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a resolver may know beside the reference."""

    base_dir: Path
    """References are relative to this folder."""
    static: bool = False
    """Never start an interpreter to ask it."""
    python: str = "python3"
    """The interpreter that runs the tests."""
    discovery_timeout: float = 30.0
    """Seconds for one question to that interpreter, or to a program."""
    isolation: str = "process"
    """What tests share: ``module`` if all tests of a file may have one process."""
    run_executables: bool = False
    """Whether programs may be run to be asked for recipes."""
    exec_arguments: str = ""
    """What such programs are given, in the words of a shell."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables that tests will be given, and that whoever is asked about them is, too."""
    python_tests: str = "auto"
    """Whose files of Python tests are: ``pytest``, ``unittest``, or as each looks (``auto``)."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Runner configuration (``runner.*`` keys) to carry into Runnables."""
    shared: dict[Any, Any] = field(default_factory=dict)
    """What resolvers have found out so far that others of them will need, too."""


class Resolver(Protocol):
    """Knows one sort of reference.

    It may have a method ``foresee(references, context)``, too: it is told of all files of a folder
    before it is asked about one after the other, so that one question may do for all of them. And
    ``expect(references, context)``: it is told of all references of a suite as they were typed
    before anybody is asked about the first, and may forget what it knows of the suite before.
    """

    name: str
    description: str
    priority: int
    """Asked from high to low; the first SUCCESS or CORRUPT ends the search."""

    def resolve(self, reference: str, context: Context) -> Resolution:
        """Answer for one reference that names an existing file, or no file at all.

        Never raises for anything a user can cause: what is wrong is a CORRUPT answer.
        """
        ...
