import asyncio
import io
import re
from dataclasses import replace

import pytest
from rich.console import Console as RichConsole

from nrunner.result import Result
from nrunner.results import terminal
from nrunner.results.footer import Footer, Row
from nrunner.results.terminal import Terminal
from nrunner.runnable import Runnable
from nrunner.task import Task, TaskLimits
from nrunner.testing.sample import HOSTILE_TEXTS, sample_job, sample_report, sample_reports

SEQUENCE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Screen:
    """What a terminal shows of what was written to it, as far as we use one."""

    def __init__(self, stream):
        self.lines = [""]
        self.row = 0
        for part in re.split(r"(\x1b\[[0-9;]*[A-Za-z]|\n|\r)", stream.getvalue()):
            self._take(part)

    def _take(self, part):
        if part == "\n":
            self.row += 1
            self.lines += [""] * (self.row + 1 - len(self.lines))
        elif part.endswith("A") and part.startswith("\x1b"):
            self.row -= int(part[2:-1])
        elif part == "\x1b[J":
            del self.lines[self.row :]
            self.lines.append("")
        elif not part.startswith(("\x1b", "\r")):
            self.lines[self.row] += part


class Clock:
    time = 100.0

    def __call__(self):
        return self.time


def fake_footer(width=80, height=24):
    screen = RichConsole(
        file=io.StringIO(), force_terminal=True, width=width, height=height, _environ={}
    )
    return Footer(io.StringIO(), screen)


def live(stream, clock, **size):
    console = Terminal(stream, clock=clock)
    console._footer = fake_footer(**size)
    return console


def task(number, slow=None, name="t"):
    return Task(number, f"{number}-{name}", Runnable("noop"), limits=TaskLimits(slow=slow))


def test_lines_have_colours_and_appear_once():
    stream, clock = io.StringIO(), Clock()
    console = Terminal(stream, clock=clock)
    job = sample_job([sample_report()])
    console.job_opened(job)
    console.task_settled(sample_report())
    clock.time += 1
    console.flush()
    console.job_closed(job)
    text = stream.getvalue()
    assert text.count("\x1b[32mPASS\x1b[0m (0.26 s)") == 1
    assert SEQUENCE.sub("", text).splitlines()[-1] == "JOB TIME   : 900.19 s"


def test_events_alone_draw_at_most_ten_times_a_second():
    class Counting(io.StringIO):
        writes = 0

        def write(self, text):
            self.writes += 1
            return super().write(text)

    stream, clock = Counting(), Clock()
    console = live(stream, clock)
    console.job_opened(sample_job())
    for number in range(1000):
        console.task_started(task(number), clock.time)
        console.task_settled(sample_report(number))
        clock.time += 0.001
        console.flush()
    assert stream.writes <= 11
    console.job_closed(sample_job())
    assert stream.getvalue().count("PASS\x1b[0m (") == 1000


def test_a_console_that_opens_late_begins_with_what_was_settled_by_then():
    stream, clock = io.StringIO(), Clock()
    console = live(stream, clock)
    job = sample_job([replace(sample_report(), result=Result.FAIL)])
    console.job_opened(replace(job, total=4, elapsed=50.0))
    console.task_settled(sample_report(2))
    clock.time += 2
    console.flush()
    assert any("2/4  52 s  FAIL 1" in line for line in Screen(stream).lines)


def test_the_footer_shows_what_runs_and_for_how_long_and_marks_slow_ones():
    stream, clock = io.StringIO(), Clock()
    console = live(stream, clock)
    console.job_opened(replace(sample_job(), total=4, elapsed=0.0))
    console.task_started(task(1, slow=5.0, name="sluggish"), clock.time)
    console.task_started(task(2, slow=60.0, name="steady"), clock.time)
    console.task_started(task(3, name="unlimited"), clock.time)
    console.task_settled(replace(sample_report(4), result=Result.FAIL))
    clock.time += 12
    console.flush()
    lines = Screen(stream).lines
    assert any("1/4  12 s  FAIL 1" in line for line in lines)
    assert any("12 s slow 1-sluggish" in line for line in lines)
    assert any("12 s 2-steady" in line for line in lines)
    assert any("12 s 3-unlimited" in line for line in lines)
    clock.time += 30
    console.flush()
    assert any("42 s slow 3-unlimited" in line for line in Screen(stream).lines)


def test_no_trace_of_the_footer_is_left_when_the_job_is_over():
    stream, clock = io.StringIO(), Clock()
    console = live(stream, clock)
    reports = sample_reports()[:30]
    job = sample_job(reports)
    console.job_opened(job)
    for report in reports:
        console.task_started(task(report.number), clock.time)
        console.task_started(task(1000 + report.number), clock.time)
        clock.time += 0.07
        console.flush()
        console.task_settled(report)
    console.job_closed(job)
    lines = Screen(stream).lines
    failures = 1 + sum(not each.result.is_ok for each in reports)
    assert len(lines) == 2 + 30 + failures + 2 + 1
    assert [line[:4] for line in lines[2:32]] == [f" ({number:02d}" for number in range(1, 31)]


def test_the_footer_leaves_the_terminal_to_a_shell_and_comes_back():
    stream, clock = io.StringIO(), Clock()
    console = live(stream, clock)
    console.job_opened(sample_job())
    console.task_started(task(1), 100.0)
    clock.time += 1
    console.flush()
    assert any("1-t" in line for line in Screen(stream).lines)
    console.suspend()
    assert not any("1-t" in line for line in Screen(stream).lines)
    console.resume()
    clock.time += 1
    console.flush()
    assert any("1-t" in line for line in Screen(stream).lines)
    console.restore()
    console.resume()
    clock.time += 1
    console.flush()
    assert not any("1-t" in line for line in Screen(stream).lines)


def test_a_new_attempt_counts_from_its_own_start():
    stream, clock = io.StringIO(), Clock()
    console = live(stream, clock)
    console.job_opened(sample_job())
    console.task_started(task(1), clock.time)
    clock.time += 50
    console.task_started(task(1), clock.time)
    clock.time += 2
    console.flush()
    assert any(" 2 s 1-t" in line for line in Screen(stream).lines)


def test_the_oldest_stand_first_and_the_settled_are_gone():
    stream, clock = io.StringIO(), Clock()
    console = live(stream, clock)
    console.job_opened(sample_job())
    for number in (1, 2, 3, 1):
        console.task_started(task(number), clock.time)
    console.task_settled(sample_report(2))
    clock.time += 1
    console.flush()
    lines = [line for line in Screen(stream).lines if "-t" in line]
    assert [line.split()[-1] for line in lines] == ["3-t", "1-t"]


def test_hostile_names_command_nothing():
    stream, clock = io.StringIO(), Clock()
    console = live(stream, clock)
    reports = sample_reports()
    job = sample_job(reports)
    console.job_opened(job)
    for number, text in enumerate(HOSTILE_TEXTS):
        console.task_started(task(5000 + number, name=text), clock.time)
    for report in reports:
        console.task_settled(report)
        clock.time += 0.05
        console.flush()
    console.job_closed(job)
    rest = re.sub(r"\x1b\[[0-9;]*[mAJ]|\n|\r\x1b\[\d+A", "", stream.getvalue())
    assert rest.replace("\r", "").isprintable()


def test_drawing_is_rare_when_only_time_passes():
    stream, clock = io.StringIO(), Clock()
    console = live(stream, clock)
    console.job_opened(sample_job())
    before = len(stream.getvalue())
    clock.time += 0.5
    console.flush()
    assert len(stream.getvalue()) == before
    clock.time += 0.6
    console.flush()
    assert len(stream.getvalue()) > before


def test_animating_brings_a_footer_and_being_cancelled_takes_it_away(monkeypatch):
    monkeypatch.setattr(terminal, "_FOOTER_AFTER", 0.0)
    monkeypatch.setattr(terminal, "_PERIOD", 0.001)
    drawn = asyncio.Event()

    class Watched(io.StringIO):
        def write(self, text):
            if "1-t" in text:
                drawn.set()
            return super().write(text)

    stream = Watched()
    console = Terminal(stream, make_footer=lambda _stream: fake_footer())

    async def run():
        console.job_opened(sample_job())
        animation = asyncio.create_task(console.animate())
        console.task_started(task(1), console._clock())
        await drawn.wait()
        animation.cancel()
        await asyncio.gather(animation, return_exceptions=True)
        assert animation.cancelled()

    asyncio.run(asyncio.wait_for(run(), 20))
    assert len(Screen(stream).lines) == 3


def test_the_real_footer_is_loaded_when_it_is_needed(monkeypatch):
    stream = io.StringIO()
    assert isinstance(Terminal(stream)._load_footer(), Footer)


def test_a_terminal_that_went_away_ends_the_animation(monkeypatch):
    monkeypatch.setattr(terminal, "_FOOTER_AFTER", 0.0)
    stream = io.StringIO()
    console = Terminal(stream, make_footer=lambda _stream: fake_footer())
    stream.close()
    console.job_opened(sample_job())
    asyncio.run(asyncio.wait_for(console.animate(), 20))
    console.task_settled(sample_report())
    assert console._pending == []


def test_output_of_failed_tests_is_shown_if_asked_for(tmp_path):
    (tmp_path / "out").write_text("reason\n")
    report = replace(sample_report(), result=Result.FAIL, outputs={"stdout": "out"})
    stream = io.StringIO()
    console = Terminal(stream, ("app", "test"))
    console.job_opened(sample_job([report], tmp_path))
    console.task_settled(report)
    console.job_closed(sample_job([report], tmp_path))
    assert "\n     stdout | reason\n" in stream.getvalue()


@pytest.mark.parametrize(("height", "rows"), [(1, 1), (12, 4), (100, 8)])
def test_the_footer_takes_a_third_of_the_screen_at_most(height, rows):
    assert fake_footer(height=height).rows == rows


def test_the_footer_says_how_many_are_not_shown():
    text = fake_footer().text({Result.PASS: 1}, 9, 1.0, [Row("1-a", 1.0, False)], 7)
    assert "and 7 more" in text
    assert "and" not in fake_footer().text({Result.PASS: 1}, 9, 1.0, [Row("1-a", 1.0, False)], 0)


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_a_row_of_the_footer_is_one_line_of_the_screen(text):
    made = fake_footer(width=40).text({}, 1, 0.0, [Row(f"1-{text}", 1.0, True)], 0)
    assert made.count("\n") == 2
    assert max(len(SEQUENCE.sub("", line)) for line in made.split("\n")) <= 40


def closed(reports, folder, **job):
    stream = io.StringIO()
    console = Terminal(stream, clock=Clock())
    console.job_opened(sample_job(reports, folder))
    for each in reports:
        console.task_settled(each)
    stream.truncate(0)
    console.job_closed(replace(sample_job(reports, folder), **job))
    return SEQUENCE.sub("", stream.getvalue().lstrip("\0")).splitlines()


def failed(number):
    report = replace(sample_report(number, f"t{number}"), result=Result.FAIL, detail="no")
    return replace(report, outputs={"stdout": "out"})


def test_at_the_end_of_many_tasks_failures_are_told_again_with_what_they_wrote(tmp_path):
    (tmp_path / "out").write_text("the end\n")
    reports = [failed(1), *(sample_report(number) for number in range(2, 13))]
    lines = closed(reports, tmp_path)
    start = lines.index("FAILED     : 1 of 12")
    assert lines[start + 1] == " (01/12) t1: FAIL: no (0.26 s)"
    assert lines[start + 2] == "     stdout | the end"
    assert lines[start + 3].startswith("RESULTS    : ")


def test_of_many_failures_the_first_are_told_and_the_rest_counted(tmp_path):
    lines = closed([failed(number) for number in range(1, 31)], tmp_path)
    assert lines.count(" and 10 more") == 1
    assert lines[lines.index(" and 10 more") + 1].startswith("RESULTS")


@pytest.mark.parametrize("reports", [[failed(1)], [sample_report(n) for n in range(1, 20)]])
def test_what_is_in_sight_or_fine_is_not_told_again(tmp_path, reports):
    assert not any(line.startswith("FAILED") for line in closed(reports, tmp_path))
