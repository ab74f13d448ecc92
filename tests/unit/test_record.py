"""Our dataclasses beside the standard library's: the same classes, made by both."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest

from nrunner import record
from nrunner.phase import Phase
from nrunner.result import Cause, Result


def made(module: Any, **options: bool) -> SimpleNamespace:
    """Make the same classes with the decorator of a module."""

    @module.dataclass(**options)
    class Point:
        """A class with every sort of field."""

        x: int
        y: int = 0
        names: tuple[str, ...] = ()
        more: list[int] = module.field(default_factory=list)
        secret: str = module.field(default="s", repr=False)
        COUNT: ClassVar[int] = 3

        @property
        def sum(self) -> int:
            return self.x + self.y

    @module.dataclass(**options)
    class Named(Point):
        """One that inherits fields, and gives one another default."""

        y: int = 7
        name: str = "n"

    @module.dataclass(**options)
    class Bare:
        """One without fields."""

    @module.dataclass(**options)
    class Own:
        """One with methods of its own."""

        x: int

        def __repr__(self) -> str:
            return "own"

        def __hash__(self) -> int:
            return 5

        def __eq__(self, other: object) -> bool:
            return True

    return SimpleNamespace(Point=Point, Named=Named, Bare=Bare, Own=Own)


OPTIONS = (
    {"frozen": True, "slots": True},
    {"frozen": True},
    {"slots": True},
    {},
    {"slots": True, "eq": False},
)
CALLS: tuple[tuple[str, tuple[Any, ...], dict[str, Any]], ...] = (
    ("Point", (1,), {}),
    ("Point", (1, 2, ("a",), [3], "t"), {}),
    ("Point", (), {"y": 2, "x": 1}),
    ("Point", (), {}),
    ("Point", (1,), {"x": 1}),
    ("Point", (1,), {"z": 1}),
    ("Named", (1,), {}),
    ("Named", (1, 2), {"name": "m"}),
    ("Bare", (), {}),
    ("Bare", (1,), {}),
    ("Own", (1,), {}),
)


def outcome(do: Any) -> Any:
    """Return what a call gives, or the sort of error and its text."""
    try:
        return do()
    except Exception as error:
        return type(error).__name__, str(error).replace("__init__", "init").rpartition(".")[2]


def told(kind: ModuleType, options: dict[str, bool]) -> list[Any]:
    """Return everything that can be seen of objects of a decorator's classes."""
    seen: list[Any] = []
    for name, args, kwargs in CALLS:
        cls = getattr(made(kind, **options), name)
        thing = outcome(lambda cls=cls, a=args, k=kwargs: cls(*a, **k))
        seen.append(cls.__match_args__)
        seen.append(getattr(cls, "__slots__", None))
        if isinstance(thing, tuple):
            seen.append(thing)
            continue
        twin = cls(*args, **kwargs)
        seen += [repr(thing).rpartition(".")[2], thing == twin, thing == 5]
        seen.append(outcome(lambda thing=thing, twin=twin: hash(thing) == hash(twin)) is True)
        seen.append([(each.name, each.repr) for each in dataclasses.fields(thing)])
        seen.append(dataclasses.asdict(thing))
        seen.append(dataclasses.is_dataclass(cls))
        seen.append(hasattr(thing, "__dict__"))
        if name == "Point":
            changed = dataclasses.replace(thing, x=9)
            seen += [changed.x, changed.sum, changed == thing, changed.COUNT]
            seen.append(outcome(lambda thing=thing: setattr(thing, "x", 4)))
            seen.append(outcome(lambda thing=thing: delattr(thing, "y")))
            thing = cls(*args, **kwargs)
            # With slots the standard library of 3.11 stumbles over its own refusal.
            refused = outcome(lambda thing=thing: setattr(thing, "other", 4)) is not None
            seen.append(refused)
            seen.append(repr(copy.deepcopy(thing)) == repr(thing))
    return seen


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_what_can_be_seen_is_what_the_standard_library_shows(options):
    assert told(record, options) == told(dataclasses, options)


@record.dataclass(frozen=True, slots=True)
class Kept:
    """A class that pickle can find."""

    x: int
    y: str = ""


def test_an_object_survives_pickling():
    assert pickle.loads(pickle.dumps(Kept(1, "a"))) == Kept(1, "a")


def test_a_default_that_objects_would_share_is_refused():
    with pytest.raises(ValueError, match="would share"):

        @record.dataclass
        class _Wrong:
            x: list[int] = []  # noqa: RUF012 - what is tested


def test_objects_do_not_share_what_a_factory_makes():
    point = made(record).Point
    assert point(1).more is not point(1).more


def test_our_own_helpers_agree_with_the_standard_librarys():
    thing = Kept(1, "a")
    assert record.replace(thing, y="b") == dataclasses.replace(thing, y="b")
    assert record.to_dict(thing) == dataclasses.asdict(thing)
    assert [each.name for each in record.fields(thing)] == ["x", "y"]


def test_the_standard_library_makes_a_dataclass_below_one_of_ours():
    @dataclasses.dataclass(frozen=True, slots=True)
    class More(Kept):
        z: int = 3

    assert repr(More(1)).endswith("More(x=1, y='', z=3)")


def test_a_class_below_one_of_ours_may_have_an_initializer_of_its_own():
    class Below(Kept):
        __slots__ = ()

        def __init__(self) -> None:
            super().__init__(1, "below")

    assert (Below().y, Below().y, Kept(2).x) == ("below", "below", 2)


def test_enums_that_are_looked_up_much_have_the_hash_of_objects() -> None:
    assert {each.__hash__ for each in (Phase, Result, Cause)} == {object.__hash__}
    assert Result("PASS") is Result.PASS
