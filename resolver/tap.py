"""Programs that print TAP: files named ``*.t``, and any program that is called ``tap:PATH``.

As with prove, a ``*.t`` file need not be executable: one with a ``#!`` line is given to the
interpreter named there, one without is a Perl script; and where that line asks for a perl that
is not there (``#!./perl``), the one on PATH is taken. Not responsible for what TAP means; that
is ``nrunner.runners.tap``.
"""

from __future__ import annotations

from pathlib import PurePath

from nrunner.resolver.base import Answer, Context, Resolution
from nrunner.resolver.executable import Glance, glance
from nrunner.runnable import Runnable

__all__ = ["TapResolver"]


class TapResolver:
    """Takes ``*.t`` files, and programs that the user says print TAP."""

    name = "tap"
    description = "programs that print TAP: *.t files, or tap:PATH"
    priority = 60

    def resolve(self, reference: str, context: Context) -> Resolution:
        """Answer with one Runnable; its uri is the path as typed if that can be executed."""
        path = reference.removeprefix("tap:")
        is_asked_for = path != reference
        if not is_asked_for and not path.endswith(".t"):
            return Resolution(reference, Answer.NOT_MINE, resolver=self.name)
        seen = glance(context.base_dir, path)
        if not seen.exists:
            return Resolution(reference, Answer.NOT_MINE, resolver=self.name)
        runnable = _runnable(path, seen, context)
        if runnable is None:
            reason = "it is neither an executable program nor a *.t file"
            return Resolution(reference, Answer.NOT_MINE, reason=reason, resolver=self.name)
        return Resolution(reference, Answer.SUCCESS, (runnable,), resolver=self.name)


def _runnable(path: str, seen: Glance, context: Context) -> Runnable | None:
    if not path.endswith(".t") and not (seen.is_executable and seen.is_program):
        return None
    command = _command(seen.interpreter)
    is_found = not _is_missing_perl(command[0], context)
    if seen.is_executable and seen.is_program and is_found:
        return Runnable("tap", path, config=context.config)
    program, *words = command if is_found else ["perl", *command[1:]]
    return Runnable("tap", program, (*words, path), config=context.config, identifier=path)


def _is_missing_perl(program: str, context: Context) -> bool:
    # Scripts name the perl they were written or built beside; prove takes its own.
    if "/" not in program or not PurePath(program).name.startswith("perl"):
        return False
    return not (context.base_dir / program).is_file()


def _command(interpreter: tuple[str, ...]) -> list[str]:
    """Return the words that start an interpreter as the kernel would, given a ``#!`` line."""
    if not interpreter:
        return ["perl"]
    program, *argument = interpreter
    if program.endswith("/env") and argument:
        words = argument[0].removeprefix("-S ").split()
        is_plain = not words[0].startswith("-") and "=" not in words[0]
        return words if is_plain else [program, *words]
    return [program, *argument]
