"""Where the time goes: ``python -m benchmarks.profile``.

First a run that is only watched, for the shares of controller, agent and tests; then one with a
profiler in controller and agent, for the functions. The second is slower by the profiler's own
cost, so that its times are shares, too.
"""

from __future__ import annotations

import argparse
import io
import pstats
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.adapters import methods, ours
from benchmarks.peer import Shed, default_cache, system_python
from benchmarks.series import scratch_folder
from benchmarks.table import render_table
from benchmarks.tool import OURS, Command, Site, Tool
from benchmarks.usage import Share, Usage, watch_usage
from benchmarks.workloads.w1_programs import true_programs
from benchmarks.workloads.w6_tap import tap_scripts

__all__ = ["main"]

_DRIVER = Path(__file__).resolve().parent / "drivers" / "profiled.py"
_KINDS = {
    "true": (ours.PROGRAMS, true_programs),
    "tap": (ours.PROGRAMS, tap_scripts),
    "noop": (ours.NOOPS, true_programs),
    "unittest": (methods.PROCESS, methods.make_methods),
}


def main() -> int:
    """Watch one run and profile another."""
    options = _options().parse_args()
    shed = Shed(options.cache, options.python or system_python(sys.executable))
    shed.add_ours(OURS, options.nrunner)
    scratch = scratch_folder()
    try:
        tool, site = _site(options, shed, scratch)
        _watch(tool, site, shed, options.tests)
        _profile(tool, site, shed, options.lines)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("benchmarks.profile", description=__doc__)
    parser.add_argument("--kind", choices=sorted(_KINDS), default="true", help="sort of tests")
    parser.add_argument("--tests", type=int, default=5000, metavar="N")
    parser.add_argument("--parallel", type=int, default=2, metavar="N")
    parser.add_argument("--lines", type=int, default=25, metavar="N", help="functions to show")
    parser.add_argument("--nrunner", type=Path, metavar="PATH", help="this, not the checkout")
    parser.add_argument("--python", metavar="PATH", help="the interpreter to run nrunner with")
    parser.add_argument("--cache", type=Path, default=default_cache(), metavar="FOLDER")
    return parser


def _site(options: argparse.Namespace, shed: Shed, scratch: Path) -> tuple[Tool, Site]:
    tool, make_input = _KINDS[options.kind]
    made = scratch / "input"
    made.mkdir()
    programs = make_input(made, options.tests)
    find = partial(shed.find, OURS)
    return tool, Site(made, scratch, options.tests, options.parallel, programs, find)


def _watch(tool: Tool, site: Site, shed: Shed, tests: int) -> None:
    with tempfile.TemporaryDirectory(dir=site.folder) as name:
        command = tool.prepare(replace(site, folder=Path(name)))
        begin = time.perf_counter()
        process = _start(command, Path(name), shed)
        usage = watch_usage(process.pid, begin)
        process.wait()
    _say(_table(usage, tests))


def _table(usage: Usage, tests: int) -> str:
    parts = {
        "controller": usage.controller,
        "agent": usage.agent,
        "zygotes": usage.zygotes,
        "tests": usage.tests,
    }
    rows = [_row(name, share, usage, tests) for name, share in parts.items()]
    rows.append(("wall", "", "", f"{usage.seconds / tests * 1000:.3f}", ""))
    return render_table(("part", "user s", "kernel s", "ms a test", "of one processor"), rows)


def _row(name: str, share: Share, usage: Usage, tests: int) -> tuple[str, ...]:
    total = share.user + share.kernel
    each = f"{total / tests * 1000:.3f}"
    return name, f"{share.user:.2f}", f"{share.kernel:.2f}", each, f"{total / usage.seconds:.0%}"


def _profile(tool: Tool, site: Site, shed: Shed, lines: int) -> None:
    with tempfile.TemporaryDirectory(dir=site.folder) as name:
        folder = Path(name)
        command = tool.prepare(replace(site, folder=folder))
        python = site.find("python")
        words = (python, str(_DRIVER), name, *command.words[1:])
        if _start(replace(command, words=words), folder, shed).wait() != 0:
            raise SystemExit((folder / "output.log").read_text()[-2000:])
        for part in ("controller", "agent"):
            _say(f"\n{part}\n{_functions(folder / f'{part}.prof', lines)}")


def _functions(path: Path, lines: int) -> str:
    text = io.StringIO()
    statistics = pstats.Stats(str(path), stream=text)
    statistics.strip_dirs().sort_stats("tottime").print_stats(lines)
    return text.getvalue()


def _start(command: Command, folder: Path, shed: Shed) -> subprocess.Popen[bytes]:
    with (folder / "output.log").open("wb") as output:
        return subprocess.Popen(
            command.words,
            cwd=command.cwd or folder,
            env=shed.environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
