"""Tests with class fixtures, tags, a skip and an expected failure."""

import shutil
import tempfile
import unittest
from pathlib import Path


class TextTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp())

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def test_what_is_written_is_read(self):
        """
        :nrunner: tags=fast,area:disk
        """
        path = self.folder / "note"
        path.write_text("grüße", encoding="utf-8")
        self.assertEqual(path.read_text(encoding="utf-8"), "grüße")

    @unittest.skip("there is no printer here")
    def test_a_page_is_printed(self):
        self.fail("never reached")

    @unittest.expectedFailure
    def test_upper_and_lower_undo_each_other(self):
        self.assertEqual("straße".upper().lower(), "straße")
