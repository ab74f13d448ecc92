"""podman-image: the requirement that podman has an image: pulled, loaded from a file, or built.

For tests that use podman themselves; what a test is run in is up to the spawner, which takes the
same keys. Asked and told by podman's command line.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import hashlib
import os
import stat

from nrunner.errors import RequirementError
from nrunner.record import dataclass
from nrunner.runnable import Requirement
from nrunner.runners.base import RequirementRunner
from nrunner.runners.demand import Demand, asked
from nrunner.runners.program import run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

__all__ = ["PodmanImage"]

_LABEL = "nrunner.build"


class PodmanImage(RequirementRunner):
    """Looks for an image, and gets it."""

    kind = "podman-image"
    description = "an image that podman has to have: pulled, loaded or built"
    instant = False

    def check(self, requirement: Requirement, base_dir: str) -> Optional[str]:
        """Return None if the image is there, else that it is not."""
        wanted = _Wanted.of(requirement, base_dir)
        if wanted.build is not None:
            label = f"label={_LABEL}={wanted.key()}"
            found = _ask("images", "-q", "--filter", label)[1].split()
            return None if found else f"nothing was built from {wanted.build} as it is now"
        status, said = _ask("image", "exists", wanted.name)
        if status not in (0, 1):
            raise RequirementError(f"podman says: {said.strip() or f'exit {status}'}")
        return None if status == 0 else f"podman has no image {wanted.name}"

    def fulfil(self, requirement: Requirement, base_dir: str) -> None:
        """Pull, load or build it; raise RequirementError with what podman says."""
        if self.check(requirement, base_dir) is None:
            return
        wanted = _Wanted.of(requirement, base_dir)
        if wanted.build is not None:
            key = wanted.key()
            tag = wanted.name or f"localhost/nrunner-build:{key[:32]}"
            words = ["build", "--label", f"{_LABEL}={key}", "-t", tag, "-f", wanted.file]
            words.append(wanted.build)
        elif wanted.archive is not None:
            words = ["load", "-i", wanted.archive]
        else:
            words = ["pull", wanted.name]
        status, said = run(["podman", *words])
        if status:
            raise RequirementError(f"podman {words[0]} says: {said or f'exit {status}'}")
        reason = self.check(requirement, base_dir)
        if reason is not None:
            raise RequirementError(f"podman {words[0]} went well, but {reason}")


@dataclass(frozen=True)
class _Wanted:
    """What a requirement asks for."""

    name: str
    archive: Optional[str]
    build: Optional[str]
    file: str

    @classmethod
    def of(cls, requirement: Requirement, base_dir: str) -> _Wanted:
        """Read a requirement; raise RunnerError, or RequirementError if its file is not there."""
        demand = Demand(requirement, "archive", "build", "file")
        archive, build = demand.text("archive"), demand.text("build")
        if archive is not None and build is not None:
            demand.fail("archive", 'say this or "build", not both')
        name = demand.name() if build is None or demand.has_name() else ""
        if name.startswith("-"):
            demand.fail("uri", f"{name!r} is no name of an image")
        if build is not None:
            build = os.path.join(base_dir, build)
        file = os.path.join(build or base_dir, demand.text("file") or _recipe_in(build))
        if archive is not None:
            archive = os.path.join(base_dir, archive)
            if not os.access(archive, os.R_OK):
                raise RequirementError(f"there is no archive {archive} that can be read")
        return cls(name, archive, build, file)

    def key(self) -> str:
        """Return a hash of all that an image is built from; raise RequirementError."""
        digest = hashlib.sha256(f"{self.name}\0{self.file}\0".encode())
        try:
            for path in [*sorted(_files(self.build or "")), self.file]:
                mode = os.lstat(path).st_mode
                digest.update(f"{os.path.relpath(path, self.build)}\0{mode:o}\0".encode())
                if stat.S_ISLNK(mode):
                    digest.update(os.fsencode(os.readlink(path)) + b"\0")
                elif stat.S_ISREG(mode):
                    with open(path, "rb") as file:
                        for piece in iter(lambda: file.read(1 << 20), b""):
                            digest.update(piece)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise RequirementError(f"cannot build from {error.filename}: {reason}") from error
        return digest.hexdigest()


def _recipe_in(build: Optional[str]) -> str:
    names = ("Containerfile", "Dockerfile")
    found = (name for name in names if os.path.exists(os.path.join(build or "", name)))
    return next(found, names[0])


def _files(folder: str) -> list[str]:
    return [
        os.path.join(above, name)
        for above, folders, names in os.walk(folder)
        for name in (*folders, *names)
    ]


def _ask(*words: str) -> tuple[int, str]:
    return asked(["podman", *words], os.environ)
