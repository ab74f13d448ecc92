"""Host keys: read, compared, and shown as fingerprints (pure).

Not responsible for where they are kept, nor for asking a machine for its key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from nrunner.errors import SpawnError
from nrunner.record import dataclass

__all__ = ["HostKey"]


@dataclass(frozen=True, slots=True)
class HostKey:
    """The public key by which a machine is known."""

    sort: str
    """``ssh-ed25519``, say."""
    blob: bytes

    @classmethod
    def parse(cls, text: str) -> HostKey:
        """Read a key as it stands in files of OpenSSH, with or without a comment.

        Raise SpawnError for text that is none.
        """
        sort, _, rest = text.strip().partition(" ")
        try:
            blob = base64.b64decode(rest.split()[0], validate=True)
            length = int.from_bytes(blob[:4], "big")
            is_one = length > 0 and blob[4 : 4 + length] == sort.encode()
        except (binascii.Error, IndexError, ValueError):
            is_one = False
        if not is_one:
            shown = text.strip()[:40] or "nothing"
            raise SpawnError(
                f"read a host key: {shown!r} is none (ssh-ed25519 AAAA..., as in known_hosts)"
            )
        return cls(sort, blob)

    @property
    def fingerprint(self) -> str:
        """What OpenSSH shows of it."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest())
        return f"SHA256:{digest.decode().rstrip('=')}"

    @property
    def algorithms(self) -> tuple[str, ...]:
        """Return in which ways its owner can sign, the best one first."""
        if self.sort == "ssh-rsa":
            return ("rsa-sha2-512", "rsa-sha2-256")
        return (self.sort,)

    def __str__(self) -> str:
        return f"{self.sort} {base64.b64encode(self.blob).decode()}"
