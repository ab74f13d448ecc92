"""What is asked of the podman service: calls that are bounded, and errors in our words.

podman-py blocks, so each call is made in a thread. Nothing that podman-py raises leaves this
module. Not responsible for where the service is (``nrunner.spawners.podman.service``), nor for what
follows from an answer.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any

from nrunner.errors import SpawnError
from nrunner.offload import offload
from nrunner.record import dataclass, field
from nrunner.spawners.podman.service import Service

if TYPE_CHECKING:
    from podman.api.client import APIClient

__all__ = ["Answer", "Client", "escaped"]

_WITHIN = 30.0
"""Seconds for a call that nothing but podman itself keeps waiting."""
_MARGIN = 2.0
_REMOVALS = 12
_REMOVAL_PAUSE = 0.05
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service said."""

    status: int
    data: Any = None

    @property
    def message(self) -> str:
        """Why it refused, in its own words."""
        data = self.data if isinstance(self.data, Mapping) else {}
        return str(data.get("message") or data.get("cause") or f"status {self.status}").strip()


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    path: str
    params: Mapping[str, Any]
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class Client:
    """Asks the podman service of a job."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._apis: dict[str, APIClient] = {}

    async def ask(
        self,
        what: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json_body: Any = None,
        stream: IO[bytes] | None = None,
        within: float = _WITHIN,
        accept: tuple[int, ...] = (),
    ) -> Answer:
        """Return the answer to a call; raise SpawnError that says `what` could not be done.

        `accept` are statuses beside those of success that the caller understands.
        """
        socket = self._service.ensure()
        body = stream if json_body is None else json.dumps(json_body)
        headers = _JSON if json_body is not None else {"Content-Type": "application/x-tar"}
        call = _Call(method, path, params or {}, body, headers if body is not None else {})
        try:
            async with asyncio.timeout(within + _MARGIN):
                answer = await offload(self._make, socket, call, within)
        except TimeoutError as error:
            raise SpawnError(
                f"{what}: the podman service at {socket} did not answer within {within:g} s"
            ) from error
        except _Failure as error:
            trouble = await offload(self._service.trouble)
            raise SpawnError(
                f"{what}: {trouble or f'the podman service at {socket}: {error}'}"
            ) from error
        if answer.status >= 400 and answer.status not in accept:
            raise SpawnError(f"{what}: {answer.message}")
        return answer

    async def inspect(self, container: str) -> Mapping[str, Any] | None:
        """Return what is known of a container, None if there is none."""
        what = f"learn about container {container[:12]}"
        answer = await self.ask(
            what, "GET", f"/containers/{escaped(container)}/json", accept=(404,)
        )
        return None if answer.status == 404 else dict(answer.data)

    async def remove(self, container: str) -> None:
        """Remove a container, running or not, and make sure that it is gone; raise SpawnError."""
        what = f"remove container {container[:12]}"
        path = f"/containers/{escaped(container)}"
        params = {"force": "true", "timeout": "0", "v": "true"}
        for left in reversed(range(_REMOVALS)):
            try:
                answer = await self.ask(what, "DELETE", path, params=params, accept=(404,))
            except SpawnError:
                # Podman may be cleaning up the same container, or have been killed meanwhile.
                if not left:
                    raise
                await asyncio.sleep(_REMOVAL_PAUSE)
                continue
            trouble = _refusal(answer)
            if not trouble:
                return
            if not left:
                raise SpawnError(f"{what}: {trouble}")
            await asyncio.sleep(_REMOVAL_PAUSE)

    async def containers(self, *labels: str) -> list[Mapping[str, Any]]:
        """Return all containers with these labels, in any state."""
        params = {"all": "true", "filters": json.dumps({"label": list(labels)})}
        answer = await self.ask("list containers", "GET", "/containers/json", params=params)
        return list(answer.data or ())

    def close(self) -> None:
        """Close the connections to the service."""
        with self._lock:
            for api in self._apis.values():
                api.close()
            self._apis.clear()

    def _api(self, socket: str) -> APIClient:
        with self._lock:
            if socket not in self._apis:
                from podman.api.client import APIClient

                self._apis[socket] = APIClient(base_url=f"unix://{socket}")
            return self._apis[socket]

    def _make(self, socket: str, call: _Call, within: float) -> Answer:
        """Make a call in this thread; raise TimeoutError or _Failure."""
        from podman.errors import PodmanError
        from requests.exceptions import RequestException, Timeout

        more: dict[str, Any] = {"params": call.params, "headers": dict(call.headers)}
        if call.body is not None:
            more["data"] = call.body
        try:
            ask = getattr(self._api(socket), call.method.lower())
            response = ask(call.path, timeout=within, **more)
            return Answer(response.status_code, _decoded(response.content))
        except (RequestException, PodmanError, OSError) as error:
            if any(isinstance(each, Timeout | TimeoutError) for each in _layers(error)):
                raise TimeoutError from error
            raise _Failure(_reason(error)) from error


class _Failure(Exception):
    """The service could not be asked, or did not answer to the end."""


def escaped(name: str) -> str:
    """Return a name as it stands in the path of a call."""
    from urllib.parse import quote

    return quote(name, safe="")


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content) if content.strip() else None
    except ValueError:
        return content.decode(errors="replace")


def _refusal(answer: Answer) -> str:
    """Return why a container was not removed, empty if it was."""
    reports = answer.data if isinstance(answer.data, list) else ()
    return "; ".join(str(each["Err"]) for each in reports if each.get("Err"))


def _layers(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that it came from, as libraries wrap them."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _reason(error: BaseException) -> str:
    innermost = list(_layers(error))[-1]
    text = getattr(innermost, "strerror", None) or str(innermost)
    return text or type(innermost).__name__
