from nrunner.runners.go_output import GoSummary, read_go_output


def read(text: str) -> GoSummary:
    return read_go_output(f"{line}\n".encode() for line in text.splitlines())


def test_tests_within_a_test_are_not_counted_but_named() -> None:
    found = read(
        "=== RUN   TestAdd\n=== RUN   TestAdd/a\n    x_test.go:12: got 4, want 5\n"
        "--- FAIL: TestAdd (0.00s)\n    --- PASS: TestAdd/b (0.00s)\n"
        "    --- FAIL: TestAdd/a (1.25s)\nFAIL\nFAIL\texample.com/calc\t0.002s\n"
    )
    assert (found.ran, found.failed, found.inner) == (1, ["TestAdd"], ["TestAdd/a"])
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
    assert (found.last_word, found.failed) == ("panic: boom [recovered]", ["TestP"])


def test_what_was_not_built_and_what_is_not_there_is_noticed() -> None:
    assert read("FAIL\texample.com/b [build failed]\n").unbuilt == "build failed"
    assert read("FAIL\t./no [setup failed]\n").unbuilt == "setup failed"
    assert read("testing: warning: no tests to run\nPASS\n").has_none


def test_odd_bytes_and_endless_lines_do_no_harm() -> None:
    lines = [b"\xff--- PASS: Test\xc3\xa9\xff (0.00s)\n", b"panic: " + b"x" * 5000]
    found = read_go_output(lines)
    assert found.passed == 1
    assert len(found.last_word) == 1000
