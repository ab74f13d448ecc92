import errno
import os
import timeit
from datetime import datetime
from pathlib import Path

import pytest

from nrunner import layout
from nrunner.errors import ExitCode, ResultsError
from nrunner.layout import JobFolder, JobNotFound, create_job_folder, find_job, list_jobs

NOW = datetime(2026, 11, 22, 10, 15)
HOSTILE = [
    "1-a\nb",
    "1-a\0b",
    "1-../../etc/passwd",
    "1-..",
    "1-" + "x" * 10_000,
    "1-\ud800\udfff",
    "1-größe/日本",
    "1- leading and trailing . ",
    "..",
    "",
    "-",
    "\u0661-arabic digits",
    "9" * 5000 + "-x",
    "1-\x1b[2J\u202e",
]


@pytest.mark.parametrize(
    ("number", "task_id", "expected"),
    [
        (1, "1-/bin/true", "1-_bin_true"),
        (1, "1-test.py:Test.test_1", "1-test.py_Test.test_1"),
        (2, "02-t.py:T.test;variant", "02-t.py_T.test_variant"),
        (3, "12-/bin/true", "3-12-_bin_true"),
    ],
)
def test_ordinary_ids_look_as_avocados_do(number, task_id, expected):
    assert layout.task_folder_name(number, task_id) == expected


@pytest.mark.parametrize("task_id", HOSTILE)
def test_a_hostile_id_gives_one_harmless_file_name(tmp_path, task_id):
    name = layout.task_folder_name(1, task_id)
    assert len(os.fsencode(name)) <= 120
    assert name.isascii()
    assert name.isprintable()
    assert name.lstrip("0").startswith("1-")
    (tmp_path / name).mkdir()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_tasks_of_different_numbers_never_share_a_folder():
    ids = ["x", "1-x", "2-x", "01-X", "11-x", "2"]
    names = {
        layout.task_folder_name(number, each).lower() for number, each in enumerate(ids * 3, 1)
    }
    assert len(names) == len(ids) * 3


def test_long_ids_that_differ_at_their_ends_are_told_apart():
    first, second = (layout.task_folder_name(1, "1-" + "x" * 500 + end) for end in "ab")
    assert first != second
    assert first[:100] == second[:100]


def test_naming_a_task_folder_costs_microseconds():
    call = timeit.Timer(lambda: layout.task_folder_name(7, "7-tests/test_a.py:Test.test_b"))
    # The aim is 3 us; the bound leaves room for a busy machine.
    assert min(call.repeat(5, 1000)) / 1000 < 15e-6


def test_job_ids_are_forty_hexadecimal_digits_and_differ():
    first, second = layout.new_job_id(), layout.new_job_id()
    assert len(first) == 40
    assert int(first, 16) != int(second, 16)


def test_a_job_folder_is_private_and_complete(tmp_path):
    folder = create_job_folder(tmp_path / "new" / "results", "ab" * 20, NOW)
    assert folder.root.name == "job-2026-11-22T10.15-abababa"
    assert folder.root.stat().st_mode & 0o777 == 0o700
    assert folder.job_id == "ab" * 20
    assert folder.test_results.is_dir()
    assert (tmp_path / "new/results/latest").readlink() == Path(folder.root.name)


def test_latest_follows_the_newest_job_and_leaves_no_litter(tmp_path):
    create_job_folder(tmp_path, "a" * 40, NOW)
    newest = create_job_folder(tmp_path, "b" * 40, NOW)
    assert (tmp_path / "latest").resolve() == newest.root.resolve()
    assert len(list(tmp_path.iterdir())) == 3


def test_a_folder_named_latest_is_left_alone(tmp_path):
    (tmp_path / "latest").mkdir()
    folder = create_job_folder(tmp_path, "a" * 40, NOW)
    assert sorted(path.name for path in tmp_path.iterdir()) == [folder.root.name, "latest"]
    assert not (tmp_path / "latest").is_symlink()


def test_jobs_with_the_same_start_of_id_get_different_folders(tmp_path):
    ids = ["a" * 7 + "b" * 33, "a" * 12 + "b" * 28, "a" * 40]
    folders = [create_job_folder(tmp_path, each, NOW) for each in ids]
    assert len({folder.root for folder in folders}) == 3
    with pytest.raises(ResultsError, match="a folder for this job already"):
        create_job_folder(tmp_path, "a" * 40, datetime(2026, 11, 22, 10, 15, 59))


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match=r"file is not a folder$") as caught:
        create_job_folder(tmp_path / "file" / "results", "a" * 40, NOW)
    assert caught.value.exit_code == ExitCode.JOB_FAILED


def test_a_link_to_nowhere_is_named(tmp_path):
    (tmp_path / "results").symlink_to(tmp_path / "missing" / "more")
    with pytest.raises(ResultsError, match=r"results is a link to nowhere$"):
        create_job_folder(tmp_path / "results", "a" * 40, NOW)


@pytest.mark.parametrize("name", ["x\0y", "x" * 300])
def test_a_path_that_cannot_be_is_refused(tmp_path, name):
    with pytest.raises(ResultsError, match=r"not a valid path|too long"):
        create_job_folder(tmp_path / name, "a" * 40, NOW)


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.EROFS, "the file system is read-only"),
        (errno.EACCES, "permission denied"),
        (errno.ENOENT, "the folder above it does not exist and cannot be made"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_a_base_that_cannot_be_written_is_explained(tmp_path, monkeypatch, number, sentence):
    def refuse(*_args, **_kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ResultsError, match=rf"results: {sentence}$"):
        create_job_folder(tmp_path / "results", "a" * 40, NOW)


def test_a_full_disk_is_found_before_any_test_and_leaves_no_half_job(tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(ResultsError, match="no space is left on the device"):
        create_job_folder(tmp_path, "a" * 40, NOW)
    assert list(tmp_path.iterdir()) == []


def _jobs(base):
    made = [create_job_folder(base, digit * 40, NOW) for digit in "ba9"]
    for number, job in enumerate(made):
        os.utime(job.id_file, ns=(number, number))
    return made


def test_jobs_are_listed_oldest_first_and_nothing_else_is(tmp_path):
    made = _jobs(tmp_path)
    (tmp_path / "job-notes.txt").write_text("")
    (tmp_path / "job-empty").mkdir()
    assert list_jobs(tmp_path) == made
    assert list_jobs(tmp_path / "missing") == []


@pytest.mark.parametrize("name", ["latest", "9", "9999999", "job-2026-11-22T10.15-9999999"])
def test_a_job_is_found_by_each_of_its_names(tmp_path, name):
    _jobs(tmp_path)
    assert find_job(tmp_path, name).job_id == "9" * 40


def test_a_job_is_found_by_its_path(tmp_path):
    root = _jobs(tmp_path)[0].root
    assert find_job(tmp_path / "elsewhere", f"{root}/").root == root.resolve()


def test_a_job_elsewhere_is_found_by_its_id_and_its_name_too(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    own = create_job_folder(here, "a1" + "0" * 38, NOW)
    other = create_job_folder(there, "a2" + "0" * 38, NOW)
    for name in ("a2", other.root.name):
        assert find_job(here, name, [other]) == other
    assert find_job(here, "a1", [own, other]) == own
    with pytest.raises(JobNotFound, match="all fit"):
        find_job(here, "a", [own, other])
    with pytest.raises(JobNotFound, match="find a job 'latest'"):
        find_job(tmp_path / "empty", "latest", [other])


def test_a_job_of_the_folder_itself_is_not_elsewhere_however_that_is_written(tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(tmp_path / "here")
    own = create_job_folder(tmp_path / "here", "a1" + "0" * 38, NOW)
    monkeypatch.chdir(tmp_path)
    for base in (Path("here"), tmp_path / "here/../here", tmp_path / "link"):
        assert find_job(base, "a1", [own]).job_id == own.job_id


def test_a_name_that_fits_several_jobs_is_refused_with_the_candidates(tmp_path):
    create_job_folder(tmp_path, "ab" + "0" * 38, NOW)
    create_job_folder(tmp_path, "ab" + "1" * 38, NOW)
    with pytest.raises(JobNotFound, match=r"-ab00000, job.*-ab11111 all fit") as caught:
        find_job(tmp_path, "ab")
    assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize("name", ["", "..", "\0", "x" * 5000, "zzz"])
def test_a_name_that_fits_no_job_is_refused(tmp_path, name):
    _jobs(tmp_path)
    with pytest.raises(JobNotFound, match="find a job"):
        find_job(tmp_path, name)


def test_a_mistyped_name_gets_the_nearest(tmp_path):
    create_job_folder(tmp_path, "c" * 40, NOW)
    with pytest.raises(JobNotFound, match=r"nearest: job-2026-11-22T10\.15-ccccccc"):
        find_job(tmp_path, "job-2026-11-22T10.16-ccccccc")


def test_a_runtime_folder_is_private_and_short_enough_for_a_socket(tmp_path, monkeypatch):
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    monkeypatch.setenv("TMPDIR", str(deep))
    folder = layout.runtime_folder("c" * 40)
    try:
        assert folder == Path(f"/tmp/nrunner-{os.geteuid()}/cccccccccccc")
        assert folder.stat().st_mode & 0o777 == 0o700
        assert layout.runtime_folder("c" * 40) == folder
    finally:
        folder.rmdir()


def test_the_users_own_runtime_folder_is_preferred(tmp_path, monkeypatch):
    short = Path(f"/tmp/nr-test-{os.getpid()}")
    short.symlink_to(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    try:
        assert layout.runtime_folder("d" * 40) == short / "nrunner" / "dddddddddddd"
    finally:
        short.unlink()


@pytest.mark.parametrize("trap", ["link", "open", "foreign"])
def test_a_runtime_folder_that_others_could_have_made_is_refused(tmp_path, monkeypatch, trap):
    folder = tmp_path / "private"
    if trap == "link":
        folder.symlink_to(tmp_path)
    else:
        folder.mkdir(mode=0o777)
        folder.chmod(0o755 if trap == "open" else 0o700)
    if trap == "foreign":
        user = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(layout, "_SOCKET_ROOM", 1000)
    monkeypatch.setattr(layout, "runtime_parents", lambda: iter([folder]))
    with pytest.raises(ResultsError, match=r"somebody else|open to others"):
        layout.runtime_folder("e" * 40)


def test_a_job_folder_tells_where_its_control_socket_is(tmp_path):
    folder = JobFolder(tmp_path)
    assert folder.control_socket is None
    for name in ("first.sock", "second.sock"):
        layout.link_control(folder, tmp_path / name)
    assert folder.control_socket == tmp_path / "second.sock"


def test_a_control_link_that_cannot_be_made_is_explained(tmp_path):
    with pytest.raises(ResultsError, match="No such file"):
        layout.link_control(JobFolder(tmp_path / "missing"), tmp_path / "x.sock")
