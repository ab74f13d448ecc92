import os
from pathlib import Path

import pytest

from nrunner.runners.slot import Slot, remove_tree


@pytest.fixture
def slot(tmp_path: Path) -> Slot:
    slot = Slot(str(tmp_path / "slots" / "1"))
    slot.open()
    return slot


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """Return a file in a folder that is not the slot's."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "precious").write_text("kept")
    return folder / "precious"


def put_link(place: str, target: Path) -> None:
    Path(place).rmdir()
    Path(place).symlink_to(target)


def test_a_link_in_place_of_the_temporary_folder_does_not_cost_what_it_leads_to(
    slot: Slot, precious: Path
) -> None:
    precious.parent.chmod(0o750)
    put_link(slot.work_dir, precious.parent)
    slot.clean()
    assert precious.read_text() == "kept"
    assert precious.parent.stat().st_mode & 0o777 == 0o750
    slot.open()
    assert list(Path(slot.work_dir).iterdir()) == []


def test_a_link_in_place_of_the_output_folder_is_not_kept(
    slot: Slot, precious: Path, tmp_path: Path
) -> None:
    put_link(slot.output_dir, precious.parent)
    assert slot.collect(str(tmp_path / "log")) == ()
    assert precious.read_text() == "kept"


def test_a_tree_is_removed_without_what_links_in_it_or_to_it_lead_to(
    tmp_path: Path, precious: Path
) -> None:
    tree = tmp_path / "tree"
    (tree / "shut").mkdir(parents=True)
    (tree / "shut" / "file").write_text("")
    (tree / "shut").chmod(0)
    (tree / "link").symlink_to(precious.parent)
    remove_tree(str(tree))
    (tmp_path / "link").symlink_to(precious.parent)
    remove_tree(str(tmp_path / "link"))
    assert not tree.exists()
    assert not (tmp_path / "link").is_symlink()
    assert precious.read_text() == "kept"


def test_output_is_kept_where_the_folders_above_it_were_deleted(slot: Slot, tmp_path: Path) -> None:
    stdout, _ = slot.open()
    os.write(stdout, b"all of it")
    remove_tree(slot.folder)
    log = tmp_path / "test-results" / "log"
    assert slot.collect(str(log)) == ("stdout",)
    assert (log / "stdout").read_bytes() == b"all of it"


def test_what_cannot_be_kept_does_not_show_up_in_the_next_attempt(
    slot: Slot, tmp_path: Path
) -> None:
    stdout, _ = slot.open()
    os.write(stdout, b"of the first")
    log = tmp_path / "log"
    log.write_text("in the way")
    with pytest.raises(FileExistsError):
        slot.collect(str(log))
    slot.renew()
    stdout, _ = slot.open()
    os.write(stdout, b"of the second")
    assert slot.collect(str(tmp_path / "log2")) == ("stdout",)
    assert (tmp_path / "log2" / "stdout").read_bytes() == b"of the second"
