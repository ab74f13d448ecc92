"""Tools that run programs as tests and record a result for each."""

from __future__ import annotations

import json
import re
import subprocess
from functools import partial
from pathlib import Path

from benchmarks.tool import Command, Reading, Site, Tool

__all__ = [
    "AVOCADO",
    "BATS",
    "CTEST",
    "KIRK",
    "KYUA",
    "KYUA_TAP",
    "LIT",
    "MESON",
    "MESON_TAP",
    "PARALLEL",
    "PROVE",
    "read_avocado",
]


def _ctest(site: Site) -> Command:
    lines = [f'add_test(t{number} "{path}")\n' for number, path in enumerate(site.programs)]
    (site.folder / "CTestTestfile.cmake").write_text("".join(lines))
    return Command((site.find("ctest"), f"-j{site.parallel}"))


def _read_ctest(site: Site, output: str) -> Reading:
    return _counted(r", 0 tests failed out of (\d+)", output)


def _lit(site: Site) -> Command:
    _lit_suite(site.folder, site.programs)
    return Command((site.find("lit"), f"-j{site.parallel}", "."))


def _lit_suite(folder: Path, programs: tuple[str, ...]) -> None:
    config = "import lit.formats\nconfig.name = 'bench'\nconfig.suffixes = ['.test']\n"
    shell = "config.test_format = lit.formats.ShTest(execute_external=False)\n"
    (folder / "lit.cfg").write_text(config + shell)
    for number, program in enumerate(programs):
        (folder / f"t{number}.test").write_text(f"RUN: {program}\n")


def _read_lit(site: Site, output: str) -> Reading:
    return _counted(r"Passed *: *(\d+)", output)


def _kyua(site: Site, interface: str = "plain") -> Command:
    lines = ["syntax(2)\n", "test_suite('bench')\n"]
    for number, program in enumerate(site.programs):
        (site.folder / f"t{number}").symlink_to(program)
        lines.append(f"{interface}_test_program{{name='t{number}'}}\n")
    (site.folder / "Kyuafile").write_text("".join(lines))
    words = ("-v", f"parallelism={site.parallel}", "test", "-r", str(site.folder / "results.db"))
    return Command((site.find("kyua"), *words))


def _read_kyua(site: Site, output: str) -> Reading:
    return _counted(r"^(\d+)/\d+ passed \(0", output)


def _parallel(site: Site) -> Command:
    arguments = site.folder / "arguments"
    arguments.write_text("".join(f"{program}\n" for program in site.programs))
    words = ("--will-cite", f"-j{site.parallel}", "--joblog", "joblog")
    return Command((site.find("parallel"), *words), stdin=arguments)


def _read_parallel(site: Site, output: str) -> Reading:
    lines = (site.folder / "joblog").read_text().splitlines()[1:]
    return Reading(sum(line.split("\t")[6] == "0" for line in lines))


def _meson(site: Site, protocol: str = "exitcode") -> Command:
    source = site.folder / "source"
    source.mkdir()
    lines = ["project('bench')\n"]
    for number, program in enumerate(site.programs):
        lines.append(f"test('t{number}', find_program('{program}'), protocol: '{protocol}')\n")
    (source / "meson.build").write_text("".join(lines))
    meson = site.find("meson")
    path = {"PATH": f"{Path(meson).parent}:/usr/bin:/bin", "HOME": str(site.folder)}
    words = [meson, "setup", str(site.folder / "build"), str(source)]
    subprocess.run(words, env=path, check=True, capture_output=True)
    options = ("--num-processes", str(site.parallel), "--no-rebuild", "-C", "build")
    return Command((meson, "test", *options), env={"PATH": path["PATH"]})


def _read_meson(site: Site, output: str) -> Reading:
    return _counted(r"^Ok: +(\d+)", output)


def _bats(site: Site) -> Command:
    tests = [f"@test 't{n}' {{\n  {program}\n}}\n" for n, program in enumerate(site.programs)]
    (site.folder / "suite.bats").write_text("".join(tests))
    jobs = ("--jobs", str(site.parallel)) if site.parallel > 1 else ()
    return Command((site.find("bats"), *jobs, "--formatter", "tap", "suite.bats"))


def _read_bats(site: Site, output: str) -> Reading:
    return Reading(len(re.findall(r"^ok \d+", output, re.MULTILINE)))


def _avocado(site: Site) -> Command:
    options = ("--disable-sysinfo", "--job-results-dir", "results")
    many = ("--max-parallel-tasks", str(site.parallel))
    return Command((site.find("avocado"), "run", *options, *many, "--", *site.programs))


def read_avocado(site: Site, output: str) -> Reading:
    """Return how many tests Avocado's report says have passed."""
    report = json.loads((site.folder / "results" / "latest" / "results.json").read_text())
    return Reading(report["pass"])


def _kirk(site: Site) -> Command:
    """Make what kirk takes for an installation of its test-suite: a list of names and commands."""
    (site.folder / "runtest").mkdir()
    (site.folder / "testcases" / "bin").mkdir(parents=True)
    lines = [f"t{number} {program}\n" for number, program in enumerate(site.programs)]
    (site.folder / "runtest" / "bench").write_text("".join(lines))
    workers = ("--workers", str(site.parallel), "--force-parallel")
    report = ("--json-report", "report.json", "--tmp-dir", str(site.folder))
    words = (site.find("kirk"), "--no-colors", *workers, *report, "--run-suite", "bench")
    return Command(words, env={"LTPROOT": str(site.folder)})


def _read_kirk(site: Site, output: str) -> Reading:
    report = json.loads((site.folder / "report.json").read_text())
    return Reading(sum(each["test"]["retval"] == ["0"] for each in report["results"]))


def _prove(site: Site) -> Command:
    return Command((site.find("prove"), f"-j{site.parallel}", *site.programs))


def _read_prove(site: Site, output: str) -> Reading:
    if "Result: PASS" not in output:
        return Reading(0)
    return _counted(r"^Files=(\d+), Tests=", output)


def _counted(pattern: str, output: str) -> Reading:
    found = re.search(pattern, output, re.MULTILINE)
    return Reading(int(found[1]) if found else 0)


CTEST = Tool("ctest", "ctest", _ctest, _read_ctest)
LIT = Tool("lit", "lit", _lit, _read_lit)
KYUA = Tool("kyua", "kyua", _kyua, _read_kyua)
PARALLEL = Tool("parallel", "parallel", _parallel, _read_parallel)
MESON = Tool("meson", "meson", _meson, _read_meson)
BATS = Tool("bats", "bats", _bats, _read_bats, most=100)
AVOCADO = Tool("avocado", "avocado", _avocado, read_avocado, most=100)
KYUA_TAP = Tool("kyua", "kyua", partial(_kyua, interface="tap"), _read_kyua)
MESON_TAP = Tool("meson", "meson", partial(_meson, protocol="tap"), _read_meson)
PROVE = Tool("prove", "prove", _prove, _read_prove)
KIRK = Tool("kirk", "kirk", _kirk, _read_kirk, most=100)
