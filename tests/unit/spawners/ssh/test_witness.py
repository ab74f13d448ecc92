from nrunner.spawners.ssh.witness import last_words

PANIC = """\
[  101.1] usb 1-1: new device
[  102.3] Unable to handle kernel NULL pointer dereference
[  102.4] Call trace:
[  102.5] Kernel panic - not syncing: Oops
[  102.6] Rebooting in 10 seconds..
U-Boot 2024.01
Hit any key to stop autoboot
"""


def test_what_a_kernel_said_of_its_end_counts_more_than_what_comes_after():
    words = last_words(PANIC)
    assert words.startswith("[  102.3] Unable to handle kernel NULL pointer dereference | ")
    assert "Kernel panic" in words
    assert "autoboot" not in words


def test_else_the_end_counts():
    assert last_words("".join(f"line {each}\n\n" for each in range(20))) == (
        "line 15 | line 16 | line 17 | line 18 | line 19"
    )


def test_nothing_is_shown_that_a_terminal_would_obey():
    assert last_words("\x1b[31mred\x1b[0m\x07 end\r\n") == "red? end"
    assert last_words("") == ""
    assert len(last_words("x" * 9999)) == 500
