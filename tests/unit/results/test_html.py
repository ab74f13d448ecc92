import io
import json
import re
from dataclasses import replace
from pathlib import Path

from nrunner.phase import Phase
from nrunner.result import Result
from nrunner.results.html import HtmlReport
from nrunner.results.page import load_page
from nrunner.testing.sample import sample_attempt, sample_job, sample_report, sample_reports

DATA = re.compile(r'<script type="application/json" data-of="(\w+)">(.*?)</script>', re.DOTALL)
FAILED = {"result": Result.FAIL, "detail": "exit status 1"}


def written(reports, job=None):
    stream = io.StringIO()
    HtmlReport().write(job or sample_job(reports), iter(reports), stream)
    return stream.getvalue()


def data_of(text):
    found = {"job": [], "tasks": []}
    for name, data in DATA.findall(text):
        found[name].append(json.loads(data))
    return found["job"][0], [task for part in found["tasks"] for task in part]


def test_every_task_is_in_the_page_with_its_result_cause_and_reason():
    reports = sample_reports()
    _, tasks = data_of(written(reports))
    told = [(each["n"], each["result"], each["cause"]) for each in tasks]
    assert told == [(each.number, each.result.value, each.cause.value) for each in reports]
    assert tasks[9]["detail"] == reports[9].detail


def test_text_of_a_test_can_neither_end_its_element_nor_begin_another():
    hostile = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(1)>"
    report = replace(sample_report(1, hostile), **{**FAILED, "detail": hostile})
    job = replace(sample_job([report]), command=("nrunner", hostile), interrupted=hostile)
    text = written([report], job)
    assert "alert(1)</script>" not in text
    assert "<img" not in text
    assert data_of(text)[1][0]["detail"] == hostile


def test_the_page_is_the_same_on_a_stream_of_another_encoding():
    report = replace(sample_report(1, "caf\xe9 \u2603"), **FAILED)
    job = replace(sample_job([report]), folder=Path("/results/caf\xe9"))
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding="iso8859-1")
    HtmlReport().write(job, [report], stream)
    stream.flush()
    text = buffer.getvalue().decode("utf-8")
    assert data_of(text) == data_of(written([report], job))
    assert "<title>1 of 1 failed - caf&#233;</title>" in text
    assert "<li>caf&#233; &#9731;: FAIL" in text


def test_the_policy_names_the_style_and_the_script_that_are_in_the_page_and_nothing_else():
    text = written([sample_report()])
    page = load_page()
    assert f"<style>{page.style}</style>" in text
    assert f"<script>{page.script}</script>" in text
    policy = page.policy(connects=False)
    assert "unsafe" not in policy
    assert "default-src &#x27;none&#x27;" in text
    assert re.findall(r"(?:src|href)=\"(?!data:,)", text.replace(page.script, "")) == []


def test_the_page_itself_is_plain_ascii():
    page = load_page()
    assert (page.style + page.script).isascii()
    assert "</script" not in page.script


def test_an_exit_status_of_0_and_a_start_with_the_job_are_told():
    attempt = replace(sample_attempt(), returncode=0)
    failed = replace(sample_report(), **FAILED, returncode=7, attempts=(attempt, attempt))
    [task] = data_of(written([failed]))[1]
    assert task["attempts"][0]["rc"] == 0
    assert task["attempts"][0]["start"] == 0
    assert task["rc"] == 7


def test_phases_are_numbers_that_the_job_names():
    job, [task] = data_of(written([sample_report()]))
    names = [job["phases"][each] for each in task["phases"][::2]]
    assert names == [phase.value for phase, _ in sample_report().phases]
    assert names[-1] == Phase.FINISHED.value


def test_the_last_lines_of_what_failed_are_in_the_page_and_nothing_of_what_passed(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "stdout").write_bytes(b"x" * 9000 + b"\nthe \x1b[31mend\xff\n")
    given = {"log_dir": "1", "outputs": {"stdout": "1/stdout", "stderr": "1/stderr"}}
    failed = replace(sample_report(1), **FAILED, **given)
    passed = replace(sample_report(2), **given)
    reports = [failed, passed]
    _, tasks = data_of(written(reports, sample_job(reports, tmp_path)))
    assert tasks[0]["tail"] == {"stdout": ["the \x1b[31mend\\xff\n", False]}
    assert "tail" not in tasks[1]


def test_a_reason_of_a_megabyte_is_cut_and_says_so():
    report = replace(sample_report(), **{**FAILED, "detail": "a" * 500_000 + "z" * 500_000})
    [task] = data_of(written([report]))[1]
    assert len(task["detail"]) < 70_000
    assert task["detail"].startswith("aaa")
    assert task["detail"].endswith("zzz")
    assert "934464 characters left out" in task["detail"]


def test_all_the_text_of_tests_together_is_bounded():
    report = replace(sample_report(), **{**FAILED, "detail": "a" * 100_000})
    text = written([replace(report, number=number) for number in range(1, 1001)])
    assert len(text) < 12_000_000


def test_without_scripts_there_are_counts_and_the_first_failures():
    failed = replace(sample_report(1, "<b>bad</b>"), **FAILED)
    text = written([replace(failed, number=number) for number in range(1, 151)])
    plain = text[text.index("<noscript>") : text.index("</noscript>")]
    assert "150 of 150 failed" in plain
    assert plain.count("<li>&lt;b&gt;bad&lt;/b&gt;: FAIL: exit status 1</li>") == 100
    assert "and 50 more" in plain
