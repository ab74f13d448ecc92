"""A tiny library that is under test."""


class Inventory:
    """How many there are of each thing."""

    def __init__(self):
        self._counts = {}

    def add(self, name, count=1):
        """Put `count` of `name` in."""
        if count < 1:
            raise ValueError(f"cannot add {count} of {name}")
        self._counts[name] = self._counts.get(name, 0) + count

    def take(self, name):
        """Take one of `name` out; raise KeyError if there is none."""
        if not self._counts.get(name):
            raise KeyError(name)
        self._counts[name] -= 1

    def count(self, name):
        """Return how many of `name` there are."""
        return self._counts.get(name, 0)
