"""Tests with a requirement: without the library there is no point in starting them."""

import unittest


class InventoryTest(unittest.TestCase):
    """
    :nrunner: requires={"type": "file", "uri": "mylib.py"}
    :nrunner: tags=fast,area:stock
    """

    def setUp(self):
        from mylib import Inventory

        self.inventory = Inventory()

    def test_a_new_inventory_is_empty(self):
        self.assertEqual(self.inventory.count("bolt"), 0)

    def test_what_is_added_can_be_taken(self):
        self.inventory.add("bolt", 2)
        self.inventory.take("bolt")
        self.assertEqual(self.inventory.count("bolt"), 1)

    def test_what_is_not_there_cannot_be_taken(self):
        with self.assertRaises(KeyError):
            self.inventory.take("bolt")

    def test_a_wrong_count_is_refused(self):
        for count in (0, -1):
            with self.subTest(count=count), self.assertRaises(ValueError):
                self.inventory.add("bolt", count)
