import re
from pathlib import Path

import pytest

from nrunner.errors import RunnerError
from nrunner.runners import registry
from nrunner.runners.base import RequirementRunner


@pytest.mark.parametrize("kind", sorted(registry.KINDS))
def test_every_kind_has_a_class_that_says_so(kind: str) -> None:
    runner = registry.runner(kind)
    assert runner.kind == kind
    assert runner.description
    assert registry.runner(kind) is runner


@pytest.mark.parametrize(
    ("page", "kinds"),
    [
        ("kinds", (registry.KINDS - registry.REQUIREMENT_KINDS) | {"noop"}),
        ("requirements", registry.REQUIREMENT_KINDS),
    ],
)
def test_every_kind_is_on_its_page(page: str, kinds: frozenset[str]) -> None:
    text = Path(__file__).parents[3].joinpath("docs", f"{page}.md").read_text("utf-8")
    told = set(re.findall(r"^(?:### |\| `)([\w-]+)", text, re.MULTILINE))
    assert kinds - told == set()


@pytest.mark.parametrize("kind", sorted(registry.REQUIREMENT_KINDS))
def test_every_requirement_kind_can_check(kind: str) -> None:
    assert isinstance(registry.requirement_runner(kind), RequirementRunner)


def test_an_unknown_kind_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(RunnerError, match='did you mean "exec-test"'):
        registry.runner("exec-tets")
    with pytest.raises(RunnerError, match="known here: asset, command, env"):
        registry.requirement_runner("xyz")
