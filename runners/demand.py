"""What a requirement says, read key by key; what is wrong names the key, and what would be right.

Also what the tests' environment says, as far as it is known here, and running what is asked about
it, in bounds. Not responsible for what a kind makes of it.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from nrunner.errors import RequirementError, RunnerError
from nrunner.runnable import Requirement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn, Optional

__all__ = ["Demand", "asked", "variables_of_tests"]

_ANSWER_WITHIN = 20.0
"""Seconds for a program that is asked something."""


class Demand:
    """The keys of one requirement."""

    def __init__(self, requirement: Requirement, *known: str) -> None:
        """`known` are the keys that its kind has beside ``uri`` and ``name``; raise RunnerError."""
        self._kind = requirement.kind
        self._uri = requirement.uri
        self._values = requirement.kwargs
        for key in requirement.kwargs:
            if key not in known and key != "name":
                self._fail_unknown(key, ("name", *known))
        if requirement.args and "args" not in known:
            self.fail("args", "this kind has none")

    def fail(self, key: str, expected: str) -> NoReturn:
        """Raise RunnerError about a key."""
        raise RunnerError(f'requirement "{self._kind}": key "{key}": {expected}')

    def name(self) -> str:
        """Return its uri, or its name if it has none."""
        found = self._uri if self._uri is not None else self._values.get("name")
        if not isinstance(found, str) or not found or "\0" in found:
            raise RunnerError(f'requirement "{self._kind}" needs a uri, or the key "name"')
        return found

    def has_name(self) -> bool:
        """Whether it has a uri or name."""
        return self._uri is not None or "name" in self._values

    def names(self, key: str) -> list[str]:
        """Return what `key` lists, with its uri or name first; there has to be one."""
        found = [self.name()] if self.has_name() else []
        found += self.texts(key)
        if not found or not all(found):
            raise RunnerError(f'requirement "{self._kind}" needs a uri, or the key "{key}"')
        return found

    def text(self, key: str) -> Optional[str]:
        """Return a text, None if there is none."""
        value = self._values.get(key)
        if value is not None and (not isinstance(value, str) or "\0" in value):
            self.fail(key, f"expected a text, not {value!r:.80}")
        return value

    def texts(self, key: str) -> list[str]:
        """Return a list of texts, empty if there is none; one text is a list of one."""
        value: Any = self._values.get(key) or []
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, (list, tuple)) or not all(_is_text(each) for each in value):
            self.fail(key, f"expected a list of texts, not {value!r:.80}")
        return list(value)

    def choice(self, key: str, *among: str) -> str:
        """Return one of some words, the first if none is given."""
        value = self._values.get(key, among[0])
        if value not in among:
            self.fail(key, f"expected one of {', '.join(among)}, not {value!r:.80}")
        return str(value)

    def flag(self, key: str, usual: bool) -> bool:
        """Return whether something is so."""
        value = self._values.get(key, usual)
        if value in ("true", "yes", "false", "no"):
            return value in ("true", "yes")
        if not isinstance(value, bool):
            self.fail(key, f"expected true or false, not {value!r:.80}")
        return value

    def number(self, key: str) -> Optional[float]:
        """Return a number that is not negative, None if there is none."""
        value = self._values.get(key)
        if value is None:
            return None
        try:
            found = float(value)
        except (TypeError, ValueError, OverflowError):
            found = -1.0
        if not 0 <= found < float("inf") or isinstance(value, bool):
            self.fail(key, f"expected a number, not {value!r:.80}")
        return found

    def pattern(self, key: str) -> Optional[re.Pattern[str]]:
        """Return a regular expression, None if there is none."""
        text = self.text(key)
        try:
            return None if text is None else re.compile(text)
        except (re.error, RecursionError, OverflowError) as error:
            self.fail(key, f"no regular expression: {error}")

    def _fail_unknown(self, key: str, known: tuple[str, ...]) -> NoReturn:
        from difflib import get_close_matches

        near = get_close_matches(key, known, 1)
        hint = f'did you mean "{near[0]}"?' if near else f"known: {', '.join(known)}"
        self.fail(key, f"nobody knows it; {hint}")


def variables_of_tests(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment variables that tests get, as far as that is known before they run."""
    more = config.get("runner.env")
    return {**os.environ, **(more if isinstance(more, Mapping) else {})}


def asked(argv: list[str], variables: Mapping[str, str]) -> tuple[int, str]:
    """Run a program that answers quickly; return its exit status and all that it printed.

    Raise RequirementError if it cannot be started, or does not answer.
    """
    import subprocess

    try:
        done = subprocess.run(
            argv,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_ANSWER_WITHIN,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        reason = f"{argv[0]} did not answer within {_ANSWER_WITHIN:g} s"
        raise RequirementError(reason) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RequirementError(f"{argv[0]} cannot be executed: {reason.lower()}") from error
    return done.returncode, done.stdout.decode("utf-8", "replace")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value
