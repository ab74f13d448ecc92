"""Fails in the two ways that unittest tells apart: a FAIL and an ERROR."""

import unittest


class WrongTest(unittest.TestCase):
    def test_a_failure(self):
        self.assertEqual(6 * 9, 42)

    def test_an_error(self):
        raise RuntimeError("the test itself is broken")
