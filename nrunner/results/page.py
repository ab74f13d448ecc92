"""The page as it ships: its parts put together, with a policy that lets no other script run.

One page serves twice: ``nrunner.results.html`` writes it with a job's data inside, the status
server sends it without any. Not responsible for data.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from nrunner.record import dataclass
from nrunner.results.text import escaped

__all__ = ["Page", "load_page"]

_FOLDER = Path(__file__).parent / "static"
_STYLE = "page.css"
_SCRIPTS = (
    "model.js",
    "text.js",
    "draw.js",
    "findings.js",
    "overview.js",
    "table.js",
    "timeline.js",
    "task.js",
    "file.js",
    "live.js",
    "orders.js",
    "log.js",
    "jobs.js",
    "main.js",
)
"""In the order in which they are joined to one."""


@dataclass(frozen=True, slots=True)
class Page:
    """The parts of the page that are the same for every job; plain ASCII."""

    style: str
    script: str

    def policy(self, *, connects: bool) -> str:
        """Return the content security policy: only this style and script, nothing from outside."""
        parts = (
            "default-src 'none'",
            f"style-src {_fingerprint(self.style)}",
            f"script-src {_fingerprint(self.script)}",
            "connect-src 'self'" if connects else "connect-src 'none'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
        return "; ".join(parts)

    def head(self, title: str, *, connects: bool, serves: str = "") -> str:
        """Return the page up to where data follow; `serves` says what its server has."""
        policy = escaped(self.policy(connects=connects))
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="color-scheme" content="light dark">\n'
            '<meta name="referrer" content="no-referrer">\n'
            f'<meta name="nrunner-serves" content="{escaped(serves)}">\n'
            f'<title>{escaped(title)}</title>\n<link rel="icon" href="data:,">\n'
            f"<style>{self.style}</style>\n</head>\n<body>\n"
        )

    def foot(self) -> str:
        """Return what follows the data."""
        return f'<div id="app"></div>\n<script>{self.script}</script>\n</body>\n</html>\n'


def load_page() -> Page:
    """Read the parts of the page."""
    return Page(_read((_STYLE,)), _read(_SCRIPTS))


def _read(names: Iterable[str]) -> str:
    texts = [(_FOLDER / name).read_text(encoding="ascii") for name in names]
    joined = "".join(texts)
    return f'"use strict";\n(() => {{\n{joined}}})();\n' if len(texts) > 1 else joined


def _fingerprint(text: str) -> str:
    return f"'sha256-{base64.b64encode(_sha256(text.encode('ascii'))).decode('ascii')}'"


def _sha256(data: bytes) -> bytes:
    # hashlib would load OpenSSL first, which takes longer than writing a small page.
    for name in ("_sha2", "_sha256", "hashlib"):
        with contextlib.suppress(ImportError):
            digest: bytes = import_module(name).sha256(data).digest()
            return digest
    raise AssertionError("every Python has hashlib")
