"""A long time under the nemesis: ``python -m tests.faults.soak --seconds 600 [--seed N]``.

Mixed jobs, one after another, then 100,000 trivial tasks. The seed is printed and replays the same
order of faults. Not responsible for the faults.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.campaign import Campaign

_TRIVIAL = ("kill controller", "kill agent", "kill both", "stop agent", "stop controller")


def main() -> int:
    """Soak; return 0 if every invariant held."""
    asked = _arguments()
    if os.environ.get("NRUNNER_SOAK_DISK") is None:
        _begin_again_on_a_small_disk()
    folder = Path(os.environ["NRUNNER_SOAK_DISK"]).parent
    say(f"seed {asked.seed}; replay with --seed {asked.seed}")
    campaign = Campaign(folder, asked.seed, frozenset(asked.only))
    for name, why in campaign.nemesis.left_out.items():
        say(f"left out: {name}: {why}")
    end = time.monotonic() + asked.seconds
    while time.monotonic() < end:
        try:
            campaign.run(asked.size)
        except AssertionError:
            keep = folder / "failed"
            shutil.copytree(folder / "disk", keep, symlinks=True)
            say(f"what is left of it is in {keep}")
            raise
        say(f"{int(end - time.monotonic())} s left: {dict(campaign.results)}")
    _tell(campaign)
    if asked.trivial:
        trivial = Campaign(folder / "trivial", asked.seed, frozenset(_TRIVIAL), pause=5.0)
        recipes = folder / "trivial" / "noop.json"
        recipes.write_text('[{"kind": "noop"}' + ',{"kind": "noop"}' * (asked.trivial - 1) + "]")
        trivial.run(1, [str(recipes)])
        _tell(trivial)
    return 0


def _tell(campaign: Campaign) -> None:
    struck = campaign.nemesis.struck
    say(f"{len(struck)} faults: { {name: struck.count(name) for name in sorted(set(struck))} }")
    say(f"verdicts: {dict(campaign.results)}")
    for what, sizes in (("controller", campaign.controllers), ("agent", campaign.agents)):
        sizes.check(what)
        if sizes.memory:
            say(f"{what}: {max(sizes.memory)} KiB, {max(sizes.files)} files at most")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--size", type=int, default=120, help="tests of a job")
    parser.add_argument("--trivial", type=int, default=100_000, help="trivial tasks at the end")
    parser.add_argument("--only", nargs="*", default=(), help="only these faults")
    return parser.parse_args()


def _begin_again_on_a_small_disk() -> None:
    """Start over in a mount namespace in which the results are on a small tmpfs."""
    folder = Path(tempfile.mkdtemp(prefix="nrunner-soak-"))
    (folder / "disk").mkdir()
    os.environ["NRUNNER_SOAK_DISK"] = str(folder / "disk")
    script = 'mount -t tmpfs -o size=${SIZE:-400}m none "$NRUNNER_SOAK_DISK" && exec "$@"'
    space = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "-rm"]
    words = [*space, "sh", "-c", script, "sh", sys.executable, "-m", "tests.faults.soak"]
    os.execvp(words[0], [*words, *sys.argv[1:]])


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
