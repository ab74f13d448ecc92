"""Variants: what every test is run with in turn, from the JSON that Avocado's varianters write.

A variant is a list of nodes, each a path with parameters: ``["/net", [["/net", "card", "e1"]]]``.
Not responsible for what tests see of them (``nrunner.runners.payload``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nrunner.errors import ConfigError
from nrunner.record import replace
from nrunner.runnable import Runnable

__all__ = ["ORDERS", "Pair", "named", "read_variants", "spread"]

ORDERS = ("variants-per-test", "tests-per-variant")
"""Whether a test has all its variants one after another, or a variant all its tests."""

Pair = tuple[str, Runnable]
Variant = Mapping[str, Any]


def read_variants(path: Path) -> tuple[Variant, ...]:
    """Return the variants in a file; raise ConfigError that says what is wrong with it."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"read variants from {path}: {reason}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"read variants from {path}: not JSON: {error}") from error
    if not isinstance(data, list):
        raise ConfigError(f"read variants from {path}: expected a list of variants")
    for number, each in enumerate(data):
        wrong = _wrong(each)
        if wrong:
            raise ConfigError(f"read variants from {path}: variant [{number}]: {wrong}")
    return tuple(data)


def _wrong(variant: Any) -> str:
    """Say what is wrong with a variant; empty if it is one."""
    if not isinstance(variant, Mapping):
        return "expected an object"
    if not isinstance(variant.get("variant_id"), (str, type(None))):
        return '"variant_id": expected a string'
    nodes = variant.get("variant")
    if not isinstance(nodes, list) or not all(map(_is_node, nodes)):
        return '"variant": expected a list of [path, [[path, name, value], ...]]'
    return ""


def _is_node(node: Any) -> bool:
    if not isinstance(node, list) or len(node) != 2 or not isinstance(node[1], list):
        return False
    triples = (isinstance(each, list) and len(each) == 3 for each in node[1])
    return isinstance(node[0], str) and all(triples) and all(_is_named(each) for each in node[1])


def _is_named(parameter: Sequence[Any]) -> bool:
    return isinstance(parameter[0], str) and isinstance(parameter[1], str)


def named(parameters: Mapping[str, Any]) -> Variant:
    """Return the variant that is a name and value for each parameter, named by the values."""
    name = "-".join(map(str, parameters.values()))
    node = ["/", [["/", key, value] for key, value in parameters.items()]]
    return {"paths": ["/"], "variant_id": name, "variant": [node]}


def spread(pairs: Iterable[Pair], variants: Sequence[Variant], order: str) -> list[Pair]:
    """Return each test with each variant; what has a variant of its own keeps it.

    Where there are no variants each test runs once, as with Avocado.
    """
    tests = list(pairs)
    if not variants:
        return tests
    if order == ORDERS[1]:
        own = [pair for pair in tests if pair[1].variant is not None]
        rest = [pair for pair in tests if pair[1].variant is None]
        return [*own, *(_with(pair, each) for each in variants for pair in rest)]
    return [
        _with(pair, each)
        for pair in tests
        for each in ((None,) if pair[1].variant is not None else variants)
    ]


def _with(pair: Pair, variant: Variant | None) -> Pair:
    reference, runnable = pair
    return pair if variant is None else (reference, replace(runnable, variant=variant))
