"""Each fault of docs/reliability.md without its handling: does a test notice?

    python -m tests.faults.without [WORDS...]

The handling is taken out in a copy of the project, and the test that is named for the fault is run
there: it has to fail. WORDS choose rows. Not part of ``make test``: run it when handling changes.
"""

from __future__ import annotations

import os
import shutil
import signal
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
_MESSAGES = "tests/faults/test_hostile_messages.py"
_FRAMES = "tests/faults/test_hostile_frames.py"
_PAYLOADS = "tests/faults/test_hostile_payloads.py"
_SECOND = "tests/faults/test_second_user.py"
_SHORTAGE = "tests/faults/test_shortage.py"
_PASSING = "tests/faults/test_passing.py"


_PATIENCE = 150.0
"""Seconds after which a test that hangs has noticed, too."""


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
        "nrunner/places.py",
        "        await self._adopt()\n",
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
        "nrunner/places.py",
        "        elif address is None:\n            self._order_again(berth, running)\n",
        "        elif address is None:\n            pass\n",
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
        "        self._taking(*attempt.key)\n        try:\n            slot, files = ",
        "        try:\n            slot, files = ",
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
        "the controller is killed while it writes reports: results.json comes last",
        "nrunner/reportfile.py",
        'sorted(writers, key=lambda name: name == "json")',
        'sorted(writers, key=lambda name: name != "json")',
        "tests/unit/test_reportfile.py::test_the_report_that_says_complete_is_written_last",
    ),
    Row(
        "the controller is killed while it writes reports: none is older than the job's end",
        "nrunner/job.py",
        "                self.folder.report(find_writer(name).file_name).unlink(missing_ok=True)\n",
        "                pass\n",
        f"{_RESUME}::test_reports_of_an_earlier_controller_do_not_pass_for_those_of_the_end",
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
        "                        copy.write(piece)\n",
        "                        pass\n",
        f"{_RESUME}::test_a_torn_tail_is_cut_off_and_kept",
    ),
    Row(
        "the journal is of a newer format",
        "nrunner/journal.py",
        "            if version > FORMAT:\n",
        "            if version > FORMAT + 9:\n",
        "tests/unit/test_journal.py::test_a_newer_format_is_refused_and_an_older_one_is_read",
    ),
    Row(
        "the journal is of an older format",
        "nrunner/journal.py",
        "        if line[-_TAIL_1_SIZE:] != _TAIL_1 % zlib.crc32(body):\n",
        "        if body:\n",
        "tests/unit/test_journal.py::test_lines_of_the_first_format_are_believed",
    ),
    Row(
        "a device's sshd is away as the job ends",
        "spawners/ssh/handle.py",
        "                    await asyncio.sleep(_PAUSE)\n",
        "                    raise\n",
        "tests/functional/test_ssh_spawner.py"
        "::test_a_device_that_is_away_for_a_moment_as_a_job_ends_is_left_clean",
    ),
    Row(
        "the link to an agent is cut",
        "nrunner/keptlink.py",
        "_RECONNECTS = (0.05, 0.2, 0.5, 1.0, 2.0)\n",
        "_RECONNECTS: tuple[float, ...] = ()\n",
        "tests/contract/test_spawners.py"
        "::TestFakeSpawner::test_a_link_that_was_cut_comes_back_and_nothing_runs_twice",
    ),
    Row(
        "nobody goes on with a killed job",
        "nrunner/leftover.py",
        "own and status.st_mtime < before",
        "own and not before",
        "tests/functional/test_leftover.py::test_what_is_old_and_dead_goes",
    ),
    Row(
        "the controller is stopped",
        "nrunner/lock.py",
        '    if process in "Tt":\n',
        '    if process == "never":\n',
        "tests/functional/test_jobs.py::test_a_stopped_controller_is_told_with_what_makes_it_go_on",
    ),
    Row(
        "standard streams are closed from the start",
        "nrunner/cli/main.py",
        "    _fill_standard_streams()\n",
        "",
        "tests/functional/test_detach.py"
        "::test_a_job_can_be_started_with_all_standard_streams_closed",
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
        "leave=isinstance(self._error, JournalError)",
        "leave=False",
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
        "            attempt.leaks = [killing.describe(each)",
        "            _ = [killing.describe(each)",
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
        "            await offload(_remove_remains, self._folder.parent.name)\n",
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
        "runners/pause.py",
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
    Row(
        "messages: an endless line is read only when it is complete",
        "runners/line.py",
        "LONGEST = 1 << 20\n",
        "LONGEST = 1 << 40\n",
        f"{_MESSAGES}::test_lines_without_end_cost_neither_memory_nor_time",
    ),
    Row(
        "messages: who speaks for another's task",
        "runners/reception.py",
        "            if message.task_id != self._attempt.order.id:\n",
        "            if False:\n",
        "tests/unit/runners/test_reception.py::test_a_message_about_another_task_is_refused",
    ),
    Row(
        "messages: who speaks from another test",
        "runners/reception.py",
        "        if not is_own and mark is not None and ",
        "        if False and ",
        f"{_PAYLOADS}::test_a_runner_that_takes_all_connections_and_speaks_for_others_is_not_heard",
    ),
    Row(
        "messages: for a task that does not run",
        "nrunner/watch.py",
        "        if number is None or state is None or state.phase not in _SPEAKING:\n",
        "        if number is None:\n",
        "tests/unit/test_watch.py::test_ids_lead_to_the_tasks_that_run",
    ),
    Row(
        "messages: connections that say nothing take all descriptors of the controller",
        "nrunner/status/collector.py",
        "_affordable() if most is None else most",
        "4096",
        f"{_MESSAGES}::test_who_takes_all_descriptors_leaves_enough_to_the_job",
    ),
    Row(
        "messages: connections to the control API take all descriptors",
        "nrunner/status/entrance.py",
        "        if self._count() >= self._most:\n",
        "        if False:\n",
        f"{_MESSAGES}::test_who_takes_all_descriptors_leaves_enough_to_the_job",
    ),
    Row(
        "messages: connections to a test's socket shut out its own runner",
        "runners/reception.py",
        "            return strangers < _FEW\n",
        "            return True\n",
        f"{_MESSAGES}::test_who_takes_all_descriptors_leaves_enough_to_the_job",
    ),
    Row(
        "messages: who has no token keeps others out",
        "nrunner/status/collector.py",
        "        if len(self._strangers) >= _STRANGERS:\n",
        "        if False:\n",
        f"{_MESSAGES}::test_who_does_not_show_the_token_is_turned_away_and_starves_nobody",
    ),
    Row(
        "messages: requests that are none show tracebacks",
        "nrunner/status/app.py",
        "        logger=_silent(),\n",
        "",
        f"{_MESSAGES}::test_requests_that_are_none_are_answered_and_nobody_else_hears_of_them",
    ),
    Row(
        "messages: the journal cannot be written while they come",
        "nrunner/watch.py",
        "            self._scheduler.fail(error)\n",
        "            pass\n",
        "tests/unit/test_watch.py::test_a_journal_that_cannot_be_written_ends_the_job",
    ),
    Row(
        "frames: numbers that are none",
        "runners/agent.py",
        "_MALFORMED = (ArithmeticError, AttributeError, ",
        "_MALFORMED = (AttributeError, ",
        f"{_FRAMES}::test_a_hello_with_a_field_of_the_wrong_sort_changes_nothing",
    ),
    Row(
        "frames: strangers that promise much",
        "runners/connection.py",
        "FrameReader(first=_FIRST)",
        "FrameReader()",
        f"{_FRAMES}::test_who_has_not_said_hello_is_not_listened_to_and_holds_nothing",
    ),
    Row(
        "frames: strangers that say nothing",
        "runners/agent.py",
        "        if len(self._connections) >= _MOST_CONNECTIONS:\n",
        "        if False:\n",
        f"{_MESSAGES}::test_who_takes_all_descriptors_leaves_enough_to_the_job",
    ),
    Row(
        "frames: an order that is repeated",
        "runners/supervisor.py",
        "        if key in self._here:\n            return\n",
        "",
        f"{_FRAMES}::test_of_two_controllers_the_newer_one_has_the_agent_and_the_older_is_told",
    ),
    Row(
        "a test stops the agent",
        "runners/guardian.py",
        "os.waitpid(pid, os.WUNTRACED)",
        "os.waitpid(pid, 0)",
        f"{_PAYLOADS}::test_a_test_that_stops_the_agent_has_stopped_nothing",
    ),
    Row(
        "a test traces the agent: it is given up",
        "nrunner/keptlink.py",
        "            if silent >= most and not is_hurried:\n",
        "            if False:\n",
        f"{_PAYLOADS}::test_a_test_that_traces_the_agent_is_in_error_alone",
    ),
    Row(
        "a test traces the agent: its end is told",
        "runners/guardian.py",
        "    if tracer and above == os.getpid():\n",
        "    if False:\n",
        f"{_PAYLOADS}::test_a_test_that_traces_the_agent_is_in_error_alone",
    ),
    Row(
        "no signal ends a test: the guardian does not wait for it",
        "runners/guardian.py",
        "        if time.monotonic() > until:\n            return\n",
        "",
        f"{_PAYLOADS}::test_what_no_signal_ends_is_told_and_the_job_ends_without_it",
    ),
    Row(
        "a hundred thousand files are removed bit by bit",
        "runners/removal.py",
        "_AT_ONCE = 250\n",
        "_AT_ONCE = 10**9\n",
        "tests/unit/runners/test_slot.py"
        "::test_many_files_are_removed_bit_by_bit_and_the_slot_is_ready_meanwhile",
    ),
    Row(
        "pipes and devices in the output are copied",
        "runners/slot.py",
        "    elif entry.is_file(follow_symlinks=False):\n",
        "    else:\n",
        "tests/unit/runners/test_slot.py::test_output_of_every_sort_is_added_to_what_is_there",
    ),
    Row(
        "links in the place of another test's folder",
        "runners/folder.py",
        "            os.unlink(folder)\n            os.mkdir(folder, 0o700)\n",
        "            raise\n",
        f"{_PAYLOADS}::test_what_stands_in_the_place_of_another_tests_folder_harms_nobody",
    ),
    Row(
        "a folder becomes a link while it is removed",
        "runners/removal.py",
        "_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC\n",
        "_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC\n",
        "tests/unit/runners/test_removal.py"
        "::test_a_folder_that_becomes_a_link_meanwhile_does_not_cost_what_that_leads_to",
    ),
    Row(
        "a test appends to its job's journal",
        "nrunner/journal.py",
        "    NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL\n",
        "    NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND\n",
        f"{_PAYLOADS}::test_what_a_test_writes_into_the_journal_changes_nothing",
    ),
    Row(
        "another user: sockets",
        "nrunner/status/listener.py",
        "os.fchmod(listener.fileno(), 0o600)",
        "os.fchmod(listener.fileno(), 0o666)",
        f"{_SECOND}::test_a_job_that_runs_is_its_users_own_whatever_the_umask",
    ),
    Row(
        "another user: the job's folder",
        "nrunner/layout.py",
        "root.mkdir(mode=0o700)",
        "root.mkdir(mode=0o755)",
        f"{_SECOND}::test_a_job_that_runs_is_its_users_own_whatever_the_umask",
    ),
    Row(
        "another user: a folder for sockets that was made in advance",
        "nrunner/layout.py",
        " or status.st_uid != os.geteuid()",
        "",
        f"{_SECOND}::test_a_folder_for_sockets_that_somebody_else_has_made_in_advance_is_not_used",
    ),
    Row(
        "another user: an agent that was put into the cache",
        "spawners/agentfile.py",
        '        raise PermissionError(errno.EPERM, "others may write there")\n',
        "        pass\n",
        "tests/unit/spawners/test_agentfile.py"
        "::test_a_folder_in_which_others_may_write_is_not_used",
    ),
    Row(
        "nrunner is killed while it collects facts of the system",
        "nrunner/sysinfo.py",
        '        "leashed": True,\n',
        "",
        "tests/functional/test_sysinfo.py::test_a_survey_ends_with_who_makes_it",
    ),
    Row(
        "a job is interrupted while facts of the system are collected",
        "nrunner/jobsurvey.py",
        "            self._current.end()\n",
        "            pass\n",
        "tests/functional/test_sysinfo.py::test_a_job_that_waits_for_its_facts_can_be_interrupted",
    ),
    Row(
        "a command is ended by SIGTERM while a hook of the lab runs",
        "nrunner/cli/group.py",
        "        with context, terminations_interrupt():\n",
        "        with context:\n",
        "tests/functional/test_dut.py"
        "::test_a_training_that_is_ended_ends_the_hook_that_it_waits_for",
    ),
    Row(
        "a verdict takes long, and its attempt is to be killed",
        "runners/judge.py",
        "                deliberation.abandon()\n",
        "                return\n",
        "tests/functional/test_agent.py"
        "::test_nobody_waits_long_for_the_verdict_of_what_was_to_be_killed",
    ),
    Row(
        "few descriptors: fewer tests at once",
        "runners/agent.py",
        "            settings = replace(settings, slots=most)\n",
        "            pass\n",
        f"{_SHORTAGE}::test_with_few_descriptors_fewer_tests_run_at_once_and_all_are_run",
    ),
    Row(
        "no process can be started: each test hopes in vain",
        "runners/patience.py",
        "            self._is_in_vain = True\n",
        "            pass\n",
        f"{_SHORTAGE}"
        "::test_where_no_process_can_be_started_every_test_is_in_error_and_the_job_ends",
    ),
    Row(
        "no room for sockets",
        "nrunner/layout.py",
        "            _check_room(folder)\n",
        "",
        f"{_SHORTAGE}::test_where_no_folder_for_sockets_has_room_the_job_does_not_begin",
    ),
    Row(
        "an agent is killed: what ran is tried again",
        "nrunner/places.py",
        'return Verdict(Result.ERROR, Cause.INFRA, f"its environment is gone: {why}")',
        'return Verdict(Result.ERROR, Cause.TEST, f"its environment is gone: {why}")',
        f"{_PAYLOADS}::test_a_test_that_cuts_the_file_of_what_its_agent_says_is_in_error_alone",
    ),
    Row(
        "a guardian is killed: its agent leaves, too",
        "runners/guardian.py",
        "    prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)\n    if os.getppid() != guardian:\n",
        "    if os.getppid() != guardian:\n",
        "tests/functional/test_agent.py::test_a_guardian_that_is_killed_takes_its_agent_with_it",
    ),
    Row(
        "agent and guardian are killed by the last test of a job",
        "nrunner/berth.py",
        "        elif self._handle is not None:\n            await self.clear()\n",
        "",
        "tests/unit/test_scheduler.py"
        "::test_a_job_is_over_only_once_what_an_environment_left_behind_is_ended",
    ),
    Row(
        "an environment that ended cannot be removed",
        "nrunner/environment.py",
        '    except NrunnerError as error:\n        tell(f"could not {error}")\n',
        "    finally:\n        pass\n",
        "tests/unit/test_scheduler.py"
        "::test_a_job_ends_as_ever_where_an_environment_cannot_be_removed",
    ),
    Row(
        "the controller is stopped for a while: it has not missed an answer",
        "nrunner/keptlink.py",
        "            is_hurried = await self._pause_between_pings()\n            if link is None",
        "            asked = asyncio.get_running_loop().time()\n"
        "            is_hurried = await self._pause_between_pings()\n"
        "            if asyncio.get_running_loop().time() - asked >= deadline:\n"
        "                self._give_up('it is late')\n"
        "                return\n"
        "            if link is None",
        f"{_PASSING}::test_a_controller_that_is_stopped_for_a_while_is_waited_for",
    ),
    Row(
        "processors are busy: an agent that takes its time is waited for",
        "nrunner/keptlink.py",
        "_HELLO_WITHIN = 15.0\n",
        "_HELLO_WITHIN = 0.01\n",
        f"{_PASSING}::test_busy_processors_cost_nothing_but_time",
    ),
    Row(
        "the wall clock is turned",
        "nrunner/scheduler.py",
        "time.monotonic()",
        "time.time()",
        f"{_PASSING}::test_a_wall_clock_that_is_turned_changes_no_duration_and_no_order",
    ),
    Row(
        "a console that is attached is cut off",
        "nrunner/following.py",
        "                    if event.id == self._position + 1:\n",
        "                    if event.id > 0:\n",
        "tests/functional/test_following.py"
        "::test_a_stream_that_breaks_off_is_asked_for_what_is_missing",
    ),
    Row(
        "the terminal is closed: the job in front of it ends",
        "nrunner/interrupt.py",
        "_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)\n",
        "_SIGNALS = (signal.SIGINT, signal.SIGTERM)\n",
        f"{_INTERRUPT}::test_a_terminal_that_is_closed_ends_the_job_as_an_interrupt_does",
    ),
    Row(
        "a controller's socket is gone",
        "nrunner/lock.py",
        "    answers = _answers(folder.control_socket)\n",
        "    answers = True\n",
        "tests/functional/test_jobs.py"
        "::test_a_job_whose_socket_is_gone_is_borked_until_it_is_killed",
    ),
    Row(
        "a cache cannot be written",
        "spawners/agentfile.py",
        "    for folder in folders:\n",
        "    for folder in folders[:1]:\n",
        f"{_SHORTAGE}::test_places_that_cannot_be_written_cost_nothing",
    ),
    Row(
        "a test removes the folder of its job",
        "nrunner/reportfile.py",
        "        except (NrunnerError, OSError) as error:\n",
        "        except KeyError as error:\n",
        f"{_PAYLOADS}::test_a_job_whose_folder_a_test_removes_says_its_verdicts_and_is_red",
    ),
    Row(
        "no space where an agent of sh keeps output",
        "runners/agent.sh",
        '    has_room "$slots/$n/probe" ||',
        "    true ||",
        "tests/functional/test_shell_agent.py"
        "::test_a_disk_without_room_for_output_is_no_failure_of_a_test",
    ),
    Row(
        "no space where an agent of sh keeps its orders",
        "runners/agent.sh",
        """    if ! { keep_terms && printf '%s\\n' "$9" >"run-$3"; }; then\n""",
        """    printf '%s\\n' "$9" >"run-$3"\n    if false; then\n""",
        "tests/functional/test_shell_agent_disk.py"
        "::test_an_order_that_cannot_be_written_is_trouble_of_ours",
    ),
    Row(
        "no space in a container's own file system",
        "runners/judge.py",
        "    return blamed(outcome, full())\n",
        "    return blamed(outcome, ())\n",
        "tests/functional/test_podman_run.py"
        "::test_what_a_container_may_write_is_bounded_and_that_is_told",
    ),
    Row(
        "a layer is removed while a job is about to use it",
        "nrunner/machine.py",
        "        if state.place in self._isolated and event.verdict.cause is Cause.INFRA:\n",
        "        if False:\n",
        "tests/unit/test_fleet.py::test_a_layer_that_was_removed_meanwhile_is_made_again",
    ),
    Row(
        "a layer is to be removed that another job uses",
        "spawners/podman/layers.py",
        "            if not is_free:\n                return False\n",
        "",
        "tests/unit/cli/test_cache.py::test_what_went_is_told_apart_and_what_is_in_use_stays",
    ),
    Row(
        "all tests are cancelled that wait for a requirement",
        "nrunner/machine.py",
        "        unwanted = self._waiting.preparations.drop_unwanted()\n",
        "        unwanted = []\n",
        "tests/functional/test_requirements.py"
        "::test_what_is_fulfilled_for_a_test_that_was_cancelled_is_ended",
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
        code, said = _outcome(words, copy, env)
    noticed = code == 1
    sys.stdout.write(f"{'noticed' if noticed else 'UNNOTICED':10} {row.fault}\n")
    if not noticed:
        sys.stdout.write(said[-600:])
    sys.stdout.flush()
    return noticed


def _outcome(words: list[str], folder: Path, env: dict[str, str]) -> tuple[int, str]:
    """Run a test; return its exit status, that of a failure if it hangs, and what it said."""
    pipe, merged = subprocess.PIPE, subprocess.STDOUT
    with subprocess.Popen(
        words, cwd=folder, env=env, stdout=pipe, stderr=merged, start_new_session=True
    ) as process:
        try:
            said, _ = process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return 1, "it hangs\n"
    return process.returncode, said.decode(errors="replace")


def _not_needed(_folder: str, names: list[str]) -> set[str]:
    hidden = {each for each in names if each.startswith(".") and each != ".ci"}
    return {*hidden, *({"job-results", "build", "__pycache__"} & {*names})}


if __name__ == "__main__":
    sys.exit(main())
