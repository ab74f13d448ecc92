"""Asks a question of the tests' interpreter: a bounded child, which answers into a file.

Not responsible for what is asked, nor for what runs in that child.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nrunner.record import replace
from nrunner.resolver.base import Context
from nrunner.resolver.bounded import BoundedError, last_line, run_bounded

__all__ = ["LoaderError", "ask"]


class LoaderError(Exception):
    """The interpreter gave no answer, or what it tried failed: a fragment that says why."""


def ask(command: Sequence[str], spec: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the answer to a question, an argument of the command; raise LoaderError."""
    with tempfile.TemporaryDirectory(prefix="nrunner-", ignore_cleanup_errors=True) as folder:
        # Making tests can make temporary files, which those who only ask have to remove.
        context = replace(context, env={"TMPDIR": folder, **context.env})
        answer = Path(folder, "answer")
        question = Path(folder, "question")
        complaints = Path(folder, "stderr")
        question.write_text(json.dumps({**spec, "answer": str(answer)}), "ascii")
        try:
            ending = run_bounded([*command, str(question)], context, stderr=complaints)
        except BoundedError as error:
            raise LoaderError(str(error)) from error
        try:
            found: dict[str, Any] = json.loads(answer.read_text("ascii"))
        except (OSError, ValueError) as error:
            said = last_line(complaints)
            raise LoaderError(f"{context.python} {ending} without an answer{said}") from error
        return found
