"""Answers from a device, however they arrive."""

from __future__ import annotations

import shlex

import pytest

from nrunner.spawners.ssh.words import Answer, copy_command, dut_command, read_answer


def test_an_answer_is_found_behind_what_a_login_prints():
    data = b'Hello\nnrunner-dut: is nice\r\nnrunner-dut:{"ok": true}\nrest'
    with pytest.raises(ValueError, match="Expecting value"):
        read_answer(data)
    assert read_answer(b'Hello\nnrunner-dut:{"ok": true}\nrest') == (Answer({"ok": True}), b"rest")


def test_an_answer_that_is_not_complete_is_waited_for():
    whole = b'x\nnrunner-dut:{"a": 1, "body": 5}\n12345more'
    for cut in range(len(whole) - 4):
        assert read_answer(whole[:cut]) is None, cut
    assert read_answer(whole) == (Answer({"a": 1}, b"12345"), b"more")


def test_an_answer_may_tell_of_a_command_line_that_is_no_text():
    answer = read_answer(b'nrunner-dut:{"processes": ["./caf\xe9 1"]}\n')
    assert answer == (Answer({"processes": ["./caf\N{REPLACEMENT CHARACTER} 1"]}), b"")


@pytest.mark.parametrize(
    "line", [b"[]", b"1", b'"x"', b'{"body": -1}', b'{"body": 1e9}', b'{"body": "5"}', b"{"]
)
def test_an_answer_that_makes_no_sense_is_none(line):
    with pytest.raises(ValueError):  # noqa: PT011 - each says it differently
        read_answer(b"nrunner-dut:" + line + b"\n")


def test_what_never_answers_is_given_up():
    with pytest.raises(ValueError, match="instead of an answer"):
        read_answer(b"y\n" * (1 << 20))
    with pytest.raises(ValueError, match="has no end"):
        read_answer(b"nrunner-dut:" + b"y" * (1 << 21))


def test_commands_are_words_for_any_shell():
    words = shlex.split(dut_command("my python", "/w/a.pyz", "relay", "/w/jobs/x y"))
    assert words[:5] == ["exec", "my python", "-I", "-S", "-c"]
    assert words[6:] == ["/w/a.pyz", "dut", "relay", "/w/jobs/x y"]
    words = shlex.split(copy_command("/w 1", "a.pyz", 5, "abc", "n"))
    assert words[3].startswith("w='/w 1'; a=a.pyz; l=5; h=abc; n=n; ")
