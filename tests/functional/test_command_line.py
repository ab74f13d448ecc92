"""The command line as people use it: bad input of every sort, and outputs that go away.

Each test starts ``python -m nrunner`` and asks for the documented exit code, a message that helps
and no traceback.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def here(tmp_path, job_results):
    """Return a folder to work in, with one good test in it."""
    folder = tmp_path / "here"
    folder.mkdir()
    script(folder / "good.sh")
    return folder


def script(path, text="#!/bin/sh\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def nrunner(here, *argv, **more):
    """Run nrunner in `here` to its end; it must not have shown a traceback."""
    more = {"capture_output": True, "timeout": 50, **more}
    end = subprocess.run([sys.executable, "-m", "nrunner", *argv], cwd=here, **more)
    end.stdout = (end.stdout or b"").decode("utf-8", "replace")
    end.stderr = (end.stderr or b"").decode("utf-8", "replace")
    assert "Traceback" not in end.stdout + end.stderr
    assert "bug in nrunner" not in end.stderr
    return end


def no_job_ran(job_results):
    return not job_results.exists()


def test_a_missing_file_is_named_with_the_nearest_path_and_nothing_runs(here, job_results):
    end = nrunner(here, "run", "good.sh", "god.sh")
    assert end.returncode == 2
    assert end.stderr == (
        "nrunner: could not resolve 1 of 2 references:\n"
        "  god.sh: does not exist; the nearest existing path is good.sh\n"
    )
    assert no_job_ran(job_results)


def test_a_folder_without_tests_is_refused(here, job_results):
    (here / "empty").mkdir()
    (here / "texts").mkdir()
    (here / "texts" / "readme.txt").write_text("hello")
    end = nrunner(here, "run", "empty", "texts")
    assert end.returncode == 2
    assert "empty" in end.stderr
    assert "it holds no files" in end.stderr
    assert "1 file in it, none of them a test" in end.stderr
    assert no_job_ran(job_results)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"kind": "noop"', "bad.json:1"),
        ('{\n"kind": "noop",\n"urii": "x"}', '"urii"'),
        ('{\n"uri": "x"}', '"kind" is missing'),
        ('[{"kind": "noop"}, {"kind": 1}]', "[1].kind"),
        ('{"kind": "noop", "tags": []}', "tags"),
    ],
)
def test_a_corrupt_recipe_is_named_with_what_is_wrong(here, job_results, content, message):
    (here / "bad.json").write_text(content)
    end = nrunner(here, "run", "good.sh", "bad.json")
    assert end.returncode == 2
    assert "bad.json" in end.stderr
    assert message in end.stderr
    assert no_job_ran(job_results)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "[run]\nmax_paralel_tasks = 1\n",
            'nrunner.toml:2: key "run.max_paralel_tasks": unknown key; '
            'did you mean "run.max_parallel_tasks"?',
        ),
        ("[run\n", "nrunner.toml:1: not valid TOML"),
        ("\nrun.max_parallel_tasks = 0\n", "nrunner.toml:2: "),
        ("run.max_parallel_tasks = 'two'\n", "expected a whole number, got 'two'"),
        ("[run]\nx = '\udcff'\n", "nrunner.toml:2: not UTF-8 text"),
    ],
)
@pytest.mark.parametrize("command", [("run", "good.sh"), ("list", "good.sh"), ("config",)])
def test_wrong_configuration_is_named_with_file_line_and_key(
    here, job_results, content, message, command
):
    (here / "nrunner.toml").write_bytes(content.encode("utf-8", "surrogateescape"))
    end = nrunner(here, *command)
    assert end.returncode == 4
    assert message in end.stderr
    assert no_job_ran(job_results)


def test_a_wrong_job_file_is_named_with_file_line_and_key(here, job_results):
    (here / "job.toml").write_text(
        "[[suite]]\nname = 'x'\nreferences = ['good.sh']\ntimeout = 5\n[jobb]\n"
    )
    end = nrunner(here, "run", "--job", "job.toml")
    assert end.returncode == 4
    assert 'job.toml:4: key "suite[0].timeout": unknown key' in end.stderr
    assert 'job.toml:5: key "jobb": unknown key; did you mean "job"?' in end.stderr
    assert no_job_ran(job_results)


@pytest.mark.parametrize(
    "argv",
    [
        ("run", "good.sh", "--max-parallel-tasks", "0"),
        ("run", "good.sh", "--max-parallel-tasks", "-1"),
        ("run", "good.sh", "--max-parallel-tasks", "many"),
        ("run", "good.sh", "--max-parallel-tasks"),
        ("run", "good.sh", "--job-timeout", "soon"),
        ("run", "good.sh", "--nothing"),
        ("run", "good.sh", "--job", "nowhere.toml"),
        ("run",),
        ("nothing",),
        (),
    ],
)
def test_wrong_usage_ends_with_exit_code_4_before_anything_runs(here, job_results, argv):
    end = nrunner(here, *argv)
    assert end.returncode == 4
    assert end.stderr
    assert no_job_ran(job_results)


def test_an_empty_set_of_references_is_a_failed_job(here, job_results):
    end = nrunner(here, "run", "-", input=b"")
    assert end.returncode == 2
    assert end.stderr == (
        "nrunner: could not find a test to run: the list of references is empty\n"
    )
    assert no_job_ran(job_results)


def test_tags_that_leave_nothing_are_a_failed_job(here, job_results):
    end = nrunner(here, "run", "good.sh", "--filter-by-tags", "fast")
    assert end.returncode == 2
    assert "does not fit the tags asked for (fast)" in end.stderr
    assert no_job_ran(job_results)


@pytest.mark.parametrize(
    "name", ["no\nsuch", "../../../../nowhere", "x" * 10_000, "", "\udcff", "\x1b[31m", "a" * 300]
)
def test_odd_names_that_lead_nowhere_are_told_on_one_visible_line(here, job_results, name):
    end = nrunner(here, "run", name)
    assert end.returncode == 2
    first, second = end.stderr.splitlines()
    assert first == "nrunner: could not resolve 1 of 1 reference:"
    assert second.isprintable()
    assert len(second) < 1000
    assert no_job_ran(job_results)


def test_a_name_with_nul_is_refused(here, job_results):
    (here / "job.toml").write_text('[[suite]]\nname = "x"\nreferences = ["a\\u0000b"]\n')
    end = nrunner(here, "run", "--job", "job.toml")
    assert end.returncode == 2
    assert "a\\x00b: holds a NUL character, which no file name can" in end.stderr
    assert no_job_ran(job_results)


def test_a_list_that_is_not_there_is_named(here, job_results):
    end = nrunner(here, "run", "@gone")
    assert end.returncode == 4
    assert end.stderr.startswith("nrunner: could not read reference @gone: gone does not exist")
    assert no_job_ran(job_results)


def test_an_unwritable_results_folder_is_told_before_anything_runs(here, tmp_path):
    (tmp_path / "file").write_text("")
    script(here / "trace.sh", "#!/bin/sh\ntouch ran\n")
    end = nrunner(here, "run", "./trace.sh", "--job-results-dir", str(tmp_path / "file" / "x"))
    assert end.returncode == 2
    assert "could not write results into" in end.stderr
    assert "is not a folder" in end.stderr
    assert not (here / "ran").exists()


def test_good_references_are_listed_beside_bad_ones(here):
    end = nrunner(here, "list", "good.sh", "gone.sh", "good.sh")
    assert end.returncode == 2
    assert end.stdout == "exec-test  good.sh\nexec-test  good.sh\n"
    assert "could not resolve gone.sh" in end.stderr


def test_a_reader_that_leaves_early_changes_nothing(here):
    for number in range(300):
        script(here / "many" / f"test-{number:03}-with-a-name-that-fills-a-pipe.sh")
    command = [sys.executable, "-m", "nrunner", "list", *["many"] * 20, "gone.sh"]
    read, write = os.pipe()
    with subprocess.Popen(command, cwd=here, stdout=write, stderr=subprocess.PIPE) as process:
        os.close(write)
        os.close(read)
        error = process.communicate(timeout=50)[1].decode()
    assert process.returncode == 2
    assert error == (
        "nrunner: could not resolve gone.sh: does not exist; the nearest existing path is good.sh\n"
    )


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_before_a_short_answer_changes_nothing(here, monkeypatch, unbuffered):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    read, write = os.pipe()
    os.close(read)
    end = nrunner(
        here, "list", "good.sh", stdout=write, capture_output=False, stderr=subprocess.PIPE
    )
    os.close(write)
    assert (end.returncode, end.stderr) == (0, "")


@pytest.mark.parametrize("argv", [("--help",), ("config",), ("plugins",)])
@pytest.mark.parametrize("closing", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_outputs_are_no_error(here, argv, closing):
    command = f'exec "$0" -m nrunner "$@" {closing}'
    end = subprocess.run(["/bin/sh", "-c", command, sys.executable, *argv], cwd=here, timeout=50)
    assert end.returncode == 0


def test_output_to_a_full_disk_is_told(here):
    with Path("/dev/full").open("w") as full:
        end = nrunner(here, "config", stdout=full, capture_output=False, stderr=subprocess.PIPE)
    assert end.returncode == 2
    assert "could not write to standard output: no space left on device" in end.stderr


HEAVY = {"asyncio", "aiohttp", "rich", "jsonschema", "msgspec", "importlib.metadata"}
CLICK = {"click", "gettext", "uuid", "platform", "inspect"}
DEFERRED = {"ssl", "asyncio.sslproto", "inspect", "ipaddress", "tokenize", "typing_extensions"}
HELPERS = {
    "difflib",
    "tomllib",
    "shutil",
    "tempfile",
    "multiprocessing",
    "concurrent.futures.thread",
}


def imported(here, *argv):
    """Return the names of the modules that a command has imported when it ends."""
    code = (
        "import sys; from nrunner.cli.main import main; main(sys.argv[1:]);"
        "print(*sys.modules, file=sys.stderr)"
    )
    # Without site, which imports what an editable installation needs.
    path = os.pathsep.join(each for each in sys.path if each)
    # Somebody who has a wish about the width of help gets it from click.
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    end = subprocess.run(
        [sys.executable, "-S", "-c", code, *argv],
        cwd=here,
        capture_output=True,
        text=True,
        timeout=50,
        env={**env, "PYTHONPATH": path},
    )
    assert end.returncode == 0, end.stderr
    return set(end.stderr.splitlines()[-1].split())


OVER_TLS = """
import sys
from nrunner.deferral import load_lightly
load_lightly("asyncio")
assert "ssl" not in sys.modules and "inspect" not in sys.modules
import asyncio, signal
async def answer(reader, writer):
    writer.write(b"hello, " + await reader.readline())
    writer.close()
async def main():
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.add_signal_handler(signal.SIGUSR1, repr, None)
    assert "main" in repr(asyncio.current_task())
    import ssl
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain("cert", "key")
    theirs = ssl.create_default_context(cafile="cert")
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=ours) as server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=theirs, server_hostname="localhost"
        )
        writer.write(b"hello of TLS\\n")
        print((await reader.read()).decode(), end="")
        writer.close()
asyncio.run(main())
"""


@pytest.mark.parametrize(
    "argv", [["run", "--help"], ["completion", "zsh"], ["config"], ["jobs", "-h"]], ids=" ".join
)
def test_what_runs_nothing_imports_nothing_heavy(here, argv):
    assert sorted(imported(here, *argv) & HEAVY) == []


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["list", "good.sh"]], ids=" ".join)
def test_what_asks_for_little_imports_little(here, argv):
    assert sorted(imported(here, *argv) & (HEAVY | CLICK | HELPERS)) == []


def test_help_imports_no_part_of_ours_beyond_the_command_line(here):
    ours = {each for each in imported(here, "--help") if each.startswith("nrunner.")}
    parts = ("cli", "cli.main", "cli.front", "cli.output", "errors")
    assert ours <= {f"nrunner.{each}" for each in parts}


@pytest.mark.parametrize("reference", ["good.sh", "noop.json"])
def test_a_run_imports_only_what_it_needs(here, reference):
    (here / "noop.json").write_text('{"kind": "noop", "uri": "n"}')
    imported(here, "run", reference)  # the first of all makes the agent's file
    needed = {"asyncio", "msgspec"}
    # What these import themselves, while the agent starts.
    theirs = {"dataclasses", "uuid", "platform"}
    if sys.version_info >= (3, 12):
        theirs |= {"inspect", "tokenize"}  # what typing's isinstance takes for a protocol
    everything = imported(here, "run", reference)
    assert sorted(everything & (HEAVY | CLICK | HELPERS | DEFERRED) - needed - theirs) == []


def test_what_is_loaded_late_is_there_for_who_needs_it(tmp_path):
    """Messages go both ways over TLS, and asyncio tells of what it runs, as without us."""
    words = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2")
    making = ("openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", *words)
    subprocess.run([*making, "-keyout", "key", "-out", "cert"], cwd=tmp_path, check=True)
    end = subprocess.run(
        [sys.executable, "-c", OVER_TLS], cwd=tmp_path, capture_output=True, text=True, timeout=50
    )
    assert (end.returncode, end.stderr) == (0, "")
    assert end.stdout == "hello, hello of TLS\n"


def test_an_agent_is_started_before_anything_is_imported_that_it_does_not_need(here):
    code = (
        "import sys; from nrunner.launch import Launch; from nrunner.cli.main import main\n"
        "def stop(*_): print(*sys.modules, file=sys.stderr); raise KeyboardInterrupt\n"
        "Launch.__init__ = stop; main(sys.argv[1:])"
    )
    end = subprocess.run(
        [sys.executable, "-c", code, "run", "good.sh"], cwd=here, capture_output=True, text=True
    )
    seen = set(end.stderr.splitlines()[0].split())
    assert sorted(seen & (HEAVY | CLICK | HELPERS)) == []


def test_bash_completes_commands_and_flags(here, tmp_path):
    bash = shutil.which("bash")
    assert bash, "bash is part of the systems that nrunner is developed on"
    script(tmp_path / "bin" / "nrunner", f'#!/bin/sh\nexec "{sys.executable}" -m nrunner "$@"\n')
    (tmp_path / "completion").write_text(nrunner(here, "completion", "bash").stdout)
    asking = """
    . "$0"
    COMP_WORDS=(nrunner run --max-p) COMP_CWORD=2
    _nrunner_completion nrunner --max-p run
    echo "${COMPREPLY[@]}"
    """
    end = subprocess.run(
        [bash, "--norc", "-c", asking, str(tmp_path / "completion")],
        cwd=here,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
        timeout=50,
    )
    assert end.stdout == "--max-parallel-tasks\n", end.stderr


def test_the_configuration_for_programs_is_json(here, job_results):
    data = json.loads(nrunner(here, "config", "--json").stdout)
    assert data["run.results_dir"] == {
        "value": str(job_results),
        "source": "NRUNNER_RUN_RESULTS_DIR",
        "variable": "NRUNNER_RUN_RESULTS_DIR",
        "flag": "--job-results-dir",
        "help": "Where the folders of jobs are made.",
    }


def started(here: Path, before: str, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run the command as its script does, in an interpreter that did something before."""
    code = f"import atexit, threading\n{before}\nfrom nrunner.cli.main import start; start()"
    return subprocess.run(
        [sys.executable, "-c", code, *argv], cwd=here, capture_output=True, text=True, timeout=50
    )


def test_what_was_registered_to_be_done_at_the_end_is_done(here):
    end = started(here, "atexit.register(print, 'bye')", "--version")
    assert (end.returncode, end.stdout.splitlines()[-1]) == (0, "bye")


def test_threads_are_waited_for_at_the_end(here):
    late = "lambda: (threading.main_thread().join(), print('late'))"
    end = started(here, f"threading.Thread(target={late}).start()", "--version")
    assert (end.returncode, end.stdout.splitlines()[-1]) == (0, "late")


def test_the_end_of_the_process_has_the_exit_code_of_the_command(here):
    assert started(here, "", "no-such-command").returncode == 4
