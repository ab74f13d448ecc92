"""Configuration: the one table of settings, and which value each has from where.

Not responsible for how a value is read (``nrunner.option``), which source wins
(``nrunner.layer``), nor for what follows from a value (``nrunner.planner``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from nrunner.interpreter import test_interpreter
from nrunner.option import (
    Address,
    Amount,
    Choice,
    Count,
    Duration,
    FileName,
    Limit,
    Numbers,
    Pairs,
    Size,
    Sort,
    Switch,
    Text,
    Words,
)
from nrunner.record import dataclass, field, fields
from nrunner.userfolder import content_folder, results_folder

__all__ = ["FIELDS", "OPTIONS", "Config", "Option"]


@dataclass(frozen=True)
class Option:
    """One row of the table of settings."""

    key: str
    """Its name in files: ``run.max_parallel_tasks``."""
    sort: Sort
    help: str
    flag: str = ""
    per_suite: bool = False
    """Whether a suite of a job file may have a value of its own."""
    default_text: str = ""
    """What people are told where the default is found out on use."""

    @property
    def variable(self) -> str:
        """Its name in the environment: ``NRUNNER_RUN_MAX_PARALLEL_TASKS``."""
        return "NRUNNER_" + self.key.upper().replace(".", "_")


def _setting(default: Any, key: str, sort: Sort, text: str, flag: str = "", **more: Any) -> Any:
    option = Option(key, sort, text, flag, **more)
    if callable(default):
        return field(default_factory=default, metadata={"option": option})
    return field(default=default, metadata={"option": option})


def _results_folder() -> str:
    return str(results_folder())


def _content_folder() -> str:
    return str(content_folder())


def _interpreter() -> str:
    return test_interpreter(os.environ)


@dataclass(frozen=True)
class Config:
    """All settings, typed; made by ``nrunner.layer``."""

    max_parallel_tasks: int | None = _setting(
        None,
        "run.max_parallel_tasks",
        Count(1),
        "How many tasks may run at once.",
        "--max-parallel-tasks",
        default_text="the number of processors; on devices, as many as they take",
    )
    job_timeout: float | None = _setting(
        None,
        "run.job_timeout",
        Limit(),
        "When the whole job is stopped.",
        "--job-timeout",
    )
    task_timeout: float | None = _setting(
        None,
        "run.task_timeout",
        Limit(),
        "When one attempt at a task is stopped.",
        "--task-timeout",
        per_suite=True,
    )
    requirement_timeout: float | None = _setting(
        600.0,
        "run.requirement_timeout",
        Limit(),
        "When what fulfils a requirement is stopped.",
        "--requirement-timeout",
    )
    task_slow: float | None = _setting(
        None,
        "run.task_slow",
        Limit(),
        "When a task is reported as slow; it goes on.",
        "--task-slow",
        per_suite=True,
    )
    task_silence: float | None = _setting(
        None,
        "run.task_silence",
        Limit(),
        "When a task that prints nothing is stopped.",
        "--task-silence",
        per_suite=True,
    )
    grace: float = _setting(
        5.0,
        "run.grace",
        Duration(),
        "How long a task may take to end after SIGTERM, before SIGKILL.",
        "--grace",
        per_suite=True,
    )
    idempotent: bool = _setting(
        False,
        "run.idempotent",
        Switch(),
        "Whether running a test twice does no harm: one whose outcome was lost is run again.",
        per_suite=True,
    )
    fail_fast: bool = _setting(
        False,
        "run.fail_fast",
        Switch(),
        "Start no more tasks once one has failed.",
        "--fail-fast",
    )
    leak: str = _setting(
        "warn",
        "run.leak",
        Choice("ignore", "warn", "fail"),
        "What processes that outlive their test do to its result.",
        "--leak",
    )
    spawner: str = _setting(
        "process",
        "run.spawner",
        Text(),
        "What provides the environments in which tasks run.",
        "--spawner",
    )
    ignore_missing_references: bool = _setting(
        False,
        "run.ignore_missing_references",
        Switch(),
        "Run what was found even if some references could not be resolved.",
        "--ignore-missing-references",
    )
    dry_run: bool = _setting(
        False,
        "run.dry_run",
        Switch(),
        "Do everything but start the tasks.",
        "--dry-run",
    )
    shuffle: bool = _setting(
        False,
        "run.shuffle",
        Switch(),
        "Run in random order; the seed is printed.",
        "--shuffle",
    )
    seed: int | None = _setting(
        None,
        "run.seed",
        Count(),
        "Shuffle with this seed: the same order again.",
        "--seed",
        default_text="a new one each time",
    )
    env: Mapping[str, str] = _setting(
        dict,
        "run.env",
        Pairs(),
        "Variables added to the environment of payloads, and of whoever names the tests of files.",
        "-p",
        per_suite=True,
    )
    json_variants_load: str | None = _setting(
        None,
        "run.json_variants_load",
        Text(path=True),
        "A file of variants: each test runs with each of them.",
        "--json-variants-load",
        per_suite=True,
        default_text="none",
    )
    execution_order: str = _setting(
        "variants-per-test",
        "run.execution_order",
        Choice("variants-per-test", "tests-per-variant"),
        "Whether a test has its variants one after another, or a variant its tests.",
        "--execution-order",
        per_suite=True,
    )
    store_logging_stream: tuple[str, ...] = _setting(
        (),
        "run.store_logging_stream",
        Words(),
        "Loggers of Avocado's own tests that get a file each: NAME or NAME:LEVEL.",
        "--store-logging-stream",
        per_suite=True,
    )
    results_dir: str = _setting(
        _results_folder,
        "run.results_dir",
        Text(path=True),
        "Where the folders of jobs are made.",
        "--job-results-dir",
        default_text="job-results in nrunner's folder for user data",
    )
    results: tuple[str, ...] = _setting(
        ("json", "xunit", "tap", "html"),
        "run.results",
        Words(),
        "Reports written into the job's folder.",
    )
    job_category: str | None = _setting(
        None,
        "run.job_category",
        FileName(),
        "A folder beside those of jobs that gets a link to this one.",
        "--job-category",
        default_text="none",
    )
    archive: bool = _setting(
        False,
        "run.archive",
        Switch(),
        "Pack the job's folder into a ZIP file beside it at the job's end.",
        "--archive",
    )
    suite_runner: str = _setting(
        "nrunner",
        "run.suite_runner",
        Choice("nrunner"),
        "What runs suites: there is one way to do so.",
        "--suite-runner",
    )
    xunit_job_name: str | None = _setting(
        None,
        "results.xunit_job_name",
        Text(),
        "The name of the suite in results.xml.",
        "--xunit-job-name",
        default_text="that of the job's folder",
    )
    xunit_max_test_log_chars: int | None = _setting(
        16 << 10,
        "results.xunit_max_test_log_chars",
        Size(),
        "How much of each output of a failed test is in results.xml.",
        "--xunit-max-test-log-chars",
    )
    tap_include_logs: bool = _setting(
        False,
        "results.tap_include_logs",
        Switch(),
        "Put what tests wrote into results.tap, as comments.",
        "--tap-include-logs",
    )
    filter_by_tags: tuple[str, ...] = _setting(
        (),
        "filter.by_tags",
        Words(" "),
        'Only tests with these tags: "a,-b,key:value" means all of them, repeated means either.',
        "--filter-by-tags",
        per_suite=True,
    )
    filter_include_empty: bool = _setting(
        False,
        "filter.by_tags_include_empty",
        Switch(),
        "Keep tests that have no tags at all.",
        "--filter-by-tags-include-empty",
        per_suite=True,
    )
    filter_include_empty_key: bool = _setting(
        False,
        "filter.by_tags_include_empty_key",
        Switch(),
        "Keep tests that have no value for a key that is asked for.",
        "--filter-by-tags-include-empty-key",
        per_suite=True,
    )
    show: tuple[str, ...] = _setting(
        ("app",),
        "output.show",
        Words(),
        "What is printed meanwhile: app; test, which adds the last that failed tests wrote; none.",
        "--show",
    )
    quiet: bool = _setting(
        False,
        "output.quiet",
        Switch(),
        "Print nothing if all is well, else what failed, densely; so does NRUNNER_OUTPUT=compact.",
        "--quiet",
    )
    static: bool = _setting(
        False,
        "resolver.static",
        Switch(),
        "Never start an interpreter to find tests.",
        "--static",
        per_suite=True,
    )
    discovery_timeout: float = _setting(
        30.0,
        "resolver.discovery_timeout",
        Duration(positive=True),
        "How long an interpreter may take to name the tests of a file, pytest those of all, or a "
        "program its own.",
        per_suite=True,
    )
    python_tests: str = _setting(
        "auto",
        "resolver.python_tests",
        Choice("auto", "pytest", "unittest"),
        "What runs files of Python tests: pytest, unittest, or as each looks (docs/pytest.md).",
        "--python-tests",
        per_suite=True,
    )
    run_executables: bool = _setting(
        False,
        "resolver.run_executables",
        Switch(),
        "Run the programs that references lead to, and take what they print for recipes if it is.",
        "--resolver-run-executables",
        per_suite=True,
    )
    exec_arguments: str | None = _setting(
        None,
        "resolver.exec_runnables_recipe.arguments",
        Text(),
        "Arguments for those programs, in the words of a shell.",
        "--resolver-exec-arguments",
        per_suite=True,
        default_text="none",
    )
    python: str = _setting(
        _interpreter,
        "runner.python",
        Text(path=True),
        "The interpreter that runs tests written in Python.",
        "--python",
        per_suite=True,
        default_text="that of the active virtual environment, else python3",
    )
    isolation: str = _setting(
        "process",
        "runner.isolation",
        Choice("process", "module", "interpreter"),
        "What each Python test has for itself: a process forked from a warm interpreter, one that"
        " it shares with the tests of its module, or a new interpreter. With module, each file of"
        " Robot Framework and Go is one task, too.",
        "--isolation",
        per_suite=True,
    )
    executables: Mapping[str, str] = _setting(
        dict,
        "runner.executables",
        Pairs(),
        "Programs that run a kind, by path or name: KIND=PROGRAM; also a kind that nrunner knows.",
        "--runner-executable",
        per_suite=True,
    )
    skip_exit_codes: tuple[int, ...] = _setting(
        (),
        "runner.exectest.exitcodes.skip",
        Numbers(255),
        "Exit statuses of an exec-test that mean SKIP.",
        per_suite=True,
    )
    warn_exit_codes: tuple[int, ...] = _setting(
        (),
        "runner.exectest.exitcodes.warn",
        Numbers(255),
        "Exit statuses of an exec-test that mean WARN.",
        per_suite=True,
    )
    keep_tmp: bool = _setting(
        False,
        "runner.keep_tmp",
        Switch(),
        "Keep what tests leave in their temporary folders: as work in their own.",
        "--keep-tmp",
        per_suite=True,
    )
    clear_env: bool = _setting(
        False,
        "runner.exectest.clear_env",
        Switch(),
        "Start programs with an empty environment.",
        per_suite=True,
    )
    sysinfo: bool = _setting(
        False,
        "sysinfo.collect.enabled",
        Switch(),
        "Collect facts of this system before and after the job.",
        "--sysinfo",
    )
    sysinfo_per_test: bool = _setting(
        False,
        "sysinfo.collect.per_test",
        Switch(),
        "Collect facts of the system where tests run, before and after each.",
        "--sysinfo-per-test",
    )
    sysinfo_timeout: float | None = _setting(
        20.0,
        "sysinfo.collect.commands_timeout",
        Limit(),
        "How long a command that collects facts may take.",
    )
    sysinfo_packages: bool = _setting(
        False,
        "sysinfo.collect.installed_packages",
        Switch(),
        "Whether these facts include the packages that are installed.",
    )
    sysinfo_locale: str = _setting(
        "C",
        "sysinfo.collect.locale",
        Text(),
        "The language in which these commands speak (LC_ALL).",
    )
    sysinfo_commands: str | None = _setting(
        None,
        "sysinfo.collectibles.commands",
        Text(path=True),
        "A file with the commands whose output is collected, one a line.",
        default_text="a list of nrunner's own",
    )
    sysinfo_files: str | None = _setting(
        None,
        "sysinfo.collectibles.files",
        Text(path=True),
        "A file with the paths of files that are collected, one a line.",
        default_text="a list of nrunner's own",
    )
    sysinfo_fail_commands: str | None = _setting(
        None,
        "sysinfo.collectibles.fail_commands",
        Text(path=True),
        "A file with further commands, for after a test or job that failed.",
        default_text="none",
    )
    sysinfo_fail_files: str | None = _setting(
        None,
        "sysinfo.collectibles.fail_files",
        Text(path=True),
        "A file with the paths of further files, for after a test or job that failed.",
        default_text="none",
    )
    status_tcp: str | None = _setting(
        None,
        "status.tcp",
        Address(),
        "Address at which the status server listens beside its sockets; needs a token.",
        "--status-tcp",
        default_text="none",
    )
    serve: bool = _setting(
        False,
        "status.serve",
        Switch(),
        "Show the job on a page while it runs; its address is printed.",
        "--serve",
    )
    serve_port: int = _setting(
        0,
        "status.serve_port",
        Count(most=65535),
        "Port of 127.0.0.1 where that page is served.",
        default_text="one that is free",
    )
    token_file: str | None = _setting(
        None,
        "status.token_file",
        Text(path=True),
        "File that holds the token which clients over TCP must show.",
        default_text="a new token in the job's folder",
    )
    orphan_deadline: float = _setting(
        60.0,
        "agent.orphan_deadline",
        Duration(positive=True),
        "How long agents go on without their controller; 10 minutes in a detached job.",
    )
    cgroup: str = _setting(
        "auto",
        "agent.cgroup",
        Choice("auto", "off"),
        "Whether what agents start is kept in a control group, where one can be made.",
    )
    answer_deadline: float = _setting(
        60.0,
        "agent.answer_deadline",
        Duration(positive=True),
        "How long an agent that is asked may be silent until it is given up.",
    )
    cache_dir: str = _setting(
        _content_folder,
        "cache.dir",
        Text(path=True),
        "Where files that were fetched are kept for later jobs.",
        default_text="content in nrunner's folder for what can be made again",
    )
    cache_size: int | None = _setting(
        None,
        "cache.size",
        Size(),
        "How large that may become; what was used least recently goes first.",
    )
    layers_size: int | None = _setting(
        20 << 30,
        "cache.layers_size",
        Size(),
        "How much may be kept of what was prepared in containers; what was used least recently"
        " goes first.",
    )
    layers_age: float | None = _setting(
        30 * 86400.0,
        "cache.layers_age",
        Limit(),
        "How long that is kept after it was last used.",
    )
    offline: bool = _setting(
        False,
        "cache.offline",
        Switch(),
        "Fetch nothing over a network: use what is there.",
        "--offline",
    )
    podman_image: str = _setting(
        "python:3-slim",
        "podman.image",
        Text(),
        "The image that containers are made from, where a test names none.",
        "--podman-image",
    )
    podman_reuse: str = _setting(
        "task",
        "podman.reuse",
        Choice("task", "suite", "job"),
        "How long a container is used: for one attempt at a task, or for all tasks of a suite or"
        " job that run in one slot.",
        "--podman-reuse",
    )
    podman_memory: int | None = _setting(
        None,
        "podman.memory",
        Size(),
        "How much memory a container may use.",
        "--podman-memory",
    )
    podman_cpus: float | None = _setting(
        None,
        "podman.cpus",
        Amount(),
        "How many processors a container may keep busy.",
        "--podman-cpus",
        default_text="all",
    )
    podman_pids: int | None = _setting(
        None,
        "podman.pids",
        Count(16),
        "How many processes and threads a container may have.",
        "--podman-pids",
        default_text="podman's own, 2048",
    )
    podman_disk: int | None = _setting(
        None,
        "podman.disk",
        Size(),
        "How much a container may write to /tmp; the rest of its file system is read-only then.",
        "--podman-disk",
    )
    podman_network: str = _setting(
        "none",
        "podman.network",
        Choice("none", "private"),
        "What tests in containers can reach: nothing, or the world from a network of their own.",
        "--podman-network",
    )
    podman_prepare_network: str = _setting(
        "private",
        "podman.prepare_network",
        Choice("none", "private"),
        "The same for the container in which requirements are fulfilled.",
    )
    podman_pull: str = _setting(
        "missing",
        "podman.pull",
        Choice("missing", "never"),
        "Whether images that are not there are fetched.",
    )
    podman_mounts: tuple[str, ...] = _setting(
        (),
        "podman.mounts",
        Words(),
        "Folders and files that containers see beside the current folder, under the same paths,"
        " read-only.",
    )
    podman_userns: str = _setting(
        "auto",
        "podman.userns",
        Choice("auto", "private", "host"),
        "Whether root in a container is somebody else outside.",
    )
    podman_socket: str | None = _setting(
        None,
        "podman.socket",
        Text(),
        "The podman service to use.",
        default_text="one that listens, else one of our own",
    )
    podman_runtime: str | None = _setting(
        None,
        "podman.runtime",
        Text(),
        "The OCI runtime that a podman service of our own uses.",
        default_text="podman's own",
    )
    ssh_inventory: str | None = _setting(
        None,
        "ssh.inventory",
        Text(path=True),
        "The inventory of devices under test.",
        "--inventory",
        default_text="duts.toml in the current folder, else beside the user's nrunner.toml",
    )
    ssh_duts: tuple[str, ...] = _setting(
        (),
        "ssh.duts",
        Words(),
        "Only devices of these names.",
        "--dut",
        default_text="all",
    )
    ssh_dut_tags: tuple[str, ...] = _setting(
        (),
        "ssh.dut_tags",
        Words(" "),
        'Only devices with these tags: "a,!b" means a and not b, repeated means either.',
        "--dut-tags",
        default_text="any",
    )
    ssh_orphan_deadline: float = _setting(
        3600.0,
        "ssh.orphan_deadline",
        Duration(positive=True),
        "How long agents on devices go on without their controller, and devices stay leased.",
    )
    ssh_patience: float = _setting(
        600.0,
        "ssh.patience",
        Duration(positive=True),
        "How long the link to a device may be lost until what ran there counts as lost, too.",
    )
    ssh_fetch_most_bytes: int | None = _setting(
        1 << 30,
        "ssh.fetch_most_bytes",
        Size(),
        "How much of one attempt's output is fetched from a device.",
    )
    ssh_fetch_most_files: int = _setting(
        10_000,
        "ssh.fetch_most_files",
        Count(1),
        "How many files of one attempt's output are fetched from a device.",
    )
    ssh_tree_exclude: tuple[str, ...] = _setting(
        (),
        "ssh.tree_exclude",
        Words(),
        "Patterns of what is not brought to devices of the folder that nrunner is started in.",
    )
    ssh_tree_most_bytes: int | None = _setting(
        1 << 29,
        "ssh.tree_most_bytes",
        Size(),
        "How large the folder that nrunner is started in may be to be brought to devices.",
    )
    ssh_tree_most_files: int = _setting(
        20_000,
        "ssh.tree_most_files",
        Count(1),
        "How many files that folder may have.",
    )
    sources: Mapping[str, str] = field(default_factory=dict)
    """Key to source, of every setting that does not have its default."""

    def source(self, key: str) -> str:
        """Return where the value of `key` came from."""
        return self.sources.get(key, "default")

    def value(self, key: str) -> Any:
        """Return the value of `key`."""
        return getattr(self, FIELDS[key])

    def for_plugins(self) -> dict[str, Any]:
        """Return what the parts of a job read by key, of what was set."""
        return {
            key: list(value) if isinstance(value := self.value(key), tuple) else value
            for key in self.sources
            if key.startswith(_SHARED)
        }


_SHARED = (
    *("runner.", "spawner.", "status.", "agent.", "cache.", "podman.", "ssh.", "results."),
    *("run.archive", "run.job_category", "run.leak", "run.requirement_timeout"),
    *(f"sysinfo.collect.{each}" for each in ("commands_timeout", "installed_packages", "locale")),
)

_SETTINGS = [each for each in fields(Config) if "option" in each.metadata]

FIELDS: Mapping[str, str] = {each.metadata["option"].key: each.name for each in _SETTINGS}
"""Key of each setting to its field in Config."""

OPTIONS: Mapping[str, Option] = {
    key: each.metadata["option"] for key, each in zip(FIELDS, _SETTINGS, strict=True)
}
"""The table of settings, by key."""
