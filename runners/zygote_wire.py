"""What agents and zygotes have to agree on beside the words that they exchange.

The words are described in ``nrunner.runners.zygote``. Requests are marshalled: to read JSON, a
zygote would touch twice as much memory. Loaded by both, so it imports nothing that is not always
there.
Portable: runs on Python 3.7 with the standard library alone.
"""

from __future__ import annotations

import marshal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Union

__all__ = [
    "LONGEST_ANSWER",
    "LONGEST_REQUEST",
    "PLACEHOLDER",
    "decode_request",
    "encode_answer",
    "encode_request",
]

LONGEST_ANSWER = 1 << 12
"""In bytes; of what is longer, the rest is not heard."""

LONGEST_REQUEST = 1 << 16
"""In bytes; what is longer is for a new interpreter."""

PLACEHOLDER = "NRUNNER_ZYGOTE"
"""A variable that reserves room in a zygote's environment for the mark of an attempt."""

_FORMAT = 2
"""Of marshal; any Python 3 reads it."""


def encode_request(request: Mapping[str, Any]) -> bytes:
    """Return a request as it is sent; raise ValueError if it holds what JSON could not."""
    plain: Any = request  # what is known of marshal's types is narrower
    return marshal.dumps(plain, _FORMAT)


def decode_request(data: Union[bytes, bytearray]) -> dict[str, Any]:
    """Return a request that was received, whatever comes after it."""
    request: dict[str, Any] = marshal.loads(data)
    return request


def encode_answer(words: str) -> bytes:
    """Return words as they are sent, with names in them that are no valid text."""
    return words.encode("utf-8", "replace")
