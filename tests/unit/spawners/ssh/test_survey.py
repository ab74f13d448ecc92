"""What a device says of itself, and what follows for it."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from nrunner.errors import SpawnError
from nrunner.spawners.ssh.survey import Survey, read_survey, survey_command, work_word

PRINTED = """Welcome to the lab
work of art
nrunner-survey
work /root/.cache/nrunner dut
boot 6c93f968-a428-4ab7-80ca-645e32af57e3
time 1795737194
arch aarch64
load 3.50 1.00 0.50 2/345 6789
cpus 2
free /dev/mapper/a b 1000000 400000 131072 66% /mnt/a 7 8%
sort ext2/ext3
exec yes
python 3 9 2
agent 0123abcd  -
nrunner-end
"""
GOOD = Survey("/w", "boot", 0.0, "x86_64", 0.0, 1, 1 << 30, "tmpfs", True, (3, 9, 0), "")


def test_everything_is_found_among_what_a_login_prints():
    assert read_survey(PRINTED) == Survey(
        "/root/.cache/nrunner dut",
        "6c93f968-a428-4ab7-80ca-645e32af57e3",
        1795737194.0,
        "aarch64",
        3.5,
        2,
        131072 << 10,
        "ext2/ext3",
        True,
        (3, 9, 2),
        "0123abcd",
    )


def test_what_a_device_does_not_say_is_not_made_up():
    found = read_survey("nrunner-survey\nwork /w\nboot \nfree \npython \ncpus x\nnrunner-end\n")
    assert (found.boot_id, found.free, found.python, found.can_execute) == ("", 0, (), False)
    assert not found.has_python
    wild = "work /w\nload nan\ncpus inf\ntime 1e999\npython 3 9 999999"
    wild = f"{wild}\nfree a 1 1 {10**18} 1% /"
    found = read_survey(f"nrunner-survey\n{wild}\nnrunner-end\n")
    assert (found.load, found.cpus, found.clock, found.python, found.free) == (0, 1, 0, (), 0)
    with pytest.raises(ValueError, match="cut off"):
        read_survey(PRINTED.replace("nrunner-end", ""))


@pytest.mark.parametrize(
    ("survey", "words"),
    [
        (GOOD, ""),
        (replace(GOOD, boot_id=""), "is it Linux"),
        (replace(GOOD, can_execute=False), "noexec"),
        (replace(GOOD, file_system="nfs"), "is on nfs, which other machines may have"),
        (replace(GOOD, free=5 << 20), "has 5 MiB free, 32 at least are needed"),
    ],
)
def test_one_that_will_not_do_says_why(survey, words):
    assert words in survey.complaint()
    assert bool(survey.complaint()) is bool(words)


@pytest.mark.parametrize(("python", "has"), [((3, 9), True), ((3, 8, 20), False), ((), False)])
def test_an_old_python_is_none(python, has):
    assert replace(GOOD, python=python).has_python is has


def test_a_busy_device_gets_more_time_and_an_idle_one_no_less():
    assert replace(GOOD, load=8.0, cpus=2).slowness == 4.0
    assert replace(GOOD, load=0.1, cpus=2).slowness == 1.0


def test_names_go_to_the_shell_as_they_are():
    command = survey_command("/a b/$c", "/opt/my python", "agent's")
    words = shlex.split(command)
    assert words[:3] == ["exec", "sh", "-c"]
    assert words[3].startswith("w='/a b/$c'; p='/opt/my python'; a='agent'\"'\"'s'; ")


def test_a_work_folder_is_absolute_or_at_home():
    assert work_word("~/x y") == "\"$HOME\"/'x y'"
    assert work_word("/x") == "/x"
    with pytest.raises(SpawnError, match="has to begin with / or ~/"):
        work_word("x")
