"""The documents lead where they say they do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
CODE = re.compile(r"^(?: {4}.*|```.*?^```)$", re.MULTILINE | re.DOTALL)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def anchors(path: Path) -> set[str]:
    """Return the anchors that the headings of a document get."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in HEADING.findall(_text(path))
    }


def is_lost(path: Path, link: str) -> bool:
    """Say whether a link within the project leads nowhere."""
    if "://" in link:
        return False
    name, _, anchor = link.partition("#")
    target = path.parent / name if name else path
    return not target.exists() or bool(anchor and anchor not in anchors(target))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_within_the_project_leads_somewhere(path):
    links = LINK.findall(CODE.sub("", _text(path)))
    assert [link for link in links if is_lost(path, link)] == []


def test_a_link_to_nowhere_is_found(tmp_path):
    (tmp_path / "there.md").write_text("# Some Heading\n")
    here = tmp_path / "here.md"
    here.write_text("# Here: now\n")
    lost = [
        link
        for link in ("there.md", "there.md#some-heading", "#here-now", "gone.md", "there.md#gone")
        if is_lost(here, link)
    ]
    assert lost == ["gone.md", "there.md#gone"]
