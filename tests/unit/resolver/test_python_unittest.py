import os
import textwrap
from pathlib import Path

import pytest

from nrunner.resolver import python_discovery
from nrunner.resolver.base import Answer, Context, Resolution
from nrunner.resolver.engine import resolve
from nrunner.resolver.python_unittest import PythonUnittestResolver
from nrunner.resolver.registry import load_resolvers
from nrunner.runnable import Requirement

CASE = """\
import unittest
class A(unittest.TestCase):
    def test_one(self): ...
    def test_two(self): ...
"""


def _write(path: Path, text: str = CASE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _resolve(base_dir: Path, reference: str) -> Resolution:
    return PythonUnittestResolver().resolve(reference, Context(base_dir, static=True))


def _uris(base_dir: Path, reference: str) -> list[str | None]:
    resolution = _resolve(base_dir, reference)
    assert resolution.answer is Answer.SUCCESS, resolution.reason
    assert all(each.kind == "python-unittest" for each in resolution.runnables)
    return [each.uri for each in resolution.runnables]


def _corrupt(base_dir: Path, reference: str) -> str:
    resolution = _resolve(base_dir, reference)
    assert resolution.answer is Answer.CORRUPT
    assert resolution.runnables == ()
    assert resolution.reason.isprintable()
    return resolution.reason


@pytest.mark.parametrize("path", ["test_a.py", "./test_a.py", "t/test_a.py", "t/../test_a.py"])
def test_a_file_a_class_or_a_test_keep_the_path_as_it_was_typed(tmp_path: Path, path: str) -> None:
    _write(tmp_path / "test_a.py")
    _write(tmp_path / "t/test_a.py")
    both = [f"{path}:A.test_one", f"{path}:A.test_two"]
    assert _uris(tmp_path, path) == both
    assert _uris(tmp_path, f"{path}:A") == both
    assert _uris(tmp_path, f"{path}:A.test_two") == both[1:]
    assert _uris(tmp_path, f"python-unittest:{path}:A") == both


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("test_two", ["A.test_two"]),
        ("A.test_", ["A.test_one", "A.test_two"]),
        ("A.*(two|three)$", ["A.test_two"]),
        ("^A", ["A.test_one", "A.test_two"]),
        ("[nN]e$", ["A.test_one"]),
    ],
)
def test_what_names_no_test_is_searched_for_as_avocado_does(
    tmp_path: Path, expression: str, found: list[str]
) -> None:
    _write(tmp_path / "test_a.py")
    wanted = [f"test_a.py:{name}" for name in found]
    assert _uris(tmp_path, f"test_a.py:{expression}") == wanted
    [answer] = resolve([f"test_a.py:{expression}"], load_resolvers([])[0], Context(tmp_path))
    assert [each.uri for each in answer.runnables] == wanted


def test_a_test_that_is_named_whole_is_that_one_alone(tmp_path: Path) -> None:
    _write(tmp_path / "test_a.py", CASE + "    def test_one_more(self): ...\n")
    assert _uris(tmp_path, "test_a.py:A.test_one") == ["test_a.py:A.test_one"]


def test_a_file_outside_the_base_folder_is_read_within_its_package(tmp_path: Path) -> None:
    _write(tmp_path / "pkg/__init__.py", "")
    _write(tmp_path / "pkg/base.py")
    _write(tmp_path / "pkg/test_a.py", "from pkg.base import A as Mine\n")
    path = str(tmp_path / "pkg/test_a.py")
    (tmp_path / "elsewhere").mkdir()
    assert _uris(tmp_path / "elsewhere", path + ":Mine.test_one") == [path + ":Mine.test_one"]


@pytest.mark.parametrize(
    ("reference", "uris"),
    [
        ("test_a", ["test_a.py:A.test_one", "test_a.py:A.test_two"]),
        ("pkg.mod", ["pkg/mod.py:A.test_one", "pkg/mod.py:A.test_two"]),
        ("pkg.mod.A.test_one", ["pkg/mod.py:A.test_one"]),
        ("space.mod.A.test_one", ["space/mod.py:A.test_one"]),
    ],
)
def test_a_dotted_name_leads_to_the_file(tmp_path: Path, reference: str, uris: list[str]) -> None:
    _write(tmp_path / "test_a.py")
    _write(tmp_path / "pkg/__init__.py", "")
    _write(tmp_path / "pkg/mod.py")
    _write(tmp_path / "space/mod.py")
    assert _uris(tmp_path, reference) == uris


@pytest.mark.parametrize(
    "reference",
    ["no_such", "no.such", "no_such.py", "no_such.py:A", "setup.cfg", "a b", "é.ü", "x" * 200, "."],
)
def test_what_is_not_there_is_declined(tmp_path: Path, reference: str) -> None:
    assert _resolve(tmp_path, reference).answer is Answer.NOT_MINE


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("test_a.py:B", 'test_a.py: there is no class "B"; there are A'),
        ("test_a.py:A.test_en", 'test_a.py: in class A there is no test "test_en"; did you mean'),
        ("test_a.py:A.test_(", "A.test_( is no regular expression: missing )"),
        ("test_a.py:x{4294967296}", "is no regular expression: the repetition number is too large"),
        ("test_a.py:" + "(" * 5000 + ")" * 5000, "is no regular expression: "),
        ("test_a.py:", "test_a.py: nothing names no test in it; write test_a.py:Class.test"),
        ("test_a.py::A::test_one", "did you mean test_a.py:A.test_one?"),
        ("test_a.py:A.test\n", "A.test\\n names no test in it"),
        ("test_a.py:" + "A" * 5000, "(5000 characters)"),
        ("test_a.py:A." + "../" * 10, "names no test in it"),
    ],
)
def test_a_name_that_is_not_in_the_file_is_corrupt(
    tmp_path: Path, reference: str, reason: str
) -> None:
    _write(tmp_path / "test_a.py")
    assert reason in _corrupt(tmp_path, reference)


def test_a_file_without_tests_is_declined_with_the_reason(tmp_path: Path) -> None:
    _write(tmp_path / "a.py", "class TestX:\n    def test(self): ...\n")
    resolution = _resolve(tmp_path, "a.py")
    assert resolution.answer is Answer.NOT_MINE
    assert resolution.reason == "none of its classes is a unittest.TestCase (TestX)"
    _write(tmp_path / "__main__.py")
    assert _resolve(tmp_path, "__main__.py").answer is Answer.NOT_MINE


def test_a_syntax_error_is_corrupt_with_its_place_where_tests_may_be_meant(tmp_path: Path) -> None:
    _write(tmp_path / "test_a.py", "x = 1\ndef f(:\n")
    assert _corrupt(tmp_path, "test_a.py") == "test_a.py:2:7: invalid syntax"
    assert _corrupt(tmp_path, "test_a.py:A") == "test_a.py:2:7: invalid syntax"
    _write(tmp_path / "a.py", "import unittest\ndef f(:\n")
    assert _corrupt(tmp_path, "a.py") == "a.py:2:7: invalid syntax"
    _write(tmp_path / "a.py", "print 'for Python 2'\n")
    resolution = _resolve(tmp_path, "a.py")
    assert resolution.answer is Answer.NOT_MINE
    assert resolution.reason.startswith("a.py:1:1: Missing parentheses")


@pytest.mark.parametrize(
    "data",
    [b"\0", b"\xff\xfe", b"(" * 100_000, b"-" * 200_000 + b"1", b"# coding: x\n", b"a." * 100_000],
)
def test_unreadable_files_never_give_a_traceback(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "test_a.py").write_bytes(data)
    assert _corrupt(tmp_path, "test_a.py").startswith("test_a.py:")


def test_a_statement_too_deep_to_be_read_leaves_a_doubt(tmp_path: Path) -> None:
    _write(tmp_path / "test_a.py", CASE + "import a\nX = a" + ".b" * 900 + "\n")
    resolution = _resolve(tmp_path, "test_a.py")
    assert len(resolution.runnables) == 2
    assert resolution.reason == "tests may be missing: test_a.py:6: nested too deeply to be read"


def test_tags_and_requirements_come_from_class_and_method(tmp_path: Path) -> None:
    text = '''
        import unittest
        class A(unittest.TestCase):
            """Words.

            :avocado: tags=slow,net:virtio
            :avocado: enable
            """
            def test(self):
                """
                :nrunner: tags=net:e1000
                :avocado: dependency={"type": "file", "uri": "x"}
                """
        '''
    _write(tmp_path / "test_a.py", textwrap.dedent(text))
    [runnable] = _resolve(tmp_path, "test_a.py").runnables
    assert runnable.tags == {"slow": None, "net": frozenset({"virtio", "e1000"})}
    assert runnable.requirements == (Requirement("file", "x"),)


def test_a_broken_directive_is_corrupt_with_its_place(tmp_path: Path) -> None:
    text = (
        CASE
        + '    def test_three(self):\n        """\n        :nrunner: requires={"x"\n        """\n'
    )
    _write(tmp_path / "base.py", text)
    _write(tmp_path / "test_a.py", "from base import A\nclass B(A): ...\n")
    assert _corrupt(tmp_path, "test_a.py").startswith('base.py:7: requires={"x": not JSON')


def test_the_configuration_is_carried_along(tmp_path: Path) -> None:
    _write(tmp_path / "test_a.py")
    context = Context(tmp_path, config={"runner.x": 1})
    for runnable in PythonUnittestResolver().resolve("test_a.py", context).runnables:
        assert runnable.config == {"runner.x": 1}


def test_a_test_that_says_it_may_run_twice_has_that_in_its_configuration(tmp_path: Path) -> None:
    doc = '        """\n        :nrunner: idempotent\n        """\n'
    _write(tmp_path / "test_a.py", CASE + "    def test_three(self):\n" + doc)
    context = Context(tmp_path, config={"runner.x": 1})
    found = PythonUnittestResolver().resolve("test_a.py", context).runnables
    config = {each.uri: each.config for each in found}
    assert config["test_a.py:A.test_three"] == {"runner.x": 1, "runner.idempotent": True}
    assert config["test_a.py:A.test_two"] == {"runner.x": 1}


def test_an_executable_python_file_without_tests_is_a_program(tmp_path: Path) -> None:
    _write(tmp_path / "check.py", "#!/usr/bin/python3\nprint(1)\n")
    _write(tmp_path / "test_a.py", "#!/usr/bin/python3\n" + CASE)
    for path in tmp_path.iterdir():
        path.chmod(0o755)
    resolutions = resolve(["check.py", "test_a.py"], load_resolvers([])[0], Context(tmp_path))
    assert [each.resolver for each in resolutions] == ["exec-test", "python-unittest"]


def test_a_thousand_references_to_tests_resolve_quickly(tmp_path: Path) -> None:
    methods = "".join(f"    def test_{number}(self): ...\n" for number in range(1000))
    _write(tmp_path / "test_a.py", CASE + methods)
    for number in range(200):
        _write(tmp_path / f"many/test_{number}.py")
    references = [f"test_a.py:A.test_{number}" for number in range(1000)]
    start = os.times().user
    found = resolve([*references, "many"], load_resolvers([])[0], Context(tmp_path, static=True))
    assert sum(len(each.runnables) for each in found) == 1400
    assert os.times().user - start < 3


def test_classes_that_know_each_other_too_well_end(tmp_path: Path) -> None:
    _write(tmp_path / "a.py", "import unittest, b\ndef f(x): ...\nclass TestA(f(b.TestB)): ...\n")
    _write(tmp_path / "b.py", "import unittest, a\ndef f(x): ...\nclass TestB(f(a.TestA)): ...\n")
    assert _resolve(tmp_path, "a.py").answer is not Answer.CORRUPT


def test_where_modules_are_is_asked_again_for_each_suite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each may have a PYTHONPATH of its own."""
    monkeypatch.setattr(
        python_discovery, "search_path", lambda context: [context.env["PYTHONPATH"]]
    )
    resolver = PythonUnittestResolver()
    for name in ("one", "two"):
        place = tmp_path / name
        _write(place / f"of_{name}/test_it.py")
        context = Context(tmp_path / "none", env={"PYTHONPATH": str(place)})
        (found,) = resolve([f"of_{name}.test_it"], [resolver], context)
        assert found.answer is Answer.SUCCESS, found.reason
