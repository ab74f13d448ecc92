"""Orders for the agent of sh: what an attempt needs, as lines that the agent understands.

An order becomes code that the agent has executed where the payload starts, and a note that the
agent keeps and gives back, so that whoever hears of the attempt's end can judge it. Not responsible
for the kinds themselves: what is executed is said by their runners.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from nrunner.errors import RunnerError
from nrunner.runners.attempt import Order, Settings
from nrunner.runners.base import Command, Place
from nrunner.runners.killing import MARK
from nrunner.runners.payload import environment
from nrunner.spawners.shell_words import line, quote

__all__ = ["note_of", "order_of", "place_of", "run_line", "settings_line"]

_SPECIAL = frozenset(
    {
        *("CDPATH", "COLUMNS", "DIRSTACK", "ENV", "EUID", "FUNCNAME", "GROUPS", "HISTCMD"),
        *("HOSTNAME", "IFS", "LINENO", "LINES", "OLDPWD", "OPTARG", "OPTERR", "OPTIND", "PATH"),
        *("PIPESTATUS", "POSIXLY_CORRECT", "PPID", "PS1", "PS2", "PS4", "PWD", "RANDOM"),
        *("SECONDS", "SHELLOPTS", "SHLVL", "SRANDOM", "UID"),
    }
)
"""Variables that mean something to a shell, so that it cannot be relied on to pass them on."""
_PASSED_ON = re.compile(r"[A-Z_][A-Z0-9_]*\Z")


def settings_line(settings: Settings) -> bytes:
    """Return the line that says what all attempts have in common.

    Where they name no folder for slots, it is in the agent's own.
    """
    # The variables have the same names and, but for these parts, values for each attempt.
    place = Place("$l", "$slots/$n/output", "$slots/$n/work", "$b")
    pairs = [f'{name}="{value}"' for name, value in environment(place, "$b").items()]
    pairs.append(f'{MARK}="$job:$task:$attempt"')
    pairs += [f"{name}={quote(value)}" for name, value in _passed_on(settings.env)]
    slots = quote(settings.slots_dir) if settings.slots_dir else '"$home/slots"'
    least = settings.least_free >> 10 or ""
    own = f"job={quote(settings.job_id)} slots={slots} least={least}"
    code = f"{own}; place() {{ export {' '.join(pairs)}; }}"
    patience = max(1, round(settings.orphan_deadline * 100))
    return line("settings", patience, code)


def place_of(order: Order, settings: Settings, slot: int) -> Place:
    """Return the folders of an attempt in a slot."""
    here = f"{settings.slots_dir}/{slot}"
    return Place(
        order.log_dir,
        f"{here}/output",
        f"{here}/work",
        settings.base_dir,
        order.id,
        settings.job_id,
        quiet=True,
    )


def run_line(order: Order, settings: Settings, command: Command, slot: int) -> bytes:
    """Return the line that has an attempt run in a slot; raise RunnerError."""
    limits = order.limits
    bounds = [_hundredths(each) for each in (limits.timeout, limits.slow, limits.silence)]
    words = (order.task, order.attempt, slot, *bounds, _hundredths(limits.grace))
    return line("run", *words, note_of(order), _code(order, settings, command, slot))


def note_of(order: Order) -> str:
    """Return what is to be known of an order where its attempt is judged."""
    runnable = {**order.runnable.to_json(), "requirements": []}
    data: dict[str, Any] = {"id": order.id, "log_dir": order.log_dir, "runnable": runnable}
    limits = order.limits
    told = {"timeout": limits.timeout, "silence": limits.silence}
    data["limits"] = {name: value for name, value in told.items() if value is not None}
    return json.dumps(data, separators=(",", ":"))


def order_of(task: int, attempt: int, note: str) -> Order:
    """Return the order that a note is about; raise what `Order.from_json` does."""
    return Order.from_json({**json.loads(note), "task": task, "attempt": attempt}, {})


def _hundredths(seconds: float | None) -> int | None:
    return None if seconds is None else max(1, round(seconds * 100))


def _code(order: Order, settings: Settings, command: Command, slot: int) -> str:
    """Return sh code that sets what the agent needs to start a payload."""
    program, *arguments = command.argv
    folder = command.env.get("NRUNNER_TEST_BASEDIR", settings.base_dir)
    usual = environment(place_of(order, settings, slot), folder)
    env = {**settings.env, **order.env, **command.env}
    if command.clear_env:
        own = [f'"{MARK}=$job:$task:$attempt"']
        if env.get("PATH") == os.environ.get("PATH", os.defpath):
            del env["PATH"]  # it is ours: programs may be elsewhere where the agent is
            own.append('"PATH=$PATH"')
        prefix = ["env", "-i", *_words(env), *own]
    else:
        known = {**dict(_passed_on(settings.env)), **usual}
        more = {name: value for name, value in env.items() if known.get(name) != value}
        prefix = ["env", *_words(more)] if more else []
    words = [*prefix, "$setsid", '"$p"', *map(quote, arguments)]
    places = f"p={quote(program)} d={quote(command.cwd)} l={quote(order.log_dir)} b={quote(folder)}"
    return f"{places}; set -- {' '.join(words)}"


def _words(env: Mapping[str, str]) -> Iterator[str]:
    for name, value in env.items():
        if not name or "=" in name:
            raise RunnerError(f"{name!r} cannot be the name of an environment variable")
        yield quote(f"{name}={value}")


def _passed_on(env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the variables that a shell passes on as they are."""
    for name, value in env.items():
        if _PASSED_ON.match(name) and name not in _SPECIAL and not name.startswith("BASH"):
            yield name, value
