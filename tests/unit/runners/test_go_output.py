import time

from nrunner.runners.go_output import GoSummary, read_go_output


def read(text: str, name: str = "") -> GoSummary:
    return read_go_output((f"{line}\n".encode() for line in text.splitlines()), name)


def test_tests_within_a_test_are_not_counted_but_named() -> None:
    found = read(
        "=== RUN   TestAdd\n=== RUN   TestAdd/a\n    x_test.go:12: got 4, want 5\n"
        "--- FAIL: TestAdd (0.00s)\n    --- PASS: TestAdd/b (0.00s)\n"
        "    --- FAIL: TestAdd/a (1.25s)\nFAIL\nFAIL\texample.com/calc\t0.002s\n"
    )
    assert (found.ran, found.failed.first, found.inner.first) == (1, ["TestAdd"], ["TestAdd/a"])
    assert found.logged == "x_test.go:12: got 4, want 5"
    assert not found.unbuilt


def test_the_end_of_a_test_may_follow_what_it_printed_without_a_newline() -> None:
    found = read("no newline--- PASS: TestA (0.00s)\nok  \texample.com/a\t0.1s\n")
    assert (found.passed, found.ran) == (1, 1)


def test_what_was_logged_belongs_to_the_test_that_ended_next() -> None:
    found = read(
        "    a_test.go:1: first\n--- PASS: TestA (0.00s)\n    --- not a result\n"
        "--- SKIP: TestB (0.00s)\n"
    )
    assert (found.passed, found.skipped, found.logged) == (1, 1, "")
    found = read("    a_test.go:1: why\n--- SKIP: TestB (0.00s)\n--- PASS: TestC (0.00s)\n")
    assert found.logged == "a_test.go:1: why"


def test_the_first_of_gos_last_words_is_kept() -> None:
    found = read("--- FAIL: TestP (0.00s)\npanic: boom [recovered]\n\tpanic: boom\nexit status 2\n")
    assert (found.last_word, found.failed.first) == ("panic: boom [recovered]", ["TestP"])


def test_what_was_not_built_and_what_is_not_there_is_noticed() -> None:
    assert read("FAIL\texample.com/b [build failed]\n").unbuilt == "build failed"
    assert read("FAIL\t./no [setup failed]\n").unbuilt == "setup failed"
    assert read("testing: warning: no tests to run\nPASS\n").has_none


def test_odd_bytes_and_endless_lines_do_no_harm() -> None:
    lines = [b"\xff--- PASS: Test\xc3\xa9\xff (0.00s)\n", b"panic: " + b"x" * 5000]
    found = read_go_output(lines)
    assert found.passed == 1
    assert len(found.last_word) == 1000


def test_what_is_said_at_the_end_of_a_line_that_comes_in_pieces_is_understood() -> None:
    pieces = [b"x" * 65536, b"x" * 65530 + b"--- PA", b"SS: TestA (0.00s)\n", b"PASS\n"]
    found = read_go_output(pieces, "TestA")
    assert (found.own, found.passed, found.conclusion) == ("PASS", 1, "PASS")


def test_of_one_test_only_its_own_end_counts_and_the_last_if_there_are_several() -> None:
    text = "=== RUN   TestA\n--- FAIL: TestB (0.00s)\n--- FAIL: TestA (0.00s)\n"
    found = read(text + "--- PASS: TestA (0.00s)\n", "TestA")
    assert (found.own, found.failed.first, found.passed) == ("PASS", ["TestA"], 1)
    assert read("--- PASS: TestB (0.00s)\n", "TestA").ran == 0


def test_of_a_test_within_another_both_ends_count() -> None:
    text = "    a_test.go:1: why\n--- PASS: TestA (0.00s)\n    --- SKIP: TestA/b (0.00s)\n"
    found = read(text, "TestA/b")
    assert (found.own, found.passed, found.skipped, found.logged) == (
        *("SKIP", 1, 0, "a_test.go:1: why"),
    )
    assert read(text, "TestA/c").own == ""


def test_what_tests_print_is_not_taken_for_words_of_go() -> None:
    found = read(
        "=== RUN   TestA\nFAIL\tx [build failed]\ntesting: warning: no tests to run\n"
        "panic: not so\n    a_test.go:1: why\n--- FAIL: TestA (0.00s)\nFAIL\nexit status 1\n"
        "FAIL\tx\t0.1s\n"
    )
    assert (found.unbuilt, found.has_none, found.last_word) == ("", False, "")
    assert (found.logged, found.status) == ("a_test.go:1: why", "exit status 1")


def test_a_panic_counts_after_a_test_failed_whatever_it_says() -> None:
    text = "--- FAIL: TestA (0.00s)\npanic: one\n--- PASS: TestA (0.00s)\nthree [recovered]\n"
    assert read(text, "TestA").last_word == "panic: one"


def test_a_panic_may_follow_what_was_printed_without_a_newline() -> None:
    text = "=== RUN   TestA\nso far panic: boom\n"
    assert read(f"{text}\ngoroutine 7 [running]:\nexit status 2\n").last_word == "panic: boom"
    assert read(f"{text}exit status 2\n").last_word == ""


def test_the_last_that_was_printed_and_the_status_that_go_tells_are_kept_apart() -> None:
    start, end = "=== RUN   TestA\n", "FAIL\tx\t0.1s\n"
    for text, said, status in (
        ("no way\nexit status 1\n", "no way", "exit status 1"),
        ("no newlineexit status 7\n", "no newline", "exit status 7"),
        ("    a_test.go:1: why\nsignal: killed\n", "a_test.go:1: why", "signal: killed"),
        ("exit status 3\n", "", "exit status 3"),
        ("signal: aborted (core dumped)\n", "", "signal: aborted (core dumped)"),
    ):
        found = read(start + text + end)
        assert (found.said, found.status) == (said, status)


def test_logs_of_files_of_other_languages_are_logs() -> None:
    found = read("    my grammar.y:7: no\n        want 3:4: more\n--- FAIL: TestA (0.00s)\n")
    assert found.logged == "my grammar.y:7: no"


def test_crashes_that_are_no_panics_have_a_last_word() -> None:
    for word in ("SIGABRT: abort", "unexpected fault address 0xdead", "fatal error: fault"):
        assert read(f"{word}\nfatal error: more\n").last_word == word


def test_a_line_of_blanks_is_read_as_quickly_as_any_other() -> None:
    """Who tries how many of them belong to what, one by one, is at it for a minute."""
    before = time.process_time()
    assert read_go_output([b" " * 65_000 + b"--- x\n"]).ran == 0
    assert time.process_time() - before < 1


def test_of_names_without_end_the_first_are_kept_and_all_are_counted() -> None:
    found = read("".join(f"--- FAIL: Test{number} (0.00s)\n" for number in range(1000)))
    assert found.ran == found.failed.count == 1000
    assert found.failed.first == [f"Test{number}" for number in range(100)]
