"""Modules that are loaded once something of them is asked for: a sixth of a job's start otherwise.

Of what the standard library's asyncio, pathlib and dataclasses import at their beginning, nearly no
job uses some: TLS, the sources of functions, IPv6 in URLs. Whoever else imports these modules gets
them as ever. Not responsible for our own modules, which import late what few jobs need.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

__all__ = ["load_lightly", "load_messages"]

_COROUTINE = 0x80
"""Of a code's flags (inspect.CO_COROUTINE)."""


def _is_function(thing: object) -> bool:
    return isinstance(thing, FunctionType)


def _unwrap(function: Callable[..., Any]) -> Callable[..., Any]:
    seen = {id(function)}
    while hasattr(function, "__wrapped__") and id(function.__wrapped__) not in seen:
        function = function.__wrapped__
        seen.add(id(function))
    return function


def _is_coroutine_function(thing: object) -> bool:
    while isinstance(thing, (MethodType, partial)):
        thing = thing.__func__ if isinstance(thing, MethodType) else thing.func
    code = getattr(thing, "__code__", None)
    return isinstance(code, CodeType) and bool(code.co_flags & _COROUTINE)


_LATER: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        # What asyncio asks of each callback for a signal; a test holds the answers to be the same.
        "inspect": {
            "iscoroutinefunction": _is_coroutine_function,
            "isfunction": _is_function,
            "unwrap": _unwrap,
        },
        # It asks of each socket whether it is one of these: not before there are any.
        "ssl": {"SSLSocket": ()},
        "asyncio.sslproto": {},
        # On Linux, this is what it would say, too.
        "platform": {"system": lambda: os.uname().sysname},
        "ipaddress": {},
        "locale": {},
        "msgspec.inspect": {},
        "textwrap": {},
        "tokenize": {},
    }
)
"""Each module, and what is true of it as long as it is not loaded."""


class _Deferred(ModuleType):
    """Stands for a module where that was imported; loads it at the first question."""

    def __init__(self, name: str, meanwhile: Mapping[str, Any]) -> None:
        super().__init__(name)
        # Whoever finds it in sys.modules looks here whether it is complete.
        self.__spec__ = ModuleSpec(name, None)
        self._meanwhile = meanwhile

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        if name in self._meanwhile and self.__name__ not in sys.modules:
            return self._meanwhile[name]
        return getattr(import_module(self.__name__), name)


def load_lightly(*names: str) -> None:
    """Load modules, and little besides; to be called while there is one thread."""
    with _deferred():
        for name in names:
            import_module(name)


def load_messages() -> None:
    """Load msgspec; to be called while there is one thread."""
    # It would take its type hints from there, which are those of typing since Python 3.11.
    with _absent("typing_extensions"), _deferred():
        import msgspec  # noqa: F401


@contextmanager
def _deferred() -> Iterator[None]:
    made = {
        name: _Deferred(name, meanwhile)
        for name, meanwhile in _LATER.items()
        if name not in sys.modules
    }
    sys.modules.update(made)
    try:
        yield
    finally:
        for name, each in made.items():
            if sys.modules.get(name) is each:
                del sys.modules[name]


@contextmanager
def _absent(name: str) -> Iterator[None]:
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
