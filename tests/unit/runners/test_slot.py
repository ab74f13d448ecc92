import errno
import os
import socket
from pathlib import Path

import pytest

from nrunner.runners.removal import remove_tree
from nrunner.runners.slot import Slot


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
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NotADirectoryError):
        slot.collect(str(tmp_path / "file" / "log"))
    slot.renew()
    stdout, _ = slot.open()
    os.write(stdout, b"of the second")
    assert slot.collect(str(tmp_path / "log2")) == ("stdout",)
    assert (tmp_path / "log2" / "stdout").read_bytes() == b"of the second"


def test_many_files_are_removed_bit_by_bit_and_the_slot_is_ready_meanwhile(slot: Slot) -> None:
    for number in range(2_000):
        Path(slot.work_dir, str(number)).write_text("")
    rest = slot.clean()
    slot.open()
    assert list(Path(slot.work_dir).iterdir()) == []
    (rubbish,) = Path(slot.folder).glob("rubbish-*")
    assert 1_000 < len(list(rubbish.iterdir())) < 2_000
    for _ in rest:
        pass
    assert not rubbish.exists()


@pytest.mark.parametrize("sort", ["link", "dangling link", "file", "pipe"])
def test_what_a_test_put_in_place_of_the_log_folder_of_another_goes(
    slot: Slot, tmp_path: Path, precious: Path, sort: str
) -> None:
    log = tmp_path / "log"
    put(log, sort, precious)
    stdout, _ = slot.open()
    os.write(stdout, b"all of it")
    assert slot.collect(str(log)) == ("stdout",)
    assert (log / "stdout").read_bytes() == b"all of it"
    assert [path.name for path in precious.parent.iterdir()] == ["precious"]


@pytest.mark.parametrize("sort", ["link", "dangling link", "pipe", "folder"])
def test_what_a_test_put_in_place_of_its_output_goes(
    slot: Slot, tmp_path: Path, precious: Path, sort: str
) -> None:
    log = tmp_path / "log"
    log.mkdir()
    put(log / "stdout", sort, precious)
    stdout, _ = slot.open()
    os.write(stdout, b"all of it")
    assert slot.collect(str(log)) == ("stdout",)
    assert (log / "stdout").read_bytes() == b"all of it"
    assert precious.read_text() == "kept"


def put(path: Path, sort: str, precious: Path) -> None:
    if sort == "link":
        path.symlink_to(precious.parent)
    elif sort == "dangling link":
        path.symlink_to("nowhere")
    elif sort == "pipe":
        os.mkfifo(path)
    elif sort == "folder":
        (path / "full").mkdir(parents=True)
    else:
        path.write_text("")


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "another file system"])
def test_output_of_every_sort_is_added_to_what_is_there(
    slot: Slot, tmp_path: Path, precious: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    """A pipe that is copied is waited for, a device may have no end: they stay behind."""
    kept = tmp_path / "log" / "output"
    (kept / "both").mkdir(parents=True)
    (kept / "both" / "old").write_text("old")
    (kept / "same").write_text("old")
    output = Path(slot.output_dir)
    (output / "both" / "deep").mkdir(parents=True)
    (output / "both" / "new").write_text("new")
    (output / "same").write_text("new")
    (output / "link").symlink_to(precious)
    (output / "loop").symlink_to("loop")
    os.mkfifo(output / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(output / "s"))
    if elsewhere:
        rename_here = os.rename

        def rename(*names: str, **within: int) -> None:
            if not within:
                raise OSError(errno.EXDEV, "Invalid cross-device link")
            rename_here(*names, **within)

        monkeypatch.setattr(os, "rename", rename)
    assert slot.collect(str(tmp_path / "log")) == ("output",)
    assert (kept / "both" / "old").read_text() == "old"
    assert (kept / "both" / "new").read_text() == "new"
    assert (kept / "both" / "deep").is_dir()
    assert (kept / "same").read_text() == "new"
    assert (kept / "link").readlink() == precious
    assert (kept / "loop").readlink() == Path("loop")
    assert os.path.lexists(kept / "pipe") != elsewhere
    assert not output.exists()
    assert precious.read_text() == "kept"
