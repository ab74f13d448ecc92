"""Agents on devices: how they get there, how they are held on to, and that nothing stays."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from nrunner.errors import LinkError, RequirementError, SpawnError
from nrunner.spawners.ssh.handle import DutHandle
from nrunner.spawners.ssh.spawner import SshSpawner
from tests.duts import Dut, bench
from tests.functional.ssh_device import (
    PRINTS,
    SLEEPS,
    STUBBORN,
    WORK,
    Site,
    eventually,
    left,
    new_site,
    run,
)

HELLO = base64.b64encode(b"hello\n").decode()


@pytest.fixture(scope="module")
def whole() -> Iterator[list[Dut]]:
    with bench(1) as found:
        yield found


@pytest.fixture(scope="module")
def bare() -> Iterator[list[Dut]]:
    with bench(1, sort="busybox") as found:
        yield found


@pytest.fixture
def dut(whole: list[Dut]) -> Iterator[Dut]:
    """A device on which every test leaves nothing."""
    yield whole[0]
    assert left(whole) == []


@pytest.fixture(params=["whole", "bare"])
def any_dut(request: pytest.FixtureRequest) -> Iterator[Dut]:
    """A device with Python, and one that has busybox alone."""
    found = request.getfixturevalue(request.param)
    yield found[0]
    assert left(found) == []


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return new_site(tmp_path)


def words_of(process: Path) -> bytes:
    """Return what is in a file with a command line; nothing if the process has ended."""
    try:
        return process.read_bytes()
    except OSError:
        return b""


def agents(dut: Dut) -> list[str]:
    return sorted(path.name for path in dut.path(f"{WORK}/agents").iterdir())


def test_tests_run_there_and_nothing_of_them_stays(any_dut, site):
    async def main() -> None:
        async with site.spawning(any_dut) as spawner:
            handle, talk = await site.opened(spawner)
            talk.run(1, PRINTS)
            end = await talk.hear(1, "ended")
            assert (end["result"], end["returncode"]) == ("fail", 3)
            assert [(name, text) for name, _, text in end["files"]] == [("stdout", HELLO)]
            talk.run(2, STUBBORN)
            await talk.hear(2, "started")
            await talk.environment.close()
            assert "has ended" in await handle.wait_gone()

    run(main)


def test_an_agent_that_is_there_already_is_not_copied_again(dut, site):
    async def main() -> None:
        async with site.spawning(dut) as spawner:
            for _ in range(2):
                handle, talk = await site.opened(spawner)
                made.append(dut.path(handle.address["archive"]).stat().st_ino)
                await talk.environment.close()

    made: list[int] = []
    run(main)
    assert made[0] == made[1]


def test_a_copy_that_was_cut_off_is_never_used(any_dut, site):
    async def main() -> None:
        async with site.spawning(any_dut) as spawner:
            handle, talk = await site.opened(spawner)
            await talk.environment.close()
            archive = any_dut.path(handle.address["archive"])
            whole = archive.read_bytes()
            archive.write_bytes(whole[: len(whole) // 2])
            handle, talk = await site.opened(spawner)
            assert archive.read_bytes() == whole
            await talk.environment.close()

    run(main)
    assert len(agents(any_dut)) == 1


def test_who_comes_second_is_told_who_has_the_device_since_when_and_until_when(
    any_dut, site, tmp_path
):
    other = new_site(tmp_path)

    async def main() -> None:
        async with site.spawning(any_dut) as spawner, other.spawning(any_dut) as late:
            _, talk = await site.opened(spawner)
            with pytest.raises(SpawnError) as refusal:
                await late.open(late.offers()[0].place)
            words = rf"held by job {site.job[:12]} of \S+@\S+ since [0-9:]+, until [0-9:]+ unless"
            refusal.match(words)
            await talk.environment.close()
            _, talk = await other.opened(late)
            await talk.environment.close()

    run(main)


def test_of_two_who_race_for_a_device_one_has_it(any_dut, site, tmp_path):
    rounds, most = 5, []

    def owners() -> int:
        return len([*any_dut.path(f"{WORK}/jobs").glob("*/agent")])

    async def race(racer: Site, spawner: SshSpawner) -> DutHandle | str:
        try:
            handle = await spawner.open(spawner.offers()[0].place)
        except SpawnError as error:
            return str(error)
        assert isinstance(handle, DutHandle)
        return handle

    async def watch() -> None:
        while True:
            most.append(owners())
            await asyncio.sleep(0.005)

    async def main() -> None:
        other = new_site(tmp_path)
        async with site.spawning(any_dut) as one, other.spawning(any_dut) as two:
            watching = asyncio.ensure_future(watch())
            for _ in range(rounds):
                racers = {site.job: race(site, one), other.job: race(other, two)}
                said = dict(zip(racers, await asyncio.gather(*racers.values()), strict=True))
                ((winner, handle),) = (
                    (job, each) for job, each in said.items() if isinstance(each, DutHandle)
                )
                ((refusal),) = (each for each in said.values() if isinstance(each, str))
                assert f"held by job {winner[:12]} of " in refusal
                await handle.destroy()
            watching.cancel()

    run(main, 60)
    assert max(most) == 1
    assert len(most) > rounds


def test_an_agent_that_is_left_alone_takes_everything_with_it(any_dut, site):
    async def main() -> None:
        async with site.spawning(any_dut) as spawner:
            handle, talk = await site.opened(spawner, orphan_deadline=0.3)
            talk.run(1, STUBBORN, grace=1000)
            await talk.hear(1, "started")
            spawner._devices[handle.name].abort()
            await eventually(lambda: not left([any_dut]), "the orphan to leave")

    run(main)


def test_a_reboot_is_told_from_a_lost_link_and_from_the_end_of_an_agent(site):
    async def main() -> None:
        async with site.spawning(*found) as spawner:
            handle, talk = await site.opened(spawner)
            spawner._devices[handle.name].abort()
            await talk.environment._connect()  # the link was lost, and nothing else
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await handle.wait_gone()
            found[0].reboot()
            with pytest.raises(LinkError, match="has rebooted"):
                await talk.environment._connect()
            assert "has rebooted" in await handle.wait_gone()
            await handle.destroy()
            assert left(found) == []
            handle, talk = await site.opened(spawner)
            for process in found[0].path("/proc").glob("[0-9]*/cmdline"):
                if b"dut\0start" in words_of(process):
                    found[0].run("kill", "-9", process.parent.name, check=False)
            assert "has ended" in await handle.wait_gone()
            await handle.destroy()

    with bench(1) as found:
        run(main)
        assert left(found) == []


def test_another_machine_in_its_place_is_refused_and_hears_nothing(site):
    async def main() -> None:
        async with site.spawning(*found) as spawner:
            handle, talk = await site.opened(spawner)
            old = found[0].swap_host_key()
            logins = found[0].log.count("Accepted")
            with pytest.raises(LinkError, match=r"shows the ssh-ed25519 host key SHA256:\S+, the"):
                await talk.environment._connect()
            assert "another machine answers" in await handle.wait_gone()
            with pytest.raises(SpawnError, match="nothing was sent"):
                async with new_site(site.folder).spawning(*found, host_key=old) as late:
                    await late.open(late.offers()[0].place)
            assert found[0].log.count("Accepted") == logins
            await handle.destroy()

    with bench(1) as found:
        run(main)


def test_a_device_that_was_taken_from_a_job_says_who_has_it_now(any_dut, site, tmp_path):
    other = new_site(tmp_path)

    async def main() -> None:
        async with site.spawning(any_dut) as spawner, other.spawning(any_dut) as late:
            handle, talk = await site.opened(spawner)
            holding = asyncio.ensure_future(talk.environment.wait_gone())
            talk.run(1, SLEEPS)
            await talk.hear(1, "started")
            device = spawner._devices[handle.name]
            archive, work = handle.address["archive"], device.survey.work
            answer = await device.ask(archive, "release", work)
            assert any("sleep 1000" in each for each in answer.fields["ended"])
            assert answer.fields["held"] is False
            assert "has ended" in await holding
            _, newer = await other.opened(late)
            later = await spawner.adopt(handle.name, handle.address)
            assert f"taken from this job: it is held by job {other.job[:12]}" in (
                await later.wait_gone()
            )
            await newer.environment.close()
            await handle.destroy()

    run(main)


def test_a_later_controller_takes_over_what_runs(any_dut, site):
    async def main() -> None:
        async with site.spawning(any_dut) as spawner:
            handle, talk = await site.opened(spawner)
            talk.run(1, SLEEPS)
            await talk.hear(1, "started")
            spawner._devices[handle.name].abort()
        async with site.spawning(any_dut) as later:
            found = await later.adopt(handle.name, handle.address)
            newer = site.talk(found, epoch=2, adopts=True)
            await newer.environment.open()
            newer.cancel(1)
            assert (await newer.hear(1, "ended"))["stop"] == "cancelled"
            former = site.talk(found, epoch=1)
            with pytest.raises(LinkError, match="epoch 1 is older"):
                await former.environment.open()
            await newer.environment.close()

    run(main)


@pytest.mark.parametrize(
    ("sort", "complaint"),
    [
        (
            "size=64m,noexec",
            r"nothing in its work folder /root/.cache/nrunner-dut can be executed",
        ),
        ("size=8m", r"has \d+ MiB free, 32 at least are needed"),
    ],
)
def test_a_device_that_will_not_do_is_refused_with_what_would(site, sort, complaint):
    async def main() -> None:
        async with site.spawning(*found) as spawner:
            with pytest.raises(SpawnError, match=complaint):
                await spawner.open(spawner.offers()[0].place)

    with bench(1, disk=sort) as found:
        run(main)
        assert [each for each in left(found) if "nrunner-dut/" in each] == []


def test_files_are_put_where_there_is_no_python(bare, site):
    async def main() -> None:
        async with site.spawning(*bare) as spawner:
            handle, talk = await site.opened(spawner)
            root = f"{handle.folder}/tree it's"
            here = talk.environment
            files = {"root": root, "files": [["a/b c", 0o755, 3], ["d", 0o640, 0]]}
            await here.put_many({**files, "links": [["a/l", "b c"]]}, b"\0x\n")
            there = bare[0].path(root)
            assert (there / "a/b c").read_bytes() == b"\0x\n"
            assert (there / "a/b c").stat().st_mode & 0o777 == 0o755
            assert (there / "a/l").readlink() == Path("b c")
            assert (there / "d").read_bytes() == b""
            data = bytes(range(256)) * 6000
            fields = {"path": f"{root}/x/large", "size": len(data), "mode": 0o600}
            fields["sha256"] = hashlib.sha256(data).hexdigest()
            for offset in (0, 0, 1 << 20, 1 << 20):  # some come again
                piece = data[offset : offset + (1 << 20)]
                assert not (there / "x/large").exists() or offset
                await here._put({**fields, "offset": offset}, piece)
            assert (there / "x/large").read_bytes() == data
            with pytest.raises(RequirementError, match="its sha256 is not"):
                await here._put({**fields, "size": 1, "offset": 0, "sha256": "0" * 64}, b"y")
            assert (there / "x/large").read_bytes() == data
            with pytest.raises(RequirementError, match="put files into"):
                await here.put_many({**files, "root": "/proc/self/no"}, b"abc")
            await here.close()

    run(main)
    assert left(bare) == []


def test_who_takes_over_an_agent_may_not_reach_it_yet(any_dut, site):
    async def main() -> None:
        async with site.spawning(any_dut) as spawner:
            handle, talk = await site.opened(spawner)
            talk.run(1, SLEEPS)
            await talk.hear(1, "started")
            spawner._devices[handle.name].abort()
        any_dut.kill_sshd()
        async with site.spawning(any_dut) as later:
            try:
                found = await later.adopt(handle.name, handle.address)
            finally:
                any_dut.start_sshd()
            newer = site.talk(found, epoch=2, adopts=True)
            newer.environment._handle = found  # which learns the secret on its way
            await newer.environment.open()
            newer.cancel(1)
            assert (await newer.hear(1, "ended"))["stop"] == "cancelled"
            await newer.environment.close()

    run(main)


def test_a_job_that_begins_anew_on_a_device_ends_what_it_had_there(any_dut, site):
    async def main() -> None:
        async with site.spawning(any_dut) as spawner:
            handle, talk = await site.opened(spawner)
            talk.run(1, STUBBORN)
            await talk.hear(1, "started")
            spawner._devices[handle.name].abort()
        async with site.spawning(any_dut) as later:
            _, newer = await site.opened(later)
            assert not [each for each in any_dut.processes() if "trap" in each]
            await newer.environment.close()

    run(main)


def test_a_device_that_is_away_for_a_moment_as_a_job_ends_is_left_clean(any_dut, site):
    async def main() -> None:
        async with site.spawning(any_dut) as spawner:
            handle, talk = await site.opened(spawner)
            talk.run(1, STUBBORN)
            await talk.hear(1, "started")
            any_dut.kill_sshd()
            ending = asyncio.create_task(handle.destroy())
            await asyncio.sleep(0.5)
            any_dut.start_sshd()
            await ending

    run(main)


def test_what_a_killed_agent_leaves_is_ended_and_what_it_had_to_say_is_heard(any_dut, site):
    def ours() -> list[str]:
        paths = any_dut.path("/proc").glob("[0-9]*/cmdline")
        return [path.parent.name for path in paths if b"/agents/agent-" in words_of(path)]

    async def main() -> None:
        async with site.spawning(any_dut) as spawner:
            handle, talk = await site.opened(spawner)
            talk.run(1, STUBBORN)
            await talk.hear(1, "started")
            any_dut.run("kill", "-9", *ours(), check=False)
            assert "has ended" in await handle.wait_gone()
            await handle.destroy()
            assert not [each for each in any_dut.processes() if "trap" in each]
            remains = await handle.remains()
            assert remains is not None
            told = {(each["task"], each["event"]) for each in remains.events}
            assert (1, "started") in told or (1, 1) in remains.taken

    run(main)
