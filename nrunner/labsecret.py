"""What is secret of a lab: found where an inventory refers to, and struck out of what is shown.

Not responsible for what needs it (``nrunner.labhook``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nrunner.errors import UnfitError
from nrunner.inventory import Dut, Secret

__all__ = ["Struck", "secrets_of"]

_MOST = 64 << 10
_BLANK = b"***"


def secrets_of(dut: Dut, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that hold what is secret; raise UnfitError that names what is missing.

    Never for logs, and never for a command line.
    """
    return {
        variable: _value(dut, variable, secret, environ)
        for variable, secret in dut.hooks.secrets.items()
    }


def _value(dut: Dut, variable: str, secret: Secret, environ: Mapping[str, str]) -> str:
    what = f"read the secret {variable} of {dut.name}"
    if secret.file is None:
        if secret.variable not in environ:
            raise UnfitError(f"{what}: the variable {secret.variable} is not set")
        return environ[secret.variable]
    try:
        with secret.file.open("rb") as file:
            value = file.read(_MOST).decode("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UnfitError(f"{what}: {secret.file}: {reason.lower()}") from error
    if "\0" in value:
        raise UnfitError(f"{what}: {secret.file} holds a null byte")
    return value


class Struck:
    """Strikes secrets out of a stream of bytes, wherever it is cut."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = {
            line.encode() for each in secrets for line in (each, *each.splitlines()) if line
        }
        self._held = b""
        self._struck = 0
        """How many of the bytes held back belong to what was struck out already."""

    def feed(self, data: bytes) -> bytes:
        """Return what can be shown of the bytes so far; what may begin a secret is held back."""
        text = self._held + data
        return self._show(text, len(text) - self._beginning(text))

    def finish(self) -> bytes:
        """Return what was held back."""
        return self._show(self._held, len(self._held))

    def _show(self, text: bytes, end: int) -> bytes:
        """Return what can be shown of a text up to there, and hold the rest back.

        Secrets that overlap are struck out as one: nothing of either is to be seen.
        """
        shown, at = b"", self._struck
        for start, stop in self._found(text):
            if at <= start < end:
                shown += text[at:start] + _BLANK
            if start < end:
                at = max(at, stop)
        shown += text[at:end]
        self._held, self._struck = text[end:], max(0, at - end)
        return shown

    def _found(self, text: bytes) -> list[tuple[int, int]]:
        """Return where secrets begin and end in a text, in order."""
        found = []
        for secret in self._secrets:
            start = text.find(secret)
            while start >= 0:
                found.append((start, start + len(secret)))
                start = text.find(secret, start + 1)
        return sorted(found)

    def _beginning(self, text: bytes) -> int:
        """Return how many bytes at the end of a text may be the beginning of a secret."""
        longest = max(map(len, self._secrets), default=1) - 1
        for length in range(min(longest, len(text)), 0, -1):
            if any(secret.startswith(text[-length:]) for secret in self._secrets):
                return length
        return 0
