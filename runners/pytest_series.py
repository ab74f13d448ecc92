"""Runs tests of one file one after another, as pytest runs those of one session.

Each has an outcome of its own, but what fixtures of a class, a module or the session made stays
until the last test that it is for has run, and what goes wrong in tearing it down is told by that
test. Used inside the interpreter of the user's choice. Not responsible for which test comes when,
nor for processes (``nrunner.runners.resident``).
Portable: runs on Python 3.7 with pytest 7.
"""

from __future__ import annotations

from nrunner.runners.pytest_child import (
    chosen,
    ended,
    load,
    outcome_of_trouble,
    told,
)
from nrunner.runners.unittest_result import reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

__all__ = ["PytestSeries"]


class PytestSeries:
    """The tests of one file, with what is set up for them."""

    def __init__(self) -> None:
        self._session: Any = None
        self._trouble: dict[str, Any] = {}
        """The outcome of all tests, since their file cannot be collected."""

    def run(self, spec: Mapping[str, Any], follower: str) -> dict[str, Any]:
        """Run one test and return its outcome; `follower` is the uri of the next one, or empty."""
        if self._session is None and not self._trouble:
            self._begin(spec)
        if self._session is None:
            return self._trouble
        found = chosen(self._session, spec["uri"])
        outcome = found if isinstance(found, dict) else self._run(spec["uri"], found[1], follower)
        return outcome if follower else ended(self._session, outcome)

    def leave(self) -> str:
        """Tear down what is set up, as nobody comes any more; return what went wrong."""
        if self._session is None:
            return ""
        trouble = []
        for step in (self._session.tear_down, lambda: self._session.close(0)):
            try:
                step()
            except BaseException as error:
                trouble.append(reason_of(error))
        return "; ".join(trouble)

    def _begin(self, spec: Mapping[str, Any]) -> None:
        loaded = load({**spec, "uri": spec["uri"].partition("::")[0]})
        if isinstance(loaded, dict):
            self._trouble = loaded
        else:
            self._session = loaded[0]

    def _run(self, uri: str, items: Sequence[Any], follower: str) -> dict[str, Any]:
        following = self._session.find(follower.partition("::")[2]) if follower else []
        try:
            self._session.run_before(items, following[0] if following else None)
            return told(uri, self._session, items)
        except BaseException as error:
            outcome = outcome_of_trouble(error)
        try:
            self._session.tear_down()  # as pytest does where it gives up
        except BaseException as error:
            outcome["fail_reason"] += f"; tear-down: {reason_of(error)}"
        return outcome
