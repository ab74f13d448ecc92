"""Devices under test, for tests: real sshds, each with a disk, a network and a power switch.

A device is a set of namespaces of this machine: of mounts (its disk is a small file system in
memory, and nothing of ours is to be seen there), of network (one link, with an address of its
own), of processes (a power cut ends them all), of time (its uptime is another). It exists for as
long as the process of the tests does, however that ends. Needs root.

    with bench(3) as duts:
        duts[0].cut_link()

Not responsible for nrunner: what a test starts there, and whether that is gone in the end, is the
test's affair. `tests.lame_link` has links that are slow.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import select
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nrunner.runners.procfs import Process, children_of, command_of, snapshot

__all__ = ["Dut", "bench", "write_inventory"]

WITHIN = 20.0
"""Seconds after which a device does not do what it has to do."""

_SCRIPT = Path(__file__).with_name("dut.sh")
_PASSWD = """root:x:0:0:root:/root:/bin/sh
sshd:x:100:65534::/run/sshd:/bin/false
tester:x:1000:1000::/home/tester:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
"""
_GROUP = "root:x:0:\ntester:x:1000:\nnogroup:x:65534:\n"
_SSHD = """Port 22
HostKey /run/dut/host_key
PidFile /run/sshd.pid
AuthorizedKeysFile /run/dut/key.pub
ChrootDirectory /run/disk
StrictModes no
UsePAM no
UseDNS no
PasswordAuthentication no
PrintMotd no
SetEnv PATH=/opt/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
Subsystem sftp internal-sftp
"""
_FRESH = itertools.count(1)
_LOCKS: list[socket.socket] = []


@dataclass
class Dut:
    """One device. Its faults are real; each method returns once its doing has taken effect."""

    name: str
    address: str
    host_key: str
    key: Path
    """The private key that it lets in."""
    _chassis: subprocess.Popen[bytes] = field(repr=False)
    _link: str
    port: int = 22
    user: str = "root"
    tags: tuple[str, ...] = ()
    _before: frozenset[str] = field(default=frozenset(), repr=False)

    # What is there.

    @property
    def is_on(self) -> bool:
        """Whether it has power and has started up."""
        return self._inside("/run/dut/up").exists()

    @property
    def boots(self) -> int:
        """How often it has started up, by itself or not."""
        return int(self._inside("/run/dut/boots").read_text())

    @property
    def boot_id(self) -> str:
        """What it takes for the id of its boot."""
        return self._inside("/run/dut/boot_id").read_text().strip()

    @property
    def log(self) -> str:
        """What its sshd has to say, over all boots."""
        return self._inside("/run/dut/log").read_text()

    def path(self, path: str) -> Path:
        """Return where a path of the device can be read and written from here."""
        return Path(f"/proc/{self._init() or self._holder}/root/run/disk") / path.lstrip("/")

    def run(self, *words: str, check: bool = True) -> str:
        """Run a command there without SSH; return what it prints."""
        inside = ["chroot", "/run/disk", *words]
        done = subprocess.run(
            ["nsenter", "--target", str(self._init()), "--all", *inside],
            capture_output=True,
            text=True,
            timeout=WITHIN,
            cwd="/",
            check=False,
            env={"PATH": "/opt/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"},
        )
        assert not check or done.returncode == 0, f"{self.name}: {words}: {done.stderr}"
        return done.stdout

    def ssh(self, command: str) -> list[str]:
        """Return the words that run a command there by OpenSSH, which knows the host key."""
        known = self.key.with_name(f"known-{self.name}")
        known.write_text(f"{self.address} {self.host_key}\n")
        options = ("BatchMode=yes", "IdentitiesOnly=yes", f"UserKnownHostsFile={known}")
        chosen = [word for each in options for word in ("-o", each)]
        login = f"{self.user}@{self.address}"
        return ["ssh", "-F", "none", "-i", str(self.key), *chosen, login, command]

    def processes(self) -> list[str]:
        """Return the commands of all that runs there, but for sshd and the first process."""
        init = self._init()
        if init is None:
            return []
        keeper = self._inside("/run/dut/keeper").read_text().strip()
        found = [each.pid for each in _descendants(init) if not _is_sshd(each.pid)]
        return [command_of(pid) for pid in found if _ids(pid)[-1:] not in ([keeper], [])]

    def files(self) -> list[str]:
        """Return what is on its disk (and in its memory) since it was first switched on."""
        return sorted(self._stored() - self._before)

    def sockets(self) -> list[str]:
        """Return names of the unix sockets that are bound, and TCP ports that listen."""
        init = self._init()
        if init is None:
            return []
        lines = [each.split() for each in Path(f"/proc/{init}/net/unix").read_text().splitlines()]
        found = [words[7] for words in lines[1:] if len(words) > 7]
        for name in ("tcp", "tcp6"):
            for line in Path(f"/proc/{init}/net/{name}").read_text().splitlines()[1:]:
                words = line.split()
                port = int(words[1].rpartition(":")[2], 16)
                if words[3] == "0A" and port != self.port:
                    found.append(f"{name}:{port}")
        return sorted(found)

    def left(self, *spared: str) -> list[str]:
        """Return whatever is there, but for files at or below the paths that are spared."""
        kept = tuple(path.strip("/") for path in spared)
        files = [
            path
            for path in self.files()
            if not any(path == each or f"{path}/".startswith(f"{each}/") for each in kept)
        ]
        above = {str(parent) for each in kept for parent in Path(each).parents}
        return [*self.processes(), *self.sockets(), *(f for f in files if f not in above)]

    # What can go wrong.

    def cut_link(self) -> None:
        """Make it unreachable: what is sent is lost, and nobody is told."""
        self._ip("link", "set", "eth0", "down")

    def restore_link(self) -> None:
        """Make it reachable again."""
        self._ip("link", "set", "eth0", "up")

    def kill_sshd(self) -> None:
        """Kill sshd and its sessions; what they have started goes on."""

        def sshds() -> list[int]:
            return [each.pid for each in _descendants(self._init() or 0) if _is_sshd(each.pid)]

        def gone() -> bool:
            for pid in (found := sshds()):  # again and again: it may be about to fork
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not found

        _wait(gone, "sshd to be gone")

    def start_sshd(self) -> None:
        """Start sshd anew, for instance with another host key."""
        self._inside("/run/sshd.pid").unlink(missing_ok=True)
        words = ["/usr/sbin/sshd", "-E", "/run/dut/log", "-f", "/run/dut/sshd_config"]
        subprocess.run(["nsenter", "-t", str(self._init()), "--all", *words], check=True, cwd="/")
        _wait(lambda: self._inside("/run/sshd.pid").exists(), "sshd to listen")

    def swap_host_key(self) -> str:
        """Give it another host key, as if another machine stood there; return its old one."""
        old, (private, self.host_key) = self.host_key, _new_key(self.name)
        self._inside("/run/dut/host_key").write_bytes(private)
        self.kill_sshd()
        self.start_sshd()
        return old

    def restart_sshd(self) -> None:
        """Kill sshd and its sessions, then start it."""
        self.kill_sshd()
        self.start_sshd()

    def cut_power(self) -> None:
        """End all that runs there, without a word on the wire. Its disk stays as it is."""
        self._say("cut")

    def switch_on(self) -> None:
        """Start it up: another boot, with another id."""
        self._say("on")
        said = self._inside("/run/dut/powered").read_text()
        assert self.is_on, f"{self.name} does not start: {said}"

    def reboot(self) -> None:
        """Cut its power and switch it on."""
        self.cut_power()
        self.switch_on()

    def wait_boot(self, count: int) -> None:
        """Wait until it has started so often: it may restart itself (``reboot``)."""
        _wait(lambda: self.boots >= count and self.is_on, f"boot {count}")

    def fill_disk(self, leave: int = 0) -> None:
        """Leave so many bytes of its disk free."""
        path = self.path("/filler")
        free = os.statvfs(path.parent)
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - leave)

    def free_disk(self) -> None:
        """Take back what filled its disk."""
        self.path("/filler").unlink()

    # How it is done.

    @functools.cached_property
    def _holder(self) -> int:
        """The process that holds all of it: the first in its outer namespace."""
        return children_of(self._chassis.pid)[0]

    def _inside(self, path: str) -> Path:
        return Path(f"/proc/{self._holder}/root{path}")

    def _init(self) -> int | None:
        """Return the first process of the device itself, while it has power."""
        depth = len(_ids(self._holder)) + 1
        for each in _descendants(self._holder):
            ids = _ids(each.pid)
            if len(ids) == depth and ids[-1] == "1":
                return each.pid
        return None

    def _stored(self) -> frozenset[str]:
        top = self.path("/")
        devices = {(top / each).stat().st_dev for each in (".", "run", "dev/shm")}
        found: set[str] = set()
        for folder, names, files in os.walk(top, followlinks=False):
            here = Path(folder)
            names[:] = [name for name in names if (here / name).lstat().st_dev in devices]
            found |= {str((here / name).relative_to(top)) for name in (*names, *files)}
        return frozenset(found)

    def _ip(self, *words: str) -> None:
        net = f"--net=/proc/{self._holder}/ns/net"
        subprocess.run(["nsenter", net, "ip", *words], check=True, timeout=WITHIN)

    def _say(self, word: str) -> None:
        assert self._chassis.stdin is not None
        self._chassis.stdin.write(f"{word}\n".encode())
        self._chassis.stdin.flush()
        self._hear()

    def _hear(self) -> None:
        out = self._chassis.stdout
        assert out is not None
        readable, _, _ = select.select([out], [], [], WITHIN)
        said = out.readline() if readable else b"nothing"
        assert said == b"done\n", f"{self.name}: said {said!r} instead of being done"

    def _plug_in(self, here: str) -> None:
        """Connect it with this machine, which has the address `here` on the link."""
        peer = f"peer name eth0 netns {self._holder}"
        commands = (
            f"link add {self._link} type veth {peer}",
            f"addr add {here}/30 dev {self._link}",
            f"link set {self._link} up",
        )
        _batch(commands)
        self._say("address")

    def _take_away(self) -> None:
        assert self._chassis.stdin is not None
        self._chassis.stdin.close()
        try:
            self._chassis.wait(WITHIN)
        finally:
            self._chassis.kill()
            self._chassis.wait()
            self._chassis.stdout.close()  # type: ignore[union-attr]
        # It goes by itself, but not at once, and the next device may have its address.
        _batch([f"link del {self._link}"], check=False)


@contextlib.contextmanager
def bench(
    count: int = 1,
    *,
    sort: str = "whole",
    disk: str = "size=64m",
    user: str = "root",
    shown: Sequence[str] = (),
    sshd: Sequence[str] = (),
    downtime: float = 0.2,
) -> Iterator[list[Dut]]:
    """Give so many devices, switched on; take them away in the end, whatever happens.

    A ``whole`` one has what this machine has in ``/usr`` and in the folders that are `shown`; one
    of ``busybox`` has that alone. `disk` has options of its file system: its size, ``noexec``.
    `user` (root or tester) is who logs in. `sshd` has lines for its configuration, which come
    before ours. A reboot takes `downtime` seconds.
    """
    assert os.geteuid() == 0, "devices for tests are namespaces of this machine: needs root"
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nrunner-duts-")))
        duts = []
        for _ in range(count):
            number = next(_FRESH)
            made = folder / str(number)
            made.mkdir()
            (made / "sshd_config").write_text("".join(f"{each}\n" for each in sshd) + _SSHD)
            environ = {
                "DUT_SORT": sort,
                "DUT_DISK": disk,
                "DUT_SHOWN": " ".join(shown),
                "DUT_DOWNTIME": str(downtime),
            }
            here, address = _addresses(number)
            dut = _make(made, f"dut{number}", address, environ)
            dut.user = user
            stack.callback(dut._take_away)
            dut._hear()
            dut._plug_in(here)
            duts.append(dut)
        for dut in duts:
            dut.switch_on()
            dut._before = dut._stored()
        yield duts


def write_inventory(path: Path, duts: Sequence[Dut]) -> Path:
    """Write a ``duts.toml`` of these devices."""
    lines = []
    for dut in duts:
        lines += [
            f"[dut.{dut.name}]",
            f'address = "{dut.address}"',
            f"port = {dut.port}",
            f'user = "{dut.user}"',
            f'key = "{dut.key}"',
            f'host_key = "{dut.host_key}"',
            f"tags = [{', '.join(repr(tag) for tag in dut.tags)}]",
            "",
        ]
    path.write_text("\n".join(lines))
    return path


def _make(folder: Path, name: str, address: str, environ: dict[str, str]) -> Dut:
    private, host_key = _new_key(name)
    (folder / "host_key").write_bytes(private)
    (folder / "host_key").chmod(0o600)
    private, public = _new_key("tests")
    key = folder.parent / f"key-{name}"
    key.write_bytes(private)
    key.chmod(0o600)
    (folder / "key.pub").write_text(f"{public}\n")
    (folder / "passwd").write_text(_PASSWD)
    (folder / "group").write_text(_GROUP)
    (folder / "dut.sh").write_text(_SCRIPT.read_text())
    spaces = ("--mount", "--net", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")
    chassis = subprocess.Popen(
        ["unshare", *spaces, "sh", "./dut.sh", "chassis"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=folder,
        env={
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "DUT_NAME": name,
            "DUT_FOLDER": str(folder.parent),
            "DUT_ADDRESS": f"{address}/30",
            # Seconds that its clocks are ahead of ours: nobody may compare them.
            "DUT_UPTIME": "1000000",
            **environ,
        },
    )
    return Dut(name, address, host_key, key, chassis, f"nr{os.getpid():x}.{name[3:]}")


def _new_key(comment: str) -> tuple[bytes, str]:
    """Return a private key, and the public one as sort and text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "key"
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
        subprocess.run(words, check=True, timeout=WITHIN)
        public = path.with_suffix(".pub").read_text().split()
        return path.read_bytes(), " ".join(public[:2])


def _addresses(number: int) -> tuple[str, str]:
    """Return addresses for our end of a link and the device's."""
    first = 4 * (number % 64)
    return f"{_network()}.{first + 1}", f"{_network()}.{first + 2}"


@functools.lru_cache(maxsize=1)
def _network() -> str:
    """Return a network of the range for benchmarks that is this process's until it ends."""
    for turn in range(256):
        number = (os.getpid() + turn) % 256
        lock = socket.socket(socket.AF_UNIX)
        try:
            lock.bind(f"\0nrunner-test-network-{number}")
        except OSError:
            lock.close()
        else:
            _LOCKS.append(lock)
            return f"198.18.{number}"
    raise AssertionError("256 processes run tests with devices")


def _batch(commands: Sequence[str], check: bool = True) -> None:
    text = "".join(f"{command}\n" for command in commands)
    done = subprocess.run(
        ["ip", "-batch", "-"], input=text, capture_output=True, text=True, timeout=WITHIN
    )
    assert not check or done.returncode == 0, f"{commands}: {done.stderr}"


def _wait(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WITHIN
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def _descendants(top: int) -> list[Process]:
    """Return what runs below a process, nearest first."""
    found, seen = snapshot(), [top]
    for pid in seen:
        seen += [each.pid for each in found.values() if each.parent == pid]
    return [found[pid] for pid in seen[1:] if found[pid].is_alive]


def _ids(pid: int) -> list[str]:
    """Return the ids of a process, from our namespace to the innermost."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return []
    return next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]


def _is_sshd(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().startswith("sshd")
    except OSError:
        return False
