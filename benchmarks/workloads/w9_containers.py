"""W9: programs in podman containers: one for each, or one for all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from benchmarks.adapters import ours
from benchmarks.tool import OURS, Case, Command, Site, Tool
from benchmarks.workloads.w1_programs import true_programs
from tests.containers import oci_runtime, podman, python_image

__all__ = ["TITLE", "cases"]

TITLE = "/bin/true in containers"
_WARM = "nrunner-bench-warm"
_LIMITS = ("--ulimit", "nofile=20000:20000", "--ulimit", "nproc=32768:32768")


@cache
def _runtime() -> str:
    """Return the OCI runtime for all tools: where a machine's own is refused, one that works."""
    return oci_runtime()


def _env() -> dict[str, str]:
    return {"NRUNNER_PODMAN_RUNTIME": _runtime(), "HOME": str(Path.home())}


def _for_each(site: Site, *words: str) -> Command:
    """Have xargs run a command once for each test."""
    arguments = site.folder / "arguments"
    arguments.write_text("".join(f"{number}\n" for number in range(site.tests)))
    script = site.folder / "one.sh"
    script.write_text(f"#!/bin/sh\nexec {' '.join(words)}\n")
    script.chmod(0o755)
    many = ("xargs", f"-P{site.parallel}", "-n1", str(script))
    return Command(many, stdin=arguments, env=_env())


def _run_rm(site: Site) -> Command:
    """Run ``podman run --rm IMAGE true`` for each, two at a time."""
    image = python_image()
    words = ("podman", f"--runtime={_runtime()}", "run", "--rm", "--network=none", *_LIMITS)
    return _for_each(site, *words, image, "true")


def _exec(site: Site) -> Command:
    """Run ``podman exec`` for each in a container that is there already."""
    with suppress(AssertionError):
        podman("rm", "--force", "--time=0", _WARM)
    runtime = f"--runtime={_runtime()}"
    words = ("run", "--detach", "--rm", f"--name={_WARM}", "--network=none", *_LIMITS)
    podman(runtime, *words, python_image(), "sleep", "60")
    return _for_each(site, "podman", runtime, "exec", _WARM, "true")


def _ours(reuse: str) -> Tool:
    def prepare(site: Site) -> Command:
        references = site.folder / "references"
        references.write_text("".join(f"{program}\n" for program in site.programs))
        flags = ("--spawner=podman", f"--podman-image={python_image()}")
        command = ours.ours(site, (*flags, f"--podman-reuse={reuse}", f"@{references}"))
        return Command(command.words, env=_env())

    name = f"{OURS} in one each" if reuse == "task" else f"{OURS} in one"
    return Tool(name, OURS, prepare, ours.read_ours, option="--spawner=podman")


_EACH = (_ours("task"), Tool("podman run --rm", "podman", _run_rm))
_ONE = (_ours("job"), ours.PROGRAMS, Tool("podman exec", "podman", _exec, most=60))


def cases(short: bool) -> tuple[Case, ...]:
    """Return a case for a container each, and one for a container for all."""
    return tuple(_cases())


def _cases() -> Iterator[Case]:
    yield Case("W9", "one each", _EACH, 60, 2, true_programs, "podman run --rm", memory=False)
    yield Case("W9", "one for all", _ONE, 1000, 2, true_programs, "podman exec", memory=False)
