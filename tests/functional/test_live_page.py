"""The page while a job runs, in a real browser, and who is let in."""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from nrunner.layout import JobFolder
from nrunner.lock import JobLock, state_of
from tests.browser import Watched, chromium
from tests.functional.sandbox import Run, Sandbox, wait_until

_PIDFD_GETFD = 438
TICKING = """#!/bin/sh
echo '<img src=x onerror=alert(1)>'
printf 'in \\033[31mred\\033[0m \\000 nul\\n'
until test -e {go}; do echo tick; sleep 0.05; done
echo the end
"""
LOOKS_AT_THE_END = """() => {
    const look = getSelection.bind(window);
    const status = document.querySelector(".status");
    window.lookedAtTheEnd = 0;
    window.getSelection = () => {
        window.lookedAtTheEnd += status.innerText === "The job is over";
        return look();
    };
}"""
"""Counts how often the page asks for the selection once it knows that the job is over."""
NOTES_PAUSES = """() => {
    const wait = setTimeout.bind(window);
    window.pauses = [];
    window.setTimeout = (callback, pause) => {
        window.pauses.push(pause);
        return wait(callback, pause);
    };
}"""
HOSTILE = "<script>alert(1)<script>\u202e.sh"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def tab(browser: Browser) -> Iterator[Watched]:
    tab = Watched(browser)
    yield tab
    # Output that is not there yet, and a server that has gone, are told to the console by Chromium.
    assert [each for each in tab.wrong if "Failed to load resource" not in each] == []
    tab.page.context.close()


def link_of(run: Run, title: str = "LIVE PAGE  : ") -> str:
    run.wait_said(re.escape(title))
    found = re.search(f"^{re.escape(title)}(.*)$", run._said.decode(), re.M)
    assert found is not None
    return found[1]


def go(tab: Watched, address: str) -> None:
    tab.page.evaluate("address => { location.hash = address; }", address)


def cut_tcp(pid: int) -> int:
    """Cut all TCP connections that a process has; return how many there were."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(pid)
    count = 0
    for each in Path(f"/proc/{pid}/fd").iterdir():
        if not str(each.readlink()).startswith("socket:"):
            continue
        number = libc.syscall(_PIDFD_GETFD, pidfd, int(each.name), 0)
        with socket.socket(fileno=number) as copy:
            listens = copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            if copy.family == socket.AF_INET and not listens:
                copy.shutdown(socket.SHUT_RDWR)
                count += 1
    os.close(pidfd)
    return count


def test_a_job_is_watched_from_its_start_to_its_end(sandbox: Sandbox, tab: Watched) -> None:
    go_on = sandbox.here / "go"
    sandbox.write(HOSTILE, TICKING.format(go=go_on))
    sandbox.write("fail.sh", "#!/bin/sh\necho why >&2; exit 3\n")
    run = sandbox.start("run", "--serve", HOSTILE, "fail.sh", "/bin/true")
    tab.page.goto(link_of(run))
    tab.page.wait_for_selector("h1:has-text('1 of 3 tests failed so far, 1 to go')")
    assert "token" not in tab.page.url
    go(tab, "#/tasks")
    tab.page.click("button[data-result=RUNNING]")
    assert tab.texts(".rows .c-id .name") == ["<script>alert(1)<script>\\u202e.sh"]
    go(tab, "#/task/1")
    tab.page.wait_for_selector("pre.output:has-text('tick')")
    shown = tab.page.inner_text("pre.output")
    assert shown.startswith("<img src=x onerror=alert(1)>\nin red \\x00 nul\n")
    seen = shown.count("tick")
    tab.page.wait_for_function(
        "seen => document.querySelector('pre.output').innerText.split('tick').length > seen + 5",
        arg=seen,
    )
    go_on.touch()
    tab.page.wait_for_selector("h1:has-text('PASS')")
    tab.page.wait_for_selector("pre.output:has-text('the end')")
    go(tab, "#/")
    tab.page.wait_for_selector("h1:text-is('1 of 3 tests failed')")
    tab.page.wait_for_selector(".status:text-is('The job is over')")
    assert run.wait().code == 1


def test_the_page_goes_on_where_it_was_when_its_connection_was_cut(
    sandbox: Sandbox, tab: Watched
) -> None:
    sandbox.write("t.sh", f"#!/bin/sh\nuntil test -e {sandbox.here}/$1; do sleep 0.05; done\n")
    recipe = [{"kind": "exec-test", "uri": "./t.sh", "args": [each]} for each in ("one", "two")]
    sandbox.write("r.json", json.dumps(recipe))
    run = sandbox.start("run", "--serve", "--max-parallel-tasks", "2", "r.json")
    tab.page.goto(link_of(run))
    tab.page.wait_for_selector(".status:has-text('live')")
    tab.page.wait_for_selector(".chip:has-text('RUNNING') b:text-is('2')")
    assert cut_tcp(run.pid) > 0
    tab.page.wait_for_selector(".status:has-text('connection lost')")
    (sandbox.here / "one").touch()
    tab.page.wait_for_selector("h1:has-text('1 of 2 tests done, none failed')")
    tab.page.wait_for_selector(".status:has-text('live')")
    assert sum(each.endswith("/api/v1/job") for each in tab.requests) == 1
    (sandbox.here / "two").touch()
    tab.page.wait_for_selector("h1:text-is('All 2 tests fine')")
    assert run.wait().code == 0


def test_what_came_while_text_was_selected_is_shown_once_it_is_no_more(
    sandbox: Sandbox, tab: Watched
) -> None:
    go_on = sandbox.here / "go"
    sandbox.write("t.sh", TICKING.format(go=go_on))
    run = sandbox.start("run", "--serve", "t.sh")
    tab.page.goto(link_of(run))
    tab.page.wait_for_selector("h1:text-is('0 of 1 test done, none failed')")
    tab.page.evaluate("getSelection().selectAllChildren(document.querySelector('h1'))")
    tab.page.evaluate(LOOKS_AT_THE_END)
    go_on.touch()
    assert run.wait().code == 0
    tab.page.wait_for_function("() => lookedAtTheEnd > 0")
    assert tab.page.evaluate("String(getSelection())") == "0 of 1 test done, none failed"
    tab.page.evaluate("getSelection().removeAllRanges()")
    tab.page.wait_for_selector("h1:text-is('All 1 test fine')")


def test_a_task_and_then_the_job_are_cancelled_from_the_page(
    sandbox: Sandbox, tab: Watched
) -> None:
    sandbox.write("t.sh", "#!/bin/sh\nsleep 60\n")
    run = sandbox.start("run", "--serve", "--max-parallel-tasks", "2", "t.sh", "t.sh", "/bin/true")
    tab.page.goto(link_of(run))
    tab.page.wait_for_selector(".chip:has-text('RUNNING') b:text-is('2')")
    go(tab, "#/task/1")
    tab.page.click("button:has-text('Cancel this task')")
    assert "1-" not in "".join(each["id"] for each in _settled(sandbox))
    tab.page.click("button:has-text('Sure?')")
    tab.page.wait_for_selector("h1:has-text('INTERRUPT')")
    assert "cancelled by the user" in tab.page.inner_text(".verdict")
    for text in ("Cancel job", "Sure?"):
        tab.page.click(f"button.cancel-job:has-text('{text}')")
    assert run.wait().code == 8
    results = [each["status"] for each in sandbox.results()["tests"]]
    assert results[:2] == ["INTERRUPT", "INTERRUPT"]


def _settled(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [each["report"] for each in sandbox.records() if each["type"] == "settled"]


def test_a_link_works_once_and_the_page_makes_others(sandbox: Sandbox, browser: Browser) -> None:
    sandbox.write("t.sh", "#!/bin/sh\nsleep 60\n")
    run = sandbox.start("run", "--serve", "t.sh")
    link = link_of(run)
    first, second = Watched(browser), Watched(browser)
    first.page.goto(link)
    first.page.wait_for_selector(".status:has-text('live')")
    second.page.goto(link)
    second.page.wait_for_selector("h1:has-text('This page needs a link')")
    first.page.reload()
    first.page.wait_for_selector(".status:has-text('live')")
    first.page.evaluate("location.hash = '#/task/1'")
    first.page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    first.page.click("button:has-text('Copy link')")
    first.page.wait_for_selector("button:has-text('Link copied')")
    second.page.goto("about:blank")
    second.page.goto(first.page.evaluate("window.copied"))
    second.page.wait_for_selector("h1:has-text('t.sh')")
    first.page.context.close()
    second.page.context.close()
    run.signal(signal.SIGTERM)
    run.wait()
    kept = [each.read_text(errors="replace") for each in sandbox.job.glob("*.*")]
    assert not any(link.partition("=")[2] in text for text in kept)


def test_jobs_that_run_and_jobs_that_did_are_on_one_page(sandbox: Sandbox, tab: Watched) -> None:
    sandbox.write("say.sh", "#!/bin/sh\necho long ago; exit 1\n")
    assert sandbox.run("run", "say.sh").code == 1
    old = sandbox.job.name
    go_on = sandbox.here / "go"
    sandbox.write("t.sh", TICKING.format(go=go_on))
    server = sandbox.start("jobs", "serve")
    link = link_of(server, "PAGE       : ")
    run = sandbox.start("run", "t.sh")
    wait_until(lambda: sandbox.job.name != old and sandbox.moves(), "the job runs")
    tab.page.goto(link)
    tab.page.click(f"tr:has-text('complete') a:has-text('{old}')")
    tab.page.click("a:has-text('say.sh')")
    tab.page.wait_for_selector("pre.output:has-text('long ago')")
    assert tab.count(".cancel-job") == 0
    tab.page.click("header a:has-text('Jobs')")
    tab.page.click("tr:has-text('running') a")
    tab.page.wait_for_selector("h1:has-text('0 of 1 test done')")
    go_on.touch()
    tab.page.wait_for_selector(".status:has-text('The job is over')")
    go(tab, "#/task/1")
    tab.page.wait_for_selector("pre.output:has-text('the end')")
    assert run.wait().code == 0
    server.signal(signal.SIGINT)
    assert server.wait().code == 0


def test_output_of_a_task_that_is_over_is_asked_for_until_it_comes(
    sandbox: Sandbox, tab: Watched
) -> None:
    sandbox.write("say.sh", "#!/bin/sh\necho long ago\n")
    assert sandbox.run("run", "say.sh").code == 0
    server = sandbox.start("jobs", "serve")
    failures = iter([lambda route: route.abort(), lambda route: route.fulfill(status=404)])

    def fail_at_first(route: Any) -> None:
        next(failures, lambda route: route.continue_())(route)

    tab.page.route("**/log/stdout", fail_at_first)
    tab.page.goto(link_of(server, "PAGE       : "))
    tab.page.click("tr:has-text('complete') a")
    tab.page.click("a:has-text('say.sh')")
    tab.page.wait_for_selector("pre.output:has-text('long ago')")
    assert not list(failures)
    server.signal(signal.SIGINT)
    assert server.wait().code == 0


def test_output_of_an_attempt_takes_the_place_of_that_of_the_one_before(
    sandbox: Sandbox, tab: Watched
) -> None:
    once = sandbox.here / "once"
    sandbox.write("t.sh", f"#!/bin/sh\nmkdir {once} || exec echo bbbb\necho aaaa; exec sleep 60\n")
    go_on = sandbox.here / "go"
    sandbox.write("wait.sh", TICKING.format(go=go_on))
    run = sandbox.start("run", "--serve", "--max-parallel-tasks", "2", "t.sh", "wait.sh")
    tab.page.goto(link_of(run))
    go(tab, "#/task/1")
    tab.page.wait_for_selector("pre.output:text-is('aaaa')")
    for pid in sandbox.agents():
        os.kill(pid, signal.SIGKILL)
    tab.page.wait_for_selector("h1:has-text('PASS')")
    tab.page.wait_for_selector("pre.output:text-is('bbbb')")
    go_on.touch()
    assert run.wait().code == 0


def asked(port: int, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, headers=given)
    response = connection.getresponse()
    answer = response.status, dict(response.getheaders()), response.read()
    connection.close()
    return answer


def test_nobody_gets_at_data_without_a_token_or_from_another_site(sandbox: Sandbox) -> None:
    sandbox.write("t.sh", "#!/bin/sh\nsleep 60\n")
    run = sandbox.start("run", "--serve", "t.sh")
    address, _, once = link_of(run).partition("/#token=")
    port = int(address.rpartition(":")[2])
    status, headers, page = asked(port, "GET", "/")
    assert status == 200
    assert b"t.sh" not in page
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert asked(port, "GET", "/", If_None_Match=headers["ETag"])[0] == 304
    for path in ("job", "tasks", "tasks/1", "events", "openapi.json", "tasks/1/log/stdout"):
        assert asked(port, "GET", f"/api/v1/{path}")[0] == 401, path
        wrong = asked(port, "GET", f"/api/v1/{path}", Authorization=f"Bearer {once}")
        assert wrong[0] == 401, path
    for path in ("cancel", "tasks/1/cancel", "link", "session"):
        assert asked(port, "POST", f"/api/v1/{path}")[0] == 401, path
    bearer = f"Bearer {once}"
    foreign = {"Host": "evil.example", "Origin": "http://evil.example"}
    for name, value in foreign.items():
        refused = asked(port, "POST", "/api/v1/session", Authorization=bearer, **{name: value})
        assert refused[0] == 403
        assert asked(port, "GET", "/", **{name: value})[0] == 403
    status, _, body = asked(port, "POST", "/api/v1/session", Authorization=bearer)
    assert status == 201
    good = f"Bearer {json.loads(body)['token']}"
    assert asked(port, "GET", "/api/v1/job", Authorization=good)[0] == 200
    assert asked(port, "POST", "/api/v1/session", Authorization=bearer)[0] == 401
    run.signal(signal.SIGINT)
    run.wait()


def test_no_way_to_write_an_address_gets_at_a_job_without_a_token(sandbox: Sandbox) -> None:
    """The pages are open to everybody; what only looks like one is not."""
    go_on = sandbox.here / "go"
    sandbox.write("t.sh", TICKING.format(go=go_on))
    run = sandbox.start("run", "t.sh")
    wait_until(sandbox.moves, "the job runs")
    server = sandbox.start("jobs", "serve")
    address, _, once = link_of(server, "PAGE       : ").partition("/#token=")
    port = int(address.rpartition(":")[2])
    body = asked(port, "POST", "/api/v1/session", Authorization=f"Bearer {once}")[2]
    good = f"Bearer {json.loads(body)['token']}"
    (job,) = json.loads(asked(port, "GET", "/api/v1/jobs", Authorization=good)[2])["jobs"]
    assert asked(port, "GET", f"/jobs/{job['short']}/")[0] == 200
    start = f"/jobs/{job['short']}/api/v1/"
    assert asked(port, "GET", f"{start}tasks/1/log/stdout", Authorization=good)[0] == 200
    odd = (
        *("tasks/1/log/stdout%3F%2F", "tasks/1/log/stdout%2F", "tasks/1%2F", "tasks/1%23%2F"),
        *("tasks/..%2Ftasks%23%2F", "tasks/..%2F..%2Fv1%2Ftasks%3F%2F", "tasks/..%2Fevents%23%2F"),
    )
    for path in odd:
        assert asked(port, "GET", start + path)[0] == 401, path
        assert asked(port, "GET", start + path, Authorization=good)[0] == 404, path
    go_on.touch()
    assert run.wait().code == 0
    server.signal(signal.SIGINT)
    assert server.wait().code == 0


def test_logs_are_cached_and_had_in_parts(sandbox: Sandbox) -> None:
    sandbox.write("t.sh", "#!/bin/sh\necho 0123456789\nsleep 60\n")
    run = sandbox.start("run", "--serve", "t.sh")
    address, _, once = link_of(run).partition("/#token=")
    port = int(address.rpartition(":")[2])
    body = asked(port, "POST", "/api/v1/session", Authorization=f"Bearer {once}")[2]
    good = f"Bearer {json.loads(body)['token']}"

    def log(**headers: str) -> tuple[int, dict[str, str], bytes]:
        return asked(port, "GET", "/api/v1/tasks/1/log/stdout", Authorization=good, **headers)

    wait_until(lambda: log()[::2] == (200, b"0123456789\n"), "it has written")
    tag = log()[1]["ETag"]
    assert log(If_None_Match=tag)[::2] == (304, b"")
    assert log(Range="bytes=2-4", If_Range=tag)[::2] == (206, b"234")
    assert log(Range="bytes=2-4", If_Range='"old"')[::2] == (200, b"0123456789\n")
    run.signal(signal.SIGINT)
    run.wait()


def test_many_viewers_and_one_that_takes_nothing_get_all_and_hold_nobody_up(
    sandbox: Sandbox,
) -> None:
    count, viewers = 400, 60
    sandbox.write("r.json", json.dumps([{"kind": "noop"}] * count))
    sandbox.write("wait.sh", f"#!/bin/sh\nuntil test -e {sandbox.here}/go; do sleep 0.02; done\n")
    run = sandbox.start("run", "--serve", "--max-parallel-tasks", "1", "wait.sh", "r.json")
    address, _, once = link_of(run).partition("/#token=")
    port = int(address.rpartition(":")[2])
    body = asked(port, "POST", "/api/v1/session", Authorization=f"Bearer {once}")[2]
    ask = f"GET /api/v1/events HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n".encode()
    ask += f"Authorization: Bearer {json.loads(body)['token']}\r\n\r\n".encode()
    peers = [socket.create_connection(("127.0.0.1", port)) for _ in range(viewers)]
    for peer in peers:
        peer.sendall(ask)
    stalled, *reading = peers
    begun = [peer.recv(1 << 16) for peer in reading]  # all are listened to from now on
    assert all(begun)
    heard: list[int] = []

    def read(peer: socket.socket, data: bytes) -> None:
        while piece := peer.recv(1 << 16):
            data += piece
        heard.append(data.count(b"event: task_settled"))

    threads = [
        threading.Thread(target=read, args=pair) for pair in zip(reading, begun, strict=True)
    ]
    for thread in threads:
        thread.start()
    (sandbox.here / "go").touch()
    began = time.monotonic()
    assert run.wait().code == 0
    for thread in threads:
        thread.join(10)
    assert heard == [count + 1] * len(reading)
    assert time.monotonic() - began < 20
    stalled.close()
    for peer in reading:
        peer.close()


def test_several_jobs_are_guarded_as_one_is_and_those_that_are_over_cannot_be_cancelled(
    sandbox: Sandbox,
) -> None:
    sandbox.write("t.sh", "#!/bin/sh\necho 0123456789\n")
    assert sandbox.run("run", "t.sh").code == 0
    server = sandbox.start("jobs", "serve", "latest")
    address, _, once = link_of(server, "PAGE       : ").partition("/#token=")
    port = int(address.split(":")[2].partition("/")[0])
    base = f"/{address.split('/', 3)[3]}/api/v1"
    bearer = f"Bearer {once}"
    assert asked(port, "GET", f"{base}/job")[0] == 401
    assert asked(port, "GET", "/api/v1/jobs", Authorization=bearer)[0] == 401
    assert asked(port, "GET", "/", Host="evil.example")[0] == 403
    good = json.loads(asked(port, "POST", "/api/v1/session", Authorization=bearer)[2])["token"]

    def get(method: str, path: str, **more: str) -> tuple[int, dict[str, str], bytes]:
        return asked(port, method, path, Authorization=f"Bearer {good}", **more)

    [listed] = json.loads(get("GET", "/api/v1/jobs")[2])["jobs"]
    assert (listed["name"], listed["state"], listed["total"]) == (sandbox.job.name, "complete", 1)
    job = json.loads(get("GET", f"{base}/job")[2])
    assert (job["over"], job["results"]["PASS"]) == (True, 1)
    assert get("GET", f"{base}/tasks/1/log/stdout", Range="bytes=3-5")[::2] == (206, b"345")
    events = get("GET", f"{base}/events")[2]
    assert events.count(b"event: task_settled") == 1
    assert b"event: job_closed" in events
    assert get("POST", f"{base}/cancel")[0] == 409
    assert get("POST", f"{base}/tasks/1/cancel")[0] == 409
    assert get("GET", "/jobs/nonsense/api/v1/job")[0] == 404
    server.signal(signal.SIGTERM)
    assert server.wait().code == 0


def test_a_job_that_is_stopped_is_not_taken_for_over(sandbox: Sandbox, tab: Watched) -> None:
    go_on = sandbox.here / "go"
    sandbox.write("t.sh", TICKING.format(go=go_on))
    run = sandbox.start("run", "t.sh")
    wait_until(sandbox.payloads, "the test runs")
    folder = JobFolder(sandbox.job)
    run.signal(signal.SIGSTOP)
    wait_until(lambda: state_of(folder).is_stopped, "it is stopped")
    server = sandbox.start("jobs", "serve")
    tab.page.goto(link_of(server, "PAGE       : "))
    tab.page.click("tr:has-text('borked') a")
    tab.page.wait_for_selector(".status:has-text('connection lost')")
    for text in ("Cancel job", "Sure?"):
        tab.page.click(f"button.cancel-job:has-text('{text}')")
    tab.page.wait_for_selector("button:has-text('its controller is stopped')")
    run.signal(signal.SIGCONT)
    go_on.touch()
    tab.page.wait_for_selector("h1:text-is('All 1 test fine')")
    tab.page.wait_for_selector(".status:text-is('The job is over')")
    assert run.wait().code == 0
    server.signal(signal.SIGINT)
    assert server.wait().code == 0


def test_a_job_that_is_killed_is_asked_for_less_and_less_and_followed_once_it_goes_on(
    sandbox: Sandbox, tab: Watched
) -> None:
    go_on = sandbox.here / "go"
    sandbox.write("t.sh", TICKING.format(go=go_on))
    run = sandbox.start("run", "t.sh")
    wait_until(sandbox.payloads, "the test runs")
    server = sandbox.start("jobs", "serve")
    tab.page.goto(link_of(server, "PAGE       : "))
    tab.page.click("tr:has-text('running') a")
    tab.page.wait_for_selector(".status:has-text('live')")
    go(tab, "#/task/1")
    tab.page.wait_for_selector("h1:has-text('RUNNING')")
    tab.page.evaluate(NOTES_PAUSES)
    run.signal(signal.SIGKILL)
    run.wait()
    tab.page.wait_for_selector(".status:has-text('its controller is gone')")
    tab.page.wait_for_function("() => pauses.includes(1200)")
    go_on.touch()
    assert sandbox.run("jobs", "resume", "latest").code == 0
    tab.page.wait_for_selector("h1:has-text('PASS')")
    server.signal(signal.SIGINT)
    assert server.wait().code == 0


def test_a_job_that_is_just_starting_is_not_taken_for_over(sandbox: Sandbox) -> None:
    assert sandbox.run("run", "/bin/true").code == 0
    folder = JobFolder(sandbox.job)
    server = sandbox.start("jobs", "serve", "latest")
    address, _, once = link_of(server, "PAGE       : ").partition("/#token=")
    port = int(address.split(":")[2].partition("/")[0])
    body = asked(port, "POST", "/api/v1/session", Authorization=f"Bearer {once}")[2]
    good = f"Bearer {json.loads(body)['token']}"

    def job() -> tuple[int, Any]:
        path = f"/{address.split('/', 3)[3]}/api/v1/job"
        status, _, body = asked(port, "GET", path, Authorization=good)
        return status, json.loads(body)

    assert job()[1]["over"] is True
    folder.control_link.unlink(missing_ok=True)
    lock = JobLock.take(folder)
    assert job()[1]["over"] is False
    folder.journal.unlink()
    status, document = job()
    assert (status, document["error"]["message"]) == (503, "the job is just starting; ask again")
    lock.release()
    server.signal(signal.SIGINT)
    assert server.wait().code == 0


def test_a_port_that_is_taken_is_said_in_one_line(sandbox: Sandbox) -> None:
    sandbox.run("run", "/bin/true")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = sandbox.run("jobs", "serve", "--port", str(port))
    assert done.code == 2
    assert done.err == f"nrunner: could not listen on 127.0.0.1:{port}: Address already in use\n"
