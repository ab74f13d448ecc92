"""Payloads that are programs: what exec-test and tap share.

Decides argv, folder and environment of a program, and puts into words how one ended. Not
responsible for starting it, nor for what its exit status means.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from nrunner import __version__
from nrunner.errors import RunnerError
from nrunner.runnable import Runnable
from nrunner.runners.base import Command, Exit, Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

__all__ = ["describe", "environment", "program", "variant_words", "words_of"]

_AVOCADO = "113.0"
"""The release of Avocado whose conventions are followed: scripts look for the variable."""


def program(runnable: Runnable, place: Place) -> Command:
    """Return the command of a Runnable whose uri is an executable file or a name on PATH.

    Only a bare name costs a look at the file system: it may mean a file in `base_dir`.
    """
    uri = runnable.uri
    if not uri:
        raise RunnerError(f'kind "{runnable.kind}" needs a uri: the program to execute')
    argv = (_path(uri, place.base_dir), *runnable.args)
    if "\0" in "".join(argv):
        raise RunnerError("a program's name and arguments cannot hold a NUL byte")
    env = environment(place, os.path.dirname(argv[0]))
    if runnable.variant is not None:
        env.update(variant_words(runnable.variant))
    if runnable.kwargs:
        env.update(words_of(runnable.kwargs))
    clear = runnable.config.get("runner.exectest.clear_env") is True
    if clear:
        env.setdefault("PATH", os.environ.get("PATH", os.defpath))
    return Command(argv, place.base_dir, env, clear)


def _path(uri: str, base_dir: str) -> str:
    if uri[0] == "/":
        return uri
    path = f"{base_dir}/{uri[2:] if uri.startswith('./') else uri}"
    return path if "/" in uri or os.path.isfile(path) else uri


def environment(place: Place, folder: str) -> dict[str, str]:
    """Return the variables that tell a payload its folders; `folder` is the test's own."""
    work_dir, log_dir, output_dir = place.work_dir, place.log_dir, place.output_dir
    log_file = log_dir + "/debug.log"
    return {
        "AVOCADO_VERSION": _AVOCADO,
        "AVOCADO_TEST_WORKDIR": work_dir,
        "AVOCADO_TEST_BASEDIR": folder or place.base_dir,
        "AVOCADO_TEST_LOGDIR": log_dir,
        "AVOCADO_TEST_OUTPUTDIR": output_dir,
        "AVOCADO_TEST_LOGFILE": log_file,
        "NRUNNER_VERSION": __version__,
        "NRUNNER_TEST_WORKDIR": work_dir,
        "NRUNNER_TEST_BASEDIR": folder or place.base_dir,
        "NRUNNER_TEST_LOGDIR": log_dir,
        "NRUNNER_TEST_OUTPUTDIR": output_dir,
        "NRUNNER_TEST_LOGFILE": log_file,
        "TMPDIR": work_dir,
    }


def words_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Turn kwargs into variables: strings as they are, anything else as JSON."""
    words = {}
    for key, value in values.items():
        if not isinstance(value, str):
            import json

            value = json.dumps(value)
        if not key or "=" in key or "\0" in key or "\0" in value:
            raise RunnerError(f"kwarg {key!r} cannot be an environment variable")
        words[key] = value
    return words


def variant_words(variant: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters of a variant: a list of [path, [[path, key, value], ...]]."""
    words: dict[str, Any] = {}
    try:
        for _, parameters in variant.get("variant") or ():
            words.update((str(key), str(value)) for _, key, value in parameters)
    except (TypeError, ValueError) as error:
        raise RunnerError(f'key "variant": not a list of parameters: {error}') from error
    return words_of(words)


def describe(end: Exit) -> Optional[str]:
    """Put into words how a process ended; None where it ended well."""
    if end.signal is None:
        return f"exited with status {end.status}" if end.status else None
    import signal

    try:
        name = f" ({signal.Signals(end.signal).name})"
    except ValueError:
        name = ""
    return f"killed by signal {end.signal}{name}{', core dumped' if end.core else ''}"
