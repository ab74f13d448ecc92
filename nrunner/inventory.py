"""The inventory of devices under test: ``duts.toml``, read into frozen descriptions.

Not responsible for reaching devices (``nrunner.spawners.ssh``), for which of them are meant
(``nrunner.dutfilter``), nor for how they are (``nrunner.duthealth``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrunner.errors import ConfigError
from nrunner.record import dataclass, field
from nrunner.tomlfile import TomlFile, read_toml
from nrunner.userfolder import user_folder

if TYPE_CHECKING:
    from nrunner.schema import Problem

__all__ = ["FILE_NAME", "Dut", "Hooks", "Inventory", "Secret", "find_inventory", "read_inventory"]

FILE_NAME = "duts.toml"
WORK = "~/.cache/nrunner-dut"
"""Where on a device all that is ours lies, unless its entry says otherwise."""

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}"
_TAG = r"[^\s,!][^\s,]*"
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"


@dataclass(frozen=True)
class Secret:
    """Where a value stands that is in no file of ours and on no command line."""

    file: Path | None = None
    variable: str = ""
    """Of nrunner's own environment."""


@dataclass(frozen=True)
class Hooks:
    """Commands of the lab, run on this machine; empty ones are not there."""

    power_on: tuple[str, ...] = ()
    power_off: tuple[str, ...] = ()
    power_cycle: tuple[str, ...] = ()
    console: tuple[str, ...] = ()
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    """Variable to where its value is found when a command is run."""
    folder: Path | None = None
    """Where the commands are run: where the inventory is."""


@dataclass(frozen=True)
class Dut:
    """One device, as its entry describes it."""

    name: str
    address: str
    port: int = 22
    user: str = "root"
    key: Path | None = None
    uses_agent: bool = False
    host_key: str = ""
    """Empty until it was enrolled: nothing is sent to it before that."""
    tags: frozenset[str] = frozenset()
    slots: int = 1
    python: str = "python3"
    work: str = WORK
    hooks: Hooks = Hooks()
    retired: str = ""
    """Why it is out of service, if it is."""
    where: str = ""
    """``file:line`` of its entry."""


@dataclass(frozen=True)
class Inventory:
    """All devices of a file, in its order."""

    path: Path
    duts: tuple[Dut, ...]


def find_inventory(named: str | None, here: Path) -> Path:
    """Return the path of the inventory that is meant; raise ConfigError if there is none."""
    if named is not None:
        return here / named
    candidates = (here / FILE_NAME, user_folder("config") / FILE_NAME)
    for path in candidates:
        if path.exists():
            return path
    places = " nor ".join(map(str, candidates))
    raise ConfigError(
        f"find the inventory of devices: neither {places} is there (--inventory names another)"
    )


def read_inventory(path: Path) -> Inventory:
    """Read an inventory; raise ConfigError that lists whatever is wrong with it."""
    from nrunner.schema import problems

    try:
        file = read_toml(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        reason = (error.strerror or "").lower()
        raise ConfigError(f"read the inventory of devices {path}: {reason}") from error
    wrong = problems(file.data, "duts") or list(_wrong(file))
    if wrong:
        lines = [f"{file.where(each.path)}: {each}" for each in wrong]
        raise ConfigError("use " + "\n  and ".join(lines))
    tables: Mapping[str, Any] = file.data.get("dut", {})
    return Inventory(path, tuple(_dut(file, path, name, tables[name]) for name in tables))


def _wrong(file: TomlFile) -> Iterator[Problem]:
    """Yield what no schema can say well, of a file that fits it."""
    from nrunner.schema import Problem

    for name, entry in file.data.get("dut", {}).items():
        here = ("dut", name)
        if not re.fullmatch(_NAME, name):
            what = "a name is letters, digits, dots, dashes and underscores, 63 at most"
            yield Problem(here, what)
        for key, message in _wrong_values(entry):
            yield Problem((*here, *key.split(".", 1)), message)


_TEXTS = {
    "address": (r"[^\s@/]+", "expected a name or an address (user and port have their own keys)"),
    "user": (r"[^\s@:]+", "expected the name of a user"),
    "host_key": (
        r"\s*|\s*(?:ssh|ecdsa|sk)-[\w@.-]+ [A-Za-z0-9+/]{16,}={0,3}(?: .*)?",
        "expected a public key as known_hosts has it: ssh-ed25519 AAAA...",
    ),
    # What is written down there is read by sh, which knows no more of JSON than that.
    "work": (
        r'/[^"\\\x00-\x1f]*|~/[^"\\\x00-\x1f]+',
        "expected a path from / or ~/, without quotes and backslashes",
    ),
}
"""Key to what its text has to be, and what is said if it is not."""


def _wrong_values(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield key and complaint for each value of an entry that cannot be."""
    for key, (pattern, message) in _TEXTS.items():
        if key in entry and not re.fullmatch(pattern, entry[key]):
            yield key, message
    if entry.get("agent") and "key" in entry:
        yield "agent", "there is a key, too: leave one of them away"
    for tag in entry.get("tags", ()):
        if not re.fullmatch(_TAG, tag):
            yield "tags", f"{tag!r} cannot be a tag: no blanks, no commas, no ! in front"
    for hook in _HOOKS:
        if hook in entry and not entry[hook][0]:
            yield hook, "expected a program and its arguments"
    yield from _wrong_secrets(entry.get("secrets", {}))


def _wrong_secrets(secrets: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    for variable, secret in secrets.items():
        if not re.fullmatch(_VARIABLE, variable):
            yield f"secrets.{variable}", "cannot be the name of a variable"
        elif len(secret) != 1:
            yield f"secrets.{variable}", 'expected either "file" or "env"'


_PLAIN = ("port", "user", "slots", "python", "retired")
_HOOKS = ("power_on", "power_off", "power_cycle", "console")


def _dut(file: TomlFile, path: Path, name: str, entry: Mapping[str, Any]) -> Dut:
    plain = {key: entry[key] for key in _PLAIN if key in entry}
    hooks = {key: tuple(entry[key]) for key in _HOOKS if key in entry}
    secrets = {
        variable: Secret(_path(path, found.get("file")), found.get("env", ""))
        for variable, found in entry.get("secrets", {}).items()
    }
    return Dut(
        name,
        entry["address"],
        key=_path(path, entry.get("key")),
        uses_agent=entry.get("agent", False),
        host_key=entry.get("host_key", "").strip(),
        tags=frozenset(entry.get("tags", ())),
        work=entry.get("work", WORK).rstrip("/") or "/",
        hooks=Hooks(**hooks, secrets=secrets, folder=path.parent),
        where=file.where(("dut", name)),
        **plain,
    )


def _path(inventory: Path, text: str | None) -> Path | None:
    """Return a path as the inventory means it: relative to where it stands."""
    return None if text is None else inventory.parent / Path(text).expanduser()
