from pathlib import Path

import pytest

from nrunner.dutfilter import TagExpression, select
from nrunner.errors import UsageError
from nrunner.inventory import Dut, Inventory

DUTS = (
    Dut("a1", "192.0.2.1", tags=frozenset({"arm64", "rc"})),
    Dut("a2", "192.0.2.2", tags=frozenset({"arm64"})),
    Dut("x1", "192.0.2.3", tags=frozenset({"x86", "nvme"})),
    Dut("bare", "192.0.2.4"),
)
LAB = Inventory(Path("duts.toml"), DUTS)


def chosen(names=(), expressions=()):
    return [dut.name for dut in select(LAB, names, expressions)]


@pytest.mark.parametrize(
    ("expressions", "names"),
    [
        ((), ["a1", "a2", "x1", "bare"]),
        (("arm64",), ["a1", "a2"]),
        (("arm64,!rc",), ["a2"]),
        (("!arm64",), ["x1", "bare"]),
        (("!arm64 , nvme",), ["x1"]),
        (("rc", "nvme"), ["a1", "x1"]),
    ],
)
def test_devices_are_chosen_by_all_tags_of_one_of_the_expressions(expressions, names):
    assert chosen((), expressions) == names


def test_devices_are_chosen_by_name_in_the_order_of_the_inventory():
    assert chosen(["x1", "a1", "x1"]) == ["a1", "x1"]
    assert chosen(["x1", "a1"], ["!rc"]) == ["x1"]


@pytest.mark.parametrize("text", ["", "arm64,", "!", "!!rc", "a b", ",rc"])
def test_what_is_no_expression_is_refused_with_what_would_be_right(text):
    with pytest.raises(UsageError, match=r"names no tag; .*'arm64,!rc'"):
        TagExpression.parse(text)


def test_an_unknown_name_is_refused_with_the_one_that_may_be_meant():
    with pytest.raises(UsageError, match=r"duts.toml has none of that name; did you mean 'bare'\?"):
        chosen(["bear"])
    with pytest.raises(UsageError, match=r"'zzz': duts.toml has a1, a2, x1, bare"):
        chosen(["zzz"])


def test_tags_that_nothing_has_are_refused_with_those_that_there_are():
    with pytest.raises(UsageError) as caught:
        chosen(["a1", "bare"], ["x86", "nvme"])
    assert str(caught.value) == (
        "find a device tagged 'x86' or 'nvme': there are a1 (arm64, rc), bare (no tags)"
    )
    with pytest.raises(UsageError, match="has none"):
        select(Inventory(Path("duts.toml"), ()))


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        (("arm64",), ""),
        ((), "it is not tagged arm64"),
        (("arm64", "rc"), "it is tagged rc"),
    ],
)
def test_why_a_device_is_not_meant_is_said(tags, reason):
    wish = TagExpression.parse("arm64,!rc")
    assert wish.lacks(tags) == reason
    assert wish.admits(tags) == (not reason)
