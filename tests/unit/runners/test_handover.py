"""What tests are told of requirements that hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrunner.errors import RequirementError
from nrunner.runnable import Requirement
from nrunner.runners.asset import Asset
from nrunner.runners.handover import handed_over


def test_variables_of_all_requirements_are_joined_and_most_kinds_have_none(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.bin").write_text("a")
    (tmp_path / "b.bin").write_text("b")
    config = {"cache.dir": str(tmp_path / "cache")}
    asset = Asset()
    asset.config = config
    needs = [Requirement("asset", name, (), {"locations": [name]}) for name in ("a.bin", "b.bin")]
    for each in needs:
        asset.fulfil(each, str(tmp_path))
    told = handed_over([Requirement("file", "x"), *needs], str(tmp_path), config)
    assert {name: Path(path).read_text() for name, path in told.items()} == {
        "NRUNNER_ASSET_A_BIN": "a",
        "NRUNNER_ASSET_B_BIN": "b",
    }
    assert handed_over([Requirement("odd")], str(tmp_path), config) == {}


def test_what_does_not_hold_any_more_is_told(tmp_path: Path) -> None:
    need = Requirement("asset", "a.bin", (), {"locations": ["gone"]})
    with pytest.raises(RequirementError, match=r"'a.bin' was removed from the cache meanwhile"):
        handed_over([need], str(tmp_path), {"cache.dir": str(tmp_path / "cache")})
