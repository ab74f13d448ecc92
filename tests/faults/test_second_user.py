"""Another user of the same machine: can neither read what is a user's own, nor have a say in it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.attack import Peer, held
from tests.faults.stranger import STRANGER, attempts, be_stranger, everything
from tests.functional.sandbox import Sandbox

ROOT = os.geteuid() == 0


@pytest.fixture
def wide() -> Iterator[Path]:
    """A folder that everybody may enter, and see what is in it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def open_box(wide: Path) -> Iterator[Sandbox]:
    """A sandbox whose folders are nobody's secret, with a umask that keeps none."""
    old = os.umask(0)
    try:
        box = Sandbox(wide)
        yield box
    finally:
        os.umask(old)
    for pid in box.running():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)


def mode_of(path: Path) -> str:
    found = path.lstat()
    assert found.st_uid == os.geteuid()
    return stat.filemode(found.st_mode)


MODES = {
    "journal.jsonl": "-rw-------",
    "job.log": "-rw-------",
    "lock": "-rw-------",
    "status-token": "-rw-------",
    "test-results": "drwx------",
}
SOCKETS = {
    "status.sock": "srw-------",
    "control.sock": "srw-------",
    "agent-1": "drwx------",
    "agent-1/socket": "srw-------",
    "agent-1/token": "-rw-------",
    "agent-1/agent.log": "-rw-------",
    "agent-1/status-3.1": "srw-------",
    "agent-1/status-4.1": "srw-------",
}


def test_a_job_that_runs_is_its_users_own_whatever_the_umask(open_box: Sandbox) -> None:
    """All there is of it is tried, while it runs and afterwards."""
    with held(open_box, "--status-tcp", "127.0.0.1:0") as job:
        root = open_box.job
        assert mode_of(root) == "drwx------"
        assert mode_of(job.folder) == mode_of(job.folder.parent) == "drwx------"
        assert {name: mode_of(root / name) for name in MODES} == MODES
        assert {name: mode_of(job.folder / name) for name in SOCKETS} == SOCKETS
        everywhere = [*everything(root, job.folder)]
        modes = {str(path): mode_of(path) for path in everywhere if not path.is_symlink()}
        assert {mode[4:] for mode in modes.values()} == {"------"}, modes
        processes = [job.run.pid, *open_box.agents(), *open_box.payloads()]
        secrets = [job.token, (root / "status-token").read_text().strip()]
        for pid in (job.run.pid, *open_box.agents()):
            command = Path(f"/proc/{pid}/cmdline").read_text()
            assert not any(secret in command for secret in secrets)
        if ROOT:
            assert len(everywhere) > 15
            assert be_stranger(lambda: attempts(everywhere, processes)) == []
            address, _ = job.address()
            forged = {"id": "1-./waits.sh", "time": 1, "status": "finished", "result": "fail"}
            line = json.dumps(forged).encode() + b"\n"
            assert be_stranger(lambda: map(str, Peer(address).ask(line))) == []
        job.end()
    messages = job.messages()
    assert messages.get("accepted", 0) == 0
    assert messages.get("turned_away", 0) == ROOT
    if ROOT:
        left = [*everything(root)]
        assert be_stranger(lambda: attempts(left, [])) == []


def test_the_files_that_nrunner_makes_for_a_user_are_the_users_own(open_box: Sandbox) -> None:
    """Where there was no folder before; cache, list of jobs, lock: all of it."""
    open_box.write("ok.sh", "#!/bin/sh\necho out\n")
    assert open_box.run("run", "ok.sh").code == 0
    homes = [path for path in open_box.here.parent.iterdir() if path.name.startswith("xdg_")]
    made = [path for home in homes for path in everything(home) if path != home]
    modes = {str(path): mode_of(path) for path in made if not path.is_symlink()}
    assert len(modes) >= 4
    assert {mode[4:] for mode in modes.values()} == {"------"}, modes


TRAPS = ("link", "folder", "file", "open folder")


def set_trap(place: Path, sort: str, elsewhere: Path) -> None:
    """Put something in the place of a folder that somebody is going to make."""
    elsewhere.mkdir(mode=0o777)
    elsewhere.chmod(0o777)
    if sort == "link":
        place.symlink_to(elsewhere)
    elif sort == "file":
        place.write_text("")
    else:
        place.mkdir()
        place.chmod(0o777 if sort == "open folder" else 0o700)
    if ROOT and sort != "open folder":
        os.chown(elsewhere, STRANGER, STRANGER)
        os.chown(place, STRANGER, STRANGER, follow_symlinks=False)


@pytest.mark.parametrize("variable", ["TMPDIR", "XDG_RUNTIME_DIR"])
@pytest.mark.parametrize("sort", TRAPS)
def test_a_folder_for_sockets_that_somebody_else_has_made_in_advance_is_not_used(
    open_box: Sandbox, wide: Path, variable: str, sort: str
) -> None:
    shared = wide / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    name = "nrunner" if variable == "XDG_RUNTIME_DIR" else f"nrunner-{os.geteuid()}"
    set_trap(shared / name, sort, wide / "elsewhere")
    open_box.env[variable] = str(shared)
    open_box.write("where.sh", "#!/bin/sh\ntr '\\0' ' ' < /proc/$PPID/cmdline\n")
    assert open_box.run("run", "where.sh").code == 0
    said = (open_box.job / "test-results" / "1-where.sh" / "stdout").read_text()
    assert " agent /" in said
    assert str(shared) not in said
    assert list((wide / "elsewhere").iterdir()) == []


def test_where_every_folder_for_sockets_is_a_trap_the_job_does_not_begin(
    open_box: Sandbox, wide: Path
) -> None:
    """In a namespace of mounts, traps lie over the folders that are there."""
    trap = wide / "trap"
    trap.mkdir()
    trap.chmod(0o777)
    name = f"nrunner-{os.geteuid()}"
    open_box.env["TMPDIR"] = str(wide)
    (wide / name).symlink_to(trap)
    script = f"""
for place in /tmp/{name} /var/tmp/{name}; do
    mkdir -p -m 700 "$place" && mount --bind "{trap}" "$place" || exit 77
done
exec "$@"
"""
    open_box.write("ok.sh", "#!/bin/sh\n")
    users = [] if ROOT else ["--user", "--map-root-user"]
    words = ["unshare", *users, "--mount", "sh", "-c", script, "sh"]
    done = subprocess.run(
        [*words, sys.executable, "-m", "nrunner", "run", "ok.sh"],
        cwd=open_box.here,
        env=open_box.env,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("nrunner: could not make a private folder for sockets (")
    assert f"{wide}/{name}: belongs to somebody else" in done.stderr
    assert f"/var/tmp/{name}: is open to others" in done.stderr
    assert list(trap.iterdir()) == []


def test_an_agent_that_somebody_else_has_put_into_the_cache_is_not_run(
    open_box: Sandbox, wide: Path
) -> None:
    open_box.write("ok.sh", "#!/bin/sh\n")
    assert open_box.run("run", "ok.sh").code == 0
    (real,) = (wide / "xdg_cache_home" / "nrunner").glob("agent-*.pyz")
    shared = wide / "shared" / "nrunner"
    shared.mkdir(parents=True)
    shared.chmod(0o777)
    planted = shared / real.name
    shutil.copy(real, planted)
    with planted.open("ab") as file:
        file.write(b"planted")
    if ROOT:
        os.chown(shared, STRANGER, STRANGER)
        os.chown(planted, STRANGER, STRANGER)
    open_box.env["XDG_CACHE_HOME"] = str(shared.parent)
    open_box.write("where.sh", "#!/bin/sh\ntr '\\0' ' ' < /proc/$PPID/cmdline\n")
    assert open_box.run("run", "where.sh").code == 0
    said = (open_box.job / "test-results" / "1-where.sh" / "stdout").read_text()
    assert str(shared) not in said
    assert real.name in said
