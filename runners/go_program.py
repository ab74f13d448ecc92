"""Where go may leave the program that it links of a package, for the next test of the package.

Given the path, go links nothing where what lies there is of the same build. Not responsible for
what a test is called with (``nrunner.runners.golang``), nor for removing it: slots are removed.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from nrunner.runners.base import Place
from nrunner.runners.go_source import program_of
from nrunner.runners.removal import remove_tree

__all__ = ["kept_program"]


def kept_program(place: Place, args: Sequence[str], env: Mapping[str, str], folder: str) -> str:
    """Return the path for the program of the package in a folder, or nothing where go is to decide.

    It is in the slot, where no other test runs meanwhile, and called as go calls it. `args` are the
    user's flags, `env` what go is called with.
    """
    if not place.slot_dir:
        return ""
    given = {**os.environ, **place.env, **env}
    settings = {**_settings_of_go(given), **{name: value for name, value in given.items() if value}}
    if _have_a_say((*args, *settings.get("GOFLAGS", "").split())):
        return ""
    if "GOTMPDIR" in settings or settings.get("TMPDIR") != place.work_dir:
        # Maybe since no program may be started elsewhere. And from another file system it is
        # copied: a go that is killed meanwhile leaves half of it, which the next takes for whole.
        return ""
    try:
        program = _program_in(os.path.abspath(folder))
        return _place_of(program, f"{place.slot_dir}/go") if program else ""
    except OSError:
        return ""


def _have_a_say(words: Sequence[str]) -> bool:
    """Whether these may name packages, or where programs and profiles go."""
    names = [each.lstrip("-").partition("=")[0] for each in words if each[:1] == "-"]
    own = any(name in ("c", "o", "modfile") or name.endswith("profile") for name in names)
    return own or len(names) != len(words)


def _settings_of_go(env: Mapping[str, str]) -> dict[str, str]:
    """Return what ``go env -w`` has set; what is in the environment beats it."""
    home = env.get("XDG_CONFIG_HOME") or f"{env.get('HOME', '')}/.config"
    try:
        with open(env.get("GOENV") or f"{home}/go/env", encoding="utf-8", errors="replace") as file:
            pairs = [line.strip().partition("=") for line in file]
    except OSError:
        return {}
    return {name: value for name, equals, value in pairs if equals and value}


def _program_in(folder: str) -> str:
    """Return what go calls the program of the tests in a folder, "" if that is not sure."""
    if os.path.islink(folder):
        return ""
    try:
        with open(f"{folder}/go.mod", encoding="utf-8", errors="replace") as file:
            return program_of(os.path.basename(folder), file.read())
    except FileNotFoundError:
        return program_of(os.path.basename(folder))


def _place_of(program: str, folder: str) -> str:
    """Return where a program stays, in a folder in which there is nothing else.

    Tests may leave something beside their program, and look whether there is something.
    """
    if os.path.islink(folder):
        os.unlink(folder)
    os.makedirs(folder, 0o700, exist_ok=True)
    # Without what it may have of the one that it is in: go copies into folders that are setgid.
    os.chmod(folder, 0o700)
    for each in os.listdir(folder):
        if each != program:
            remove_tree(f"{folder}/{each}")
    return f"{folder}/{program}"
