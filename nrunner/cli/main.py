"""The command ``nrunner``: who reads a command line, and what happens to errors.

All errors end here: expected ones as one message and their exit code, others as a bug with a
file that holds the traceback. What asks for little is done without loading click
(``nrunner.cli.front``, ``nrunner.cli.form``). Not responsible for what a subcommand does.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from nrunner.cli.front import said_at_once
from nrunner.cli.output import finish, say, say_error
from nrunner.errors import ExitCode, NrunnerError

__all__ = ["main", "start"]


_SHORT_OF_MEANS = (
    *(errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.ENOBUFS),
    *(errno.ENOSPC, errno.EDQUOT),
)
"""What may be wrong with a machine anywhere, and is no bug."""


def start() -> NoReturn:
    """Run the command line as a process of its own, to the end of that process.

    Ends without taking apart what the interpreter holds, which the kernel does faster than Python.
    """
    # What is loaded stays, and looking for garbage in it takes time; a job begins to look.
    gc.disable()
    code = main()
    if _others_run():
        sys.exit(code)
    # What was registered to be done at the end is done; there is no other way to ask for it.
    atexit._run_exitfuncs()  # noqa: SLF001
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def _fill_standard_streams() -> None:
    """Open those that were closed before we began, or files of ours would take their places."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free


def _others_run() -> bool:
    """Say whether there are threads that Python waits for at its end."""
    threading = sys.modules.get("threading")
    return threading is not None and threading.active_count() > 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; the only place where errors are shown."""
    _fill_standard_streams()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if os.environ.get("_NRUNNER_COMPLETE"):
        from nrunner.cli.group import complete

        return complete(os.environ["_NRUNNER_COMPLETE"])
    code = _guarded(arguments)
    return finish(code)


def _guarded(arguments: list[str]) -> int:
    debug = "--debug" in arguments[:1]
    try:
        return _invoke(arguments)
    except KeyboardInterrupt:
        say_error("interrupted")
        return ExitCode.INTERRUPTED
    except Exception as error:
        expected = _expected(error)
        if not expected:
            return _bug(error, debug)
        if debug:
            _show_traceback()
        return _say_all(expected)


def _expected(error: Exception) -> list[NrunnerError]:
    """Return the expected errors that `error` is or holds; none if there is any other in it."""
    if isinstance(error, NrunnerError):
        return [error]
    if isinstance(error, OSError) and error.errno in _SHORT_OF_MEANS:
        where = f" ({error.filename})" if error.filename else ""
        return [NrunnerError(f"go on: {error.strerror}{where}")]
    if not isinstance(error, ExceptionGroup):
        return []
    inner = [_expected(each) for each in error.exceptions]
    return [each for found in inner for each in found] if all(inner) else []


def _say_all(errors: Sequence[NrunnerError]) -> int:
    code = ExitCode.OK
    for message in dict.fromkeys(str(each) for each in errors):
        say_error(f"could not {message}")
    for each in errors:
        code |= each.exit_code
    return code


def _invoke(arguments: list[str]) -> int:
    said = said_at_once(arguments)
    if said is not None:
        say(said)
        return ExitCode.OK
    if arguments[:1] and arguments[0].startswith("-"):
        return _invoke_behind(arguments)
    return _invoke_command(arguments)


def _invoke_behind(arguments: list[str]) -> int:
    """Do what a command line asks for that says something before the subcommand."""
    from nrunner.cli.ahead import ahead

    said = ahead(arguments)
    if not said.config:
        return _invoke_command(said.words)
    from nrunner.cli.settings import with_file

    with with_file(said.config):
        return _invoke_command(said.words)


def _invoke_command(arguments: list[str]) -> int:
    if arguments[:1] in (["run"], ["list"]):
        code = _ordinary(arguments)
        if code is not None:
            return code
    from nrunner.cli.group import invoke

    return invoke(arguments)


def _ordinary(arguments: list[str]) -> int | None:
    """Do what an ordinary command line asks for; None if click should look at it."""
    from nrunner.deferral import load_lightly

    load_lightly("pathlib", "subprocess")

    from nrunner.cli.form import read

    if arguments[0] == "run":
        from nrunner.cli.run import FORM, run_tests

        command = run_tests
    else:
        from nrunner.cli.listing import FORM, list_tests

        command = list_tests
    asked = read(arguments[1:], FORM)
    return None if asked is None else command(asked, arguments)


def _show_traceback() -> None:
    import traceback

    traceback.print_exc()


def _bug(error: Exception, debug: bool) -> int:
    """Report an error that nobody foresaw: one line, and the traceback where it does not scare."""
    what = f"{type(error).__name__}: {error}".split("\n")[0]
    try:
        if debug:
            _show_traceback()
        where = "the traceback is above" if debug else _kept_traceback()
    except OSError:  # short of files, say: what is imported for this may be what cannot be read
        where = "nrunner --debug ... shows the traceback"
    say_error(f"this is a bug in nrunner: {what} ({where})")
    return ExitCode.JOB_FAILED


def _kept_traceback() -> str:
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile(
        "w", prefix="nrunner-bug-", suffix=".txt", delete=False, errors="backslashreplace"
    ) as file:
        traceback.print_exc(file=file)
    return f"the traceback is in {file.name}"
