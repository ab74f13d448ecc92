"""A Debian image with apt and Python, made from the packages that this machine has installed.

Holds what is essential, with the list of packages that dpkg keeps, so that apt and dpkg work as in
any Debian. There is one source of packages: a folder in the image with two small ones of our own,
which nobody has installed. Not responsible for anything on other systems than Debian.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.containers import add_text, as_root, make_archive, make_image

__all__ = ["PACKAGES", "debian_archive", "debian_image"]

PACKAGES = ("nrunner-test-one", "nrunner-test-two")
"""Packages that can be installed in the image: each brings a file /usr/share/NAME/here."""
_WANTED = ("apt", "python3", "gpgv")
_REPOSITORY = "srv/repository"
_SOURCE = f"deb [trusted=yes] file:/{_REPOSITORY} ./\n"
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_UNUSED = re.compile(r"/usr/share/(?:doc|man|locale|info|lintian|bug)/")
_STATUS = Path("/var/lib/dpkg/status")
_FOLDERS = (
    *("dev", "etc", "proc", "root", "run", "srv", "sys", "usr", "var/lib/dpkg/info"),
    *("var/lib/dpkg/updates", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial"),
    *("var/lib/dpkg/triggers", "var/log/apt", "etc/apt/apt.conf.d", "etc/apt/preferences.d"),
)


def debian_image(prefix: Sequence[str] = ()) -> str:
    """Return the name of the image; `prefix` runs podman as somebody."""
    return make_image("debian", _key(), _add_all, prefix)


def debian_archive() -> Path:
    """Return the archive that the image is made from: all files of a small Debian."""
    return make_archive("debian", _key(), _add_all)


def _key() -> str:
    return hashlib.sha256(Path(__file__).read_bytes() + _STATUS.read_bytes()).hexdigest()[:12]


def _add_all(tar: tarfile.TarFile) -> None:
    stanzas = _stanzas()
    names = _closure(stanzas)
    seen: set[str] = set()
    for folder in (*_FOLDERS, "tmp", "var/tmp"):
        _add_folder(tar, folder, 0o1777 if folder.endswith("tmp") else 0o755)
        seen.add("/" + folder)
    for name in _MERGED:
        if Path("/", name).is_symlink():
            tar.add(f"/{name}", name, filter=as_root)
    for path in _files(sorted(names)):
        _add(tar, path, seen)
    for path in ("/etc/ld.so.cache", *_alternatives(seen)):
        _add(tar, path, seen)
    for info in sorted(Path("/var/lib/dpkg/info").iterdir()):
        if {info.name.partition(":")[0], info.name.rpartition(".")[0]} & names:
            _add(tar, str(info), seen)
    add_text(tar, "var/lib/dpkg/status", "\n".join(stanzas[name] + "\n" for name in sorted(names)))
    add_text(tar, "var/lib/dpkg/info/format", "1\n")
    masters = Path("/usr/share/base-passwd")
    users = (masters / "passwd.master").read_text() + "_apt:*:42:65534::/nonexistent:/bin/false\n"
    add_text(tar, "etc/passwd", users)
    add_text(tar, "etc/group", (masters / "group.master").read_text())
    add_text(tar, "etc/apt/sources.list", _SOURCE)
    _add_repository(tar)


def _stanzas() -> Mapping[str, str]:
    """Return what dpkg knows of each installed package."""
    found = {}
    for stanza in _STATUS.read_text("utf-8").strip().split("\n\n"):
        if "\nStatus: install ok installed\n" in stanza:
            found[_field(stanza, "Package")] = stanza.strip()
    return found


def _field(stanza: str, name: str) -> str:
    match = re.search(rf"^{name}: (.*)$", stanza, re.MULTILINE)
    return match[1] if match else ""


def _closure(stanzas: Mapping[str, str]) -> set[str]:
    """Return the essential packages, those that are wanted, and all that these depend on."""
    provided: dict[str, str] = {}
    for name, stanza in stanzas.items():
        for word in re.findall(r"[a-z0-9][a-z0-9+.-]+", _field(stanza, "Provides")):
            provided.setdefault(word, name)
    essential = (name for name in stanzas if _field(stanzas[name], "Essential") == "yes")
    waiting, found = [*_WANTED, *essential], set()
    while waiting:
        name = waiting.pop()
        name = name if name in stanzas else provided.get(name, "")
        if name and name not in found:
            found.add(name)
            depends = f"{_field(stanzas[name], 'Pre-Depends')}, {_field(stanzas[name], 'Depends')}"
            waiting += re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]+)", depends)
    return found


def _files(names: Sequence[str]) -> Iterator[str]:
    said = subprocess.run(["dpkg", "-L", *names], capture_output=True, check=True, text=True)
    yield from sorted({each for each in said.stdout.splitlines() if each.startswith("/")})


def _alternatives(seen: set[str]) -> Iterator[str]:
    """Yield the links by which one of several programs has a name that all share."""
    for link in sorted(Path("/etc/alternatives").iterdir()):
        if os.path.realpath(link) in seen:
            yield str(link)
            yield from (
                str(path)
                for path in (Path("/usr/bin", link.name), Path("/usr/sbin", link.name))
                if path.is_symlink()
            )


def _add(tar: tarfile.TarFile, path: str, seen: set[str]) -> None:
    # As it is called on a disk where /bin is in /usr.
    place = str(Path(path).parent.resolve() / Path(path).name)
    if place in seen or place == "/" or place[1:] in _MERGED or _UNUSED.match(place + "/"):
        return
    if os.path.lexists(place):
        seen.add(place)
        tar.add(place, place[1:], recursive=False, filter=as_root)


def _add_folder(tar: tarfile.TarFile, name: str, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    tar.addfile(entry)


def _add_repository(tar: tarfile.TarFile) -> None:
    index = []
    with tempfile.TemporaryDirectory() as folder:
        for name in PACKAGES:
            control = (
                f"Package: {name}\nVersion: 1\nArchitecture: all\n"
                "Maintainer: nobody <nobody@localhost>\nDescription: for tests\n"
            )
            root = Path(folder, name)
            for path, text in (
                (root / "DEBIAN" / "control", control),
                (root / "usr" / "share" / name / "here", "here\n"),
            ):
                path.parent.mkdir(parents=True)
                path.write_text(text)
            built = Path(folder, f"{name}.deb")
            words = ["dpkg-deb", "--root-owner-group", "--build", str(root), str(built)]
            subprocess.run(words, check=True, capture_output=True)
            data = built.read_bytes()
            entry = tarfile.TarInfo(f"{_REPOSITORY}/{built.name}")
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
            told = hashlib.sha256(data).hexdigest()
            index.append(f"{control}Filename: ./{built.name}\nSize: {len(data)}\nSHA256: {told}\n")
    add_text(tar, f"{_REPOSITORY}/Packages", "\n".join(index))
