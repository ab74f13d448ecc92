"""What a container is, for those inside and for those who wait for its end."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nrunner.errors import SpawnError
from nrunner.runnable import Runnable
from nrunner.runners.procfs import command_of, read_process
from nrunner.spawners.podman.monitor import own_conmon
from nrunner.spawners.podman.reap import reap
from nrunner.spawners.podman.service import Service
from tests.containers import containers_of, podman
from tests.functional.podman_job import PYTHON, output_of, podman_job

WITHIN = 30.0

LOOK = """
import json, os, socket
def refused(what, *args):
    try:
        what(*args)
    except OSError as error:
        return error.strerror
    return ""
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "user": os.getuid(),
    "users": open("/proc/self/uid_map").read().split(),
    "capabilities": int(status["CapEff"], 16),
    "may gain": int(status["NoNewPrivs"]),
    "links": sorted(name for _, name in socket.if_nameindex()),
    "write here": refused(open, "here.txt", "w"),
    "read here": open("given.txt").read(),
    "write to temporary": refused(open, "/tmp/file", "w"),
    "mount": refused(os.mkdir, "/proc/here"),
    "container": os.environ.get("container", ""),
}))
"""


def run(main) -> None:
    """Run a test's coroutine, for so long."""

    async def bounded() -> None:
        async with asyncio.timeout(WITHIN):
            await main

    asyncio.run(bounded())


def test_what_runs_in_a_container_is_kept_in_it(tmp_path):
    async def main() -> None:
        async with podman_job(tmp_path) as job, job.environment() as (talk, _):
            (job.base_dir / "given.txt").write_text("given")
            seen = json.loads(await output_of(talk, 1, PYTHON, "-c", LOOK))
        assert seen["user"] == 0
        if os.geteuid() == 0:
            assert seen["users"][1] != "0", "root inside is root outside"
        assert seen["capabilities"] == 0
        assert seen["may gain"] == 1
        assert seen["links"] == ["lo"]
        assert seen["write here"] == "Read-only file system"
        assert seen["read here"] == "given"
        assert seen["write to temporary"] == ""

    run(main())


def test_another_tasks_folder_is_not_there(tmp_path):
    async def main() -> None:
        async with (
            podman_job(tmp_path) as job,
            job.environment() as (one, _),
            job.environment() as (other, _),
        ):
            kept = one.log_dir(1).parent
            names = await output_of(other, 1, "/bin/ls", str(kept.parent))
            assert kept.name not in names.split()
            assert other.log_dir(1).parent.name in names.split()

    run(main())


def test_users_can_be_shared_with_the_host(tmp_path):
    async def main() -> None:
        async with podman_job(tmp_path, userns="host") as job, job.environment() as (talk, _):
            seen = await output_of(talk, 1, "/bin/cat", "/proc/self/uid_map")
            assert seen.split() == ours

    ours = Path("/proc/self/uid_map").read_text().split()
    run(main())


def test_a_limit_on_processes_holds_and_harms_nobody_else(tmp_path):
    bomb = (
        "import os, time\n"
        "for number in range(200):\n"
        "    try:\n"
        "        if os.fork() == 0: time.sleep(60); os._exit(0)\n"
        "    except OSError as error:\n"
        "        print(number, error.strerror)\n"
        "        break\n"
    )

    async def main() -> None:
        async with podman_job(tmp_path, pids=40) as job, job.environment() as (talk, _):
            talk.run(1, Runnable("exec-test", PYTHON, ("-c", bomb)), grace=0.1)
            end = await talk.hear(1, "ended")
            printed = (talk.log_dir(1) / "stdout").read_text()
            number, _, reason = printed.strip().partition(" ")
            assert 10 < int(number) < 40
            assert reason == "Resource temporarily unavailable"
            assert end["leaks"], "what it forked was not ended with it"
            assert await output_of(talk, 2, "/bin/echo", "still here") == "still here\n"

    run(main())


def test_a_test_without_memory_is_killed_alone(tmp_path):
    async def main() -> None:
        async with podman_job(tmp_path, memory=64 << 20) as job, job.environment() as (talk, _):
            talk.run(1, Runnable("exec-test", PYTHON, ("-c", "x = b'x' * (200 << 20)")))
            end = await talk.hear(1, "ended")
            assert end["returncode"] == -signal.SIGKILL
            assert end["fail_reason"] == (
                "killed by signal 9 (SIGKILL) (out of memory: the kernel killed a process here)"
            )
            talk.run(3, Runnable("exec-test", "/bin/sh", ("-c", "kill -9 $$")))
            killed = await talk.hear(3, "ended")
            assert killed["fail_reason"] == "killed by signal 9 (SIGKILL)", "blamed again"
            assert await output_of(talk, 2, "/bin/echo", "still here") == "still here\n"

    run(main())


def test_a_container_out_of_memory_says_so(tmp_path):
    # The kernel ends whoever holds most: here that is the agent, time and again.
    hog = (
        "import os, time\n"
        "while True:\n"
        "    try:\n"
        "        if os.fork() == 0: time.sleep(60); os._exit(0)\n"
        "    except OSError:\n"
        "        time.sleep(0.1)\n"
    )

    async def main() -> None:
        limits = {"memory": 24 << 20, "pids": 400}
        async with podman_job(tmp_path, **limits) as job, job.environment() as (talk, handle):
            talk.run(1, Runnable("exec-test", PYTHON, ("-c", hog)))
            why = await handle.wait_gone()
            assert "out of its memory of 24 MiB (--podman-memory)" in why

    run(main())


def test_a_killed_agent_is_told_from_one_that_ended(tmp_path):
    async def main() -> None:
        async with podman_job(tmp_path) as job:
            async with job.environment() as (_, handle):
                os.kill(handle._life.pid, signal.SIGKILL)
                assert await handle.wait_gone() == "the agent was killed by SIGKILL"
            async with job.environment() as (talk, handle):
                await talk.environment.close()
                assert await handle.wait_gone() == "the agent exited with status 0"

    run(main())


def test_a_container_whose_monitor_is_killed_works_on_and_says_so_in_the_end(tmp_path):
    async def main() -> None:
        async with podman_job(tmp_path) as job, job.environment() as (talk, handle):
            monitor = handle._life.monitor
            command = command_of(monitor.pid)
            assert "conmon" in command
            # It would start one more podman, which only takes time: we remove the container.
            assert "--exit-command" not in command
            os.kill(monitor.pid, signal.SIGKILL)
            assert await output_of(talk, 1, "/bin/echo", "still here") == "still here\n"
            os.kill(handle._life.pid, signal.SIGKILL)
            assert "monitor (conmon) was killed" in await handle.wait_gone()

    run(main())


def test_our_conmon_leaves_out_what_is_to_be_started_at_the_end_and_nothing_else(tmp_path):
    real = tmp_path / "bin/conmon"
    real.parent.mkdir()
    real.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    real.chmod(0o755)
    own = own_conmon(tmp_path, {}, [str(real.parent)])
    words = ["-c", "a b", "--exit-command", "/usr/bin/podman", "--exit-command-arg", "--root", ""]
    words += ["--exit-command-arg", "x y", "--full", "*"]
    done = subprocess.run([str(own), *words], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["-c", "a b", "", "--full", "*"]


def test_a_podman_service_that_is_killed_is_replaced(tmp_path):
    async def main() -> None:
        async with podman_job(tmp_path) as job, job.environment() as (talk, _):
            first = job.spawner._service.pid
            os.kill(first, signal.SIGKILL)
            assert await output_of(talk, 1, "/bin/echo", "still here") == "still here\n"
            async with job.environment() as (other, _):
                assert job.spawner._service.pid != first
                assert await output_of(other, 1, "/bin/echo", "here, too") == "here, too\n"

    run(main())


def test_a_podman_service_that_is_killed_while_it_is_asked_is_named(tmp_path):
    async def main() -> None:
        async with podman_job(tmp_path) as job:
            job.spawner.begin()
            pid = job.spawner._service.pid
            os.kill(pid, signal.SIGSTOP)
            opening = asyncio.ensure_future(job.spawner.open("podman"))
            await asyncio.sleep(0.3)
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(SpawnError, match=r"the podman service .* was killed by signal 9"):
                await opening

    run(main())


def test_a_podman_service_that_does_not_answer_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr("nrunner.spawners.podman.client._WITHIN", 0.5)

    async def main() -> None:
        async with podman_job(tmp_path) as job:
            job.spawner.begin()
            pid = job.spawner._service.pid
            os.kill(pid, signal.SIGSTOP)
            try:
                with pytest.raises(SpawnError, match="did not answer within"):
                    await job.spawner._client.ask("ask", "GET", "/info", within=0.3)
            finally:
                os.kill(pid, signal.SIGCONT)

    run(main())


def test_an_image_that_is_not_there_is_named(tmp_path):
    async def main() -> None:
        wrong = "localhost/nrunner-test-nothing:1"
        async with podman_job(tmp_path, image=wrong, pull="never") as job:
            with pytest.raises(SpawnError, match=f"use image {wrong}: it is not there"):
                await job.spawner.open("podman")

    run(main())


def test_an_image_that_cannot_have_an_agent_is_named(tmp_path):
    name = f"localhost/nrunner-test-empty:{os.getpid()}"
    empty = subprocess.run(["tar", "-cf", "-", "-T", "/dev/null"], capture_output=True, check=True)
    podman("import", "-q", "-", name, input=empty.stdout)

    async def main() -> None:
        async with podman_job(tmp_path, image=name) as job:
            with pytest.raises(SpawnError, match=r"start container .* it has no sh"):
                await job.spawner.open("podman")

    try:
        run(main())
    finally:
        podman("rmi", "-f", name)


def test_an_oci_runtime_that_is_not_there_is_named(tmp_path):
    async def main() -> None:
        async with podman_job(tmp_path, runtime="/nowhere/crun") as job:
            with pytest.raises(SpawnError, match="/nowhere/crun"):
                await job.spawner.open("podman")

    run(main())


def test_a_socket_where_nobody_listens_is_named(tmp_path):
    async def main() -> None:
        async with podman_job(tmp_path, socket="unix:///nowhere/podman.sock") as job:
            with pytest.raises(
                SpawnError, match=r"at /nowhere/podman\.sock, as podman.socket says"
            ):
                await job.spawner.open("podman")

    run(main())


def test_a_service_that_listens_is_used_and_left_alone(tmp_path):
    async def main() -> None:
        async with podman_job(tmp_path) as first:
            path = first.spawner._service.ensure()
            other = tmp_path / "other"
            other.mkdir()
            async with podman_job(other, socket=path) as job, job.environment() as (talk, _):
                assert not job.spawner._service.is_own
                assert await output_of(talk, 1, "/bin/echo", "hello") == "hello\n"
            assert read_process(first.spawner._service.pid).is_alive

    run(main())


def test_without_podman_people_are_told_what_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("CONTAINER_HOST", "")

    async def main() -> None:
        service = Service(tmp_path, "", "", os.environ)
        with pytest.raises(SpawnError, match=r"podman\.sock.*no podman on PATH.*install podman"):
            service.ensure()

    run(main())


def test_a_service_of_our_own_ends_with_its_controller(tmp_path):
    program = (
        "import asyncio, sys, time\n"
        "from pathlib import Path\n"
        "from tests.functional.podman_job import PodmanJob\n"
        "async def main():\n"
        "    job = PodmanJob(Path(sys.argv[1]))\n"
        "    handle = await job.spawner.open('podman')\n"
        "    print(job.spawner._service.pid, handle._life.pid, job.job_id, flush=True)\n"
        "    time.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    words = [sys.executable, "-c", program, str(tmp_path)]
    controller = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    with controller:
        assert controller.stdout is not None
        service, agent, job_id = controller.stdout.readline().split()
        fds = [os.pidfd_open(int(pid)) for pid in (service, agent)]
        controller.kill()
    assert select.select([fds[0]], [], [], 10)[0], "the service outlived its controller"

    async def main() -> None:
        other = tmp_path / "other"
        other.mkdir()
        async with podman_job(other) as job:
            assert not any(job_id in each for each in await job.spawner.reap(with_running=False))
            assert containers_of(job_id) != []
            # Only these: other tests have running what nobody but they may touch.
            reaped = await reap(job.spawner._client, job=job_id, with_running=True)
            assert [each.job for each in reaped] == [job_id]
            assert containers_of(job_id) == []

    run(main())
    assert select.select([fds[1]], [], [], 10)[0], "the agent outlived its container"
    for fd in fds:
        os.close(fd)


def test_a_spawner_that_leaves_nothing_cannot_be_reaped_for(root):
    words = [sys.executable, "-m", "nrunner", "reap", "--spawner", "process"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == 4
    assert "could not reap what spawner 'process' left: it leaves nothing" in done.stderr
