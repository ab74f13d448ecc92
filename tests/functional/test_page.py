"""``results.html`` in a real browser, opened from disk."""

import random
import re
import shutil
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe

from nrunner.phase import Phase
from nrunner.result import Cause, Result
from nrunner.results.html import HtmlReport
from nrunner.testing.sample import HOSTILE_TEXTS, START, sample_job, sample_report, sample_reports
from tests.browser import Watched, chromium

COMMAND = ("nrunner", "run", "--task-timeout", "5 s", "tests", "--json=x")
PHONE = {"width": 390, "height": 800}


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("page") / "job-2026-11-22T10.15-f59bd40"


@pytest.fixture(scope="module")
def hostile(folder):
    """A job with every result and cause, and hostile text wherever there can be text."""
    markup = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    reports = sample_reports()
    for text in (markup, "m" * 1_000_000):
        report = sample_report(len(reports) + 1, text[:2000])
        reports.append(
            replace(report, result=Result.FAIL, detail=text, traceback=text, whiteboard=text)
        )
    return page_of(folder / "results.html", reports)


@pytest.fixture(scope="module")
def ordinary(folder):
    """A job of six tasks of which two failed for the same reason."""
    output = folder / "test-results" / "2" / "stdout"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(b"one \x1b[1;31mred\x1b[0m \x1b[2Jline\nnul \0 here \xe2\x80\xae rtl\n")
    reports = [
        task(1, 0.5),
        task(2, 2.0, "link eth1 is down", outputs={"stdout": "test-results/2/stdout"}),
        task(3, 3.0, "link eth2 is down", cause=Cause.INFRA, environment="ssh:board"),
        task(4, 1.0, "link eth3 is down", number_of_attempts=3),
        task(5, 0.1, "no network", result=Result.SKIP, tags={"net": ["wifi"]}, suite="radio"),
        task(6, 0.2),
    ]
    return page_of(folder / "ordinary.html", reports)


def task(number, elapsed, detail="", result=None, number_of_attempts=1, **more):
    result = result or (Result.FAIL if detail else Result.PASS)
    begin = START + number
    report = sample_report(number, f"tests/test_{number}.py:Test.test")
    report = replace(report, reference="tests", uri=f"tests/test_{number}.py:Test.test", tags={})
    place = more.get("environment", report.environment)
    attempt = replace(report.attempts[0], result=result, detail=detail, environment=place)
    attempt = replace(attempt, elapsed=elapsed, time_start=begin)
    attempts = [
        replace(attempt, number=each + 1, time_start=begin + each, leaks=())
        for each in range(number_of_attempts)
    ]
    phases = ((Phase.REQUESTED, 0.0), (Phase.READY, 0.5), (Phase.STARTED, float(number)))
    end = number + elapsed
    return replace(
        report,
        result=result,
        detail=detail,
        elapsed=elapsed,
        time_start=begin,
        attempts=tuple(attempts),
        phases=(*phases, (Phase.FINISHED, end)),
        **more,
    )


def page_of(path, reports, command=COMMAND):
    path.parent.mkdir(parents=True, exist_ok=True)
    places = {
        "ssh:board": {"state": "left alone", "opened": 2, "reason": "link lost <b>"},
        "process-1": {"state": "used", "opened": 1},
    }
    job = replace(
        sample_job(reports, path.parent),
        facts={"places": places},
        command=command,
        elapsed=10.0,
    )
    with path.open("w", encoding="utf-8") as stream:
        HtmlReport().write(job, iter(reports), stream)
    return path


@contextmanager
def opened(browser, path, address="#/", **options):
    tab = Watched(browser, **options)
    tab.page.goto(f"file://{path}{address}")
    yield tab
    assert tab.wrong == []
    assert all(each.startswith(f"file://{path}") for each in tab.requests)
    tab.page.close()


def go(tab, address):
    tab.page.evaluate("address => { location.hash = address; }", address)


def test_hostile_names_reasons_and_outputs_are_shown_as_text(browser, hostile):
    with opened(browser, hostile, "#/tasks?q=img+src") as tab:
        assert "<img src=x onerror=alert(1)>" in tab.texts(".rows .c-id")[0]
        for address in ("#/", "#/tasks?sort=-id", "#/timeline", "#/task/178"):
            go(tab, address)
            tab.page.wait_for_timeout(20)
        for number in range(64, 177, len(Result)):
            go(tab, f"#/task/{number}")
            tab.page.wait_for_selector(f"p.soft:has-text('task {number} of')")
            shown = tab.page.inner_text("main")
            assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f\u202e]", shown)
        assert tab.page.evaluate("document.images.length + document.scripts.length") == 2
    assert len(HOSTILE_TEXTS) == (177 - 64) // len(Result)


def test_a_reason_of_a_megabyte_is_shown_in_part_and_on_demand(browser, hostile):
    with opened(browser, hostile, "#/task/177") as tab:
        assert len(tab.page.inner_text("pre.reason")) == 4000
        tab.page.click(".verdict button")
        assert "934464 characters left out" in tab.page.inner_text(".verdict pre")


def test_the_overview_says_how_many_failed_why_and_whose_it_is(browser, ordinary):
    with opened(browser, ordinary) as tab:
        assert tab.page.inner_text("h1") == "3 of 6 tests failed"
        groups = tab.texts(".group")
        assert len(groups) == 2
        assert "\u00d7 2" in groups[0]
        assert "the machine: infra" in groups[1]
        assert tab.texts("section:has(h2:text-is('Devices')) tbody tr") == [
            "ssh:board\tleft alone\t1\tlink lost <b>",
            "process-1\tused\t7\t",
        ]
        tab.page.click(".chip:has-text('SKIP')")
        assert tab.texts(".rows .c-n") == ["5"]


def test_tasks_are_found_by_words_results_tags_and_environments(browser, ordinary):
    with opened(browser, ordinary, "#/tasks") as tab:
        assert tab.count(".rows .row") == 6
        tab.page.keyboard.press("/")
        tab.page.keyboard.type("eth is")
        tab.page.wait_for_selector(".count:has-text('3 of 6 tasks')")
        tab.page.click("button[data-result=FAIL]")
        tab.page.select_option("select[data-filter=env]", "ssh:board")
        assert tab.texts(".rows .c-n") == ["3"]
        address = tab.page.url
        tab.page.click("button:has-text('Clear')")
        assert tab.count(".rows .row") == 6
        tab.page.go_back()
        assert tab.texts(".rows .c-n") == ["3"]
    with opened(browser, ordinary, address[address.index("#") :]) as tab:
        assert tab.texts(".rows .c-n") == ["3"]
        assert tab.page.input_value("#search") == "eth is"
        go(tab, "#/tasks?tag=net:wifi")
        tab.page.wait_for_selector(".count:has-text('1 of 6')")
        assert tab.texts(".rows .c-n") == ["5"]


def test_tasks_are_sorted_by_a_click_and_opened_by_keys(browser, ordinary):
    with opened(browser, ordinary, "#/tasks") as tab:
        for _ in range(2):
            tab.page.click(".head .c-elapsed button")
        assert tab.texts(".rows .c-n") == ["3", "2", "4", "1", "6", "5"]
        assert tab.page.get_attribute(".head .c-elapsed", "aria-sort") == "descending"
        tab.page.focus(".scroller")
        tab.page.keyboard.press("ArrowDown")
        tab.page.keyboard.press("Enter")
        tab.page.wait_for_selector("h1:has-text('test_2.py')")
        tab.page.keyboard.press("j")
        tab.page.wait_for_selector("h1:has-text('test_4.py')")


def test_a_task_shows_its_reason_last_lines_with_colours_and_how_to_run_it_again(browser, ordinary):
    with opened(browser, ordinary, "#/task/2") as tab:
        assert tab.page.inner_text(".verdict pre") == "link eth1 is down"
        shown = tab.page.inner_text("pre.output")
        assert shown == "one red \\x1b[2Jline\nnul \\x00 here \\u202e rtl\n"
        assert "fg-ansi1" in tab.page.get_attribute("pre.output span:has-text('red')", "class")
        again = "nrunner run --task-timeout '5 s' tests/test_2.py:Test.test"
        assert tab.page.inner_text(".again code") == again
        link = tab.page.get_attribute("a:has-text('whole file')", "href")
        assert link == "test-results/2/stdout"
        go(tab, "#/task/4")
        tab.page.wait_for_selector("th:has-text('Attempt 3')")


@pytest.mark.parametrize(("below", "start"), [("", "file:///"), ("/{}", "test-results/")])
def test_a_task_is_shown_in_and_below_a_folder_whose_name_is_no_utf8(
    browser, ordinary, tmp_path, below, start
):
    odd = Path(f"{tmp_path}/caf\udce9{below.format(ordinary.parent.name)}/results.html")
    odd.parent.mkdir(parents=True)
    shutil.copy(ordinary, odd)
    with opened(browser, quote(bytes(odd)), "#/task/2") as tab:
        tab.page.wait_for_selector("h1:has-text('test_2.py')")
        link = tab.page.get_attribute("a:has-text('whole file')", "href")
        assert link.startswith(start)
        assert link.endswith("test-results/2/stdout")


def test_several_jobs_as_one_say_how_a_task_is_run_again_but_not_how_each_was(browser, folder):
    path = page_of(folder / "merged.html", [task(1, 0.5)], ("nrunner", "report", "a1", "b2"))
    with opened(browser, path, "#/task/1") as tab:
        assert tab.page.inner_text(".again code") == "nrunner run tests"
        go(tab, "#/")
        tab.page.wait_for_selector("h1:has-text('fine')")
        style = "getComputedStyle(document.querySelector('main:focus')).outlineStyle"
        assert tab.page.evaluate(style) == "none"


def test_the_timeline_names_what_is_under_the_pointer_and_opens_it(browser, ordinary):
    with opened(browser, ordinary, "#/timeline") as tab:
        label = tab.page.get_attribute("canvas", "aria-label")
        assert "8 bars in 2 environments" in label
        tab.page.focus("canvas")
        tab.page.keyboard.press("n")
        tab.page.keyboard.press("n")
        assert "test_2.py" in tab.page.inner_text(".tip")
        for _ in range(3):
            tab.page.keyboard.press("+")
        tab.page.wait_for_url(re.compile("from=.*&to="))
        tab.page.keyboard.press("Enter")
        tab.page.wait_for_selector("h1:has-text('test_2.py')")


@pytest.mark.parametrize(
    ("scheme", "addresses"),
    [
        ("light", ("#/", "#/tasks", "#/task/2", "#/task/4", "#/timeline")),
        ("dark", ("#/", "#/task/2")),
    ],
)
def test_no_view_has_a_barrier_that_axe_knows_of(browser, ordinary, scheme, addresses):
    with opened(browser, ordinary, color_scheme=scheme) as tab:
        for address in addresses:
            go(tab, address)
            tab.page.wait_for_timeout(30)
            found = Axe().run(tab.page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]})
            problems = [
                (each["id"], each["nodes"][0]["html"][:300], each["nodes"][0]["failureSummary"])
                for each in found.response["violations"]
            ]
            assert problems == [], address


def test_a_phone_shows_all_of_it_without_scrolling_sideways(browser, hostile, ordinary):
    for path in (ordinary, hostile):
        with opened(browser, path, viewport=PHONE) as tab:
            for address in ("#/", "#/tasks", "#/task/2", "#/task/177", "#/timeline"):
                go(tab, address)
                tab.page.wait_for_timeout(30)
                wide = tab.page.evaluate("document.documentElement.scrollWidth")
                assert wide <= PHONE["width"], (address, wide)


def test_20000_tasks_open_within_two_seconds_and_filter_within_100_ms(browser, folder):
    path = page_of(folder / "many.html", list(_many(20_000)))
    size = path.stat().st_size
    with opened(browser, path, "#/tasks") as tab:
        ready = best(2000, lambda _number: reloaded(tab))
        assert tab.count(".rows .row") < 100
        drawn = best(100, lambda number: filtered(tab, f"case_199{number} mod"))
        tab.page.fill("#search", "")
        tab.page.wait_for_selector(".count:text-is('20,000 tasks')")
        tab.page.focus(".scroller")
        tab.page.keyboard.press("End")
        tab.page.wait_for_selector(".row[data-n='20000'].is-active")
        tab.page.keyboard.press("Enter")
        tab.page.wait_for_selector("h1:has-text('test_case_20000')")
        tab.page.go_back()
        tab.page.wait_for_selector(".row[data-n='20000'].is-active")
        go(tab, "#/timeline")
        tab.page.wait_for_selector("canvas[aria-label*='20,000 bars']")
    measured = f"{size / 1e6:.1f} MB, open {ready:.0f} ms, filtered {drawn:.0f} ms"
    print(f"\n20,000 tasks: {measured}")  # noqa: T201 - for whoever asks pytest for it (-s)
    assert size < 15_000_000
    assert ready < 2000
    assert drawn < 100


def best(bound, measure):
    """Return what is within bounds, or the best of some tries: the machine may be busy."""
    found = [measure(0)]
    while min(found) >= bound and len(found) < 5:
        found.append(measure(len(found)))
    return min(found)


def reloaded(tab):
    """Return the milliseconds that it takes to open the page."""
    tab.page.reload()
    return float(tab.page.get_attribute("html", "data-ready"))


def filtered(tab, words):
    """Return the milliseconds that it takes to find eleven tasks; it is to be seen within 1 s."""
    tab.page.fill("#search", "no such")
    tab.page.wait_for_selector(".count:has-text('No task fits')")
    began = time.perf_counter()
    tab.page.fill("#search", words)
    tab.page.wait_for_selector(".count:has-text('11 of 20,000')")
    waited = time.perf_counter() - began
    drawn = float(tab.page.get_attribute(".tasks", "data-drawn"))
    return drawn if waited < 1 else waited * 1000


def _many(count):
    chance = random.Random(7)
    for number in range(1, count + 1):
        report = task(number, chance.expovariate(2))
        name = f"tests/test_mod{number % 97}.py:Test.test_case_{number}"
        yield replace(report, id=f"{number}-{name}", uri=name)
