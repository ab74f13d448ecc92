"""What tests written in Python share, and what they must not see of each other.

Each class of PRISTINE has two tests that do the same: first they look whether the world is as a
new interpreter has it, then they spoil it. Whichever comes second tells whether anything leaks.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.functional.sandbox import Sandbox

PRISTINE = """
import asyncio, atexit, builtins, contextvars, decimal, gc, io, locale, logging, os, random
import resource, signal, subprocess, sys, tempfile, threading, time, unittest, warnings

STATE = []
CONTEXT = contextvars.ContextVar("CONTEXT", default=0)
HERE = os.getcwd()

class Pristine:
    def test_one(self):
        self.look_and_spoil()
    def test_two(self):
        self.look_and_spoil()

class Names(Pristine, unittest.TestCase):
    state = []
    def look_and_spoil(self):
        self.assertEqual((STATE, self.state), ([], []))
        self.assertNotIn("spoilt", vars(builtins))
        STATE.append(1)
        self.state.append(1)
        builtins.spoilt = 1
        type(self).spoilt = 1

class Imports(Pristine, unittest.TestCase):
    def look_and_spoil(self):
        self.assertNotIn("colorsys", sys.modules)
        self.assertNotIn("/spoilt", sys.path)
        self.assertEqual(sys.path[0], HERE)
        self.assertEqual(sys.path.count(HERE), 1)
        self.assertEqual([name for name in sys.modules if name.split(".")[0] == "nrunner"], [])
        self.assertNotIn("unittest_child", sys.modules)
        self.assertEqual(sys.argv[0], "python -m unittest")
        import colorsys
        sys.path.insert(0, "/spoilt")
        sys.argv[:] = ["spoilt"]
        sys.meta_path.clear()

class Environment(Pristine, unittest.TestCase):
    def look_and_spoil(self):
        self.assertNotIn("SPOILT", os.environ)
        self.assertIn("PATH", os.environ)
        shown = subprocess.run(["env"], stdout=subprocess.PIPE).stdout.decode()
        self.assertNotIn("NRUNNER_ZYGOTE", shown)
        self.assertEqual(shown.count("NRUNNER_ATTEMPT="), 1)
        self.assertIn(os.environ["NRUNNER_ATTEMPT"], shown)
        with open("/proc/self/environ") as file:
            self.assertIn("NRUNNER_ATTEMPT=" + os.environ["NRUNNER_ATTEMPT"], file.read())
        self.assertIn(self.id().rpartition(".")[2], os.environ["NRUNNER_TEST_LOGDIR"])
        os.environ["SPOILT"] = "1"
        del os.environ["PATH"]

class Folders(Pristine, unittest.TestCase):
    def look_and_spoil(self):
        self.assertEqual(os.getcwd(), HERE)
        self.assertEqual(os.listdir(os.environ["TMPDIR"]), [])
        self.assertEqual(tempfile.gettempdir(), os.environ["TMPDIR"])
        self.assertEqual(os.umask(0o777), int(os.environ["WITH_UMASK"], 8))
        os.chdir("/")

class Signals(Pristine, unittest.TestCase):
    def look_and_spoil(self):
        self.assertIs(signal.getsignal(signal.SIGINT), signal.default_int_handler)
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM):
            self.assertIs(signal.getsignal(number), signal.SIG_DFL)
        self.assertEqual(signal.pthread_sigmask(signal.SIG_BLOCK, []), set())
        self.assertEqual(signal.getitimer(signal.ITIMER_REAL), (0.0, 0.0))
        self.assertEqual(signal.set_wakeup_fd(-1), -1)
        for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        signal.alarm(600)

class Processes(Pristine, unittest.TestCase):
    def look_and_spoil(self):
        self.assertEqual((os.getsid(0), os.getpgid(0)), (os.getpid(), os.getpid()))
        self.assertRaises(ChildProcessError, os.waitpid, -1, os.WNOHANG)
        self.assertEqual(len(os.listdir("/proc/self/task")), 1)
        self.assertEqual(threading.active_count(), 1)
        self.assertIs(threading.current_thread(), threading.main_thread())
        self.assertLess(time.process_time(), 5)
        thread = threading.Thread(target=time.sleep, args=(60,))
        thread.daemon = True
        thread.start()

class Files(Pristine, unittest.TestCase):
    def look_and_spoil(self):
        numbers = sorted(map(int, os.listdir("/proc/self/fd")))
        self.assertEqual(numbers[:3], [0, 1, 2])
        self.assertEqual(len(numbers), 4, numbers)
        self.assertEqual(sys.stdin.read(), "")
        self.assertIs(sys.stdout, sys.__stdout__)
        self.assertIs(sys.stderr, sys.__stderr__)
        for number, name in ((1, "stdout"), (2, "stderr")):
            self.assertEqual(os.fstat(number).st_size, 0)
        print("said by", self.id(), flush=True)
        print("warned by", self.id(), file=sys.stderr)
        STATE.append(open("/dev/null"))
        os.dup2(os.open("spoilt.txt", os.O_WRONLY | os.O_CREAT), 1)
        sys.stdout = io.StringIO()
        sys.stderr.close()

class Settings(Pristine, unittest.TestCase):
    def look_and_spoil(self):
        self.assertEqual([each for each in warnings.filters if "spoilt" in str(each)], [])
        self.assertEqual(logging.getLogger().handlers, [])
        self.assertEqual(logging.getLogger().level, logging.WARNING)
        self.assertNotEqual(sys.getrecursionlimit(), 3333)
        self.assertTrue(gc.isenabled())
        self.assertIsNone(sys.gettrace())
        self.assertIs(sys.excepthook, sys.__excepthook__)
        self.assertEqual(decimal.getcontext().prec, 28)
        self.assertEqual(CONTEXT.get(), 0)
        self.assertNotEqual(resource.getrlimit(resource.RLIMIT_CORE), (0, 0))
        warnings.filterwarnings("ignore", message="spoilt")
        logging.basicConfig(level=logging.DEBUG)
        sys.setrecursionlimit(3333)
        gc.disable()
        sys.settrace(lambda *_: None)
        sys.excepthook = None
        decimal.getcontext().prec = 3
        CONTEXT.set(1)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

class Loops(Pristine, unittest.TestCase):
    def look_and_spoil(self):
        loop = asyncio.new_event_loop()
        self.assertEqual(loop.run_until_complete(asyncio.sleep(0, "slept")), "slept")
        asyncio.set_event_loop(loop)

class Chance(Pristine, unittest.TestCase):
    def look_and_spoil(self):
        with open("drawn.txt", "a") as file:
            print(random.random(), file=file)
        random.seed(1)

class Ends(Pristine, unittest.TestCase):
    def look_and_spoil(self):
        def tell(word):
            with open("ends.txt", "a") as file:
                print(self.id(), word, file=file)
        def wait():
            time.sleep(0.05)
            tell("thread")
        atexit.register(tell, "handler")
        threading.Thread(target=wait).start()
        STATE.append(open(self.id() + ".txt", "w"))
        STATE[0].write("not flushed")
"""

CLASSES = re.findall(r"class (\w+)\(Pristine", PRISTINE)


def names_of(sandbox: Sandbox) -> dict[str, str]:
    return {name.partition(":")[2]: each["status"] for name, each in sandbox.tests().items()}


def assert_pristine(sandbox: Sandbox, *flags: str) -> None:
    sandbox.write("test_pristine.py", PRISTINE)
    end = sandbox.run("run", "-p", f"WITH_UMASK={umask():o}", *flags, "test_pristine.py")
    tests = sandbox.tests().items()
    details = [(name, each["fail_reason"]) for name, each in tests if each["status"] != "PASS"]
    assert end.code == 0, details
    expected = [f"{name}.test_{number}" for name in CLASSES for number in ("one", "two")]
    assert sorted(names_of(sandbox)) == sorted(expected)
    assert set(names_of(sandbox).values()) == {"PASS"}, details
    assert len(set((sandbox.here / "drawn.txt").read_text().split())) == 2
    ends = sorted((sandbox.here / "ends.txt").read_text().splitlines())
    words = ("handler", "thread")
    assert ends == [f"test_pristine.Ends.test_{n} {w}" for n in ("one", "two") for w in words]
    for number in ("one", "two"):
        path = sandbox.here / f"test_pristine.Ends.test_{number}.txt"
        assert path.read_text() == "not flushed"


def umask() -> int:
    status = Path("/proc/self/status").read_text()
    found = re.search(r"Umask:\s*(\d+)", status)
    assert found is not None
    return int(found[1], 8)


def test_nothing_leaks_from_one_test_into_the_next(sandbox: Sandbox, portable_python: Path) -> None:
    assert_pristine(sandbox, "--python", str(portable_python), "--max-parallel-tasks", "1")
    folder = sandbox.job / "test-results"
    for output, word in (("stdout", "said"), ("stderr", "warned")):
        texts = [path.read_text() for path in folder.glob(f"*Files.test_*/{output}")]
        assert [text.splitlines()[0].startswith(word) for text in texts] == [True, True]


def test_nothing_leaks_between_tests_that_run_at_the_same_time(sandbox: Sandbox) -> None:
    assert_pristine(sandbox, "--max-parallel-tasks", "3", "--shuffle")


def test_new_interpreters_show_the_same_world(sandbox: Sandbox) -> None:
    assert_pristine(sandbox, "--isolation", "interpreter")


PARENTS = """
import os, unittest
class T(unittest.TestCase):
    def test_a(self): print("parent", os.getppid())
    def test_b(self): print("parent", os.getppid())
    def test_c(self): print("parent", os.getppid())
"""


def parents(sandbox: Sandbox) -> set[str]:
    texts = [path.read_text() for path in (sandbox.job / "test-results").glob("*/stdout")]
    assert len(texts) == 3
    return {text.splitlines()[0] for text in texts}


def test_tests_are_forked_from_one_interpreter(sandbox: Sandbox) -> None:
    sandbox.write("test_parents.py", PARENTS)
    assert sandbox.run("run", "--max-parallel-tasks", "1", "test_parents.py").code == 0
    first = parents(sandbox)
    assert len(first) == 1
    flags = ("--isolation", "interpreter", "--max-parallel-tasks", "1")
    assert sandbox.run("run", *flags, "test_parents.py").code == 0
    assert parents(sandbox).isdisjoint(first)
    sandbox.wait_nothing_runs()


VARIABLES = """
import os, subprocess, unittest
NAMES = ("NRUNNER_TEST_LOGDIR", "AVOCADO_TEST_LOGFILE", "TMPDIR", "NRUNNER_ATTEMPT")
class T(unittest.TestCase):
    def look(self):
        shown = subprocess.run(["env"], stdout=subprocess.PIPE).stdout.decode().splitlines()
        for name in NAMES:
            self.assertIn(f"{name}={os.environ[name]}", shown)
        print(self.id().rpartition("_")[2], *(os.environ[name] for name in NAMES))
    def test_a(self): self.look()
    def test_b(self): self.look()
    def test_c(self): self.look()
    def test_d(self): self.look()
    def test_e(self): self.look()
    def test_f(self): self.look()
"""


def test_each_of_the_tests_of_a_module_has_its_own_variables(sandbox: Sandbox) -> None:
    sandbox.write("test_variables.py", VARIABLES)
    assert sandbox.run("run", "--max-parallel-tasks", "2", "test_variables.py").code == 0
    seen = set()
    for path in (sandbox.job / "test-results").glob("[0-9]*/stdout"):
        letter, log_dir, log_file, work, mark = path.read_text().split()
        assert path.parent.name.endswith(f"test_{letter}")
        assert log_dir == str(path.parent)
        assert log_file == str(path.parent / "debug.log")
        assert work.endswith("/work")
        assert mark.split(":")[1] == str(int(path.parent.name.partition("-")[0]))
        seen.add(letter)
    assert seen == set("abcdef")


LUCKY = """
import os, random, sys, unittest, uuid
TOKEN = {draw}
with open("imports.txt", "a") as file:
    file.write("imported\\n")
class T(unittest.TestCase):
    def look(self):
        with open("tokens.txt", "a") as file:
            print(TOKEN, random.random(), file=file)
    def test_a(self): self.look()
    def test_b(self): self.look()
    def test_c(self): self.look()
"""


@pytest.mark.parametrize(
    ("draw", "imports"),
    [
        ("0", 1),
        ("random.random()", 3),
        ("uuid.uuid4().hex", 3),
        ("os.urandom(4).hex()", 3),
        ("random.SystemRandom().random()", 3),
    ],
)
def test_an_import_is_shared_unless_each_test_would_draw_its_own_lot(
    sandbox: Sandbox, portable_python: Path, draw: str, imports: int
) -> None:
    sandbox.write("test_lucky.py", LUCKY.replace("{draw}", draw))
    flags = ("--max-parallel-tasks", "2", "--python", str(portable_python))
    assert sandbox.run("run", *flags, "test_lucky.py").code == 0
    drawn = [line.split() for line in (sandbox.here / "tokens.txt").read_text().splitlines()]
    assert len({token for token, _ in drawn}) == imports
    assert len({number for _, number in drawn}) == 3
    assert (sandbox.here / "imports.txt").read_text().count("imported") == imports


KILLERS = """
import os, signal, time, unittest
class T(unittest.TestCase):
    def test_a_waits(self): time.sleep(0.6)
    def test_b_kills(self): os.kill(os.getppid(), signal.SIGKILL)
    def test_c_kills_and_fails(self):
        os.kill(os.getppid(), signal.SIGKILL)
        self.fail("after the kill")
    def test_d_kills_and_stays(self):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(0.3)
    def test_e_kills_and_crashes(self):
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGSEGV)
    def test_f_is_quiet(self): pass
"""


def test_a_zygote_that_a_test_kills_is_replaced_and_no_verdict_suffers(sandbox: Sandbox) -> None:
    sandbox.write("test_killers.py", KILLERS)
    end = sandbox.run("run", "--max-parallel-tasks", "2", "test_killers.py")
    assert end.code == 1
    tests = {name.partition(".test_")[2]: each for name, each in sandbox.tests().items()}
    assert {name: (each["status"], each["cause"]) for name, each in tests.items()} == {
        "a_waits": ("PASS", "test"),
        "b_kills": ("PASS", "test"),
        "c_kills_and_fails": ("FAIL", "test"),
        "d_kills_and_stays": ("PASS", "test"),
        "e_kills_and_crashes": ("ERROR", "contract"),
        "f_is_quiet": ("PASS", "test"),
    }
    assert "killed by signal 11" in tests["e_kills_and_crashes"]["fail_reason"]
    notices = [line for line in end.lines if line.startswith("NOTICE")]
    assert notices
    assert "killed by signal 9 (SIGKILL); another takes its place" in notices[0]
    assert all(len(each["attempts"]) == 1 for each in tests.values())
    sandbox.wait_nothing_runs()


IMPORTS: dict[str, str] = {
    "breaks": "import no_such_module",
    "leaves": "import os\nos._exit(3)",
    "leaves_politely": "raise SystemExit(4)",
    "is_interrupted": "raise KeyboardInterrupt",
    "crashes": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)",
    "skips": "import unittest\nraise unittest.SkipTest('not here')",
    "starts_a_thread": "import threading, time\n"
    "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "starts_a_process": "import subprocess\nchild = subprocess.Popen(['sleep', '0.05'])",
    "opens_a_file": "log = open('log.txt', 'w')",
    "opens_a_socket": "import socket\npair = socket.socketpair()",
    "goes_elsewhere": "import os\nos.chdir('/')",
    "sets_a_timer": "import signal\nsignal.alarm(50)",
    "makes_a_file": "import tempfile\nfolder = tempfile.mkdtemp()",
    "prints": "print('while it is imported')",
    "handles": "import signal\nsignal.signal(signal.SIGCHLD, lambda *_: None)",
    "closes": "import os\nos.closerange(3, 100)",
    "redirects": "import io, sys\nsys.stdout = io.StringIO()",
    "redirects_files": "import os\nos.dup2(os.open('out.txt', os.O_WRONLY | os.O_CREAT), 1)",
    "is_someone": "import os\nPID = os.getpid()",
    "is_someone_by_name": "from os import getpid\nPID = getpid()",
    "knows_its_attempt": "import os\nFOLDERS = [os.environ['TMPDIR'], dict(os.environ)['TMPDIR']]",
    "seeds": "import random\nrandom.seed(7)",
    "sets_variables": "import os\nos.environ['MORE'] = '1'\nos.environ['TMPDIR'] = '/tmp'",
    "sets_bytes": "import os\nos.environb[b'MORE'] = b'1'",
    "knows_bytes": "import os\nFOLDERS = [os.environb[b'TMPDIR'].decode()]",
    "registers": "import atexit\natexit.register(print, 'at the end')",
    "shares_memory": "import mmap\nmemory = mmap.mmap(-1, 4096)\ncount = memory[0]",
    "shares_a_lock": "import multiprocessing\nlock = multiprocessing.Lock()",
    "replaces_its_environment": "import os\nos.environ = dict(os.environ)",
    "replaces_a_function": "import os\nos.urandom = None",
    "is_decent": "import logging, random, subprocess, tempfile, socket, asyncio",
}

CURIOUS = """
import atexit, os, random, signal, sys, threading, unittest
class T(unittest.TestCase):
    def test_a(self): self.look()
    def test_b(self): self.look()
    def look(self):
        report = {
            "folder": os.getcwd(),
            "threads": threading.active_count(),
            "files": len(os.listdir("/proc/self/fd")),
            "timer": signal.getitimer(signal.ITIMER_REAL)[0] > 0,
            "temporary": len(os.listdir(os.environ["NRUNNER_TEST_WORKDIR"])),
            "on_child": callable(signal.getsignal(signal.SIGCHLD)),
            "redirected": sys.stdout is not sys.__stdout__,
            "getpid": type(globals().get("getpid")).__name__,
            "is_itself": globals().get("PID", os.getpid()) == os.getpid(),
            "more": os.environ.get("MORE"),
            "folders": {each == os.environ["TMPDIR"] for each in globals().get("FOLDERS", ())},
            "seeded": random.random() if "seeds" in __name__ else None,
            "environment": type(os.environ).__name__,
            "random": type(os.urandom).__name__,
        }
        if "memory" in globals():
            report["memory"] = memory[0]
            memory[0] = 1
        if "lock" in globals():
            report["lock"] = lock.acquire(timeout=0.1)
        os.write(2, repr(report).encode())
    def test_c(self): self.fail("on purpose")
"""


def seen_of_imports(sandbox: Sandbox, *flags: str) -> dict[str, tuple[Any, ...]]:
    end = sandbox.run("run", *flags, *(f"test_{name}.py" for name in IMPORTS))
    assert end.code == 1, end
    return {
        name: (
            each["status"],
            each["cause"],
            re.sub(r"0x[0-9a-f]+", "", each["fail_reason"] or ""),
            output(sandbox, each["id"], "stdout"),
            output(sandbox, each["id"], "stderr"),
        )
        for name, each in sandbox.tests().items()
    }


def output(sandbox: Sandbox, name: str, stream: str) -> str:
    found = list((sandbox.job / "test-results").glob(f"{name.split('-')[0]}-*/{stream}"))
    return re.sub(r"in \d\.\d+s", "", found[0].read_text()) if found else ""


def test_whatever_an_import_does_verdicts_and_outputs_are_those_of_a_new_interpreter(
    sandbox: Sandbox,
) -> None:
    for name, text in IMPORTS.items():
        sandbox.write(f"test_{name}.py", f"{text}\n{CURIOUS}")
    forked = seen_of_imports(sandbox)
    assert forked == seen_of_imports(sandbox, "--isolation", "interpreter")
    assert len({each[0] for each in forked.values()}) > 3
    sandbox.wait_nothing_runs()


def test_a_module_that_hangs_as_it_is_imported_meets_its_limit_and_harms_no_other(
    sandbox: Sandbox,
) -> None:
    sandbox.write("test_hangs.py", f"while True: pass\n{PARENTS}")
    sandbox.write("test_parents.py", PARENTS)
    flags = ("--task-timeout", "1", "--max-parallel-tasks", "2")
    assert sandbox.run("run", *flags, "test_hangs.py", "test_parents.py").code == 8
    tests = sandbox.tests()
    for name, each in tests.items():
        expected = ("INTERRUPT", "timeout") if "hangs" in name else ("PASS", "test")
        assert (each["status"], each["cause"]) == expected, each
    assert len(tests) == 6
    sandbox.wait_nothing_runs()


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("import threading, time\nthreading.Thread(target=time.sleep, args=(1,)).start()", True),
        ("import os, sys\nif 'zygote' in open('/proc/self/cmdline').read(): os._exit(7)", True),
        ("import time\nif 'zygote' in open('/proc/self/cmdline').read(): time.sleep(600)", False),
    ],
)
def test_an_interpreter_that_cannot_be_forked_is_started_for_each_test(
    sandbox: Sandbox, start: str, *, said: bool
) -> None:
    sandbox.write("start/sitecustomize.py", start)
    sandbox.write("test_parents.py", PARENTS)
    flags = ("-p", f"PYTHONPATH={sandbox.here}/start", "--task-timeout", "3")
    end = sandbox.run("run", "--max-parallel-tasks", "1", *flags, "test_parents.py")
    statuses = [each["status"] for each in sandbox.tests().values()]
    if said:
        assert end.code == 0
        assert statuses == ["PASS"] * 3
        assert "tests get interpreters of their own" in end.out
    else:
        assert statuses == ["INTERRUPT", "INTERRUPT", "PASS"]
    sandbox.wait_nothing_runs()


DIES_AS_IT_REAPS = """
import os
waitpid = os.waitpid

def reap_and_die(*arguments):
    found = waitpid(*arguments)
    if found[1] and "zygote" in open("/proc/self/cmdline").read():
        os.kill(os.getpid(), 9)
    return found

os.waitpid = reap_and_die
"""


def test_a_test_stays_past_its_limit_when_its_zygote_dies_before_it_says_so(
    sandbox: Sandbox,
) -> None:
    sandbox.write("start/sitecustomize.py", DIES_AS_IT_REAPS)
    test = "import unittest, time\nclass T(unittest.TestCase):\n    def test(self): time.sleep(60)"
    sandbox.write("test_late.py", test)
    flags = ("-p", f"PYTHONPATH={sandbox.here}/start", "--task-timeout", "1")
    end = sandbox.run("run", *flags, "test_late.py")
    (test,) = sandbox.tests().values()
    assert (test["status"], test["cause"]) == ("INTERRUPT", "timeout")
    assert "another takes its place" in end.out


def test_a_suite_may_have_another_interpreter_and_environment(
    sandbox: Sandbox, portable_python: Path
) -> None:
    sandbox.write("test_who.py", WHO)
    sandbox.write(
        "job.toml",
        f"""
        [[suite]]
        name = "one"
        references = ["test_who.py"]
        runner.python = "{portable_python}"
        run.env = {{ WHO = "one" }}
        [[suite]]
        name = "two"
        references = ["test_who.py"]
        run.env = {{ WHO = "two" }}
        """,
    )
    assert sandbox.run("run", "--job", "job.toml").code == 0
    texts = (sandbox.job / "test-results").glob("*/stdout")
    said = {path.parent.name[0]: path.read_text().split()[:2] for path in texts}
    assert said["1"] == ["one", version_of(portable_python)]
    assert said["2"][0] == "two"


WHO = """
import os, sys, unittest
class T(unittest.TestCase):
    def test(self): print(os.environ["WHO"], "%d.%d" % sys.version_info[:2])
"""


def version_of(python: Path) -> str:
    import subprocess

    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.strip()
