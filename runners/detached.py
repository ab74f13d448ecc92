"""Starting an agent that goes on by itself: it outlives whoever started it, and the login.

It takes the lease of the machine first, so there is one at a time; and it removes what jobs of
before, which have no agent any more, have left. Nobody who does not come to greet it within
seconds finds it. Not responsible for the agent, nor for how the order got here (`dut`).
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from collections.abc import Mapping

from nrunner.runners.departure import last_words, remove, sweep
from nrunner.runners.lease import Holder, Lease, own_identity, take
from nrunner.runners.removal import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["start"]

_LONGEST = 90
"""Bytes of a folder's name, so that its sockets fit into what the kernel takes for theirs."""
_FIRST_TERM = 30.0
"""Seconds for which a lease is given at first: until its controller is heard of."""


def start(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Start an agent; return where and who it is, or who has the machine. Raise OSError.

    `asked` are `work` (the folder of all that is ours), `name` (of the job's folder), `job`,
    `who`, `token` and whether it may make a control group (`group`).
    """
    work, job = str(asked["work"]), str(asked["job"])
    folder = f"{work}/jobs/{asked['name']}"
    if len(os.fsencode(folder)) > _LONGEST:
        raise ValueError(f"{work} is too long a name for a work folder")
    now = round(time.time(), 2)
    me = own_identity()
    ids = me["pid"], me["start"], me["boot_id"]
    holder = Holder(job, str(asked["who"]), folder, *ids, now, now + _FIRST_TERM)
    lease = take(f"{work}/lease", holder)
    if isinstance(lease, Holder) and lease.job == job:
        # Whoever begins anew has given that one up, or never heard that it began.
        remove(lease.folder)
        lease = take(f"{work}/lease", holder)
    if not isinstance(lease, Lease):
        return {"held": True, "holder": None if lease is None else lease.to_json()}
    try:
        _clear(f"{work}/jobs", str(asked["name"]))
        return _start(folder, lease, str(asked["token"]), bool(asked.get("group", True)))
    except BaseException:
        remove_tree(folder)
        lease.leave()
        raise


def _clear(jobs: str, name: str) -> None:
    """Remove what others have left: whoever has the lease is the only one there can be.

    What an earlier agent of the same job had to say is still to be heard.
    """
    job = name.partition(".")[0]
    os.makedirs(jobs, 0o700, exist_ok=True)
    for each in os.listdir(jobs):
        if each.partition(".")[0] != job:
            sweep(f"{jobs}/{each}")
            remove_tree(f"{jobs}/{each}")


def _start(folder: str, lease: Lease, token: str, may_group: bool) -> dict[str, Any]:
    os.mkdir(folder, 0o700)
    _write(f"{folder}/token", token)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(f"{folder}/socket")
    os.chmod(f"{folder}/socket", 0o600)
    listener.listen(128)
    log = os.open(f"{folder}/agent.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    if _is_alone():
        raise ValueError("whoever asked for it has hung up")
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ready)
        _become_agent(folder, listener, log, lease, tell, may_group)
    os.close(tell)
    said = os.read(ready, 1)
    lease.drop()
    if not said:
        words = last_words(folder)
        raise ValueError(f"its process ended at once{': ' if words else ''}{words}")
    with open(f"{folder}/agent", encoding="ascii") as file:
        return {"folder": folder, **json.load(file)}


def _become_agent(
    folder: str, listener: socket.socket, log: int, lease: Lease, tell: int, may_group: bool
) -> None:
    """Never returns."""
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for target, source in ((0, nothing), (1, log), (2, log)):
            os.dup2(source, target)
        for number in (signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.chdir("/")
        for name in ("SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY"):
            # Of a login that will be over: payloads outlive it.
            os.environ.pop(name, None)
        me = own_identity()
        _write(f"{folder}/agent", json.dumps(me))
        lease.note(**me)
        os.write(tell, b"+")
        os.close(tell)
        from nrunner.runners.guardian import guard

        os._exit(guard(folder, listener.fileno(), may_group=may_group, lease=lease))
    except BaseException as error:
        os.write(2, f"could not be an agent: {error!r}\n".encode())
    finally:
        os._exit(1)


def _is_alone() -> bool:
    """Whether standard input was closed: whoever waited for an answer does so no more."""
    poll = select.poll()
    poll.register(0, 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(fd, "w", encoding="ascii") as file:
        file.write(text)
