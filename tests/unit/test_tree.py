"""What belongs to the folder that is brought to where none of our files are seen."""

from __future__ import annotations

import os

import pytest

from nrunner.errors import RecipeError
from nrunner.tree import Tree, TreeLimits, survey


def make(folder, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)


def look(folder, **limits) -> Tree:
    return survey(str(folder), str(folder / "job-results"), TreeLimits(**limits))


def names(tree: Tree) -> list[str]:
    return sorted(each.path for each in tree.files)


def test_files_are_found_with_their_modes_and_sizes(tmp_path):
    make(tmp_path, "a.py", "tests/deep/b.sh")
    (tmp_path / "tests" / "deep" / "b.sh").chmod(0o755)
    tree = look(tmp_path)
    found = {each.path: (each.mode, each.size) for each in tree.files}
    assert found["tests/deep/b.sh"] == (0o755, len("tests/deep/b.sh"))
    assert names(tree) == ["a.py", "tests/deep/b.sh"]
    assert tree.size == len("a.pytests/deep/b.sh")


def test_what_is_made_from_others_or_by_us_does_not_belong_to_it(tmp_path):
    make(
        tmp_path,
        "a.py",
        ".git/config",
        "pkg/__pycache__/a.pyc",
        "venv/pyvenv.cfg",
        "venv/bin/python",
        "job-results/job-1/id",
        "elsewhere/job-2/id",
        "elsewhere/job-2/journal.jsonl",
        "elsewhere/kept",
    )
    assert names(look(tmp_path)) == ["a.py", "elsewhere/kept"]


def test_people_may_leave_out_more(tmp_path):
    make(tmp_path, "a.py", "big.iso", "data/big.iso", "build/x/y", "src/build.py")
    found = names(look(tmp_path, exclude=("*.iso", "build", "data/*")))
    assert found == ["a.py", "src/build.py"]


def test_links_that_stay_inside_are_links_and_others_are_what_they_lead_to(tmp_path):
    base = tmp_path / "base"
    make(tmp_path, "base/a", "base/d/b", "outside")
    (base / "inner").symlink_to("d/b")
    (base / "d" / "up").symlink_to("../a")
    (base / "out").symlink_to("../outside")
    (base / "absolute").symlink_to(tmp_path / "outside")
    (base / "folder").symlink_to(tmp_path)
    (base / "nowhere").symlink_to("/nowhere")
    os.mkfifo(base / "pipe")
    tree = look(base)
    assert dict(tree.links) == {"inner": "d/b", "d/up": "../a"}
    assert names(tree) == ["a", "absolute", "d/b", "out"]


@pytest.mark.parametrize(
    ("limits", "said"), [({"files": 3}, "more than 3 files"), ({"bytes": 50}, "more than 50 bytes")]
)
def test_too_much_is_refused_with_what_it_is_and_what_to_do(tmp_path, limits, said):
    make(tmp_path, "a", *(f"build/some/long/name/{number}" for number in range(5)))
    with pytest.raises(RecipeError, match=said) as caught:
        look(tmp_path, **limits)
    assert "most of them in 'build'" in str(caught.value)
    assert "ssh.tree_exclude" in str(caught.value)


def test_a_file_that_is_gone_when_it_is_read_is_empty(tmp_path):
    make(tmp_path, "a")
    tree = look(tmp_path)
    (tmp_path / "a").unlink()
    assert tree.read(tree.files[0]) == b""
    assert tree.digest(tree.files[0]) == ""
