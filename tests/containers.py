"""Images for tests of containers, made of what this machine has: no registry is asked.

One has the machine's own Python, a little of its Perl and a busybox, one has the busybox alone.
Each is made once, as an archive in the cache of the tests, and imported into the storage of whoever
needs it. On a machine whose control groups are hybrid, crun is given a wrapper; nothing of the
machine's own configuration is touched. Not responsible for what is run from them.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

__all__ = [
    "LIMITS",
    "add_text",
    "as_root",
    "busybox_image",
    "containers_of",
    "image_exists",
    "make_archive",
    "make_image",
    "oci_runtime",
    "podman",
    "python_image",
]

LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096")
"""Flags of ``podman run``: what podman asks for by itself may be more than this machine grants."""

_APPLETS = (
    *("cat", "chmod", "chown", "cp", "dd", "df", "echo", "env", "false", "find", "grep", "head"),
    *("hostname", "id", "ip", "kill", "ln", "ls", "mkdir", "mkfifo", "mount", "mv", "nc", "ping"),
    *("ps", "readlink", "rm", "rmdir", "sed", "seq", "setsid", "sh", "sleep", "sort", "stat"),
    *("tail", "tar", "touch", "tr", "true", "uname", "wc", "wget", "xargs"),
)
_UNUSED = ("__pycache__", "test", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip")
_FOLDERS = ("bin", "usr/bin", "etc", "proc", "sys", "dev", "run", "root", "tmp", "var", "opt")
_PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"

_CRUN = """#!/bin/sh
# crun refuses hybrid control groups: it is shown those of version 1 alone.
exec unshare -m sh -c '
    umount /sys/fs/cgroup/unified 2>/dev/null || mount -t tmpfs none /sys/fs/cgroup/unified
    exec {crun} "$@"' sh "$@"
"""

_PLACES = """
import os, sys, sysconfig
print(os.path.realpath(sys.executable))
print("%d.%d" % sys.version_info[:2])
print(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix}))
"""


def cache_folder() -> Path:
    """Return where what takes long to make is kept; the same as in scripts/install-test-tools."""
    kept = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("NRUNNER_TEST_CACHE") or Path(kept) / "nrunner-tests")


# Asked for while the variables of the person who runs the tests are still there.
_CACHE = cache_folder()


def podman(*words: str, prefix: Sequence[str] = (), **more: object) -> str:
    """Run podman; return what it prints."""
    command = [*prefix, "podman", *words]
    done = subprocess.run(command, capture_output=True, **more)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command}: {done.stderr.decode(errors='replace')}"
    return str(done.stdout.decode()).strip()


def python_image(prefix: Sequence[str] = ()) -> str:
    """Return the name of an image with Python and busybox; `prefix` runs podman as somebody."""
    return make_image("python", _python_key(), _add_python, prefix)


def busybox_image(prefix: Sequence[str] = ()) -> str:
    """Return the name of an image without Python."""
    return make_image("busybox", _key(Path("/bin/busybox")), _add_base, prefix)


def image_exists(name: str, prefix: Sequence[str] = ()) -> bool:
    """Whether an image is in the storage."""
    command = [*prefix, "podman", "image", "exists", name]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def containers_of(job: str) -> list[str]:
    """Return what is left of a job's containers, in words."""
    words = ("--filter", f"label=nrunner.job={job}", "--format", "{{.Names}} {{.Status}}")
    return podman("ps", "--all", *words).splitlines()


@functools.lru_cache(maxsize=1)
def oci_runtime() -> str:
    """Return the OCI runtime that works here, by a name or path that podman takes."""
    unified = Path("/sys/fs/cgroup/unified/cgroup.controllers")
    if not unified.exists() or not unified.read_text().split():
        return "crun"
    wrapper = _CACHE / "oci" / "crun"
    text = _CRUN.format(crun=shutil.which("crun"))
    if not wrapper.exists() or wrapper.read_text() != text:
        wrapper.parent.mkdir(parents=True, exist_ok=True)
        with _written(wrapper) as file:
            file.write(text.encode())
        wrapper.chmod(0o755)
    return str(wrapper)


def make_image(
    kind: str, key: str, add: Callable[[tarfile.TarFile], None], prefix: Sequence[str]
) -> str:
    """Return the name of an image of what `add` adds, made if `key` is new."""
    name = f"localhost/nrunner-test-{kind}:{key}"
    if not image_exists(name, prefix):
        change = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        with make_archive(kind, key, add).open("rb") as file:
            podman("import", "-q", "-c", change, "-", name, prefix=prefix, stdin=file)
    return name


def make_archive(kind: str, key: str, add: Callable[[tarfile.TarFile], None]) -> Path:
    """Return the archive that an image is made from, made if `key` is new."""
    archive = _CACHE / "images" / f"{kind}-{key}.tar"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        with _written(archive) as whole, tarfile.open(fileobj=whole, mode="w") as tar:
            add(tar)
    return archive


@contextlib.contextmanager
def _written(path: Path) -> Iterator[io.BufferedRandom]:
    """Write a file that is there as a whole or not at all, whoever else makes it meanwhile."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w+b") as file:
        yield file
    Path(name).chmod(0o644)
    Path(name).replace(path)


def _key(*files: Path) -> str:
    told = hashlib.sha256(Path(__file__).read_bytes())
    for path in files:
        told.update(path.read_bytes())
    return told.hexdigest()[:12]


def _add_base(tar: tarfile.TarFile) -> None:
    for folder in _FOLDERS:
        entry = tarfile.TarInfo(folder)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
        tar.addfile(entry)
    add_text(tar, "etc/passwd", _PASSWD)
    add_text(tar, "etc/group", "root:x:0:\nnobody:x:65534:\n")
    tar.add("/bin/busybox", "bin/busybox", filter=as_root)
    for applet in _APPLETS:
        _add_link(tar, f"bin/{applet}", "/bin/busybox")
    _add_link(tar, "usr/bin/env", "/bin/busybox")


def _add_python(tar: tarfile.TarFile) -> None:
    """Add an interpreter with a library that has byte-code, and what examples need of Perl."""
    _add_base(tar)
    executable, version, library = _python()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "lib"
        ignored = shutil.ignore_patterns(*_UNUSED, "config-*", "site-packages", "dist-packages")
        shutil.copytree(library, copy, symlinks=True, ignore=ignored)
        words = [str(executable), "-m", "compileall", "-q", "-s", str(copy), "-p", str(library)]
        subprocess.run([*words, str(copy)], capture_output=True, check=False)
        tar.add(copy, str(library).lstrip("/"), filter=as_root)
    tar.add(executable, str(executable).lstrip("/"), filter=as_root)
    for name in ("python3", f"python{version}"):
        if executable != Path("/usr/bin") / name:
            _add_link(tar, f"usr/bin/{name}", str(executable))
    extensions = sorted((library / "lib-dynload").glob("*.so"))
    perl = Path("/usr/bin/perl")
    asked = [str(perl), "-e", 'use strict; use warnings; print join("\n", values %INC)']
    modules = subprocess.run(asked, capture_output=True, check=True, text=True).stdout.split()
    for path in (str(perl), *modules):
        tar.add(os.path.realpath(path), path.lstrip("/"), filter=as_root)
    for path in _libraries([executable, perl, *extensions]):
        tar.add(os.path.realpath(path), path.lstrip("/"), filter=as_root)


def _python_key() -> str:
    executable, _, library = _python()
    return _key(Path("/bin/busybox"), executable, library / "os.py")


@functools.lru_cache(maxsize=1)
def _python() -> tuple[Path, str, Path]:
    """Return executable, version and standard library of the system's Python, or of ours."""
    system = Path("/usr/bin/python3")
    python = system if system.exists() else Path(sys.executable)
    said = subprocess.run([python, "-I", "-c", _PLACES], capture_output=True, check=True, text=True)
    executable, version, library = said.stdout.split("\n")[:3]
    return Path(executable), version, Path(library)


def _libraries(files: Sequence[Path]) -> list[str]:
    """Return the shared libraries that files are linked with, as the loader looks for them."""
    said = subprocess.run(["ldd", *map(str, files)], capture_output=True, check=False, text=True)
    words = {word for line in said.stdout.splitlines() for word in line.split()}
    return sorted(word for word in words if word.startswith("/") and not word.endswith(":"))


def _add_link(tar: tarfile.TarFile, name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    tar.addfile(entry)


def add_text(tar: tarfile.TarFile, name: str, text: str) -> None:
    """Add a file with this content."""
    data = text.encode()
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o644
    tar.addfile(entry, io.BytesIO(data))


def as_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return an entry that belongs to root."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
