"""Each fault of docs/reliability.md without its handling: does a test notice?

    python -m tests.faults.without [WORDS...]

The handling is taken out in a copy of the project, and the test that is named for the fault is run
there: it has to fail. WORDS choose rows. Not part of ``make test``: run it when handling changes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_RESUME = "tests/functional/test_resume.py"
_TAKEOVER = "tests/unit/test_takeover.py"
_INTERRUPT = "tests/functional/test_interrupt.py"
_KILLING = "tests/functional/test_killing.py"
_LIMITS = "tests/functional/test_limits.py"
_PAUSE = "tests/functional/test_pause.py"


@dataclass(frozen=True)
class Row:
    """A fault, what handles it, and the test for it."""

    fault: str
    file: str
    handling: str
    instead: str
    test: str


ROWS = (
    Row(
        "the controller is killed: what runs is taken over",
        "nrunner/scheduler.py",
        "            await self._adopt()\n",
        "",
        f"{_RESUME}::test_what_runs_is_taken_over_and_nothing_runs_twice",
    ),
    Row(
        "the controller is killed between two records that belong together",
        "nrunner/history.py",
        "        if self.phase is Phase.DISCARDED or (self.phase.is_end and not told):\n"
        "            self.phases.pop()\n",
        "",
        f"{_TAKEOVER}::test_each_task_gets_its_verdict_wherever_the_controller_dies",
    ),
    Row(
        "the controller is killed before its order was sent",
        "nrunner/scheduler.py",
        "            elif address is None:\n                self._order_again(berth, running)\n",
        "            elif address is None:\n                pass\n",
        f"{_TAKEOVER}::test_each_task_gets_its_verdict_wherever_the_controller_dies",
    ),
    Row(
        "one controller after the other is killed",
        "nrunner/berth.py",
        "        self._wanted.set()  # somebody has to stay with it\n",
        "",
        f"{_TAKEOVER}::test_an_environment_that_dies_while_nobody_looks_takes_only_what_ran_with_it",
    ),
    Row(
        "a test kills every controller while it starts",
        "nrunner/adoption.py",
        "MOST_CRASHES = 2\n",
        "MOST_CRASHES = 99\n",
        f"{_RESUME}::test_a_test_that_kills_every_controller_while_it_starts_is_given_up",
    ),
    Row(
        "controller and agent are killed: what ended counts",
        "nrunner/berth.py",
        "            environment.take_remains(remains.events)\n",
        "            pass\n",
        f"{_RESUME}::test_what_ended_before_its_agent_was_killed_counts",
    ),
    Row(
        "controller and agent are killed: what may have begun is not begun again",
        "nrunner/berth.py",
        " | (remains.taken if remains is not None else frozenset())",
        "",
        f"{_TAKEOVER}::test_an_attempt_that_may_have_begun_unheard_is_not_begun_again",
    ),
    Row(
        "an agent is killed while it starts a test",
        "runners/supervisor.py",
        "        self._taking(*attempt.key)\n        try:\n            slot = attempt.slot = ",
        "        try:\n            slot = attempt.slot = ",
        "tests/functional/test_agent.py"
        "::test_an_agent_that_is_killed_leaves_word_of_what_it_was_about_to_start",
    ),
    Row(
        "controller and agent are killed: what ran is lost, not passed over",
        "nrunner/adoption.py",
        "    if begun:\n",
        "    if begun and crashes > 99:\n",
        f"{_RESUME}::test_what_its_agent_never_touched_is_run_though_both_are_dead",
    ),
    Row(
        "the machine was rebooted",
        "spawners/process_agent.py",
        " or boot != boot_id()",
        "",
        f"{_RESUME}::test_after_a_reboot_what_has_not_run_is_run",
    ),
    Row(
        "nobody comes back to an agent",
        "runners/agent.py",
        '        self._supervisor.stop_all("orphaned", detail, kill=True)\n',
        "",
        f"{_RESUME}::test_an_agent_that_was_left_alone_too_long_has_told_how_it_ended",
    ),
    Row(
        "a controller is killed before it greets its agent",
        "spawners/process.py",
        '        words = (*words, "bound-to", str(os.getpid()))\n',
        "",
        "tests/functional/test_agent.py"
        "::test_an_agent_that_nobody_has_greeted_ends_with_whoever_started_it",
    ),
    Row(
        "two controllers go on with one job",
        "nrunner/resumption.py",
        "        self.lock = JobLock.take(folder)\n",
        "        self.lock = JobLock(-1, None)  # type: ignore[arg-type]\n",
        f"{_RESUME}::test_a_job_that_runs_is_not_gone_on_with",
    ),
    Row(
        "the tail of the journal is torn",
        "nrunner/journal.py",
        "                os.ftruncate(self._fd, self._size)\n        except OSError as error:\n"
        '            raise JournalError(f"mend',
        '        except OSError as error:\n            raise JournalError(f"mend',
        f"{_RESUME}::test_a_torn_tail_is_cut_off_and_kept",
    ),
    Row(
        "the disk gets full: the journal stays whole",
        "nrunner/journal.py",
        "        with contextlib.suppress(OSError):\n"
        "            os.ftruncate(self._fd, self._size)\n",
        "        pass\n",
        "tests/unit/test_journal.py::test_a_write_that_fails_leaves_the_journal_as_it_was",
    ),
    Row(
        "the disk gets full: the last verdicts are recorded",
        "nrunner/journal.py",
        "            self._reserve_path.unlink()\n            self._write_all(data)\n",
        "            raise OSError\n",
        "tests/unit/test_journal.py::test_what_fills_the_disk_is_written_from_the_reserve_and_told",
    ),
    Row(
        "the disk gets full: the job can go on",
        "nrunner/scheduler.py",
        "berth.leave if isinstance(self._error, JournalError) else berth.close",
        "berth.close",
        "tests/faults/test_full_disk.py::test_once_there_is_room_the_job_is_gone_on_with",
    ),
    Row(
        "an agent is short of descriptors for a while",
        "runners/supervisor.py",
        "        if begun or not self._patience.hopes(attempt.key, error):\n",
        "        if begun or error:\n",
        "tests/faults/test_shortage_passes.py",
    ),
    Row(
        "what lingers when its agent is abandoned is a leak",
        "runners/supervisor.py",
        "                    attempt.leaks = [killing.describe(each)",
        "                    _ = [killing.describe(each)",
        "tests/functional/test_agent.py::test_what_lingers_when_its_attempt_is_killed_is_a_leak",
    ),
    Row(
        "a daemon hides: session, environment and files of its own",
        "runners/brand.py",
        "        setrlimit(number, (brand, infinity))\n",
        "        pass\n",
        f"{_KILLING}::test_a_daemon_that_hides_is_found_at_the_end_of_its_own_test",
    ),
    Row(
        "a test flees by forking for ever",
        "runners/kin.py",
        "        return self._bearers(attempt)\n",
        "        return []\n",
        f"{_KILLING}::test_who_flees_by_forking_for_ever_is_ended_with_its_test",
    ),
    Row(
        "agent and guardian are killed: nothing outlives them",
        "spawners/process_handle.py",
        "            await asyncio.to_thread(_remove_remains, self._folder.parent.name)\n",
        "            pass\n",
        "tests/functional/test_agent.py"
        "::test_what_outlives_an_agent_and_its_guardian_is_ended_with_the_environment",
    ),
    Row(
        "agent and guardian are killed where there is no control group",
        "spawners/process_handle.py",
        "        killing.signal_all(left, signal.SIGKILL)\n",
        "        pass\n",
        "tests/functional/test_killing.py"
        "::test_nothing_is_left_of_an_environment_whose_keepers_are_killed",
    ),
    Row(
        "controller, agent and guardian are killed: the next run ends what is left",
        "runners/guardian.py",
        "        cgroup.remove_stale(after=_LEAVE_WITHIN)\n",
        "",
        f"{_KILLING}::test_groups_that_nobody_guards_any_more_are_ended_by_the_next_run",
    ),
    Row(
        "a test hangs: what it did is kept",
        "runners/supervisor.py",
        '_EXAMINED = ("timeout", "silence")\n',
        "_EXAMINED = ()\n",
        f"{_LIMITS}::test_what_a_silent_test_did_last_is_kept_before_it_is_ended",
    ),
    Row(
        "a test hangs outside of Python: where it is is told",
        "runners/examiner.py",
        "by_force=is_last",
        "by_force=False",
        f"{_LIMITS}::test_a_test_that_computes_outside_of_python_is_asked_another_way"
        "_before_it_is_ended",
    ),
    Row(
        "a test that has no handler is not asked where it is",
        "runners/procfs.py",
        "    return bool(caught & ~held & bit)\n",
        "    return True\n",
        f"{_LIMITS}::test_tests_that_have_a_way_of_their_own_with_signals_are_not_disturbed",
    ),
    Row(
        "Ctrl-Z: limits of tests stand still",
        "runners/supervisor.py",
        "            self._loop.hold()\n",
        "",
        f"{_PAUSE}::test_tests_and_their_limits_stand_still_until_the_controller_goes_on",
    ),
    Row(
        "Ctrl-Z: the job's limit stands still",
        "nrunner/lag.py",
        "        self.excused += seconds\n",
        "",
        f"{_PAUSE}::test_tests_and_their_limits_stand_still_until_the_controller_goes_on",
    ),
    Row(
        "Ctrl-Z, and then the controller is killed",
        "runners/agent.py",
        "            self._supervisor.resume()  # whoever stopped for us cannot go on any more\n",
        "",
        f"{_PAUSE}::test_tests_go_on_when_their_stopped_controller_is_killed",
    ),
    Row(
        "the terminal is closed: nohup has the job go on",
        "nrunner/interrupt.py",
        "    return number != signal.SIGTERM and signal.getsignal(number) is signal.SIG_IGN\n",
        "    return False\n",
        f"{_INTERRUPT}::test_a_terminal_that_is_closed_costs_a_job_that_does_not_hang_on_it_nothing",
    ),
    Row(
        "the terminal is closed: nobody reads any more",
        "nrunner/results/outlet.py",
        "        except (OSError, ValueError):\n            self._stream = None\n",
        "        except ZeroDivisionError:\n            self._stream = None\n",
        f"{_INTERRUPT}::test_a_terminal_that_is_closed_costs_a_job_that_does_not_hang_on_it_nothing",
    ),
)


def main() -> int:
    """Try all rows, or those that are asked for; return 1 if a test did not notice."""
    words = sys.argv[1:]
    rows = [row for row in ROWS if all(word in row.fault for word in words)]
    unnoticed = [row.fault for row in rows if not _is_noticed(row)]
    sys.stdout.write(f"{len(rows) - len(unnoticed)} of {len(rows)} noticed\n")
    return 1 if unnoticed else 0


def _is_noticed(row: Row) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        shutil.copytree(ROOT, copy, symlinks=True, ignore=_not_needed)
        path = copy / row.file
        text = path.read_text("utf-8")
        if row.handling not in text:
            sys.stdout.write(f"GONE       {row.fault}: {row.file} reads otherwise now\n")
            return False
        path.write_text(text.replace(row.handling, row.instead), "utf-8")
        words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", row.test]
        env = {**os.environ, "PYTHONPATH": str(copy)}
        done = subprocess.run(words, cwd=copy, env=env, capture_output=True, check=False)
    noticed = done.returncode == 1
    sys.stdout.write(f"{'noticed' if noticed else 'UNNOTICED':10} {row.fault}\n")
    if not noticed:
        sys.stdout.write(done.stdout.decode(errors="replace")[-600:])
    sys.stdout.flush()
    return noticed


def _not_needed(_folder: str, names: list[str]) -> set[str]:
    hidden = {each for each in names if each.startswith(".") and each != ".ci"}
    return {*hidden, *({"job-results", "build", "__pycache__"} & {*names})}


if __name__ == "__main__":
    sys.exit(main())
