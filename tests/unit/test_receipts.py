"""Which events may be acknowledged."""

from __future__ import annotations

from nrunner.receipts import Receipts


def test_nothing_is_due_before_anything_is_dealt_with():
    receipts = Receipts()
    assert receipts.due() is None
    receipts.expect(1)
    assert receipts.due() is None


def test_what_is_dealt_with_is_due_once():
    receipts = Receipts()
    for number in (1, 2, 3):
        receipts.expect(number)
        receipts.settle(number)
    assert receipts.due() == 3
    assert receipts.due() is None


def test_one_that_waits_holds_back_those_after_it():
    receipts = Receipts()
    for number in (5, 6, 7, 8):
        receipts.expect(number)
    for number in (5, 7, 8):
        receipts.settle(number)
    assert receipts.due() == 5
    receipts.settle(6)
    assert receipts.due() == 8
