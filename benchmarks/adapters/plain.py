"""Tools that run programs and record nothing, or little: the floor that others stand on."""

from __future__ import annotations

import re

from benchmarks.tool import Command, Reading, Site, Tool

__all__ = ["MAKE", "NINJA", "XARGS", "XARGS_SH"]


def _xargs(site: Site) -> Command:
    """Run ``xargs -P2 -n1 PROGRAM``: the one program, once per line."""
    arguments = site.folder / "arguments"
    arguments.write_text("".join(f"{number}\n" for number in range(site.tests)))
    words = ("xargs", f"-P{site.parallel}", "-n1", site.programs[0])
    return Command(words, stdin=arguments)


def _xargs_sh(site: Site) -> Command:
    """Run ``xargs -P2 -n1 sh``: each script by the shell that its first line names."""
    arguments = site.folder / "arguments"
    arguments.write_text("".join(f"{program}\n" for program in site.programs))
    return Command(("xargs", f"-P{site.parallel}", "-n1", "sh"), stdin=arguments)


def _make(site: Site) -> Command:
    names = [f"t{number}" for number in range(site.tests)]
    rules = "".join(
        f"{name}:\n\t@{program}\n" for name, program in zip(names, site.programs, strict=True)
    )
    (site.folder / "Makefile").write_text(
        f"all: {' '.join(names)}\n.PHONY: all {' '.join(names)}\n{rules}"
    )
    return Command(("make", f"-j{site.parallel}"))


def _ninja(site: Site) -> Command:
    rules = "".join(
        f"build t{number}: run\n  program = {program}\n"
        for number, program in enumerate(site.programs)
    )
    (site.folder / "build.ninja").write_text(f"rule run\n  command = $program\n{rules}")
    return Command((site.find("ninja"), f"-j{site.parallel}"))


def _read_ninja(site: Site, output: str) -> Reading:
    done = re.findall(r"\[(\d+)/\d+\]", output)
    return Reading(int(done[-1]) if done else 0)


XARGS = Tool("xargs", "xargs", _xargs)
XARGS_SH = Tool("xargs", "xargs", _xargs_sh)
MAKE = Tool("make", "make", _make)
NINJA = Tool("ninja", "ninja", _ninja, _read_ninja)
