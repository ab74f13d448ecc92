"""The errors nrunner raises on purpose, and the exit codes that follow from them.

Not responsible for verdicts of tests: a failing test is a result, never an exception.
Messages are fragments that fit after "could not ...": lower case, no full stop.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import enum

__all__ = [
    "CacheError",
    "ConfigError",
    "ExitCode",
    "InterruptedLinkError",
    "InvalidTransition",
    "JournalError",
    "JournalFull",
    "LinkError",
    "MessageError",
    "NrunnerError",
    "PluginError",
    "ProtocolError",
    "RecipeError",
    "RequirementError",
    "ResolveError",
    "ResultsError",
    "RunnerError",
    "SpawnError",
    "TakenOverError",
    "UnfitError",
    "UsageError",
]


class ExitCode(enum.IntFlag):
    """Bits of the exit code of ``nrunner run``; they add up."""

    OK = 0
    TESTS_FAILED = 1
    JOB_FAILED = 2
    USAGE = 4
    INTERRUPTED = 8


class NrunnerError(Exception):
    """Root of all expected errors; shown without a traceback."""

    exit_code = ExitCode.JOB_FAILED


class UsageError(NrunnerError):
    """The command line asks for something that cannot be done."""

    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    """A configuration or job file is wrong: names the file, line and key."""


class PluginError(NrunnerError):
    """A plugin could not be loaded: names the plugin and its distribution."""


class ResolveError(NrunnerError):
    """A reference could not be turned into Runnables."""


class RecipeError(ResolveError):
    """A recipe or Runnable description is wrong: names the key and what would be right."""


class SpawnError(NrunnerError):
    """A spawner could not provide an environment."""


class UnfitError(SpawnError):
    """An environment cannot be opened at a place, and could not be if it were tried again."""


class LinkError(SpawnError):
    """The byte stream to an agent broke or never came up."""


class InterruptedLinkError(LinkError):
    """The link broke while something was on its way, and is there again."""


class ProtocolError(NrunnerError):
    """The peer of an agent connection broke the protocol."""


class MessageError(NrunnerError):
    """A status message was refused: says which field and why."""


class RunnerError(NrunnerError):
    """A runner cannot execute a Runnable as described."""


class RequirementError(NrunnerError):
    """A requirement could not be met."""


class CacheError(NrunnerError):
    """The cache of files cannot be read or written."""


class JournalError(NrunnerError):
    """The journal cannot be written or read."""


class JournalFull(JournalError):
    """There is no room for the next record; what was to be written is, from the reserve."""


class TakenOverError(NrunnerError):
    """Another controller goes on with the job: this one must stop."""


class ResultsError(NrunnerError):
    """A results folder or report cannot be written."""


class InvalidTransition(NrunnerError):
    """A task was asked to make a move that the phase table does not list (a bug)."""
