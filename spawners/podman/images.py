"""Images: which one a container is made from, and getting those that are not there.

Requirements of kind `podman-image` are met here, since no agent could: ``uri`` names an image,
``archive`` a file to load it from, ``build`` a folder or Containerfile to build it from. Not
responsible for the containers, nor for images of what was prepared in one (``layers``).
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from nrunner.errors import RequirementError, SpawnError
from nrunner.offload import offload
from nrunner.runnable import Requirement
from nrunner.spawners.podman.client import Answer, Client, escaped

__all__ = ["IMAGE_KIND", "Images"]

IMAGE_KIND = "podman-image"
_PULL_WITHIN = 1800.0
_BUILD_WITHIN = 3600.0
_KNOWN = frozenset(("archive", "build", "file"))


class Images:
    """The images of a podman service."""

    def __init__(self, client: Client, pull: str, base_dir: str) -> None:
        """`pull` is ``missing`` or ``never``; paths are relative to `base_dir`."""
        self._client = client
        self._pull = pull
        self._base_dir = Path(base_dir or ".")
        self._ids: dict[str, asyncio.Task[str]] = {}

    async def id_of(self, name: str) -> str:
        """Return the id of an image, fetched if it is not there; raise SpawnError.

        Asked for once: those who come meanwhile wait for the same answer.
        """
        return await self._once(name, lambda: self._find_or_pull(name))

    async def id_for(self, requirement: Requirement) -> str:
        """Return the id of the image that a requirement is about; raise RequirementError."""
        try:
            return await self._once(requirement.key, lambda: self._provide(requirement))
        except SpawnError as error:
            raise RequirementError(str(error)) from error

    async def _once(self, key: str, work: Any) -> str:
        task = self._ids.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._ids[key] = asyncio.ensure_future(work())
        return await asyncio.shield(task)

    async def _find_or_pull(self, name: str) -> str:
        found = await self._look_up(name)
        if found:
            return found
        if self._pull == "never":
            raise SpawnError(f"use image {name}: it is not there, and podman.pull is never")
        params = {"reference": name, "quiet": "true"}
        answer = await self._client.ask(
            f"fetch image {name}", "POST", "/images/pull", params=params, within=_PULL_WITHIN
        )
        _check_stream(f"fetch image {name}", answer)
        found = await self._look_up(name)
        if not found:
            raise SpawnError(f"use image {name}: podman fetched it, and does not have it")
        return found

    async def _look_up(self, name: str) -> str:
        answer = await self._client.ask(
            f"look for image {name}", "GET", f"/images/{escaped(name)}/json", accept=(404,)
        )
        return "" if answer.status == 404 else _plain(answer.data["Id"])

    async def _provide(self, requirement: Requirement) -> str:
        unknown = sorted(set(requirement.kwargs) - _KNOWN)
        if unknown:
            raise SpawnError(
                f'meet {IMAGE_KIND}: it knows no "{unknown[0]}" (there are archive, build and file)'
            )
        archive, build = requirement.kwargs.get("archive"), requirement.kwargs.get("build")
        if archive is not None and build is not None:
            raise SpawnError(f"meet {IMAGE_KIND}: say archive or build, not both")
        if build is not None:
            return await self._build(requirement.uri, str(build), requirement.kwargs.get("file"))
        if archive is not None:
            return await self._load(requirement.uri, str(archive))
        if requirement.uri is None:
            raise SpawnError(f"meet {IMAGE_KIND}: no uri names the image")
        return await self._find_or_pull(requirement.uri)

    async def _load(self, name: str | None, archive: str) -> str:
        if name is not None and (found := await self._look_up(name)):
            return found
        path = self._base_dir / archive
        what = f"load an image from {path}"
        try:
            with path.open("rb") as file:
                answer = await self._client.ask(
                    what, "POST", "/images/load", stream=file, within=_PULL_WITHIN
                )
        except OSError as error:
            raise SpawnError(f"{what}: {error.strerror}") from error
        names = (answer.data or {}).get("Names") or []
        wanted = name or (names[0] if names else "")
        found = await self._look_up(wanted) if wanted else ""
        if not found:
            held = ", ".join(names) or "no image with a name"
            raise SpawnError(f"{what}: it holds {held}" + (f", not {name}" if name else ""))
        return found

    async def _build(self, name: str | None, context: str, file: Any) -> str:
        """Build from a folder, again only if something in it has changed."""
        folder = self._base_dir / context
        what = f"build an image from {folder}"
        try:
            packed, key, recipe = await offload(_packed, folder, file)
        except OSError as error:
            raise SpawnError(f"{what}: {error.filename}: {error.strerror}") from error
        tag = name or f"localhost/nrunner-build:{key[:32]}"
        label = f"nrunner.build={key}"
        params = {"filters": json.dumps({"label": [label]})}
        there = await self._client.ask(what, "GET", "/images/json", params=params)
        if there.data:
            return _plain(there.data[0]["Id"])
        params = {
            "dockerfile": recipe,
            "t": tag,
            "labels": json.dumps({"nrunner.build": key}),
            "rm": "true",
        }
        answer = await self._client.ask(
            what, "POST", "/build", params=params, stream=packed, within=_BUILD_WITHIN
        )
        _check_stream(what, answer)
        found = await self._look_up(tag)
        if not found:
            raise SpawnError(f"{what}: podman built it, and does not have it")
        return found


def _plain(image: str) -> str:
    return image.removeprefix("sha256:")


def _check_stream(what: str, answer: Answer) -> None:
    """Raise SpawnError if a long answer, told line by line, ends in an error."""
    lines: list[Any] = []
    if isinstance(answer.data, Mapping):
        lines = [answer.data]
    elif isinstance(answer.data, str):
        for line in answer.data.splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                continue
    for each in lines:
        if isinstance(each, Mapping) and each.get("error"):
            said = [str(line.get("stream", "")).strip() for line in lines if line.get("stream")]
            last = f" (after: {said[-1]})" if said and said[-1] else ""
            raise SpawnError(f"{what}: {str(each['error']).strip()}{last}")


def _packed(folder: Path, file: Any) -> tuple[IO[bytes], str, str]:
    """Return a context as an archive, the hash of what is in it, and its recipe's name."""
    if folder.is_file():
        folder, file = folder.parent, folder.name
    recipe = str(file) if file is not None else _recipe_in(folder)
    (folder / recipe).stat()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(folder, ".", filter=_without_times)
    key = hashlib.sha256(recipe.encode() + b"\0" + packed.getvalue()).hexdigest()
    packed.seek(0)
    return packed, key, recipe


def _recipe_in(folder: Path) -> str:
    return next(
        (name for name in ("Containerfile", "Dockerfile") if (folder / name).exists()),
        "Containerfile",
    )


def _without_times(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mtime = 0
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
