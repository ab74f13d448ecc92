import functools
import inspect
import sys
from types import MappingProxyType

import pytest

from nrunner import deferral
from nrunner.deferral import load_lightly


@pytest.fixture
def late(tmp_path, monkeypatch):
    """Two modules: ``late_one`` is to be loaded late, ``early_one`` imports it."""
    (tmp_path / "late_one.py").write_text("ANSWER = 42\nTHINGS = ('thing',)\n")
    (tmp_path / "early_one.py").write_text(
        "import late_one\nimport late_one as again\n"
        "def answer():\n    return again.ANSWER\n"
        "def is_thing(what):\n    return what in late_one.THINGS\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(
        deferral, "_LATER", MappingProxyType({"late_one": {"THINGS": ()}, "sys": {}})
    )
    yield
    for name in ("late_one", "early_one"):
        sys.modules.pop(name, None)


def test_a_module_is_loaded_once_something_of_it_is_asked_for(late):
    load_lightly("early_one")
    early = sys.modules["early_one"]
    assert "late_one" not in sys.modules
    assert early.answer() == 42
    assert sys.modules["late_one"].ANSWER == 42


def test_what_is_true_meanwhile_is_answered_without_loading_it(late):
    load_lightly("early_one")
    early = sys.modules["early_one"]
    assert not early.is_thing("thing")
    assert "late_one" not in sys.modules
    early.answer()
    assert early.is_thing("thing")


def test_others_get_the_module_itself(late):
    load_lightly("early_one")
    import late_one

    assert late_one.__file__
    assert sys.modules["early_one"].answer() == 42


def test_a_module_that_asks_as_it_is_loaded_gets_its_answer(late, tmp_path):
    (tmp_path / "early_one.py").write_text("import late_one\nANSWER = late_one.ANSWER\n")
    load_lightly("early_one")
    assert sys.modules["early_one"].ANSWER == 42
    assert sys.modules["late_one"].ANSWER == 42


def test_what_is_loaded_already_stays(late):
    before = sys.modules["sys"]
    load_lightly("early_one")
    assert sys.modules["sys"] is before is sys


def test_what_is_not_there_is_an_attribute_error(late):
    load_lightly("early_one")
    with pytest.raises(AttributeError, match="NOTHING"):
        _ = sys.modules["early_one"].late_one.NOTHING
    with pytest.raises(AttributeError, match="__wrapped__"):
        _ = sys.modules["early_one"].late_one.__wrapped__


async def coroutine() -> None: ...


def function() -> None: ...


@functools.wraps(coroutine)
def wrapped() -> None: ...


class Some:
    async def coroutine(self) -> None: ...

    def function(self) -> None: ...

    @staticmethod
    async def static() -> None: ...

    async def __call__(self) -> None: ...


SAMPLES = (
    *(coroutine, function, wrapped, len, Some, Some(), Some().coroutine, Some().function),
    *(Some.static, Some.coroutine, lambda: None, functools.partial(coroutine), 1, None),
    functools.partial(functools.partial(function)),
    functools.partial(Some().coroutine),
)


@pytest.mark.parametrize("name", ["iscoroutinefunction", "isfunction"])
def test_what_is_answered_for_inspect_is_what_it_would_say(name):
    ours, theirs = deferral._LATER["inspect"][name], getattr(inspect, name)
    assert [ours(each) for each in SAMPLES] == [theirs(each) for each in SAMPLES]


def test_functions_are_unwrapped_as_inspect_would():
    ours = deferral._LATER["inspect"]["unwrap"]
    assert [ours(each) for each in SAMPLES] == [inspect.unwrap(each) for each in SAMPLES]
    assert ours(wrapped) is coroutine


def test_a_circle_of_wrappers_has_an_end():
    def one() -> None: ...

    def two() -> None: ...

    one.__wrapped__, two.__wrapped__ = two, one
    assert deferral._LATER["inspect"]["unwrap"](one) is two
