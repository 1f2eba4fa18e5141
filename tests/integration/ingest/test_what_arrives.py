"""In the database, too, a value is what was given and stands under the name that was given."""

import csv
import io

import pytest
from tests.cases.normal_forms import same

pytestmark = pytest.mark.asyncio(loop_scope="module")

COLUMNS = {
    "integer": ["0", "-12", "", "999999999999999"],
    "decimal": ["1.50", "-0.25", " ", "40300.619960000004"],
    "boolean": ["TRUE", "false", "", "True"],
    "iso": ["2024-02-29", "", "0001-01-01", "9999-12-31"],
    "day first": ["13/01/2024", "1/2/2024", "", "31/12/1999"],
    "month first": ["01/13/2024", "2/1/2024", "", "12/31/1999"],
    "words": ["3 Jan 2024", "14 Feb 2024", "", "1 Dec 0999"],
    "moment": ["2024-01-01T10:00", "2024-01-01 10:00:01.25", "", "1969-12-31 23:59:59"],
    "moment said": ["13/01/2024 9:05", "1/2/2024 23:59", "", "31/12/1999 00:00"],
    "padded": ["007", "1", "", "12"],
    "signed": ["+1", "2", "", "-3"],
    "long": ["1234567890123456", "1", "", "2"],
    "exponent": ["1e5", "NaN", "", "-0"],
    "ambiguous": ["03/04/2024", "05/06/2024", "", "01/02/2024"],
    "zoned": ["2024-01-01T10:00:00Z", "2024-01-01T10:00:00+05:30", "", "2024-01-01T10:00:00Z"],
    "phone": ["9812345678", "9812345679", "", "9812345670"],
    "yes": ["yes", "no", "", "Yes"],
    "text": [' "x"\n, y ', "\\N", "", "\\."],
    "blank": ["", " ", "\t", "\u00a0"],
    "script": ["१२", "Zoë", "", "\U0001f600"],
}


def written(rows: list[list[str]]) -> str:
    target = io.StringIO(newline="")
    csv.writer(target, lineterminator="\n").writerows(rows)
    return target.getvalue()


async def test_every_cell_comes_back_from_its_type(pool, job, as_organization):
    rows = [list(row) for row in zip(*COLUMNS.values(), strict=True)]
    loaded = await pool.load(job(written([list(COLUMNS), *rows])))
    columns = {column.display_name: column for column in loaded.columns}
    assert {column.type for column in columns.values()} == {
        *("integer", "decimal", "boolean", "date", "timestamp", "text")
    }
    for name, cells in COLUMNS.items():
        column = columns[name]
        found = await as_organization.fetch(
            f'SELECT "{column.physical_name}"::text FROM {loaded.relation} ORDER BY ctid'
        )
        back = [row[0] for row in found]
        assert all(map(same, [column.type] * len(cells), cells, back)), (name, column.type, back)


async def test_headers_of_all_kinds_keep_their_names_and_their_columns(pool, job, as_organization):
    given = [
        *("नाम", "उम्र (वर्ष)", "ስም", "ዕድሜ", "الاسم", "العمر", "名前", "Zoë's São"),
        *("select", "user", "table", "order", "_dlt_load_id", "_dlt_id", "ctid", "xmin", "oid"),
        *(
            "ID",
            "id",
            "Id",
            "total",
            "total",
            "total",
            "",
            " ",
            "1",
            "%",
            '"',
            "a b",
            "a_b",
            "\U0001f600",
        ),
        *("x" * 200, "x" * 199 + "y", "नाम" * 67, "two\nlines"),
    ]
    cells = [f"value {index}" for index in range(len(given))]
    loaded = await pool.load(job(written([given, cells])))
    displayed = [column.display_name for column in loaded.columns]
    for index, name in enumerate(given):
        first = given.index(name) == index
        assert displayed[index] == name if name.strip() and first else displayed[index] != name
    assert len(set(displayed)) == len(given)
    (row,) = await as_organization.fetch(f"SELECT * FROM {loaded.relation}")
    physical = [column.physical_name for column in loaded.columns]
    assert all(len(name.encode()) <= 63 for name in physical)
    assert [row[name] for name in physical] == cells
