"""Logging in: the machine shows its host key first, and nothing is sent to any other one.

All of it blocks, so it happens in a thread; closing the socket ends it. Nothing that paramiko
raises leaves this module. Not responsible for connecting (``dial``).
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nrunner.errors import LinkError, SpawnError, UnfitError
from nrunner.spawners.ssh.host import Host, label
from nrunner.spawners.ssh.hostkey import HostKey

if TYPE_CHECKING:
    from paramiko.pkey import PKey
    from paramiko.transport import Transport

__all__ = ["StrangerError", "log_in", "shown_key", "translated", "wanted_key"]


class StrangerError(UnfitError):
    """Another machine answers than the one that is meant."""


def log_in(sock: socket.socket, host: Host, within: float) -> Transport:
    """Return a transport to the machine that the inventory means, with its user logged in.

    Raise UnfitError for what is refused, by us or by the machine, and LinkError for the rest.
    """
    wanted = wanted_key(host)
    transport = _transport(sock, wanted)
    try:
        _negotiate(transport, host, within)
        _verify(transport, host, wanted)
        _authenticate(transport, host, within)
    except BaseException:
        transport.close()
        raise
    return transport


def shown_key(sock: socket.socket, host: Host, within: float) -> HostKey:
    """Return the key that a machine shows; nobody logs in. Raise LinkError."""
    transport = _transport(sock, None)
    try:
        _negotiate(transport, host, within)
        return HostKey.parse(_shown(transport))
    finally:
        transport.close()


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise in our words what paramiko raises: LinkError that says `what` could not be done."""
    from paramiko.ssh_exception import SSHException

    try:
        yield
    except (SSHException, OSError, EOFError) as error:
        raise LinkError(f"{what}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    from paramiko.ssh_exception import ChannelException

    text = getattr(error, "strerror", None) or str(error)
    if isinstance(error, ChannelException):
        return f"its SSH server gives no channel: {error.text} (MaxSessions in its sshd_config)"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, EOFError) or not text:
        return "it hung up"
    if "banner" in text:
        return "what listens there is no SSH server, or is overloaded"
    return text.rstrip(".")


def wanted_key(host: Host) -> HostKey:
    """Return the key that a machine has to show; raise SpawnError if the inventory has none."""
    if not host.host_key.strip():
        raise UnfitError(
            f"trust {label(host)}: its host key is not in the inventory"
            f" (nrunner dut enrol {host.name})"
        )
    try:
        return HostKey.parse(host.host_key)
    except SpawnError as error:
        raise UnfitError(f"trust {label(host)}: could not {error}") from error


def _transport(sock: socket.socket, wanted: HostKey | None) -> Transport:
    """Return a transport that prefers to be shown the sort of key that is wanted."""
    from paramiko.transport import Transport

    logger = logging.getLogger("paramiko")
    if not logger.handlers:
        # What goes wrong is told by what is raised; as a last resort it would go to stderr, too.
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
    sock.setblocking(True)
    transport = Transport(sock)
    if wanted is not None:
        options = transport.get_security_options()
        first = [each for each in wanted.algorithms if each in options.key_types]
        options.key_types = (*first, *(each for each in options.key_types if each not in first))
    return transport


def _negotiate(transport: Transport, host: Host, within: float) -> None:
    transport.banner_timeout = within
    ready = threading.Event()
    with translated(f"speak SSH with {label(host)}"):
        transport.start_client(ready)
        if not ready.wait(within):
            raise OSError(f"it did not agree on how within {within:g} s")
        if not transport.is_active():
            raise transport.get_exception() or EOFError()


def _shown(transport: Transport) -> str:
    key = transport.get_remote_server_key()
    return f"{key.get_name()} {key.get_base64()}"


def _verify(transport: Transport, host: Host, wanted: HostKey) -> None:
    """Raise StrangerError unless it is the machine that is meant."""
    shown = HostKey.parse(_shown(transport))
    if shown != wanted:
        raise StrangerError(
            f"trust {label(host)}: it shows the {shown.sort} host key {shown.fingerprint}, the"
            f" inventory has the {wanted.sort} key {wanted.fingerprint}: another machine answers"
            " there, or it was installed anew (then: nrunner dut enrol"
            f" {host.name}); nothing was sent"
        )


def _authenticate(transport: Transport, host: Host, within: float) -> None:
    from paramiko.ssh_exception import AuthenticationException

    transport.auth_timeout = within
    offered = 0
    for key in _keys(host):
        offered += 1
        try:
            with translated(f"log in to {label(host)}"):
                left = _offer(transport, host.user, key)
        except LinkError as error:
            if not isinstance(error.__cause__, AuthenticationException):
                raise
            if not transport.is_active():
                break  # it has heard of too many keys
            continue
        if not left:
            return
    if transport.is_authenticated():
        return
    keys = {0: "no key was found", 1: "it does not take the key"}.get(
        offered, f"it takes none of {offered} keys"
    )
    where = "the SSH agent" if host.key is None else str(host.key)
    raise UnfitError(
        f"log in to {label(host)}: {keys} of {where}"
        f" (is it in authorized_keys of {host.user} there?)"
    )


def _offer(transport: Transport, user: str, key: PKey) -> list[str]:
    return list(transport.auth_publickey(user, key))


def _keys(host: Host) -> Iterator[PKey]:
    if host.key is not None:
        yield _key_in_file(host)
    elif host.uses_agent:
        yield from _keys_of_agent(host)
    else:
        raise UnfitError(
            f"log in to {label(host)}: the inventory has neither a key (key = FILE) nor asks for"
            " the SSH agent (agent = true)"
        )


def _key_in_file(host: Host) -> PKey:
    """Return the key in the file that the inventory names; raise UnfitError: it is our trouble."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from paramiko.pkey import PKey, UnknownKeyType
    from paramiko.ssh_exception import PasswordRequiredException, SSHException

    assert host.key is not None
    what = f"read the key {host.key} for {label(host)}"
    try:
        return PKey.from_path(str(host.key.expanduser()))
    except OSError as error:
        raise UnfitError(f"{what}: {error.strerror or error}") from error
    except (SSHException, UnknownKeyType, UnsupportedAlgorithm, TypeError, ValueError) as error:
        # Some sorts that have a passphrase complain that none was given, others of its type.
        is_locked = isinstance(error, PasswordRequiredException) or "password" in str(error).lower()
        why = (
            "it has a passphrase (add it to an SSH agent, and say agent = true)"
            if is_locked
            else "it is no private key of a sort that is known"
        )
        raise UnfitError(f"{what}: {why}") from error


def _keys_of_agent(host: Host) -> Iterator[PKey]:
    from paramiko.agent import Agent

    with translated(f"ask the SSH agent for keys for {label(host)}"):
        agent = Agent()
    try:
        yield from agent.get_keys()
    finally:
        agent.close()
