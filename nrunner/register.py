"""The register: links to this user's jobs that are not over, wherever their results go.

So a job in any results folder is found by its id, even after the machine was started again. Jobs
in the usual results folder need no entry. Nothing depends on the register: where it cannot be
written, such jobs are found by their folder alone. Not responsible for what becomes of a job.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from nrunner.layout import JobFolder
from nrunner.userfolder import results_folder, user_folder

__all__ = ["enter", "registered", "strike"]


def enter(folder: JobFolder, job_id: str) -> None:
    """Note that a job is not over."""
    if folder.root.parent == results_folder():
        return
    place = _folder()
    with contextlib.suppress(OSError):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.mkdir(mode=0o700, exist_ok=True)
        (place / job_id).symlink_to(folder.root.absolute())


def strike(folder: JobFolder, job_id: str) -> None:
    """Note that a job is over."""
    if folder.root.parent != results_folder():
        with contextlib.suppress(OSError):
            (_folder() / job_id).unlink()


def registered() -> list[JobFolder]:
    """Return the jobs that are not over, oldest first; forget those whose folder was removed."""
    found: list[tuple[int, JobFolder]] = []
    try:
        links = list(_folder().iterdir())
    except OSError:
        return []
    for link in links:
        with contextlib.suppress(OSError):
            job = JobFolder(link.readlink())
            if job.id_file.is_file():
                found.append((job.id_file.stat().st_mtime_ns, job))
            elif job.root.parent.is_dir():
                link.unlink()
    return [job for _, job in sorted(found, key=lambda each: each[0])]


def _folder() -> Path:
    return user_folder("data") / "jobs"
