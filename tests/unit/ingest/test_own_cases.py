"""Our own cases of files, for what the shared corpus lacks, mean what they are said to mean."""

import pytest
from tests.cases import csv_files

from ingest.connectors.csv import sample
from ingest.dialect import CsvOptions

CASES = {case.name: case for case in csv_files.cases()}


@pytest.mark.parametrize("name", CASES)
def test_a_case_is_read_exactly(write, name):
    header, *rows = CASES[name].rows
    found = sample(write(CASES[name].content), CsvOptions(types="text"), 10)
    assert [column.display_name for column in found.inspection.columns] == list(header)
    read = [["" if cell is None else cell for cell in row.values()] for row in found.rows]
    assert read == [list(row) for row in rows]
