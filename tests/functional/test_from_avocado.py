"""What somebody types who knows Avocado does here what it does there (docs/from-avocado.md)."""

from __future__ import annotations

import ast
import json
import re
import stat
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.functional.sandbox import Sandbox, wait_until

MIXED = """import unittest

class T(unittest.TestCase):
    def test_bad(self):
        \"\"\"
        :avocado: tags=slow
        \"\"\"
        print("<told>")
        self.fail("no good")

    def test_good(self):
        \"\"\"
        :avocado: tags=fast,net:virtio
        \"\"\"

    def test_later(self):
        self.skipTest("later")
"""
TELLS = """#!/bin/sh
env
echo kept >"$AVOCADO_TEST_OUTPUTDIR/mine"
echo rubbish >"$AVOCADO_TEST_WORKDIR/left"
"""
ID = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    sandbox.write("mixed.py", MIXED, executable=False)
    sandbox.write("tells.sh", TELLS)
    return sandbox


def statuses(box: Sandbox) -> dict[str, str]:
    return {each["name"].rpartition(".")[2]: each["status"] for each in box.results()["tests"]}


def test_options_of_avocado_run_lead_to_the_same_job(box: Sandbox) -> None:
    end = box.run(
        *("--show", "all", "run", "-p", "A=1", "--test-parameter", "B=2", "--job-timeout", "40"),
        *("--suite-runner", "nrunner", "--journal", "--log-test-data-directories", "--keep-tmp"),
        *("--spawner", "process", "--max-parallel-tasks", "2", "--shuffle", "-z"),
        *("--ignore-missing-references", "--job-category", "nightly", "--force-job-id", ID),
        *("-t", "fast,net:virtio", "-t", "-slow,-fast", "--filter-by-tags-include-empty"),
        *("./mixed.py", "./tells.sh", "./gone.sh"),
    )
    wanted = {"test_good": "PASS", "test_later": "SKIP", "sh": "PASS"}
    assert (end.code, statuses(box)) == (0, wanted)
    assert end.lines[0] == f"JOB ID     : {ID}"
    assert (box.base / "nightly" / box.job.name).resolve() == box.job

    [tells] = (each for each in box.results()["tests"] if each["kind"] == "exec-test")
    folder = box.job / "test-results" / Path(tells["logdir"]).name
    assert {"A=1", "B=2"} <= set((folder / "stdout").read_text().splitlines())
    assert (folder / "output/mine").read_text() == "kept\n"
    assert (folder / "work/left").read_text() == "rubbish\n"

    packed = zipfile.ZipFile(f"{box.job}.zip")
    assert packed.testzip() is None
    assert stat.S_IMODE(Path(f"{box.job}.zip").stat().st_mode) == 0o600
    assert {"results.json", "job.log", "jobdata/cmdline", "id"} <= set(packed.namelist())
    with packed.open(f"test-results/{folder.name}/output/mine") as file:
        assert file.read() == b"kept\n"
    link = packed.getinfo(f"test-results/by-status/PASS/{folder.name}")
    assert (packed.read(link), stat.S_ISLNK(link.external_attr >> 16)) == (
        f"../../{folder.name}".encode(),
        True,
    )


def test_what_a_test_leaves_in_its_temporary_folder_goes_unless_it_is_to_be_kept(
    box: Sandbox,
) -> None:
    assert box.run("run", "./tells.sh").code == 0
    assert {each.name for each in (box.job / "test-results/1-._tells.sh").iterdir()} == {
        *("stdout", "output"),
    }


def test_a_dry_run_lists_tests_and_runs_none(box: Sandbox) -> None:
    end = box.run("run", "-d", "--dry-run-no-cleanup", "./mixed.py", "./tells.sh")
    assert (end.code, set(statuses(box).values())) == (0, {"CANCEL"})
    assert end.out.count("CANCEL: dry run") == 4
    assert not list((box.job / "test-results").iterdir())


def test_fail_fast_cancels_what_has_not_begun(box: Sandbox) -> None:
    names = [box.write(f"{number}.sh", "#!/bin/sh\nfalse\n").name for number in range(3)]
    end = box.run("run", "--failfast", "--max-parallel-tasks=1", *names)
    found = [each["status"] for each in box.results()["tests"]]
    assert (end.code, found) == (1, ["FAIL", "CANCEL", "CANCEL"])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("run", "./tells.sh"), 0),
        (("run", "./mixed.py"), 1),
        (("run", "./gone.sh"), 2),
        (("run", "./gone.sh", "--ignore-missing-references"), 2),
        (("run", "./tells.sh", "--force-job-id", "12"), 4),
        (("run", "./tells.sh", "--suite-runner", "remote"), 4),
        (("run", "./tells.sh", "-p", "A"), 4),
        (("run", "--no-such-option", "./tells.sh"), 4),
        (("run", "/bin/sleep", "--job-timeout", "30"), 1),
        (("run", "./sleeps.sh", "--job-timeout", "0.5"), 8),
    ],
    ids=lambda each: " ".join(each[1:]) if isinstance(each, tuple) else str(each),
)
def test_exit_codes_are_those_of_avocado(box: Sandbox, words: tuple[str, ...], code: int) -> None:
    box.write("sleeps.sh", "#!/bin/sh\nexec sleep 60\n")
    end = box.run(*words)
    assert end.code == code
    assert not end.err or end.err.startswith("nrunner: ")


def test_a_job_id_that_a_job_has_is_refused(box: Sandbox) -> None:
    assert box.run("run", "-d", "--force-job-id", ID, "./tells.sh").code == 0
    end = box.run("run", "-d", "--force-job-id", ID, "./tells.sh")
    assert (end.code, end.out) == (4, "")
    assert end.err == f"nrunner: could not use the job id {ID}: {box.job} has it already\n"


@pytest.mark.parametrize("usual_first", [False, True], ids=["same digits", "same id"])
def test_a_job_whose_id_leads_to_the_sockets_of_another_is_refused(
    box: Sandbox, usual_first: bool
) -> None:
    first, second = (f"{number:040x}" for number in (41, 41 if usual_first else 42))
    box.write("waits.sh", "#!/bin/sh\nexec sleep 600\n")
    usual = {"NRUNNER_RUN_RESULTS_DIR": f"{box.env['XDG_DATA_HOME']}/nrunner/job-results"}
    env = usual if usual_first else {}
    assert box.run("run", "--detach", "--force-job-id", first, "./waits.sh", env=env).code == 0
    wait_until(box.payloads, "the first job's test runs")

    end = box.run("run", "--force-job-id", second, "./tells.sh")
    assert (end.code, end.out) == (4, "")
    assert end.err.startswith(f"nrunner: could not use the job id {second}: ")

    assert box.payloads()
    assert box.run("jobs", "cancel", first, env=env).code == 0
    assert box.run("jobs", "wait", first, env=env).code == 8
    assert box.run("run", "--force-job-id", f"{43:040x}", "./tells.sh").code == 0


def test_reports_are_as_their_options_say(box: Sandbox) -> None:
    box.write("much.sh", "#!/bin/sh\necho begin\nseq 1000\nfalse\n")
    end = box.run(
        *("run", "--tap-include-logs", "--xunit-job-name", "mine", "--tap", "other.tap"),
        *("--xunit-max-test-log-chars", "40", "--json", "-", "--disable-json-job-result"),
        *("--disable-html-job-result", "./much.sh"),
    )
    assert end.code == 1
    assert json.loads(end.out)["failures"] == 1
    reports = {each.name for each in box.job.glob("results.*")}
    assert reports == {"results.xml", "results.tap"}
    tap = (box.job / "results.tap").read_text()
    assert tap == (box.here / "other.tap").read_text()
    assert "# stdout of ./much.sh:\n#   begin\n#   1\n" in tap
    assert tap.index("#   1000\n") < tap.index("\nnot ok 1 - ./much.sh\n")
    suite = ElementTree.parse(box.job / "results.xml").getroot()[0]
    assert suite.get("name") == "mine"
    # What the job was asked for holds for reports that are made again.
    again = (box.job / "results.xml").read_bytes()
    (box.job / "results.xml").unlink()
    assert box.run("report").code == 0
    assert (box.job / "results.xml").read_bytes() == again
    assert (box.job / "results.tap").read_text() == tap
    text = suite.findtext(".//system-out") or ""
    assert (text.splitlines()[-1], len(text) <= 40) == ("1000", True)


@pytest.mark.parametrize("name", ["xunit", "tap"])
def test_a_report_can_be_left_out(box: Sandbox, name: str) -> None:
    assert box.run("run", "-d", f"--disable-{name}-job-result", "./tells.sh").code == 0
    left = {"results.json", "results.html", "results.xml", "results.tap"}
    left.remove({"xunit": "results.xml", "tap": "results.tap"}[name])
    assert {each.name for each in box.job.glob("results.*")} == left


def test_a_job_without_results_json_is_complete_all_the_same(box: Sandbox) -> None:
    assert box.run("run", "--disable-json-job-result", "./mixed.py").code == 1
    assert "  complete  pass 1 failures 1 skip 1" in box.run("jobs", "list").out
    end = box.run("jobs", "show")
    assert end.code == 0
    assert "JOB STATE  : complete" in end.lines
    assert "  FAIL  1-./mixed.py:T.test_bad: AssertionError: no good" in end.lines


def test_results_json_has_the_fields_of_avocado(box: Sandbox) -> None:
    box.run("run", "./mixed.py", "./tells.sh", "--max-parallel-tasks=1")
    data = box.results()
    assert (data["job_id"], data["debuglog"]) == (
        (box.job / "id").read_text().strip(),
        str(box.job / "job.log"),
    )
    counts = {"pass": 2, "failures": 1, "errors": 0, "skip": 1, "cancel": 0, "warn": 0}
    assert {key: data[key] for key in counts} == counts
    assert (data["interrupt"], data["total"]) == (0, 4)
    bad, good, _, tells = data["tests"]
    assert (bad["id"], bad["name"], bad["status"]) == (
        *("1-./mixed.py:T.test_bad", "./mixed.py:T.test_bad", "FAIL"),
    )
    assert (bad["fail_reason"], good["fail_reason"]) == ("AssertionError: no good", None)
    assert (bad["tags"], good["tags"]) == ({"slow": None}, {"fast": None, "net": ["virtio"]})
    assert bad["logdir"] == str(box.job / "test-results/1-._mixed.py_T.test_bad")
    assert (Path(bad["logdir"]) / "stdout").read_text().startswith("<told>\n")
    assert tells["time_elapsed"] == pytest.approx(tells["time_end"] - tells["time_start"])
    wall = tells["actual_time_end"] - tells["actual_time_start"]
    assert wall == pytest.approx(tells["time_elapsed"], abs=0.5)
    assert data["time"] >= sum(each["time_elapsed"] for each in data["tests"])


def test_results_xml_has_the_elements_and_attributes_of_avocado(box: Sandbox) -> None:
    box.run("run", "./mixed.py", "./tells.sh", "--max-parallel-tasks=1")
    suite = ElementTree.parse(box.job / "results.xml").getroot()[0]
    wanted = {"name": box.job.name, "tests": "4", "errors": "0", "failures": "1", "skipped": "1"}
    assert {key: suite.get(key) for key in wanted} == wanted
    assert float(suite.get("time") or 0) > 0
    bad, good, later, _ = suite.findall("testcase")
    assert (bad[0].tag, bad[0].get("type"), bad[0].get("message")) == (
        *("failure", "AssertionError", "AssertionError: no good"),
    )
    assert "Traceback" in (bad[0].text or "")
    assert (bad.findtext("system-out") or "").startswith("<told>\n")
    assert (list(good), later[0].tag) == ([], "skipped")
    assert all(float(each.get("time") or -1) >= 0 for each in (bad, good, later))


def test_results_tap_has_the_lines_of_avocado(box: Sandbox) -> None:
    box.run("run", "./mixed.py", "--max-parallel-tasks=1")
    lines = (box.job / "results.tap").read_text().splitlines()
    assert [each for each in lines if re.match(r"(not )?ok |1\.\.", each)] == [
        "1..3",
        "not ok 1 - ./mixed.py:T.test_bad",
        "ok 2 - ./mixed.py:T.test_good",
        "ok 3 - ./mixed.py:T.test_later # SKIP later",
    ]


def test_the_folder_of_a_job_has_what_avocado_keeps_there(box: Sandbox) -> None:
    words = ("run", "./mixed.py", "./tells.sh", "/bin/false", "--max-parallel-tasks=1")
    box.run(*words)
    job, data = box.job, box.job / "jobdata"
    assert ast.literal_eval((data / "cmdline").read_text()) == ["nrunner", *words]
    assert ast.literal_eval((data / "test_references").read_text()) == [*words[1:4]]
    none = [{"paths": ["/run/*"], "variant_id": None, "variant": [["/", []]]}]
    assert json.loads((data / "variants-1.json").read_text()) == none
    assert (data / "pwd").read_text() == str(box.here)
    assert json.loads((data / "args.json").read_text())["run.max_parallel_tasks"] == 1
    log = (job / "job.log").read_text()
    assert f"JOB ID     : {(job / 'id').read_text()}" in log
    assert f"COMMAND    : nrunner {' '.join(words)}\n" in log
    assert "test_bad: FAIL: AssertionError: no good" in log
    links = {
        f"{path.parent.name}/{path.name}": path.resolve().relative_to(job / "test-results")
        for path in (job / "test-results/by-status").glob("*/*")
    }
    assert {name: str(target) for name, target in links.items()} == {
        f"{status}/{name}": name
        for status, name in (
            ("FAIL", "1-._mixed.py_T.test_bad"),
            ("PASS", "4-._tells.sh"),
            ("FAIL", "5-_bin_false"),
        )
    }
    assert all((job / "test-results" / target).is_dir() for target in links.values())


def test_payloads_see_the_variables_of_avocado(box: Sandbox) -> None:
    box.run("run", "./tells.sh")
    folder = box.job / "test-results/1-._tells.sh"
    seen = dict(
        each.split("=", 1) for each in (folder / "stdout").read_text().splitlines() if "=" in each
    )
    assert re.fullmatch(r"113\.\d+", seen["AVOCADO_VERSION"])
    assert seen["AVOCADO_TEST_BASEDIR"] == str(box.here)
    assert seen["AVOCADO_TEST_LOGDIR"] == str(folder)
    assert seen["AVOCADO_TEST_LOGFILE"] == str(folder / "debug.log")
    assert not Path(seen["AVOCADO_TEST_WORKDIR"]).exists()
    assert not Path(seen["AVOCADO_TEST_OUTPUTDIR"]).exists()


def test_tests_of_a_job_share_a_temporary_folder_while_it_runs(box: Sandbox) -> None:
    name = "AVOCADO_TESTS_COMMON_TMPDIR"
    box.write("first.sh", f'#!/bin/sh\necho "${name}"; echo left >"${name}/left"\n')
    box.write("second.sh", f'#!/bin/sh\ncat "${name}/left"\n')
    words = ("run", "./first.sh", "./second.sh", "--max-parallel-tasks=1")
    assert box.run(*words).code == 0
    told = [(box.job / each["outputs"]["stdout"]).read_text() for each in box.results()["tests"]]
    folder = Path(told[0].strip())
    assert (folder.is_absolute(), folder.exists(), told[1]) == (True, False, "left\n")
    # As Avocado has it, a folder that is named already is taken, and stays.
    assert box.run(*words, env={name: str(box.here)}).code == 0
    assert (box.here / "left").read_text() == "left\n"


def test_settings_are_explained_and_folders_named(box: Sandbox) -> None:
    lines = box.run("config", "reference").lines
    begin = lines.index("run.fail_fast")
    assert lines[begin + 1 : begin + 7] == [
        *("~" * 13, "Start no more tasks once one has failed.", "", "* Default: false"),
        *("* Environment: NRUNNER_RUN_FAIL_FAST", "* Option: --fail-fast"),
    ]
    assert re.search(rf"run.results_dir +{box.base}\n", box.run("config", "--datadir").out)


def test_the_page_is_shown_in_a_browser_if_asked_for(box: Sandbox) -> None:
    browser = box.plug_in("browser", f'#!/bin/sh\necho "$1" >{box.here}/shown\n')
    end = box.run("run", "--open-browser", "./tells.sh", env={"BROWSER": f"{browser} %s"})
    assert (end.code, end.err) == (0, "")
    assert (box.here / "shown").read_text() == (box.job / "results.html").as_uri() + "\n"
    end = box.run("run", "--open-browser", "--disable-html-job-result", "./tells.sh")
    assert (end.code, end.err) == (
        0,
        f"nrunner: could not open a browser: there is no page {box.job}/results.html\n",
    )


def test_what_is_said_before_the_command_counts(box: Sandbox) -> None:
    assert box.run("-v").out == box.run("--version").out != ""
    box.write("says.sh", "#!/bin/sh\necho '<told>'; false\n")
    assert "<told>" in box.run("--show", "test:DEBUG", "run", "./says.sh").out
    assert box.run("--show=none", "--enable-paginator", "run", "./says.sh").out == ""
    verbose = box.run("-V", "list", "./mixed.py").out
    assert verbose == box.run("list", "-v", "./mixed.py").out != box.run("list", "./mixed.py").out
    assert box.run("--no-such", "run", "./tells.sh").code == 4


def test_a_job_is_replayed_with_its_tests_settings_and_variables(box: Sandbox) -> None:
    box.write("mode.sh", "#!/bin/sh\necho $MODE\nexit ${STATUS:-0}\n")
    chosen = ("-t", "-slow", "--filter-by-tags-include-empty")
    box.run("run", "mode.sh", "./mixed.py", "-p", "MODE=odd", "-p", "STATUS=7", *chosen)
    assert statuses(box) == {"sh": "FAIL", "test_good": "PASS", "test_later": "SKIP"}
    before = box.results()
    (box.here / "mixed.py").write_text(MIXED.replace("test_later", "test_other"))
    (box.here / "deep").mkdir()
    here, box.here = box.here, box.here / "deep"
    end = box.run("--show", "test", "replay")
    box.here = here
    assert "     stdout | odd" in end.lines
    after = box.results()
    assert after["job_id"] != before["job_id"]
    assert after["facts"]["replayed_job"] == before["job_id"]
    assert [each["id"] for each in after["tests"]] == [each["id"] for each in before["tests"]]
    # What was planned then is run, though it is gone.
    assert [each["status"] for each in after["tests"]][:2] == ["FAIL", "PASS"]

    end = box.run("replay", before["job_id"][:12], "--replay-test-status", "pass,skip")
    assert sorted(statuses(box)) == ["test_good", "test_later"]
    assert box.run("replay", "nothing").code == 4
    end = box.run("replay", "--replay-test-status", "x")
    assert (end.code, end.err.startswith("nrunner: could not replay tests that are 'X'")) == (
        4,
        True,
    )


VARIANTS = [
    {
        "paths": ["/run/*"],
        "variant_id": "cat-26c0",
        "variant": [["/pig/cat", [["/pig", "ant", "fox"], ["/pig/cat", "dog", "bee"]]]],
    },
    {"paths": ["/run/*"], "variant_id": "bird", "variant": [["/a", []], ["/b", [["/b", "n", 3]]]]},
]


def test_each_test_runs_with_each_variant_and_sees_its_parameters(box: Sandbox) -> None:
    box.write("v.json", json.dumps(VARIANTS), executable=False)
    words = ("run", "./tells.sh", "/bin/true", "--json-variants-load", "v.json")
    assert box.run(*words, "-p", "MORE=1").code == 0
    ids = ["1-./tells.sh;cat-26c0", "2-./tells.sh;bird", "3-/bin/true;cat-26c0", "4-/bin/true;bird"]
    tests = box.results()["tests"]
    assert [each["id"] for each in tests] == ids
    seen = [(box.job / each["outputs"]["stdout"]).read_text().splitlines() for each in tests[:2]]
    assert [{"ant=fox", "dog=bee", "MORE=1"} <= set(each) for each in seen] == [True, False]
    assert {"n=3", "MORE=1"} <= set(seen[1])
    assert json.loads((box.job / "jobdata/variants-1.json").read_text()) == VARIANTS

    assert box.run(*words, "--execution-order", "tests-per-variant").code == 0
    ids = ["1-./tells.sh;cat-26c0", "2-/bin/true;cat-26c0", "3-./tells.sh;bird", "4-/bin/true;bird"]
    assert [each["id"] for each in box.results()["tests"]] == ids
    assert box.run("run", "/bin/true", "--json-variants-load", "gone.json").code == 4


def test_variants_are_shown_and_written_as_avocado_does(box: Sandbox) -> None:
    box.write("v.json", json.dumps(VARIANTS), executable=False)
    load = ("variants", "--json-variants-load", "v.json")
    brief = ["JSON Serialized Variants (2):"]
    names = ["Variant cat-26c0:    /pig/cat", "Variant bird:    /a, /b"]
    assert box.run(*load).lines == [*brief, *names]
    cat = ["    /pig/cat:dog => bee", "    /pig:ant     => fox"]
    contents = [*brief, "", names[0], *cat, "", names[1], "    /b:n => 3"]
    assert box.run(*load, "--variants", "verbose").lines == contents
    no_tree = "No tree representation for JSON serialized variants"
    words = ("-c", "--summary", "1", "--json-variants-dump", "dump.json")
    assert box.run(*load, *words).lines == [no_tree, *contents]
    assert json.loads((box.here / "dump.json").read_text()) == VARIANTS
    assert box.run(*load, "--tree", "--inherit").lines == [no_tree]
    assert [
        box.run(*load, *each).code for each in (("-i",), ("-t", "-d"), ("--variants", "x"))
    ] == [
        *(4, 4, 4),
    ]
    end = box.run("variants")
    assert (end.code, end.out) == (0, "")


def test_a_file_of_avocado_is_read_if_it_is_named(box: Sandbox) -> None:
    conf = "[run]\nfailfast = True\nshuffle = no\n[job.run.result.tap]\nenabled = False\n"
    conf += "[run.status_server]\nuri = nonsense\n"
    box.write("my.conf", conf, executable=False)
    box.write("nrunner.toml", "run.fail_fast = false\nrun.max_parallel_tasks = 1\n")
    told = box.run("--config", "my.conf", "config", env={"NRUNNER_RUN_SHUFFLE": "true"}).out
    assert re.search(rf"run.fail_fast +true +{box.here}/my.conf:2\n", told)
    assert re.search(r"run.shuffle +true +NRUNNER_RUN_SHUFFLE\n", told)
    end = box.run("--config=my.conf", "run", "/bin/false", "./tells.sh", "/bin/true")
    assert [each["status"] for each in box.results()["tests"]] == ["FAIL", "CANCEL", "CANCEL"]
    assert not (box.job / "results.tap").exists()
    assert end.err == ""

    box.write("my.toml", "run.fail_fast = 3\n", executable=False)
    end = box.run("--config", "my.toml", "run", "/bin/true")
    assert (end.code, "my.toml:1: " in end.err) == (4, True)
    end = box.run("--config", "gone.conf", "run", "/bin/true")
    assert (end.code, end.err.startswith("nrunner: could not read ")) == (4, True)


def test_results_for_tmt_are_written_if_asked_for(box: Sandbox) -> None:
    end = box.run("run", "./mixed.py", "--tmt", "out.yaml", "--disable-tmt-job-result")
    lines = (box.here / "out.yaml").read_text().splitlines()
    assert end.code == 1
    assert lines[:2] == ['- name: "/./mixed.py:T.test_bad"', '  result: "fail"']
    assert '  log: ["test-results/1-._mixed.py_T.test_bad/stdout"]' in lines
    assert not (box.job / "results.yaml").exists()
    env = {"NRUNNER_RUN_RESULTS": "json,tmt"}
    box.run("run", "/bin/true", env=env)
    assert (box.job / "results.yaml").exists()
    box.run("run", "/bin/true", "--disable-tmt-job-result", env=env)
    assert {each.name for each in box.job.glob("results.*")} == {"results.json"}


def test_tests_are_told_where_facts_of_the_system_are(box: Sandbox) -> None:
    box.write("list", "hostname\n", executable=False)
    box.write("looks.sh", '#!/bin/sh\ncat "$AVOCADO_SYSINFODIR/hostname"\n')
    env = {
        "NRUNNER_SYSINFO_COLLECTIBLES_COMMANDS": str(box.here / "list"),
        "NRUNNER_SYSINFO_COLLECTIBLES_FILES": "/dev/null",
    }
    assert box.run("run", "--sysinfo", "./looks.sh", env=env).code == 0
    [test] = box.results()["tests"]
    seen = (box.job / test["outputs"]["stdout"]).read_text()
    assert seen == (box.job / "sysinfo/pre/hostname").read_text() != ""
    assert box.run("run", "./looks.sh", env=env).code == 1


def test_a_flag_that_is_left_out_is_refused_with_the_reason(box: Sandbox) -> None:
    end = box.run("run", "--spawner-podman-bin", "/usr/bin/podman", "./tells.sh")
    assert (end.code, end.err.splitlines()[0]) == (
        4,
        "nrunner: no such option: --spawner-podman-bin: podman's service is talked to;"
        " the setting podman.socket says where",
    )
