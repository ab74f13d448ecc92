"""From the setting ``status.tcp`` to where the collector listens, and its token.

Not responsible for listening (``nrunner.status.listener``).
"""

from __future__ import annotations

import os
from pathlib import Path

from nrunner.errors import ConfigError, ResultsError
from nrunner.status.listener import TcpOptions
from nrunner.status.token import make_token

__all__ = ["TOKEN_FILE", "tcp_options"]

TOKEN_FILE = "status-token"
"""Name, in a job's folder, of the file with a token that was made for the job."""


def tcp_options(address: str, token_file: str | None, folder: Path) -> TcpOptions:
    """Return where to listen; the token comes from a file, or is made and kept in `folder`.

    Raise ConfigError if the file has no token, ResultsError if a new one cannot be kept.
    """
    host, _, port = address.rpartition(":")
    token = _kept(folder / TOKEN_FILE) if token_file is None else _read(Path(token_file))
    return TcpOptions(token, host.strip("[]"), int(port))


def _read(path: Path) -> str:
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise ConfigError(f'read "status.token_file" {path}: {error}') from error
    if not token:
        raise ConfigError(f'use "status.token_file" {path}: it is empty')
    return token


def _kept(path: Path) -> str:
    token = make_token()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(token + "\n")
    except OSError as error:
        raise ResultsError(f"keep a token in {path}: {error.strerror}") from error
    return token
