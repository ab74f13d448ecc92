"""Keys to the control API on TCP: a token for programs, and links for browsers that work once.

A link carries a token in the part of an address that browsers keep to themselves. Whoever shows
it first gets a token of their own for it, which the link is not worth any more. Not responsible
for how tokens travel (``nrunner.status.guard``).
"""

from __future__ import annotations

from nrunner.status.token import make_token, matches

__all__ = ["Keys"]

_MOST_LINKS = 64
_MOST_SESSIONS = 1024


class Keys:
    """All tokens that are good now; compared in a time that says nothing of them."""

    def __init__(self, *tokens: str) -> None:
        self._tokens = list(tokens)
        self._links: list[str] = []

    def fits(self, shown: str) -> bool:
        """Whether a token opens the API."""
        return _is_among(self._tokens, shown)

    def link(self) -> str:
        """Return a token that can be exchanged once; the oldest of too many is good no more."""
        token = make_token()
        self._links = [*self._links[1 - _MOST_LINKS :], token]
        return token

    def redeem(self, shown: str) -> str | None:
        """Exchange a link's token for one that opens the API; None if it is none, or was used."""
        if not _is_among(self._links, shown):
            return None
        self._links = [each for each in self._links if not matches(each, shown)]
        token = make_token()
        if len(self._tokens) >= _MOST_SESSIONS:
            del self._tokens[1]  # the first is the programs'
        self._tokens.append(token)
        return token


def _is_among(tokens: list[str], shown: str) -> bool:
    # All are looked at, whichever fits.
    return sum([matches(each, shown) for each in tokens]) > 0
