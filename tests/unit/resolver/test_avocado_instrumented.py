"""Avocado's own tests: which are found, in which order, and which of them are meant."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from nrunner.resolver.avocado_instrumented import AvocadoInstrumentedResolver
from nrunner.resolver.base import Answer, Context, Resolution
from nrunner.resolver.engine import resolve
from nrunner.resolver.registry import load_resolvers
from nrunner.runnable import Requirement

TWO = """\
from avocado import Test
class B(Test):
    def test_second(self): ...
    def test_first(self): ...
    def helper(self): ...
    @property
    def test_property(self): ...
class A(B):
    def test_third(self): ...
    async def test_first(self): ...
"""
PLAIN = """\
import unittest
class T(unittest.TestCase):
    def test_a(self): ...
"""
NAMES = ["B.test_second", "B.test_first", "A.test_third", "A.test_first", "A.test_second"]


def _write(folder: Path, text: str, name: str = "test_a.py") -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))


def _resolve(folder: Path, reference: str = "test_a.py") -> Resolution:
    return AvocadoInstrumentedResolver().resolve(reference, Context(folder, static=True))


def _names(folder: Path, reference: str = "test_a.py") -> list[str]:
    resolution = _resolve(folder, reference)
    assert resolution.answer is Answer.SUCCESS, resolution
    assert {each.kind for each in resolution.runnables} == {"avocado-instrumented"}
    uris = [str(each.uri) for each in resolution.runnables]
    assert all(uri.startswith("test_a.py:") for uri in uris)
    return [uri.removeprefix("test_a.py:") for uri in uris]


@pytest.mark.parametrize(
    "head",
    [
        "from avocado import Test",
        "import avocado; Test = avocado.Test",
        "from avocado.core.test import Test",
        "from avocado import Test as Mine; Test = Mine",
        "try:\n    from avocado import Test\nexcept ImportError:\n    raise",
    ],
)
def test_tests_stand_in_the_order_of_the_file_own_ones_first(tmp_path: Path, head: str) -> None:
    _write(tmp_path, TWO.replace("from avocado import Test", head))
    assert _names(tmp_path) == NAMES


def test_a_base_in_another_file_of_the_tests_is_followed(tmp_path: Path) -> None:
    _write(tmp_path, TWO, "lib/base.py")
    _write(tmp_path, "", "lib/__init__.py")
    _write(tmp_path, "from lib.base import A\nclass C(A):\n    def test_own(self): ...\n")
    assert _names(tmp_path) == [
        "C.test_own",
        "C.test_third",
        "C.test_first",
        "C.test_second",
    ]


def test_avocados_own_repository_is_understood(tmp_path: Path) -> None:
    _write(tmp_path, "from avocado.core.test import Test\n", "avocado/__init__.py")
    _write(tmp_path, "", "avocado/core/__init__.py")
    _write(tmp_path, "import unittest\nclass Test(unittest.TestCase): ...", "avocado/core/test.py")
    _write(tmp_path, TWO)
    assert _names(tmp_path) == NAMES


@pytest.mark.parametrize(
    ("reference", "names"),
    [
        ("test_a.py:B", NAMES[:2]),
        ("test_a.py:B.test_first", ["B.test_first"]),
        ("test_a.py:first", ["B.test_first", "A.test_first"]),
        ("test_a.py:^A", NAMES[2:]),
        ("avocado-instrumented:test_a.py:second$", ["B.test_second", "A.test_second"]),
    ],
)
def test_a_name_or_a_pattern_says_which_are_meant(
    tmp_path: Path, reference: str, names: list[str]
) -> None:
    _write(tmp_path, TWO)
    assert _names(tmp_path, reference) == names


def test_who_is_called_exactly_so_is_meant_alone(tmp_path: Path) -> None:
    _write(tmp_path, TWO + "    def test_first_of_all(self): ...\n")
    assert _names(tmp_path, "test_a.py:A.test_first") == ["A.test_first"]


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("test_a.py:nope", "test_a.py: nope names no test in it; there are B.test_second, "),
        ("test_a.py:(", "test_a.py: ( is no pattern: "),
        ("test_a.py:x{4294967296}", "test_a.py: x{4294967296} is no pattern: "),
        ("avocado-instrumented:plain.py", "plain.py: none of its classes is an avocado.Test"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_reason(
    tmp_path: Path, reference: str, reason: str
) -> None:
    _write(tmp_path, TWO)
    _write(tmp_path, "class T: ...\n", "plain.py")
    resolution = _resolve(tmp_path, reference)
    assert resolution.answer is Answer.CORRUPT
    assert resolution.reason.startswith(reason)


def test_directives_enable_disable_and_follow(tmp_path: Path) -> None:
    text = """
        from avocado import Test
        from elsewhere import Base
        class Off(Test):
            ''':avocado: disable'''
            def test_off(self): ...
        class On(Base):
            ''':avocado: enable'''
            def test_on(self): ...
        class Inner(On):
            def test_inner(self): ...
        class Deep(Inner):
            ''':avocado: recursive'''
            def test_deep(self): ...
    """
    _write(tmp_path, text)
    assert _names(tmp_path) == ["On.test_on", "Deep.test_deep", "Deep.test_inner", "Deep.test_on"]


def test_tags_and_requirements_come_from_classes_bases_and_methods(tmp_path: Path) -> None:
    text = """
        from avocado import Test
        class A(Test):
            ''':avocado: tags=base'''
            def test_a(self):
                '''
                :avocado: tags=own,net:virtio
                :avocado: dependency={"type": "file", "uri": "x"}
                '''
        class B(A):
            ''':avocado: tags=fast'''
    """
    _write(tmp_path, text)
    a, b = _resolve(tmp_path).runnables
    assert a.tags == {"base": None, "own": None, "net": frozenset({"virtio"})}
    assert b.tags == {**a.tags, "fast": None}
    assert a.requirements == b.requirements == (Requirement("file", "x"),)


@pytest.mark.parametrize("text", [PLAIN, "def (", ""])
def test_other_files_are_left_to_others(tmp_path: Path, text: str) -> None:
    _write(tmp_path, text)
    assert _resolve(tmp_path).answer is Answer.NOT_MINE
    assert _resolve(tmp_path, "none.py").answer is Answer.NOT_MINE


WITHOUT = """\
from avocado import Test
class Off(Test):
    \'\'\':avocado: disable\'\'\'
    def test_a(self): ...
class Base(Test):
    def helper(self): ...
"""


@pytest.mark.parametrize("static", [True, False])
def test_a_file_without_tests_is_nobodys_and_says_why(tmp_path: Path, static: bool) -> None:
    _write(tmp_path, WITHOUT)
    context = Context(tmp_path, static=static, python="/no/interpreter/is/asked")
    [found] = resolve(["test_a.py"], load_resolvers([])[0], context)
    assert found.answer is Answer.NOT_MINE
    reason = "its classes of avocado.Test are disabled or have no test methods (Off, Base)"
    assert f"avocado-instrumented: {reason}" in found.reason
    explicit = _resolve(tmp_path, "avocado-instrumented:test_a.py")
    assert (explicit.answer, explicit.reason) == (Answer.CORRUPT, f"test_a.py: {reason}")


def test_unittests_resolver_takes_no_test_of_avocados(tmp_path: Path) -> None:
    _write(tmp_path, TWO + PLAIN)
    context = Context(tmp_path, python="/no/interpreter/is/asked")
    [found] = resolve(["python-unittest:test_a.py"], load_resolvers([])[0], context)
    assert [each.uri for each in found.runnables] == ["test_a.py:T.test_a"]


def test_among_all_resolvers_each_gets_its_own_and_a_file_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nrunner.resolver import python_tree

    read: list[Path] = []
    real = python_tree.read_source
    monkeypatch.setattr(python_tree, "read_source", lambda path: read.append(path) or real(path))
    _write(tmp_path, TWO)
    _write(tmp_path, PLAIN, "test_b.py")
    context = Context(tmp_path, static=True)
    found = resolve(["test_a.py", "test_b.py"], load_resolvers([])[0], context)
    assert [each.resolver for each in found] == ["avocado-instrumented", "python-unittest"]
    assert sorted(path.name for path in read) == ["test_a.py", "test_b.py"]


def test_a_class_that_only_loading_shows_to_be_avocados_is_not_given_to_unittest(
    tmp_path: Path,
) -> None:
    """Its base comes from where nothing is read: from a package that is installed."""
    site = tmp_path / "site"
    odd = "    def __init__(self, *args):\n        super().__init__(*args); self.odd = id(self)\n"
    text = f"import unittest\nclass Test(unittest.TestCase):\n{odd}"
    _write(site, text, "avocado/core/test.py")
    _write(site, "from avocado.core.test import Test\n", "avocado/__init__.py")
    _write(site, "from avocado import Test\nclass Base(Test): ...\n", "virt.py")
    _write(
        tmp_path,
        f"""
        import sys; sys.path.append({str(site)!r})
        from virt import Base
        class T(Base):
            def test_a(self): ...
        class Off(Base):
            ":avocado: disable"
            def test_off(self): ...
        """,
        "here/test_a.py",
    )
    context = Context(tmp_path / "here")
    [found] = resolve(["test_a.py"], load_resolvers([])[0], context)
    assert [(each.kind, each.uri) for each in found.runnables] == [
        ("avocado-instrumented", "test_a.py:T.test_a")
    ]
