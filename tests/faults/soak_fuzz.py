"""Fuzzing for as long as is wanted: the targets of ``fuzz`` in turn, each time with another seed.

    python -m tests.faults.soak_fuzz [--seconds N] [--seed S] [TARGET...]

Says its seed, and stops at the first input that a reader does not stand, which it shows. The same
seed tries the same inputs in the same order. Not part of ``make test``.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.faults.fuzz import TARGETS, Target

__all__ = ["main"]

_AT_ONCE = 200
"""Inputs that are tried of one target before the next has its turn."""
_SETTINGS = settings(
    max_examples=_AT_ONCE,
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


def _try(target: Target, number: int) -> int:
    """Try some inputs; return how many."""
    count = 0

    @seed(number)
    @_SETTINGS
    @given(target.strategy)
    def run(value: object) -> None:
        nonlocal count
        count += 1
        target.check(value)

    run()
    return count


def main(argv: Sequence[str] | None = None) -> int:
    """Fuzz; return 1 if something was found."""
    parser = argparse.ArgumentParser(description="Fuzz the readers of what others may write.")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    asked = parser.parse_args(argv)
    unknown = {*asked.targets} - {*TARGETS}
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    first = random.SystemRandom().randrange(2**32) if asked.seed is None else asked.seed
    sys.stdout.write(f"seed {first}: --seed {first} tries the same again\n")
    return _fuzz(asked.targets or [*TARGETS], first, time.monotonic() + asked.seconds)


def _fuzz(names: Sequence[str], first: int, until: float) -> int:
    tried: Counter[str] = Counter()
    turn = 0
    while time.monotonic() < until:
        for name in names:
            try:
                tried[name] += _try(TARGETS[name], first + turn)
            except Exception:
                traceback.print_exc(file=sys.stdout)
                sys.stdout.write(f"FOUND by {name!r} in turn {turn} of seed {first}\n")
                return 1
        turn += 1
    counts = ", ".join(f"{name} {count}" for name, count in tried.items())
    sys.stdout.write(f"nothing found in {sum(tried.values())} inputs ({counts})\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
