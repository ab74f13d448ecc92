"""The table of what handles which fault fits the code, and names tests that there are."""

from __future__ import annotations

import pytest

from tests.faults.without import ROOT, ROWS

SUITES = "".join(path.read_text("utf-8") for path in ROOT.glob("nrunner/testing/*_contract.py"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_what_handles_a_fault_is_where_the_table_says(row):
    assert row.handling in (ROOT / row.file).read_text("utf-8")
    file, _, name = row.test.partition("::")
    test = name.partition("[")[0].rpartition("::")[2]
    where = (ROOT / file).read_text("utf-8") + SUITES  # suites are inherited
    assert (f"def {test}(" if test else "def test_") in where
