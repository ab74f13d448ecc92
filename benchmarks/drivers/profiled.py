"""Runs nrunner with a profiler in the controller and one in its agent.

Runs in nrunner's own environment: ``profiled.py FOLDER WORD...``, the words being those that follow
``nrunner``. Leaves ``controller.prof`` and ``agent.prof`` in FOLDER. To get into the agent it
stands in for the interpreter that the controller would start it with.
"""

from __future__ import annotations

import cProfile
import os
import sys
from pathlib import Path
from typing import Any

_REAL = "NRUNNER_BENCH_PYTHON"


def main() -> None:
    """Be the controller, or what it takes for an interpreter."""
    folder, words = Path(sys.argv[1]), sys.argv[2:]
    if _REAL not in os.environ:
        _control(folder, words)
    elif "agent" in words:
        _serve(folder, words)
    else:
        os.execv(os.environ[_REAL], [os.environ[_REAL], *words])


def _control(folder: Path, words: list[str]) -> None:
    from nrunner.cli.main import main as run

    stand_in = folder / "python"
    stand_in.write_text(f'#!/bin/sh\nexec "${_REAL}" {Path(__file__).resolve()} {folder} "$@"\n')
    stand_in.chmod(0o755)
    os.environ[_REAL] = sys.executable
    sys.executable = str(stand_in)
    profile = cProfile.Profile()
    try:
        profile.runcall(run, words)
    finally:
        profile.dump_stats(folder / "controller.prof")


def _serve(folder: Path, words: list[str]) -> None:
    """Be the agent: the words are options, its archive, ``agent`` and its arguments."""
    first = words.index("agent")
    sys.path.insert(0, words[first - 1])
    from nrunner.runners.agent import Agent
    from nrunner.runners.entry import main as enter

    serve = Agent.serve

    def watched(agent: Any) -> None:
        profile = cProfile.Profile()
        try:
            profile.runcall(serve, agent)
        finally:
            profile.dump_stats(folder / "agent.prof")

    setattr(Agent, "serve", watched)  # noqa: B010  (mypy forbids assigning to a method)
    sys.exit(enter(words[first:]))


if __name__ == "__main__":
    main()
