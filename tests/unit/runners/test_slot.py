import errno
import os
import socket
import stat
import time
from pathlib import Path

import pytest

from nrunner.runners.removal import remove_tree
from nrunner.runners.slot import Slot, _is_settled


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


@pytest.mark.parametrize("mode", [0, 0o500, 0o755])
def test_a_folder_whose_mode_a_test_changed_is_for_the_next_as_it_was(
    slot: Slot, tmp_path: Path, mode: int
) -> None:
    folders = Path(slot.work_dir), Path(slot.output_dir)
    for each in folders:
        each.chmod(mode)
    assert slot.collect(str(tmp_path / "log")) == ()
    slot.clean()
    slot.open()
    assert [stat.S_IMODE(each.stat().st_mode) for each in folders] == [0o700, 0o700]


@pytest.mark.parametrize(("mode", "kept"), [(0, 0o700), (0o500, 0o700), (0o755, 0o755)])
def test_what_is_in_a_folder_that_a_test_shut_is_kept(
    slot: Slot, tmp_path: Path, mode: int, kept: int
) -> None:
    Path(slot.output_dir, "file").write_text("1")
    Path(slot.output_dir).chmod(mode)
    assert slot.collect(str(tmp_path / "log")) == ("output",)
    assert stat.S_IMODE((tmp_path / "log" / "output").stat().st_mode) == kept
    assert (tmp_path / "log" / "output" / "file").read_text() == "1"
    slot.open()
    assert stat.S_IMODE(Path(slot.output_dir).stat().st_mode) == 0o700


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


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the folders that were read."""
    seen: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(
        "nrunner.runners.slot.os.scandir", lambda path: seen.append(str(path)) or scandir(path)
    )
    return seen


def settle(slot: Slot, log: Path) -> None:
    """Have the slot know that its folders are empty, and have been for a while."""
    since = max(Path(each).stat().st_ctime for each in (slot.work_dir, slot.output_dir))
    while time.time() - since < 0.1:
        time.sleep(0.01)
    slot.collect(str(log))
    slot.clean()


def test_a_folder_in_which_nothing_was_changed_is_not_read_again(
    slot: Slot, tmp_path: Path, looks: list[str]
) -> None:
    settle(slot, tmp_path / "log")
    assert {slot.work_dir, slot.output_dir} <= {*looks}
    looks.clear()
    assert slot.collect(str(tmp_path / "log")) == ()
    slot.clean()
    assert looks == []


def test_what_was_written_since_is_found_whatever_was_done_to_the_time_of_change(
    slot: Slot, tmp_path: Path
) -> None:
    settle(slot, tmp_path / "log")
    before = Path(slot.output_dir).stat()
    Path(slot.output_dir, "kept").write_text("1")
    os.utime(slot.output_dir, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert slot.collect(str(tmp_path / "log")) == ("output",)
    assert (tmp_path / "log" / "output" / "kept").read_text() == "1"


def test_a_file_that_came_right_after_a_look_is_found(slot: Slot, tmp_path: Path) -> None:
    """The kernel may give it the same time of change: it counts in steps of milliseconds."""
    for number in range(20):
        log = tmp_path / f"log-{number}"
        slot.open()
        assert slot.collect(str(log)) == ()
        Path(slot.output_dir, "kept").write_text("1")
        assert slot.collect(str(log)) == ("output",)


def test_another_folder_in_its_place_is_looked_into(slot: Slot, tmp_path: Path) -> None:
    settle(slot, tmp_path / "log")
    other = tmp_path / "other"
    other.mkdir()
    (other / "kept").write_text("1")
    Path(slot.output_dir).rmdir()
    other.rename(slot.output_dir)
    assert slot.collect(str(tmp_path / "log")) == ("output",)


SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("since", "fraction", "settled"),
    [(0.04, 123, False), (0.06, 123, True), (0.06, 0, False), (4.9, 0, False), (5.1, 0, True)],
)
def test_a_time_of_change_is_believed_once_the_next_one_must_be_another(
    monkeypatch: pytest.MonkeyPatch, since: float, fraction: int, settled: bool
) -> None:
    changed = 1_700_000_000 * SECOND + fraction
    monkeypatch.setattr(
        "nrunner.runners.slot.time.time_ns", lambda: changed + round(since * SECOND)
    )
    assert _is_settled(changed) is settled
