"""An environment that sees none of our files: how orders are put for it, and what they need there.

Orders speak of a copy of the folder that references are relative to; it is brought when the first
attempt needs it, and those that need it wait for that. Not responsible for what comes back
(``nrunner.harvest``), nor for when an environment ends (``nrunner.berth``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nrunner.delivery import Delivery, Put
from nrunner.environment import Environment, Key, run_frame
from nrunner.errors import LinkError, NrunnerError, ProtocolError, RecipeError
from nrunner.ground import Ground, Heard, Tell
from nrunner.harvest import Harvest, allowance_of
from nrunner.liveoutput import LiveOutput
from nrunner.offload import offload
from nrunner.pace import Pace
from nrunner.record import replace
from nrunner.runnable import Requirement
from nrunner.translation import Translation

__all__ = ["Outpost"]

_LEAST_FREE = 8 << 20
"""Bytes that must be free there before an attempt begins."""
_ENCLOSED = 16 << 10
"""Bytes of files that come with the event of an attempt's end, and cost no time on the way."""
_FIRST_PIECE = 1 << 16
"""Bytes: what goes there is not heard of before it has arrived as a whole."""
_OURS = (
    *("results_dir", "spool_dir", "our_config", "fetch_most_files", "fetch_most_bytes"),
    *("tree_exclude", "tree_most_files", "tree_most_bytes"),
)
"""Settings that are no business of an agent that sees none of our files."""
_PLACES = {"base_dir": "tree", "slots_dir": "slots", "spool": "spool", "kept_dir": "kept"}


class Outpost(Ground):
    """One such environment."""

    def __init__(
        self,
        folder: str,
        settings: Mapping[str, Any],
        tell: Tell,
        refused: Callable[[Mapping[str, Any]], None],
        *,
        epoch: int,
        is_new: bool,
        live: str,
    ) -> None:
        """`folder` is there, and with `is_new` nothing is in it yet. `live` is a folder here.

        `tell` returns whether events are recorded; `refused` is told of attempts that will not be
        ordered, as an event that an agent could have told.
        """
        super().__init__(settings, tell)
        self.folder = self.lasting = folder
        """There, of all that belongs to the job."""
        self.base_dir = f"{folder}/{_PLACES['base_dir']}"
        """What the folder that references are relative to is called there."""
        self.harvest = Harvest(self._pass_on, self._log_dir, allowance_of(settings))
        self.live = LiveOutput(live)
        self._pace = Pace(_FIRST_PIECE)
        self._refused = refused
        self._epoch = epoch
        self._is_new = is_new
        self._translation = Translation(settings["base_dir"], self.base_dir)
        self._waiting: dict[Key, Mapping[str, Any]] = {}
        """Orders of attempts that need the tree, until it is there."""
        self._unsure: set[Key] = set()
        """Those of them that its agent may have already, until it is greeted."""
        self._hopeless: Mapping[str, str] = {}
        """Why the tree can never be brought, if it cannot."""
        self._planting: asyncio.Task[None] | None = None
        self._ordering: asyncio.Task[None] | None = None

    @property
    def is_holding(self) -> bool:
        """Whether attempts are over whose files are not here yet."""
        return self.harvest.is_holding

    @property
    def pace(self) -> Pace:
        """How much is sent there at once."""
        return self._pace

    def settings(self) -> dict[str, Any]:
        """Return what its agent is to know: paths that mean something there."""
        own = {key: each for key, each in self._settings.items() if key not in _OURS}
        own["env"] = self._translation.variables(own.get("env", {}))
        places = {name: f"{self.folder}/{inner}" for name, inner in _PLACES.items()}
        return {**own, **places, "enclose": _ENCLOSED, "least_free": _LEAST_FREE}

    def _pass_on(self, heads: Sequence[Mapping[str, Any]]) -> bool:
        """Tell events, but for the folders that they name, which are there."""
        for head in heads:
            if head["event"] == "ended":
                self.live.forget((head["task"], head["attempt"]))
        return self._tell([_without_slot(head) if "slot" in head else head for head in heads])

    # Attempts.

    def run_nowait(self, environment: Environment, order: Mapping[str, Any]) -> None:
        """Order an attempt, as soon as what it needs is there; raise ProtocolError."""
        key = order["task"], order["attempt"]
        if self._translation.leads_out(order["runnable"]):
            base_dir, uri = self._translation.base_dir, order["runnable"]["uri"]
            raise ProtocolError(
                f"bring {uri} to where it runs: only what is in {base_dir}, where nrunner was "
                "started, can be brought"
            )
        if self.is_ready_for(order):
            environment.run_nowait(key, self.frame(order))
        else:
            self.hold(order)
            self.go_on(environment)

    def hold(self, order: Mapping[str, Any]) -> None:
        """Have an attempt wait for what it needs, until `go_on`."""
        self._waiting[order["task"], order["attempt"]] = order

    def go_on(self, environment: Environment) -> None:
        """Bring what the attempts that wait need, and order them then."""
        if self._waiting and (self._ordering is None or self._ordering.done()):
            work = self._order_waiting(environment)
            self._ordering = asyncio.get_running_loop().create_task(work, name="order what waits")

    def is_ready_for(self, order: Mapping[str, Any]) -> bool:
        """Whether what an attempt needs is there."""
        is_planted = self._planting is not None and _is_well(self._planting)
        return is_planted or not self._translation.needs_copy(order["runnable"])

    def frame(self, order: Mapping[str, Any]) -> bytes:
        """Return an order as its agent is to have it; raise ProtocolError."""
        self.expect(order)
        told = self._translation.order(order)
        return run_frame({**told, "log_dir": self._log_dir(_key(order))})

    def expect(self, order: Mapping[str, Any]) -> None:
        """Note an attempt that runs there, or will."""
        key = _key(order)
        self.harvest.expect(key, self._log_dir(key), order["log_dir"])

    def _log_dir(self, key: Key) -> str:
        return f"{self.folder}/logs-{key[0]}-{key[1]}"

    def resumed(self, orders: Iterable[Mapping[str, Any]]) -> dict[Key, bytes]:
        """Return the frames of orders that may have arrived; those that need the tree wait."""
        frames = {}
        for order in orders:
            if self.is_ready_for(order):
                frames[_key(order)] = self.frame(order)
            else:
                self.hold(order)
                self._unsure.add(_key(order))
        return frames

    def greeted(
        self, environment: Environment, here: frozenset[Key], running: Iterable[Key]
    ) -> Sequence[Key]:
        """Return what waits for its order: what the agent has, or had, was ordered before."""
        self._unsure.clear()
        for key in [each for each in self._waiting if each in here or each not in running]:
            self.withdraw(key)
        self.go_on(environment)
        self.harvest.greeted(environment)
        return [*self._waiting]

    def hear(self, environment: Environment, heard: Sequence[Heard]) -> bool:
        """Take what an agent said; it is acknowledged later, once the files are here."""
        self.harvest.hear(environment, [(raw["seq"], head, raw) for head, raw in heard])
        return False

    def hurry(self, key: Key, *, kill: bool) -> bool:
        """Wait no longer for the files of an attempt; return whether that is what is left of it."""
        return self.harvest.hurry(key, kill=kill)

    def follow_nowait(self, environment: Environment, key: Key, stream: str) -> str:
        """Have what an attempt prints in a file here, as it comes; return the file's folder."""
        self.live.follow_nowait(environment, key, stream)
        return self.live.folder(key)

    def withdraw(self, key: Key) -> bool:
        """Order an attempt no more; return whether it waited, as far as anybody can know."""
        return key not in self._unsure and self._waiting.pop(key, None) is not None

    def give_up(self, why: str) -> None:
        """The environment is gone: nothing goes there any more, and nothing comes from it."""
        self._waiting.clear()
        for task in (self._planting, self._ordering):
            if task is not None:
                task.cancel()
        self.live.close()
        self.harvest.give_up(why)

    # Requirements.

    async def requirement(self, environment: Environment, requirement: Requirement) -> Requirement:
        """Return a requirement in words that mean something there, once what it needs is there.

        Raise RecipeError, RequirementError or LinkError.
        """
        data = requirement.to_json()
        if self._translation.needs_copy(data):
            await self._planted(environment)
        return Requirement.from_json(self._translation.runnable(data))

    def delivery(self, delivery: Delivery) -> Delivery:
        """Return how a file is brought there."""
        arrived = Requirement.from_json(self._translation.runnable(delivery.arrived.to_json()))
        return replace(delivery, target=self._translation.path(delivery.target), arrived=arrived)

    def errand_folder(self, number: int, _target: str) -> str:
        """Return where the output of a requirement is written there: another one for each."""
        return f"{self.folder}/requirement-{self._epoch}-{number}"

    async def fetch_errand(self, environment: Environment, there: str, here: str) -> None:
        """Fetch what a requirement printed."""
        await self.harvest.fetch(environment, there, here)

    def put(self, environment: Environment) -> Put | None:
        """Return what puts files there by frames."""
        return environment.put

    # The tree.

    async def _order_waiting(self, environment: Environment) -> None:
        # Whoever is refused makes room for others, which come to wait here meanwhile.
        while self._waiting:
            try:
                fields = self._hopeless or await self._trouble(environment)
            except LinkError:
                return  # what waits is lost with the environment
            waiting, self._waiting = self._waiting, {}
            for key, order in waiting.items():
                if fields:
                    self._refuse(key, fields)
                else:
                    self._order_now(environment, key, order)

    def _order_now(self, environment: Environment, key: Key, order: Mapping[str, Any]) -> None:
        try:
            environment.run_nowait(key, self.frame(order))
        except NrunnerError as error:
            self._refuse(key, {"cause": "malformed", "reason": f"could not {error}"})

    async def _trouble(self, environment: Environment) -> Mapping[str, str]:
        """Have the tree there; return what to say to those who need it if that is not possible."""
        try:
            await self._planted(environment)
        except LinkError:
            raise
        except RecipeError as error:
            self._hopeless = {"cause": "malformed", "reason": f"could not {error}"}
            return self._hopeless
        except NrunnerError as error:
            return {"cause": "infra", "reason": f"could not {error}"}
        except Exception as error:  # whatever it is, those who wait have to be told
            return {"cause": "infra", "reason": f"could not bring what it needs: {error!r}"}
        return {}

    def _refuse(self, key: Key, fields: Mapping[str, str]) -> None:
        self._refused({"event": "not_started", "task": key[0], "attempt": key[1], **fields})

    async def _planted(self, environment: Environment) -> None:
        """Wait until the tree is there."""
        task = self._tree(environment)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise LinkError("bring files: the environment is gone") from error
            raise

    def _tree(self, environment: Environment) -> asyncio.Task[None]:
        """Have the tree brought, unless it is there; what failed is tried again."""
        task = self._planting
        if task is None or (task.done() and not _is_well(task)):
            work = self._plant(environment)
            task = asyncio.get_running_loop().create_task(work, name="bring the tree")
            task.add_done_callback(_is_well)
            self._planting = task
        return task

    async def _plant(self, environment: Environment) -> None:
        from nrunner.tree import TreeLimits, survey
        from nrunner.treedelivery import plant

        settings = self._settings
        usual = TreeLimits()
        size = settings.get("tree_most_bytes", usual.bytes)
        limits = TreeLimits(
            settings.get("tree_most_files", usual.files),
            1 << 62 if size is None else size,
            tuple(settings.get("tree_exclude", usual.exclude)),
        )
        # Above the job's own folder are those of other jobs.
        results = Path(settings["results_dir"]).parent.parent
        tree = await offload(survey, settings["base_dir"], str(results), limits)
        await plant(environment, tree, self.base_dir, self.pace, is_new=self._is_new)
        self._is_new = False


def _key(order: Mapping[str, Any]) -> Key:
    return order["task"], order["attempt"]


def _without_slot(head: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in head.items() if name != "slot"}


def _is_well(task: asyncio.Task[None]) -> bool:
    """Whether something is done, and has not failed."""
    return task.done() and not task.cancelled() and task.exception() is None
