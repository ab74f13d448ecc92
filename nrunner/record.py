"""Dataclasses that cost little to make, and enums that cost little to look up.

The standard library's decorator compiles six functions for a class, half a millisecond, and there
are some fifty of them between a command line and its first test; importing it brings ``inspect``.
Here one function is compiled, and only once an object is made. All else behaves like the standard
library's, whose functions (``dataclasses.replace``, ``fields``, ``asdict``) take these classes,
too; a test holds the two together. Not here: ``order``, ``kw_only``, ``InitVar``. Modules must
begin with ``from __future__ import annotations``.
Portable: runs on Python 3.9 with the standard library alone.
"""

from __future__ import annotations

import enum
from operator import attrgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import Field, dataclass, field, fields, replace
    from typing import Any, Callable

__all__ = ["Word", "dataclass", "field", "fields", "replace", "to_dict"]

_NOTHING: Any = type("_Nothing", (), {"__repr__": lambda self: "<factory>"})()
_set = object.__setattr__


class Word(enum.Enum):
    """A base of enums by which much is looked up."""

    # There is one of each; the one that Enum has is written in Python.
    __hash__ = object.__hash__


if not TYPE_CHECKING:  # checkers know these as the standard library's

    class Field:
        """What is known of a field."""

        __slots__ = ("default", "default_factory", "metadata", "name", "repr", "type")

        def __init__(self, default, default_factory, is_shown, metadata):
            self.default = default
            self.default_factory = default_factory
            self.repr = is_shown
            self.metadata = metadata

    def field(
        *,
        default=_NOTHING,
        default_factory=_NOTHING,
        repr=True,  # noqa: A002 - the standard library's word
        metadata=None,
    ):
        """Say more of a field than its default."""
        return Field(default, default_factory, repr, {} if metadata is None else metadata)

    def dataclass(cls=None, /, *, frozen=False, slots=False, eq=True):
        """Make a dataclass of a class, as the standard library's decorator does."""

        def make(cls):
            return _made(cls, frozen, slots, eq)

        return make if cls is None else make(cls)

    def fields(thing):
        """Return the fields of a dataclass or an object of one, inherited ones first."""
        return tuple(thing.__record_fields__.values())

    def replace(thing, /, **changes):
        """Return a copy in which some fields have another value."""
        for name in thing.__record_fields__:
            if name not in changes:
                changes[name] = getattr(thing, name)
        return thing.__class__(**changes)


def to_dict(thing: Any) -> dict[str, Any]:
    """Return the values of an object's fields, by name, as they are."""
    return {name: getattr(thing, name) for name in thing.__record_fields__}


def _made(cls: Any, frozen: bool, slots: bool, eq: bool) -> Any:
    own = _own_fields(cls)
    inherited = getattr(cls, "__record_fields__", {})
    every = {**inherited, **own}
    for name, each in own.items():
        if each.default is not _NOTHING:
            setattr(cls, name, each.default)
        elif name in cls.__dict__:
            delattr(cls, name)
    if slots:
        cls = _slotted(cls, own, inherited)
    methods = _methods(cls, every, frozen, eq)
    if slots and frozen:
        methods.update(__getstate__=_state, __setstate__=_set_state)
    for name, method in methods.items():
        if name not in cls.__dict__:
            setattr(cls, name, method)
    if eq and _has_no_hash(cls):
        cls.__hash__ = _hash_of(_key_of(every)) if frozen else None
    cls.__record_fields__ = every
    no_methods = {"init": False, "repr": False, "eq": False}
    cls.__dataclass_fields__ = _Lazy(every, "__dataclass_fields__", **no_methods)
    cls.__dataclass_params__ = _Lazy(every, "__dataclass_params__", frozen=frozen, eq=eq)
    return cls


def _own_fields(cls: Any) -> dict[str, Field[Any]]:
    """Return the fields that a class names itself, in their order."""
    found: dict[str, Any] = {}
    for name, annotation in _annotations(cls).items():
        if "ClassVar" in annotation:
            continue
        given = cls.__dict__.get(name, _NOTHING)
        each: Any = given if isinstance(given, Field) else field(default=given)
        if isinstance(each.default, (list, dict, set)):
            raise ValueError(f"{cls.__name__}.{name}: objects would share this default")
        each.name, each.type = name, annotation
        found[name] = each
    return found


def _annotations(cls: Any) -> dict[str, str]:
    # inspect.get_annotations is not in Python 3.9, and takes long to import.
    found: dict[str, str] = cls.__dict__.get("__annotations__", {})  # noqa: RUF063
    return found


def _slotted(cls: Any, own: dict[str, Any], inherited: dict[str, Any]) -> Any:
    """Return the class anew, since slots must be named before a class is made."""
    namespace = dict(cls.__dict__)
    for name in (*own, "__dict__", "__weakref__"):
        namespace.pop(name, None)
    namespace["__slots__"] = tuple(name for name in own if name not in inherited)
    made = type(cls)(cls.__name__, cls.__bases__, namespace)
    made.__qualname__ = cls.__qualname__
    return made


def _methods(cls: Any, every: dict[str, Any], frozen: bool, eq: bool) -> dict[str, Any]:
    """Return what a class gets unless it has its own."""
    methods = {
        "__init__": _late_init(cls, every, frozen),
        "__repr__": _repr_of(every),
        "__match_args__": tuple(every),
        "__replace__": replace,
    }
    if eq:
        methods["__eq__"] = _eq_of(_key_of(every))
    if frozen:
        methods["__setattr__"], methods["__delattr__"] = _guards_of(cls, every)
    return methods


def _late_init(cls: Any, every: dict[str, Any], frozen: bool) -> Callable[..., None]:
    """Return an initializer that compiles the real one, and puts it in its own place."""

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        real = _init_of(cls, every, frozen)
        cls.__init__ = real
        real(self, *args, **kwargs)

    return init


def _init_of(cls: Any, every: dict[str, Any], frozen: bool) -> Any:
    known: dict[str, Any] = {"_set": _set, "_nothing": _NOTHING}
    parameters, lines = ["self"], []
    for name, each in every.items():
        value = name
        if each.default is not _NOTHING:
            known[f"_default_{name}"] = each.default
            parameters.append(f"{name}=_default_{name}")
        elif each.default_factory is not _NOTHING:
            known[f"_make_{name}"] = each.default_factory
            parameters.append(f"{name}=_nothing")
            value = f"_make_{name}() if {name} is _nothing else {name}"
        else:
            parameters.append(name)
        lines.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    body = "\n ".join(lines or ["pass"])
    exec(f"def __init__({', '.join(parameters)}):\n {body}", known)
    init = known["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _key_of(every: dict[str, Any]) -> Callable[[Any], Any]:
    """Return what gets the values of an object, to be compared."""
    return attrgetter(*every) if every else lambda thing: ()


def _eq_of(key: Callable[[Any], Any]) -> Callable[[Any, object], Any]:
    def is_same(self: Any, other: object) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return key(self) == key(other)

    return is_same


def _hash_of(key: Callable[[Any], Any]) -> Callable[[Any], int]:
    def hashed(self: Any) -> int:
        return hash(key(self))

    return hashed


def _has_no_hash(cls: Any) -> bool:
    own = cls.__dict__.get("__hash__", _NOTHING)
    # Python itself says None where a class has an __eq__ of its own.
    return own is _NOTHING or (own is None and "__eq__" in cls.__dict__)


def _repr_of(every: dict[str, Any]) -> Callable[[Any], str]:
    names = [name for name, each in every.items() if each.repr]

    def text(self: Any) -> str:
        values = ", ".join([f"{name}={getattr(self, name)!r}" for name in names])
        return f"{self.__class__.__qualname__}({values})"

    return text


def _guards_of(cls: Any, every: dict[str, Any]) -> tuple[Any, Any]:
    """Return what refuses to change a frozen object."""

    def refuse_set(self: Any, name: str, value: Any) -> None:
        if type(self) is cls or name in every:
            raise _frozen(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def refuse_delete(self: Any, name: str) -> None:
        if type(self) is cls or name in every:
            raise _frozen(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return refuse_set, refuse_delete


def _frozen(text: str) -> Exception:
    from dataclasses import FrozenInstanceError

    return FrozenInstanceError(text)


def _state(self: Any) -> list[Any]:
    return [getattr(self, name) for name in self.__record_fields__]


def _set_state(self: Any, state: list[Any]) -> None:
    for name, value in zip(self.__record_fields__, state):  # noqa: B905 - not in Python 3.9
        _set(self, name, value)


class _Lazy:
    """What the standard library's functions want to know of a class, made when they ask."""

    def __init__(self, every: dict[str, Any], name: str, **options: Any) -> None:
        self._every = every
        self._name = name
        self._options = options
        self._known: Any = None

    def __get__(self, thing: object, owner: type) -> Any:
        if self._known is None:
            import dataclasses

            members = [(each.name, each.type, _standard(each)) for each in self._every.values()]
            # Without a text of its own it would get one with its signature, by way of inspect.
            text = {"__doc__": owner.__name__}
            twin = dataclasses.make_dataclass(
                owner.__name__, members, namespace=text, **self._options
            )
            self._known = getattr(twin, self._name)
        return self._known


def _standard(each: Any) -> Any:
    import dataclasses

    given = {"default": each.default, "default_factory": each.default_factory}
    given = {name: value for name, value in given.items() if value is not _NOTHING}
    return dataclasses.field(**given, repr=each.repr, metadata=each.metadata)
