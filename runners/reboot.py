"""Reboots that tests ask for: what a test is told of them, and what it asks for by a helper.

The helper notes the wish, and ends the test: it is run again, with a count and its mark, once the
machine is back. tmt's and autopkgtest's words for it are understood, too. Not responsible for
rebooting, which is the controller's affair. Portable: runs on Python 3.9 with the standard library
alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

__all__ = ["Past", "asked", "helpers", "variables"]

_NAMES = ("nrunner-reboot", "tmt-reboot", "rstrnt-reboot", "rhts-reboot", "autopkgtest-reboot")
_MOST = 64 << 10
_SCRIPT = r"""#!/bin/sh
# Has nrunner reboot this machine. The test ends here, and is run again afterwards.
name=${0##*/}
die() {
    echo "$name: $*" >&2
    exit 2
}
command=
[ -n "${NRUNNER_REBOOT_REQUEST-}" ] || die "the machine of this test cannot be rebooted"
while getopts c:t: option; do
    case $option in
        c) command=$OPTARG ;;
        t) ;; # how long it may take is a setting: ssh.patience
        *) die "usage: $name [-c COMMAND] [MARK]" ;;
    esac
done
shift $((OPTIND - 1))
[ $# -le 1 ] || die "usage: $name [-c COMMAND] [MARK]"
{
    printf '%s' "$command" | tr '\n' ' '
    printf '\n%s' "${1-}"
} >"$NRUNNER_REBOOT_REQUEST.new" &&
    mv "$NRUNNER_REBOOT_REQUEST.new" "$NRUNNER_REBOOT_REQUEST" || exit 2
sync
read -r stat </proc/self/stat
set -- ${stat##*) }
kill -9 "-$4" # the session of the test, and this with it
kill -9 "$4"
while :; do sleep 60; done
"""


class Past:
    """What a test was doing before its machine was rebooted."""

    __slots__ = ("count", "mark")

    def __init__(self, count: int = 0, mark: str = "") -> None:
        self.count = count
        self.mark = mark

    @classmethod
    def from_json(cls, data: Any) -> Past:
        """Read the ``reboot`` of an order; raise KeyError or TypeError."""
        if data is None:
            return cls()
        count, mark = data["count"], data["mark"]
        if type(count) is not int or not isinstance(mark, str):
            raise TypeError('"reboot": expected a count and a mark')
        return cls(count, mark)


def helpers(folder: str) -> str:
    """Make the helpers below a folder, unless they are there; return where. Raise OSError."""
    place = f"{folder}/reboot-helpers"
    try:
        os.mkdir(place, 0o755)
    except FileExistsError:
        return place
    first = f"{place}/{_NAMES[0]}"
    fd = os.open(first, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o755)
    with open(fd, "w", encoding="ascii") as file:
        file.write(_SCRIPT)
    os.chmod(first, 0o755)
    for name in _NAMES[1:]:
        os.symlink(_NAMES[0], f"{place}/{name}")
    return place


def variables(place: str, request: str, past: Past, env: Mapping[str, str]) -> dict[str, str]:
    """Return what a test is told: where the helpers are, and what was before.

    `request` is the file in which it asks; `env` what it has otherwise.
    """
    found = {
        "NRUNNER_REBOOT": f"{place}/{_NAMES[0]}",
        "NRUNNER_REBOOT_REQUEST": request,
        "PATH": f"{place}:{env.get('PATH') or os.defpath}",
    }
    for name in ("NRUNNER_REBOOT_COUNT", "TMT_REBOOT_COUNT", "RSTRNT_REBOOTCOUNT", "REBOOTCOUNT"):
        found[name] = str(past.count)
    if past.count:
        # That it is not set is how its tests know that this is the first time.
        found["NRUNNER_REBOOT_MARK"] = found["AUTOPKGTEST_REBOOT_MARK"] = past.mark
    return found


def asked(request: str, past: Optional[Past] = None) -> Optional[dict[str, Any]]:
    """Return what a test has asked for, if it has, and how often it did before; only once."""
    try:
        fd = os.open(request, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        text = os.read(fd, _MOST).decode("utf-8", "replace")
        os.unlink(request)
    except OSError:
        return None
    finally:
        os.close(fd)
    command, _, mark = text.partition("\n")
    count = 0 if past is None else past.count
    return {"mark": mark, "command": command.strip(), "count": count}
