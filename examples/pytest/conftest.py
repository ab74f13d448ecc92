"""What the tests of this folder share: fixtures."""

import pytest


@pytest.fixture
def shelf(tmp_path):
    """A folder that holds one jar, for one test."""
    (tmp_path / "jar").write_text("honey")
    return tmp_path


@pytest.fixture(scope="session")
def season():
    """Set up once for each process: for each test, or for a file with --isolation=module."""
    return "autumn"
