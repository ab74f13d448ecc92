"""Variants are read whole or refused, and each test runs with each of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nrunner.errors import ConfigError
from nrunner.runnable import Runnable
from nrunner.variant import ORDERS, read_variants, spread

NODES: list[Any] = [["/net", [["/net", "card", "e1000"], ["/", "n", 3]]]]
TWO = [{"variant_id": name, "variant": NODES, "paths": ["/run/*"]} for name in ("x", "y")]


def pairs(*names: str) -> list[tuple[str, Runnable]]:
    return [(name, Runnable("noop", name)) for name in names]


@pytest.mark.parametrize(
    ("order", "expected"),
    [(ORDERS[0], ["a;x", "a;y", "b;x", "b;y"]), (ORDERS[1], ["a;x", "b;x", "a;y", "b;y"])],
)
def test_each_test_gets_each_variant_in_the_order_asked_for(
    order: str, expected: list[str]
) -> None:
    found = spread(pairs("a", "b"), TWO, order)
    assert [f"{each.uri};{each.variant_id}" for _, each in found] == expected
    assert [reference for reference, _ in found] == [name[0] for name in expected]


@pytest.mark.parametrize("order", ORDERS)
def test_what_has_a_variant_of_its_own_keeps_it(order: str) -> None:
    own = ("r.json", Runnable("noop", "r", variant={"variant_id": "mine", "variant": []}))
    found = spread([own, *pairs("a")], TWO, order)
    assert [each.variant_id for _, each in found] == ["mine", "x", "y"]


@pytest.mark.parametrize("order", ORDERS)
def test_each_test_runs_once_where_there_are_no_variants(order: str) -> None:
    assert spread(pairs("a", "b"), (), order) == pairs("a", "b")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({}, "expected a list of variants"),
        ([1], "variant [0]: expected an object"),
        ([*TWO, {"variant_id": 3, "variant": []}], 'variant [2]: "variant_id": expected a string'),
        ([{"variant_id": "a"}], 'variant [0]: "variant": expected a list of [path, '),
        ([{"variant_id": "a", "variant": [["/", [["/", "k"]]]]}], '"variant": expected'),
        ([{"variant_id": "a", "variant": [["/", [["/", 1, "v"]]]]}], '"variant": expected'),
        ([{"variant_id": "a", "variant": [[1, []]]}], '"variant": expected'),
        ([{"variant_id": "a", "variant": ["/"]}], '"variant": expected'),
    ],
)
def test_what_is_wrong_with_variants_is_told(tmp_path: Path, data: Any, reason: str) -> None:
    path = tmp_path / "v.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ConfigError) as caught:
        read_variants(path)
    assert str(caught.value).startswith(f"read variants from {path}: ")
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"{", "not JSON: "), (b"\xff", "not JSON: "), (b"[" * 100_000, "not JSON")],
)
def test_a_file_that_holds_no_json_is_told(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "v.json"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=reason):
        read_variants(path)


def test_a_file_of_variants_is_returned_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "v.json"
    path.write_text(json.dumps(TWO))
    assert list(read_variants(path)) == TWO
    with pytest.raises(ConfigError, match=r"gone\.json: no such file or directory"):
        read_variants(tmp_path / "gone.json")
