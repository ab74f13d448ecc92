"""Job: puts the parts together for one run, from the folder to the exit code.

Not responsible for what is run (``nrunner.plan``), nor for how tasks advance
(``nrunner.scheduler``).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from nrunner.agentsetting import agent_settings, common_folder
from nrunner.conclusion import Conclusion, keep_jobdata
from nrunner.errors import ExitCode, JournalError, NrunnerError
from nrunner.history import job_record, past_states, planned_record
from nrunner.interrupt import Interrupts, stop_by_timeout, stop_by_user
from nrunner.jobsurvey import JobSurveys
from nrunner.journal import FORMAT, Journal
from nrunner.lag import Lag
from nrunner.launch import Launch, limits_of, parallel
from nrunner.layout import (
    JobFolder,
    attempt_folder_name,
    create_job_folder,
    link_control,
)
from nrunner.leftover import remove_old
from nrunner.lock import JobLock, Stage
from nrunner.machine import Machine
from nrunner.mishap import Mishaps
from nrunner.pause import Pause
from nrunner.plan import JobPlan
from nrunner.questions import Questions
from nrunner.register import enter
from nrunner.reporter import JobClock, Reporter
from nrunner.results.base import JobReport, Listener, report_options
from nrunner.results.by_status import ByStatus
from nrunner.results.job_log import JobLog
from nrunner.results.registry import find_writer
from nrunner.resumption import Resumption
from nrunner.runners.folder import make_folder
from nrunner.runners.procfs import boot_id
from nrunner.runners.removal import remove_tree
from nrunner.scheduler import Scheduler
from nrunner.settlement import LeakPolicy
from nrunner.status.address import tcp_options
from nrunner.status.listener import TcpOptions
from nrunner.status.server import StatusServer
from nrunner.status.token import make_token, page_link
from nrunner.task import Task
from nrunner.watch import Watch

__all__ = ["Job", "resume_job", "run_job", "run_to_end"]

_PLANNED_AT_ONCE = 500


def run_job(
    plan: JobPlan,
    listeners: Sequence[Listener],
    launch: Launch | None = None,
    serving: Callable[[JobFolder], None] | None = None,
) -> int:
    """Run a job to its end; return its exit code. Raise NrunnerError if it cannot be run.

    `launch` is what was begun of it already; `serving` is called when its control socket answers.
    """
    launch = launch or Launch(plan)
    try:
        job = Job(plan, listeners, launch, serving=serving)
    except BaseException:
        launch.abandon()
        raise
    return run_to_end(job)


def resume_job(resumption: Resumption, listeners: Sequence[Listener]) -> int:
    """Run a job to its end whose controller is gone; return its exit code, or raise NrunnerError.

    What has a verdict is not run again. What still runs is taken over.
    """
    launch = Launch(resumption.plan, resumption.history.id)
    return run_to_end(Job(resumption.plan, listeners, launch, resumption))


def run_to_end(job: Job) -> int:
    """Run a job on an event loop of its own; return its exit code, or raise NrunnerError."""
    try:
        with asyncio.Runner(loop_factory=job.lag.new_loop) as runner:
            return runner.run(job.run())
    except BaseExceptionGroup as group:
        known = group.subgroup(NrunnerError)
        if known is None:
            raise
        raise _first_of(known) from group


class Job:
    """One run of a plan."""

    def __init__(
        self,
        plan: JobPlan,
        listeners: Sequence[Listener],
        launch: Launch,
        resumption: Resumption | None = None,
        serving: Callable[[JobFolder], None] | None = None,
        *,
        alone: bool = True,
    ) -> None:
        """`alone` says whether this process is there for the job: then signals are the job's."""
        self._alone = alone
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: Callable[[bool, str], None] | None = None
        self._stops: list[bool] = []
        self._plan = plan
        self._launch = launch
        self._resumption = resumption
        self._serving = serving
        self._id = launch.job_id
        if resumption is None:
            self._clock = JobClock(time.time(), time.monotonic())
            now = datetime.fromtimestamp(self._clock.wall)
            self.folder: JobFolder = create_job_folder(plan.results_dir, self._id, now)
            self._lock = JobLock.take(self.folder)
        else:
            self._clock, self.folder = resumption.clock, resumption.folder
            self._lock = resumption.lock
        enter(self.folder, self._id)
        self._test_results = str(self.folder.test_results)
        self.lag = Lag()
        """That of the loop it runs on."""
        self._interrupted = "" if resumption is None else resumption.history.interrupted
        report = JobReport(
            self._id,
            self.folder.root,
            plan.command,
            len(plan.tasks),
            self._clock.wall,
            facts=plan.facts,
            options=report_options(plan.config),
        )
        self._reporter = Reporter(report, self._clock, listeners, (JobLog(), ByStatus()))

    def stop_soon(self, *, kill: bool) -> None:
        """End the job, from any thread, once it runs: softly, or with `kill` hard."""
        self._stops.append(kill)
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # it is over
                loop.call_soon_threadsafe(self._obey)

    def _obey(self) -> None:
        if self._stop is None:
            return
        while self._stops:
            self._stop(self._stops.pop(0), "by its caller")

    async def run(self) -> int:
        """Run; return the exit code."""
        with ExitStack() as stack:
            stack.callback(self._lock.release)
            journal = self._open_journal()
            stack.callback(journal.close)
            try:
                code = await self._run_with(journal)
            except BaseException as error:
                # What agents have left to say is for whoever goes on with the job.
                self._clean_up(keep=_is_of_journal(error))
                raise
            return code

    def _clean_up(self, *, keep: bool = False) -> None:
        self._launch.abandon(keep=keep)
        remove_old(self._launch.runtime.parent, time.time())
        if not keep:
            remove_tree(str(self.folder.spools))

    async def _run_with(self, journal: Journal) -> int:
        self.folder.spools.mkdir(mode=0o700, exist_ok=True)
        self._make_common()
        self._reporter.open()
        if self._resumption is not None:
            self._begin_again(journal, self._resumption)
        else:
            self._plan_into(journal)
        self._reporter.flush()
        note = partial(self._note, journal)
        conclusion = Conclusion(
            self._plan, self.folder, journal, self._reporter, note, self.lag.longest
        )
        try:
            job = await self._run_tasks(journal, conclusion)
        except BaseException:
            conclusion.give_up(interrupted=bool(self._interrupted))
            raise
        finally:
            remove_tree(self._slots_dir)
        # Before the reports: once they are there, nothing is left to do for anybody.
        self._clean_up()
        return conclusion.finish(job)

    def _open_journal(self) -> Journal:
        if self._resumption is not None:
            return self._resumption.journal
        return Journal(self.folder.journal)

    def _plan_into(self, journal: Journal) -> None:
        plan = self._plan
        clock = self._clock
        head = job_record(
            plan,
            job_format=FORMAT,
            job_id=self._id,
            wall=clock.wall,
            monotonic=clock.monotonic,
            boot=boot_id(),
        )
        journal.append([head])
        for first in range(0, len(plan.tasks), _PLANNED_AT_ONCE):
            tasks = plan.tasks[first : first + _PLANNED_AT_ONCE]
            journal.append([planned_record(task) for task in tasks])

    def _begin_again(self, journal: Journal, resumption: Resumption) -> None:
        journal.append([resumption.record()])
        for name in self._plan.writers:
            # Of an earlier controller: who finds reports has those of the job's end.
            with contextlib.suppress(OSError, NrunnerError):
                self.folder.report(find_writer(name).file_name).unlink(missing_ok=True)
        for verdict in resumption.history.verdicts.values():
            self._reporter.tally.add(verdict)
        for notice in resumption.notices():
            self._note(journal, notice)

    def _machine(self) -> Machine:
        plan, offers = self._plan, self._launch.spawner.offers()
        limits = limits_of(plan, offers)
        machine = Machine(
            plan.tasks,
            limits,
            in_order=plan.suites_in_order,
            together=max(1, limits.most // parallel(plan, offers)),
            fail_fast=plan.fail_fast,
            dry_run=plan.dry_run,
            leak=LeakPolicy(plan.config.get("run.leak", LeakPolicy.WARN.value)),
            isolated=[each.place for each in offers if each.isolates],
            pooled={each.place: each.slots for each in offers if each.is_pooled},
        )
        if self._resumption is not None:
            history = self._resumption.history
            machine.restore(history.verdicts, past_states(history, self._clock.monotonic))
        return machine

    def _scheduler(self, machine: Machine, journal: Journal) -> Scheduler:
        return Scheduler(
            machine,
            self._launch.spawner,
            journal,
            self._reporter,
            settings=self._settings(),
            log_dir=self._log_dir,
            requirement_timeout=self._plan.config.get("run.requirement_timeout", 600.0),
            adoption=None if self._resumption is None else self._resumption.adoption,
            interrupted=self._interrupted,
        )

    async def _run_tasks(self, journal: Journal, conclusion: Conclusion) -> JobReport:
        machine = self._machine()
        scheduler = self._scheduler(machine, journal)
        watch = Watch(self._plan.tasks, machine, scheduler, journal, self._reporter, self.folder)
        server = StatusServer(
            self._launch.runtime,
            watch,
            watch.known,
            watch.take_messages,
            job_id=self._id,
            collector_tcp=self._tcp(),
            control_tcp=self._page(),
        )
        watch.reopen = server.intake.reopen
        mishaps = Mishaps(self.folder.mishaps, partial(self._say, journal))
        asyncio.get_running_loop().set_exception_handler(mishaps.take)
        async with asyncio.TaskGroup() as group:
            await server.open(group)
            self.lag.begin()
            self._tell_served(server, journal)
            try:
                await self._watched(scheduler, journal, machine)
                messages = server.statistics().facts()
                learned = {"messages": {**messages, "unkept": watch.unkept}} if messages else {}
                if places := scheduler.place_facts():
                    learned["places"] = places
                self._note_facts(learned, journal)
                # Those who listen to the job hear its end, too.
                job = conclusion.close(self._interrupted)
            finally:
                self._lock.tell(Stage.ENDING)
                await server.close()
        return job

    def _tell_served(self, server: StatusServer, journal: Journal) -> None:
        """Let everybody know who wants to, that the job answers now, and where."""
        link_control(self.folder, Path(server.control_uris[0]))
        self._lock.tell(Stage.SERVING)
        if self._serving is not None:
            self._serving(self.folder)
        if server.keys is not None:
            self._offer_page(server.control_uris[1], server.keys.link())
        for uri in server.uris[1:]:
            self._note(journal, f"status messages are taken at {uri}")

    def _note_facts(self, learned: dict[str, Any], journal: Journal) -> None:
        """Have the reports tell what was learnt while the job ran, if anything was."""
        if learned:
            journal.append([{"type": "facts", "facts": learned}])
            self._reporter.learn(learned)

    async def _watched(self, scheduler: Scheduler, journal: Journal, machine: Machine) -> None:
        """Run all tasks, and hear what people want meanwhile."""
        surveys = self._surveys(journal)

        def stop(kill: bool, by: str) -> None:
            scheduler.stop(stop_by_user(time.monotonic(), kill=kill, by=by))
            surveys.hurry(kill=kill)

        with ExitStack() as stack:
            if self._alone:
                say = partial(self._say, journal)
                stack.enter_context(Interrupts(stop, say, journal.sync).caught())
            self._loop, self._stop = asyncio.get_running_loop(), stop
            self._obey()
            self._limit(stack, scheduler, surveys)
            async with asyncio.TaskGroup() as group:
                helpers = [
                    group.create_task(animate(), name="console")
                    for animate in self._offered("animate")
                ]
                self._prepare_end(self._preparations())

                def help_with(work: Coroutine[Any, Any, None]) -> None:
                    helpers.append(group.create_task(work, name="pause"))

                try:
                    with self._questioned(scheduler, machine, help_with):
                        await self._surveyed(scheduler, surveys)
                finally:
                    self._stop = None
                    self._interrupted = scheduler.interrupted
                    for helper in helpers:
                        helper.cancel()

    async def _surveyed(self, scheduler: Scheduler, surveys: JobSurveys) -> None:
        await surveys.make("pre")
        await scheduler.run()
        failed = self._reporter.tally.exit_code(False) != ExitCode.OK
        await surveys.make("post", failed=failed)

    def _limit(self, stack: ExitStack, scheduler: Scheduler, surveys: JobSurveys) -> None:
        """Have the job stopped once its time is over, unless it has no limit."""
        limit = self._plan.job_timeout
        if limit is None:
            return

        def past_limit() -> None:
            scheduler.stop(stop_by_timeout(time.monotonic(), limit))
            surveys.hurry(kill=False)

        spent = 0.0 if self._resumption is None else self._resumption.history.spent
        handle = asyncio.get_running_loop().call_later(max(0.0, limit - spent), past_limit)
        stack.callback(handle.cancel)

    @contextlib.contextmanager
    def _questioned(
        self,
        scheduler: Scheduler,
        machine: Machine,
        help_with: Callable[[Coroutine[Any, Any, None]], None],
    ) -> Iterator[None]:
        """Be stopped, let go on and asked by whoever is at the terminal."""
        if not self._alone:
            yield
            return
        pause = Pause(
            (scheduler.pause, scheduler.resume),
            (self._told_all("suspend"), self._told_all("resume")),
            scheduler.notice,
            self.lag.excuse,
        )
        questions = Questions(partial(self._tell_situation, machine))
        with pause.caught(help_with), questions.heard():
            yield

    def _surveys(self, journal: Journal) -> JobSurveys:
        wanted = {} if self._plan.dry_run else self._plan.config.get("sysinfo.survey") or {}
        return JobSurveys(self.folder.sysinfo, wanted, partial(self._note, journal))

    def _tell_situation(self, machine: Machine) -> None:
        """Answer whoever asks where the job is; it is kept nowhere."""
        from nrunner.situation import situation  # few ever ask

        lines = situation(
            machine.active(),
            self._reporter.tally.results,
            machine.total,
            self._plan.max_parallel,
            time.monotonic(),
            self._clock.monotonic,
        )
        for listener in self._reporter.listeners:
            tell = getattr(listener, "tell", None)
            if tell is not None:
                tell(lines)

    def _prepare_end(self, steps: Iterator[None]) -> None:
        """Do what would take time at the end, bit by bit while agents start."""
        try:
            next(steps)
        except StopIteration:
            return
        asyncio.get_running_loop().call_soon(self._prepare_end, steps)

    def _preparations(self) -> Iterator[None]:
        """Load what writes reports: nrunner may be another one by the job's end."""
        yield
        for name in {*self._plan.writers, *(each.writer for each in self._plan.reports)}:
            with contextlib.suppress(NrunnerError):  # it is told when the report is due
                find_writer(name)
            yield
        keep_jobdata(self.folder, self._plan)

    def _say(self, journal: Journal, text: str) -> None:
        self._note(journal, text)
        self._reporter.flush()

    def _told_all(self, name: str) -> Callable[[], None]:
        def tell() -> None:
            for each in self._offered(name):
                each()

        return tell

    def _offered(self, name: str) -> list[Callable[[], Any]]:
        """Return what listeners offer under a name: those on a terminal do more than others."""
        found = [getattr(each, name, None) for each in self._reporter.listeners]
        return [each for each in found if each is not None]

    def _note(self, journal: Journal, text: str) -> None:
        """Tell what people should know of the job, now and when they read its journal."""
        with contextlib.suppress(JournalError):
            journal.append([{"type": "notice", "text": text}])
        self._reporter.notice(text)

    def _tcp(self) -> TcpOptions | None:
        address = self._plan.config.get("status.tcp")
        if address is None:
            return None
        return tcp_options(address, self._plan.config.get("status.token_file"), self.folder.root)

    def _page(self) -> TcpOptions | None:
        """Return where the page is served that shows the job while it runs."""
        if not self._plan.config.get("status.serve"):
            return None
        return TcpOptions(make_token(), port=self._plan.config.get("status.serve_port") or 0)

    def _offer_page(self, address: str, token: str) -> None:
        """Tell where the page is: those who show it to people, and keep it nowhere."""
        for listener in self._reporter.listeners:
            tell = getattr(listener, "page_served", None)
            if tell is not None:
                tell(page_link(address, token))

    @property
    def _slots_dir(self) -> str:
        return f"{self._test_results}/.slots"

    def _make_common(self) -> None:
        folder = common_folder(self._plan, self._slots_dir)
        if folder:
            # Without room for it there is none for tests either, which will say so.
            with contextlib.suppress(OSError):
                make_folder(folder)

    def _settings(self) -> dict[str, Any]:
        return agent_settings(self._plan, self._id, self.folder, self._slots_dir)

    def _log_dir(self, task: Task, attempt: int) -> str:
        return f"{self._test_results}/{attempt_folder_name(task.number, task.id, attempt)}"


def _is_of_journal(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(JournalError) is not None
    return isinstance(error, JournalError)


def _first_of(group: BaseExceptionGroup[NrunnerError]) -> NrunnerError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, NrunnerError)
    return error
