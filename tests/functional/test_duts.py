"""The devices that tests have: what they have of their own, and that their faults are real."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.duts import Dut, bench
from tests.functional.sandbox import wait_until
from tests.lame_link import lame_link


@pytest.fixture(scope="module")
def pair() -> Iterator[list[Dut]]:
    with bench(2) as duts:
        yield duts


@pytest.fixture
def dut(pair: list[Dut]) -> Dut:
    return pair[0]


def ssh(dut: Dut, command: str, **more: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        dut.ssh(command), capture_output=True, text=True, check=False, **{"timeout": 20, **more}
    )


def banner(address: str, port: int, within: float = 5) -> bytes:
    with socket.create_connection((address, port), timeout=within) as link:
        return link.recv(64)


def test_a_device_has_a_name_a_disk_clocks_and_processes_of_its_own(pair):
    first, second = pair
    marker = Path("/tmp") / f"not-there-{os.getpid()}"
    marker.touch()
    try:
        said = ssh(first, f"uname -n; ls {marker}; cut -d. -f1 /proc/uptime; echo $$; echo 1 > /a")
    finally:
        marker.unlink()
    name, uptime, pid = said.stdout.split()
    assert "No such file" in said.stderr
    assert name == first.name
    assert int(uptime) > time.monotonic() + 900_000
    assert int(pid) < 1000
    assert (first.files(), second.files()) == (["a"], [])
    assert first.boot_id != second.boot_id
    first.path("/a").unlink()


def test_what_is_left_on_a_device_is_told(dut):
    script = "import socket, time; s = socket.socket(1); s.bind('/tmp/s'); time.sleep(99)"
    ssh(dut, f'mkdir -p /root/kept; > /root/kept/x; setsid python3 -c "{script}" >/dev/null 2>&1 &')
    wait_until(dut.sockets, "a socket")
    assert dut.left("/root/kept") == [f"python3 -c {script}", "/tmp/s", "tmp/s"]
    dut.reboot()
    assert dut.left("/root/kept") == ["tmp/s"]
    dut.run("rm", "-r", "/tmp/s", "/root/kept")
    assert dut.left() == []


def test_a_cut_link_is_silent_until_it_is_restored(pair):
    first, second = pair
    with socket.create_connection((first.address, 22), timeout=20) as link:
        link.recv(64)
        link.settimeout(0.3)
        first.cut_link()
        link.send(b"SSH-2.0-test\r\n")
        with pytest.raises(TimeoutError):
            link.recv(64)
        assert banner(second.address, 22).startswith(b"SSH-")
        first.restore_link()
        link.settimeout(20)
        assert link.recv(64)


def test_a_power_cut_ends_everything_without_a_word_and_another_boot_follows(dut):
    boot, count = dut.boot_id, dut.boots
    assert ssh(dut, "> /kept; setsid sleep 99 >/dev/null 2>&1 &").returncode == 0
    with socket.create_connection((dut.address, 22), timeout=20) as link:
        link.recv(64)
        link.settimeout(0.3)
        dut.cut_power()
        with pytest.raises(TimeoutError):
            link.recv(64)
    assert not dut.is_on
    dut.switch_on()
    assert (dut.boots, dut.left()) == (count + 1, ["kept"])
    assert ssh(dut, "rm /kept; cat /proc/sys/kernel/random/boot_id").stdout.strip() == dut.boot_id
    assert dut.boot_id != boot


def test_a_device_can_restart_itself(dut):
    count = dut.boots
    ssh(dut, "reboot")
    dut.wait_boot(count + 1)
    assert ssh(dut, "true").returncode == 0


def test_without_its_sshd_a_device_goes_on_but_lets_nobody_in(dut):
    ssh(dut, "setsid sleep 77 >/dev/null 2>&1 &")
    wait_until(lambda: dut.processes() == ["sleep 77"], "it sleeps")
    dut.kill_sshd()
    with pytest.raises(ConnectionRefusedError):
        banner(dut.address, 22)
    assert dut.processes() == ["sleep 77"]
    dut.start_sshd()
    assert ssh(dut, "pkill sleep -f -x 'sleep 77'; true").returncode == 0


def test_another_host_key_is_noticed(dut):
    old, new = dut.swap_host_key(), dut.host_key
    dut.host_key = old
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in ssh(dut, "true").stderr
    dut.host_key = new
    assert ssh(dut, "true").returncode == 0


def test_a_full_disk_takes_nothing_until_it_is_freed(dut):
    dut.fill_disk()
    assert "No space left" in ssh(dut, "cp /etc/passwd /tmp/more").stderr
    dut.free_disk()
    assert ssh(dut, "rm /tmp/more").returncode == 0


def test_a_device_may_have_nothing_but_busybox_and_a_user_without_rights():
    with bench(1, sort="busybox", user="tester", disk="size=8m,noexec") as (dut,):
        said = ssh(dut, "id -u; pwd; cp /bin/busybox /tmp/b; /tmp/b true; python3; ls /usr")
        assert said.stdout.split() == ["1000", "/home/tester"]
        errors = [line for line in said.stderr.splitlines() if line.startswith(("sh:", "ls:"))]
        assert [line.rpartition(": ")[2] for line in errors] == [
            "Permission denied",
            "not found",
            "No such file or directory",
        ]
        size = os.statvfs(dut.path("/"))
        assert size.f_blocks * size.f_frsize == 8 << 20


def test_a_lame_link_delays_stalls_and_breaks(dut):
    with lame_link(dut.address, dut.port) as link:
        link.delay = 0.2
        began = time.monotonic()
        assert banner(link.address, link.port).startswith(b"SSH-")
        assert time.monotonic() - began >= 0.2
        link.stall()
        with pytest.raises(TimeoutError):
            banner(link.address, link.port, within=0.5)
        link.flow()
        with socket.create_connection((link.address, link.port), timeout=5) as open_link:
            assert open_link.recv(64)
            link.break_off()
            assert open_link.recv(64) == b""
        assert link.connections == 3


def test_nothing_is_left_of_devices_whose_tests_are_killed():
    script = (
        "from tests.duts import bench\n"
        "with bench(1) as (dut,):\n"
        "    print(dut._holder, dut._link, dut.key.parent, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as tests:
        holder, link, folder = tests.stdout.readline().split()
        assert Path(f"/sys/class/net/{link}").exists()
        os.kill(tests.pid, signal.SIGKILL)
        tests.wait()
        wait_until(lambda: not Path(f"/proc/{holder}").exists(), "the device's end")
        wait_until(lambda: not Path(f"/sys/class/net/{link}").exists(), "the link's end")
        assert not Path(folder).exists()
