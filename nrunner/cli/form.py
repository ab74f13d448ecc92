"""Reading the command lines of ``run`` and ``list`` as they usually are, without click.

Importing click and having it read a line takes longer than starting an agent. What is read here
is what click reads, as a test says; where anything is out of the ordinary (help, a flag that is
unknown or has no value), click reads the line, completes it or says what is wrong. Not responsible
for what values mean (``nrunner.option``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nrunner.config import FIELDS, OPTIONS, Option
from nrunner.option import Pairs, Switch
from nrunner.record import dataclass, field

__all__ = ["Form", "is_repeated", "off_flag", "other_names", "read"]


@dataclass(frozen=True)
class Form:
    """The flags of a command that takes references."""

    settings: tuple[str, ...]
    """Keys of the settings that have a flag here."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Other flags that take a value: flag to parameter."""
    lists: Mapping[str, str] = field(default_factory=dict)
    """Other flags that take a value and may be repeated: flag to parameter."""
    switches: Mapping[str, str] = field(default_factory=dict)
    """Other flags that take none: flag to parameter."""


def is_repeated(option: Option) -> bool:
    """Say whether all uses of a flag count, not the last one alone."""
    return isinstance(option.sort, Pairs) or option.key in _REPEATED


def off_flag(flag: str) -> str:
    """Return what turns a switch off."""
    return _OFF_NAMES.get(flag) or "--no-" + flag.removeprefix("--")


_OFF_NAMES = {"--sysinfo": "--disable-sysinfo"}
"""Avocado's words for what turns a switch off."""


_REPEATED = frozenset({"filter.by_tags", "ssh.duts", "ssh.dut_tags"})
_OTHER_NAMES = {
    "--archive": ("-z",),
    "--dry-run": ("-d",),
    "--fail-fast": ("--failfast",),
    "--filter-by-tags": ("-t",),
    "--podman-image": ("--spawner-podman-image",),
    "-p": ("--test-parameter",),
}
"""Avocado's words for flags."""


def other_names(flag: str) -> tuple[str, ...]:
    """Return the other words for a flag."""
    return _OTHER_NAMES.get(flag, ())


def read(words: Sequence[str], form: Form) -> dict[str, Any] | None:
    """Return the parameters that the words after a command's name give it; None to ask click."""
    reading = _Reading(form)
    rest = iter(words)
    for word in rest:
        if word == "-" or (word and not word.startswith("-")):
            reading.references.append(word)
        elif not reading.take(word, rest):
            return None
    asked = {**reading.parameters, "references": tuple(reading.references)}
    return asked if asked["references"] or asked["job_file"] else None


class _Reading:
    """What was read of a command line so far."""

    def __init__(self, form: Form) -> None:
        self.references: list[str] = []
        self.parameters: dict[str, Any] = dict.fromkeys(form.texts.values())
        self.parameters.update(dict.fromkeys(form.switches.values(), False))
        self.parameters.update(dict.fromkeys(form.lists.values(), ()))
        self._texts = {**form.texts, **form.lists}
        self._switches = {flag: (name, True) for flag, name in form.switches.items()}
        self._repeated = set(form.lists.values())
        for key in form.settings:
            self._know(OPTIONS[key], FIELDS[key])

    def _know(self, option: Option, name: str) -> None:
        flag = option.flag
        self.parameters[name] = None
        if isinstance(option.sort, Switch):
            self._switches[off_flag(flag)] = (name, False)
            for each in (flag, *other_names(flag)):
                self._switches[each] = (name, True)
            return
        for each in (flag, *other_names(flag)):
            self._texts[each] = name
        if is_repeated(option):
            self._repeated.add(name)
            self.parameters[name] = ()

    def take(self, word: str, rest: Any) -> bool:
        """Take a flag, and its value from what follows; say whether it is an ordinary one."""
        if word in self._switches:
            name, value = self._switches[word]
            self.parameters[name] = value
            return True
        flag, equals, text = word.partition("=")
        if flag not in self._texts or (equals and not flag.startswith("--")):
            return False
        if not equals:
            text = next(rest, "")
            if not text or text.startswith("-"):
                return False
        name = self._texts[flag]
        repeated = name in self._repeated
        self.parameters[name] = (*self.parameters[name], text) if repeated else text
        return True
