"""Distributions for tests: apt with packages and a database of its own, and imitations of others.

The apt is the machine's, with a root folder, a repository and locks of its own, so nothing of the
machine changes. The others are scripts that print what those managers print.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

# name of the manager: what it says of a lock, with its status; of an unknown package; how a version
# is written; the words that mean refresh and remove; what the query prints.
_SPEECH = {
    "dnf": (
        "Existing lock /var/cache/dnf/metadata_lock.pid: another copy is running as pid 12.",
        200,
        "Error: Unable to find a match: $name",
        "makecache",
        "remove",
    ),
    "zypper": (
        "System management is locked by the application with pid 12 (zypper).",
        7,
        "'$name' not found in package names. Trying capabilities.\nNo provider of '$name' found.",
        "refresh",
        "remove",
    ),
    "pacman": (
        "error: failed to init transaction (unable to lock database)",
        1,
        "error: target not found: $name",
        "-Sy",
        "-R",
    ),
    "apk": (
        "ERROR: Unable to lock database: Resource temporarily unavailable",
        99,
        "ERROR: unable to select packages:\n  $name (no such package):",
        "update",
        "del",
    ),
}

_MANAGER = """#!/bin/sh
cd {state}
name=$2
case "{name} $1" in
    "pacman -Q")
        [ -e "installed/$name" ] || {{ echo "error: package '$name' was not found"; exit 1; }}
        echo "$name $(cat "installed/$name")"; exit ;;
    "apk list")
        [ ! -e "installed/$3" ] || echo "$3-$(cat "installed/$3") x86_64 {{o}} (MIT) [installed]"
        exit ;;
esac
echo "{name} $*" >> calls
if [ -e locked ]; then echo "{locked}"; exit {status}; fi
verb=install
for word in "$@"; do
    case $word in
        {refresh}) cp upstream known; exit ;;
        {remove}) verb=remove ;;
        -*|install|add|y) continue ;;
        *) name=${{word%%[=]*}}; name=${{name%%-[0-9]*}}
            if [ $verb = remove ]; then rm -f "installed/$name"; continue; fi
            version=$(grep "^$name " known) || {{ echo "{unknown}"; exit 104; }}
            echo "${{version#* }}" > "installed/$name" ;;
    esac
done
"""

_RPM = """#!/bin/sh
[ -e "{state}/installed/$4" ] || {{ echo "package $4 is not installed"; exit 1; }}
cat "{state}/installed/$4"
"""
_SUDO = '#!/bin/sh\nshift\nexec "$@"\n'
_TOOLS = ("sh", "true", "cp", "cat", "rm", "grep", "env", "touch")


class Imitation:
    """A package manager that is a script, and what it has: ``tree`` at 2.1-3 in its repository."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.state = folder / "state"
        (self.state / "installed").mkdir(parents=True)
        (self.state / "upstream").write_text("tree 2.1-3\nhello 1.0-1\n")
        (self.state / "known").write_text("hello 1.0-1\n")
        self.bin = folder / "bin"
        self.bin.mkdir()
        for tool in _TOOLS:
            (self.bin / tool).symlink_to(str(shutil.which(tool)))
        locked, status, unknown, refresh, remove = _SPEECH[name]
        self._plug_in(
            name,
            _MANAGER.format(
                state=self.state,
                name=name,
                locked=locked,
                status=status,
                unknown=unknown,
                refresh=refresh,
                remove=remove,
            ),
        )
        self._plug_in("rpm", _RPM.format(state=self.state))
        self._plug_in("sudo", _SUDO)

    def _plug_in(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    @property
    def calls(self) -> list[str]:
        """The commands that were given to change something."""
        path = self.state / "calls"
        return path.read_text().splitlines() if path.exists() else []


class Apt:
    """The machine's apt, with everything of its own: root, database, repository, locks."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.root = folder / "root"
        self.repository = folder / "repository"
        self.admin = self.root / "var/lib/dpkg"
        for each in (self.repository, self.admin / "updates", self.admin / "info"):
            each.mkdir(parents=True)
        for name in ("lists/partial", "cache/archives/partial", "bin"):
            (folder / name).mkdir(parents=True)
        (self.admin / "status").touch()
        (self.admin / "available").touch()
        (folder / "sources.list").write_text(f"deb [trusted=yes] file:{self.repository} ./\n")
        (folder / "apt.conf").write_text(
            f'Dir::Etc::sourcelist "{folder}/sources.list";\nDir::Etc::sourceparts "/dev/null";\n'
            f'Dir::Etc::parts "/dev/null";\nDir::Etc::main "/dev/null";\n'
            f'Dir::State "{folder}";\nDir::State::lists "{folder}/lists";\n'
            f'Dir::State::status "{self.admin}/status";\nDir::Cache "{folder}/cache";\n'
            f'Dir::Log "{folder}";\nAPT::Sandbox::User "";\n'
            f'DPkg::Options:: "--root={self.root}";\nDPkg::Options:: "--force-not-root";\n'
            'DPkg::Options:: "--force-bad-path";\nAPT::Architecture "amd64";\n'
            'DPkg::Post-Invoke:: "true";\n'
        )
        (folder / "bin/sudo").write_text(_SUDO)
        (folder / "bin/sudo").chmod(0o755)
        self._stanzas: list[str] = []

    @property
    def env(self) -> dict[str, str]:
        """Variables with which apt and dpkg-query are these."""
        path = f"{self.folder}/bin:{os.environ['PATH']}"
        config = f"{self.folder}/apt.conf"
        return {"APT_CONFIG": config, "DPKG_ADMINDIR": str(self.admin), "PATH": path}

    def publish(self, name: str, version: str, more: str = "") -> None:
        """Put a package into the repository; nobody knows it before a refresh."""
        tree = self.folder / f"{name}-{version}"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "usr/share" / name).mkdir(parents=True)
        (tree / "usr/share" / name / "version").write_text(version)
        control = (
            f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: nobody <n@o>\n"
            f"{more}Description: for tests\n"
        )
        (tree / "DEBIAN/control").write_text(control)
        file = self.repository / f"{name}_{version}_all.deb"
        build = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(file)]
        subprocess.run(build, check=True, capture_output=True)
        data = file.read_bytes()
        self._stanzas.append(
            f"{control}Filename: ./{file.name}\nSize: {len(data)}\n"
            f"SHA256: {hashlib.sha256(data).hexdigest()}\n"
        )
        (self.repository / "Packages").write_text("\n".join(self._stanzas))

    def installed(self, name: str) -> str:
        """Return the version of a package whose files are there, "" if they are not."""
        path = self.root / "usr/share" / name / "version"
        return path.read_text() if path.exists() else ""
