"""``nrunner dut`` against real devices: looked at, enrolled and released."""

from __future__ import annotations

import base64
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from nrunner.cli.main import main
from nrunner.duthealth import Failed, Retired, State
from nrunner.dutmemory import DutMemory
from nrunner.inventory import Dut as Entry
from nrunner.inventory import read_inventory
from nrunner.runnable import Runnable
from tests.duts import Dut, bench, write_inventory
from tests.functional.sandbox import wait_until
from tests.functional.ssh_device import SLEEPS, WORK, left, new_site, run


@pytest.fixture(scope="module")
def pair() -> Iterator[list[Dut]]:
    with bench(2) as duts:
        yield duts


@pytest.fixture
def dut(pair: list[Dut]) -> Iterator[Dut]:
    """The first one, on which every test leaves nothing."""
    yield pair[0]
    assert left(pair) == []


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, monkeypatch: Any, job_results: Path, pair: list[Dut]) -> Path:
    del job_results
    monkeypatch.chdir(tmp_path)
    return write_inventory(tmp_path / "duts.toml", pair)


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> list[str]:
    """Run a command; return the lines it printed, those of the error last."""
    assert main(["dut", *words]) == code
    captured = capsys.readouterr()
    return [*captured.out.splitlines(), *captured.err.splitlines()]


def entry(lab: Path, dut: Dut) -> Entry:
    return next(each for each in read_inventory(lab).duts if each.name == dut.name)


def state(lab: Path, dut: Dut) -> State:
    return DutMemory().health(entry(lab, dut)).state


def test_a_device_that_is_well_is_said_to_be_step_by_step(capsys, lab, dut, pair):
    DutMemory().note(entry(lab, dut), Failed("no answer"))
    lines = said(capsys, "check")
    mine = [line.split(None, 2) for line in lines if line.split()[0] == dut.name]
    assert [words[1] for words in mine] == ["reach", "identify", "look", "lease"]
    assert mine[1][2].startswith("ssh-ed25519 SHA256:")
    assert f"MiB free in /{WORK}, load" in mine[2][2]
    assert mine[3][2] == "free"
    assert lines[-1] == "CHECKED    : 2 (2 fine)"
    assert state(lab, dut) is State.FREE


def test_what_is_wrong_is_said_and_remembered(capsys, lab, dut, pair):
    dut.kill_sshd()
    try:
        lines = said(capsys, "check", code=2)
    finally:
        dut.start_sshd()
    reason = f"could not reach {dut.name} (root@{dut.address}): Connection refused"
    told = [" ".join(line.split()) for line in lines]  # names may be of different lengths
    assert f"{dut.name} reach FAILED: {reason}" in told
    assert lines[-1] == "CHECKED    : 2 (1 fine)"
    assert state(lab, dut) is State.QUARANTINED
    assert DutMemory().health(entry(lab, dut)).reason == reason
    assert state(lab, pair[1]) is State.FREE


def test_a_check_is_there_for_programs(capsys, dut):
    assert main(["dut", "check", "--json", dut.name]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["name"], found["fine"]) == (dut.name, True)
    assert [step["name"] for step in found["steps"]] == ["reach", "identify", "look over", "lease"]


def test_a_device_without_python_is_fine_and_one_without_room_is_not(capsys, lab, tmp_path):
    with bench(1, sort="busybox") as (bare,):
        write_inventory(lab, [bare])
        lines = said(capsys, "check")
        assert ", no Python: an agent of sh, " in lines[2]
        assert lines[3].endswith("lease      free")
    with bench(1, disk="size=8m") as (small,):
        write_inventory(lab, [small])
        assert " MiB free, 32 at least" in said(capsys, "check", code=2)[2]


def unknown(lab: Path, dut: Dut) -> str:
    """Take a device's key out of the inventory; return the rest."""
    lines = [line for line in lab.read_text().splitlines() if dut.host_key not in line]
    lab.write_text("\n".join(lines) + "\n")
    return lab.read_text()


def fingerprint(dut: Dut) -> str:
    asked = ["ssh-keygen", "-lf", "-"]
    return subprocess.run(
        asked, input=dut.host_key, capture_output=True, text=True, check=True
    ).stdout.split()[1]


def test_a_device_is_enrolled_by_its_fingerprint(capsys, lab, dut):
    before = unknown(lab, dut)
    assert "(nrunner dut enrol " in said(capsys, "check", dut.name, code=2)[1]
    assert state(lab, dut) is State.FREE
    lines = said(capsys, "enrol", dut.name, "--fingerprint", "SHA256:other", code=2)
    assert lines[1] == fingerprint(dut)
    assert "that is not SHA256:other; nothing was changed" in lines[-1]
    assert "ask whether to enrol" in said(capsys, "enrol", dut.name, code=4)[-1]
    assert lab.read_text() == before
    lines = said(capsys, "enrol", dut.name, "--fingerprint", fingerprint(dut))
    assert lines[-1] == f"written into {lab}"
    assert entry(lab, dut).host_key == dut.host_key
    assert "already" in said(capsys, "enrol", dut.name)[-1]
    assert said(capsys, "check", dut.name)[-1] == "CHECKED    : 1 (1 fine)"


def test_another_key_than_the_known_one_is_refused_until_a_person_takes_it(capsys, lab, dut):
    old, logins = fingerprint(dut), dut.log.count("Accepted")
    dut.swap_host_key()
    line = said(capsys, "check", dut.name, code=2)[1]
    assert f"it shows the ssh-ed25519 host key {fingerprint(dut)}, the inventory has" in line
    assert "nothing was sent" in line
    assert state(lab, dut) is State.QUARANTINED
    assert dut.log.count("Accepted") == logins
    lines = said(capsys, "enrol", dut.name, "--yes")
    assert lines[2].startswith(f"ANOTHER one than in the inventory, {old}")
    assert entry(lab, dut).host_key == dut.host_key
    assert said(capsys, "check", dut.name)[-1] == "CHECKED    : 1 (1 fine)"


def of_a_token(path: Path) -> None:
    """Make a private key file as ``ssh-keygen -t ed25519-sk`` does; the key is in a token."""

    def string(data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + data

    public = string(b"sk-ssh-ed25519@openssh.com") + string(b"k" * 32) + string(b"ssh:")
    private = bytes(3) + b"\1" + bytes(3) + b"\1" + public + b"\1" + string(b"h" * 16)
    private += string(b"") + string(b"comment")
    private += bytes(range(1, 1 + -len(private) % 8))
    blob = b"openssh-key-v1\0" + string(b"none") * 2 + string(b"") + (1).to_bytes(4, "big")
    text = base64.encodebytes(blob + string(public) + string(private)).decode()
    path.write_text(
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{text}-----END OPENSSH PRIVATE KEY-----\n"
    )


def locked(path: Path) -> None:
    """Make a private key that has a passphrase."""
    words = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "a passphrase", "-f", str(path))
    subprocess.run(words, check=True)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda _path: None, "No such file or directory"),
        (locked, "it has a passphrase"),
        (of_a_token, "it is no private key of a sort that is known"),
    ],
    ids=["missing", "locked", "of a token"],
)
def test_a_key_that_cannot_be_used_here_is_no_fault_of_the_device(
    capsys, lab, dut, pair, tmp_path, make, why
):
    key = tmp_path / "key"
    make(key)
    first, rest = lab.read_text().split(str(dut.key), 1)
    lab.write_text(first + str(key) + rest)
    lines = said(capsys, "check", code=2)
    (failed,) = [line for line in lines if "FAILED" in line]
    assert f"FAILED: could not read the key {key} for" in failed
    assert why in failed
    assert lines[-1] == "CHECKED    : 2 (1 fine)", lines
    assert state(lab, dut) is State.FREE
    (tmp_path / "t.json").write_text('{"kind": "exec-test", "uri": "/bin/true"}')
    assert main(["run", "--spawner", "ssh", "--dut", dut.name, "t.json"]) != 0
    assert why in capsys.readouterr().out
    assert state(lab, dut) is State.FREE


def test_a_person_at_a_terminal_is_asked(lab, dut, tmp_path):
    unknown(lab, dut)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "nrunner", "dut", "enrol", dut.name]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, text=True) as asking:
        os.write(ours, b"no\n")
        out, _ = asking.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)
    assert f"Trust it as {dut.name}?" in out
    assert asking.returncode == 2
    assert dut.host_key not in lab.read_text()


def held(tmp_path: Path, dut: Dut, test: Runnable, then: Any) -> None:
    """Have a job use a device, and a test run there, while `then` is done in a thread."""
    import asyncio

    async def main() -> None:
        site = new_site(tmp_path)
        async with site.spawning(dut) as spawner:
            handle, talk = await site.opened(spawner)
            talk.run(1, test)
            await talk.hear(1, "started")
            await asyncio.to_thread(then)
            await talk.environment.close()
            await handle.destroy()

    run(main, 30)


def test_a_device_that_a_job_has_is_released_by_force_alone(capsys, lab, dut, tmp_path):
    def release() -> None:
        assert "held by job" in said(capsys, "check", dut.name)[3]
        assert state(lab, dut) is State.OWNED
        refused = said(capsys, "release", dut.name, code=2)[-1]
        assert "held by job" in refused
        assert "--force kills what holds it" in refused
        lines = said(capsys, "release", "--force", dut.name, code=4)
        assert "  sleep 1000" in lines
        assert "say --yes" in lines[-1]
        assert "sleep 1000" in dut.processes()
        lines = said(capsys, "release", "--force", "--yes", dut.name)
        assert any(line.startswith("killed ") and line.endswith(" sleep 1000") for line in lines)
        assert lines[-1] == f"RELEASED   : {dut.name}"
        wait_until(lambda: dut.processes() == [], "nothing runs there")
        assert state(lab, dut) is State.FREE

    held(tmp_path, dut, SLEEPS, release)


def test_a_device_whose_agent_does_not_answer_is_borked_until_it_is_released(
    capsys, lab, dut, tmp_path
):
    def release() -> None:
        dut.run("sh", "-c", f"rm /{WORK}/jobs/*/socket")
        assert (
            "FAILED: borked: its lease is held, and no"
            in said(capsys, "check", dut.name, code=2)[3]
        )
        assert state(lab, dut) is State.BORKED
        said(capsys, "release", "--force", "--yes", dut.name)
        wait_until(lambda: dut.processes() == [], "nothing runs there")
        assert state(lab, dut) is State.FREE

    held(tmp_path, dut, SLEEPS, release)
    dut.run("sh", "-c", f"rm -rf /{WORK}/jobs/*")


def test_a_retired_device_is_looked_at_before_it_is_put_into_service(capsys, lab, dut):
    DutMemory().note(entry(lab, dut), Retired("3 of 10 loops failed"))
    dut.fill_disk()
    lines = said(capsys, "release", dut.name, code=2)
    dut.free_disk()
    assert "has 0 MiB free, 32 at least are needed" in lines[-1]
    assert state(lab, dut) is State.RETIRED
    said(capsys, "check", dut.name)
    assert state(lab, dut) is State.RETIRED
    said(capsys, "release", dut.name)
    assert state(lab, dut) is State.FREE
    lab.write_text("[dut.x]\naddress = '192.0.2.1'\nretired = 'fan'\n")
    assert "says it is retired (fan)" in said(capsys, "release", "x", code=2)[-1]


def hooked(lab: Path, dut: Dut, **hooks: str) -> None:
    """Give a device hooks: each a script of sh."""
    lines = [f'{name} = ["sh", "-c", {json.dumps(script)}]' for name, script in hooks.items()]
    text = lab.read_text()
    lab.write_text(text.replace(f"[dut.{dut.name}]", "\n".join([f"[dut.{dut.name}]", *lines])))


def test_a_device_that_reboots_again_and_again_is_qualified(capsys, lab, dut, job_results):
    DutMemory().note(entry(lab, dut), Retired("new here"))
    boots = dut.boots
    assert "say --yes" in said(capsys, "train", dut.name, code=4)[-1]
    lines = said(capsys, "train", dut.name, "--loops", "2", "--check", "uname", "--yes")
    assert lines[0] == f"TRAINING   : {dut.name}, 2 loops by reboot"
    assert [line.partition(" in ")[0] for line in lines[1:3]] == [
        "loop 1 of 2: passed",
        "loop 2 of 2: passed",
    ]
    assert lines[3:] == ["PASSED     : 2 of 2", "QUALIFIED  : yes"]
    assert dut.boots == boots + 2
    assert state(lab, dut) is State.FREE
    assert list(job_results.glob("training*")) == []


def test_a_device_that_fails_once_is_retired_and_what_it_said_is_kept(
    capsys, lab, dut, job_results, tmp_path
):
    """Its power is switched by a hook, which does nothing the second time."""
    ours, theirs = tmp_path / "asked", tmp_path / "done"
    os.mkfifo(ours)
    os.mkfifo(theirs)
    hooked(
        lab,
        dut,
        power_cycle=f"echo on >{ours}; read answer <{theirs}; [ $answer = ok ]",
        console="echo booting; exec sleep 99",
    )

    def switch() -> None:
        for answer in ("ok", "no"):
            ours.read_text()
            if answer == "ok":
                dut.reboot()
            theirs.write_text(f"{answer}\n")

    with ThreadPoolExecutor(1) as pool:
        switching = pool.submit(switch)
        lines = said(capsys, "train", dut.name, "--loops", "2", "-y", code=1)
        switching.result()
    assert lines[0].endswith("2 loops by power_cycle")
    assert lines[2].startswith("loop 2 of 2: FAILED: could not run power_cycle of ")
    (folder,) = job_results.glob("training-*")
    assert lines[3:5] == ["PASSED     : 1 of 2", f"FAILED     : 1 (logs in {folder})"]
    assert lines[5] == "QUALIFIED  : no"
    assert [path.name for path in folder.iterdir()] == ["loop-0002"]
    assert (folder / "loop-0002" / "console.log").read_text() == "booting\n"
    assert "could not run power_cycle" in (folder / "loop-0002" / "log").read_text()
    health = DutMemory().health(entry(lab, dut))
    assert health.state is State.RETIRED
    assert health.reason.startswith("1 of 2 loops of its training failed (loop 2: could not run")
    said(capsys, "release", dut.name)


def pid(path: Path) -> str:
    """Return what a shell has written there; nothing if it has not yet."""
    return path.read_text().strip() if path.exists() else ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_training_that_is_ended_ends_the_hook_that_it_waits_for(lab, dut, tmp_path, number):
    hooked(lab, dut, power_cycle=f"echo $$ >{tmp_path}/begun; exec sleep 300")
    words = (sys.executable, "-m", "nrunner", "dut", "train", dut.name, "--yes")
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as training:
        wait_until(lambda: pid(tmp_path / "begun"), "its power is being switched")
        training.send_signal(number)
        _, said_last = training.communicate(timeout=30)
    assert (training.returncode, said_last) == (8, b"nrunner: interrupted\n")
    assert not Path(f"/proc/{pid(tmp_path / 'begun')}").exists()
