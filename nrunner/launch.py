"""The beginning of a job: its id and its spawner, which gets to work while the rest is loaded.

Loading the controller takes about as long as starting an agent, so both happen at once. This
module imports little for that reason. Not responsible for anything after the first tasks can run.
"""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterable, Sequence
from pathlib import Path

from nrunner.errors import NrunnerError, SpawnError
from nrunner.layout import new_job_id
from nrunner.limits import Limits
from nrunner.plan import JobPlan
from nrunner.plugins import find_plugin
from nrunner.socketfolder import SocketFolder
from nrunner.spawners.base import Eager, Offer, Spawner, SpawnerContext
from nrunner.userfolder import user_folder

__all__ = ["Launch", "limits_of", "parallel", "processors"]

_LEAST_FILES = 32


class Launch:
    """What exists of a job before its folder does."""

    def __init__(self, plan: JobPlan, job_id: str | None = None) -> None:
        """Make the spawner; raise PluginError, UsageError, ResultsError or NrunnerError.

        `job_id` is that of a job to go on with, which may have environments already.
        """
        _check_descriptors()
        self.job_id = job_id or plan.job_id or new_job_id()
        self._folder = SocketFolder.take(self.job_id, again=job_id is not None)
        self.runtime: Path = self._folder.path
        try:
            self.spawner = self._make_spawner(plan)
        except BaseException:
            self._give_up(keep=job_id is not None)
            raise
        if job_id is None and isinstance(self.spawner, Eager) and not plan.dry_run:
            # What is wrong shows again, and is told, when the environment is really wanted.
            with contextlib.suppress(SpawnError):
                self.spawner.begin()

    def _make_spawner(self, plan: JobPlan) -> Spawner:
        context = SpawnerContext(
            self.job_id,
            self.runtime,
            user_folder("cache"),
            plan.max_parallel or processors(),
            plan.config,
            str(plan.base_dir),
        )
        spawner: Spawner = find_plugin("spawners", plan.spawner).load()(context)
        return spawner

    def abandon(self, *, keep: bool = False) -> None:
        """Undo everything: there will be no job, or with `keep` another controller for it."""
        if isinstance(self.spawner, Eager):
            self.spawner.abandon()
        self._give_up(keep=keep)

    def _give_up(self, *, keep: bool) -> None:
        if keep:
            self._folder.release()
        else:
            self._folder.remove()


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))


def parallel(plan: JobPlan, offers: Iterable[Offer]) -> int:
    """Return how many tasks run at once: on pooled places as many as they take, unless said."""
    if plan.max_parallel is not None:
        return plan.max_parallel
    return sum(each.slots for each in offers if each.is_pooled) or processors()


def limits_of(plan: JobPlan, offers: Sequence[Offer]) -> Limits:
    """Say how many tasks may be ordered, in the job and at each place."""
    most = parallel(plan, offers)
    pooled = [each for each in offers if each.is_pooled]
    # With fail-fast nothing is ordered in advance, since it might start after the failure. Nor
    # where fewer are to run than there are slots: an agent would start it at once.
    ordered = () if plan.fail_fast else offers
    if most < sum(each.slots for each in pooled):
        ordered = [each for each in ordered if not each.is_pooled]
    ahead = {each.place: each.queue for each in ordered}
    in_pool = sum(ahead.get(each.place, 0) for each in pooled)
    limits = Limits(most + (in_pool or max(ahead.values(), default=0)))
    for offer in offers:
        limits.set_place(offer.place, offer.slots + ahead.get(offer.place, 0))
    return limits


def _check_descriptors() -> None:
    """Raise NrunnerError if there cannot be as many open files as a job has at least."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _LEAST_FILES:
        raise NrunnerError(
            f"run a job: the limit on open files is {soft}, it has to be {_LEAST_FILES} at least"
            " (ulimit -n)"
        )
