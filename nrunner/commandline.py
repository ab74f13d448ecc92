"""The command line of a job, as people may see it: without what is secret of the URLs in it.

Not responsible for reading one (``nrunner.cli``), nor for what is secret of a URL
(``nrunner.runners.fetch``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from nrunner.requirement import FLAG

__all__ = ["public_command"]

_JSON_WORD = re.compile(rf"((?:{FLAG}=)?)(\s*[\[{{].*)", re.DOTALL)
_LOCATION = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def public_command(words: Iterable[str]) -> tuple[str, ...]:
    """Return the words as people may see them: URLs stand in those that are JSON."""
    return tuple(map(_public_word, words))


def _public_word(word: str) -> str:
    found = _JSON_WORD.fullmatch(word)
    if found is None:
        return word
    try:
        data = json.loads(found[2])
        plain = _public_json(data)
    except (ValueError, RecursionError):
        return word  # no requirement, so it holds no location of any
    return word if plain == data else found[1] + json.dumps(plain, ensure_ascii=False)


def _public_json(value: Any) -> Any:
    if isinstance(value, str):
        return _public_text(value)
    if isinstance(value, list):
        return [_public_json(each) for each in value]
    if isinstance(value, dict):
        return {key: _public_json(each) for key, each in value.items()}
    return value


def _public_text(text: str) -> str:
    from nrunner.runners.fetch import public

    if _LOCATION.match(text):
        return public(text)
    return "".join(map(public, re.split(r"(\s+)", text)))
