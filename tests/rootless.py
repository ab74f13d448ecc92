"""Running a program as a user without rights who has podman, for tests that run as root.

The user is made once per machine, with a home of their own. Folders that the program needs and
that the user may not enter (root's home, say) are shown to that program alone, in a namespace of
mounts of its own. Not responsible for what is run.
"""

from __future__ import annotations

import functools
import os
import pwd
import shlex
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["USER", "as_pytest", "as_user", "cache_of_user"]

USER = "nrunner-test"
_STORAGE = '[storage]\ndriver = "overlay"\n'
_ROOT = Path(__file__).resolve().parent.parent


def as_user(*words: str, **environ: str) -> list[str]:
    """Return the command that runs `words` as the user, with these variables."""
    home, runtime = _user()
    variables = {
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(runtime),
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        **environ,
    }
    settings = [f"{name}={value}" for name, value in variables.items()]
    command = shlex.join(["runuser", "-u", USER, "--", "env", "-i", *settings, *words])
    return ["unshare", "--mount", "sh", "-ec", f"{_shown()}\ncd {home}\nexec {command}"]


def as_pytest(*words: str) -> list[str]:
    """Return the command that runs tests of this suite as the user."""
    options = ("-q", "-p", "no:cacheprovider", f"--rootdir={_ROOT}", f"-c{_ROOT / 'setup.cfg'}")
    return as_user(
        sys.executable, "-m", "pytest", *options, *words, NRUNNER_TEST_CACHE=cache_of_user()
    )


def cache_of_user() -> str:
    """Return where the user keeps what takes long to make."""
    return str(_user()[0] / ".cache" / "nrunner-tests")


@functools.lru_cache(maxsize=1)
def _user() -> tuple[Path, Path]:
    """Return the user's home and runtime folder, made if they are not there."""
    try:
        entry = pwd.getpwnam(USER)
    except KeyError:
        subprocess.run(["useradd", "--create-home", USER], check=True)
        entry = pwd.getpwnam(USER)
    home, runtime = Path(entry.pw_dir), Path(f"/run/{USER}")
    config = home / ".config" / "containers" / "storage.conf"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(_STORAGE)
    runtime.mkdir(exist_ok=True)
    runtime.chmod(0o700)
    for path in (runtime, config, config.parent, config.parent.parent):
        os.chown(path, entry.pw_uid, entry.pw_gid)
    return home, runtime


def _shown() -> str:
    """Return a script that shows what the program needs, and nothing else of closed folders."""
    wanted = {Path(each).resolve() for each in (_ROOT, sys.prefix, sys.base_prefix)}
    closed = {found for path in wanted if (found := _closed_above(path)) is not None}
    # What is mounted in here is gone with the program.
    lines = ["mount --make-rprivate /", "mount -t tmpfs -o mode=755 tmpfs /mnt"]
    for number, folder in enumerate(sorted(closed)):
        inside = sorted(path for path in wanted if path.is_relative_to(folder))
        for index, path in enumerate(inside):
            lines += [f"mkdir -p /mnt/{number}-{index}"]
            lines += [f"mount --bind {shlex.quote(str(path))} /mnt/{number}-{index}"]
        lines += [f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(str(folder))}"]
        for index, path in enumerate(inside):
            lines += [f"mkdir -p {shlex.quote(str(path))}"]
            lines += [f"mount --bind /mnt/{number}-{index} {shlex.quote(str(path))}"]
    return "\n".join(lines)


def _closed_above(path: Path) -> Path | None:
    """Return the highest folder on the way to a path that others may not enter."""
    above: Sequence[Path] = [path, *path.parents][::-1]
    return next((each for each in above if not each.stat().st_mode & stat.S_IXOTH), None)
