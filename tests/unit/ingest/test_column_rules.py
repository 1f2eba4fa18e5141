"""What a person says of a column holds before anything of it is written, shown or told."""

import csv
import hashlib
import hmac
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from contracts.ingest import ColumnOption
from ingest.connectors import BadSource
from ingest.connectors.csv import fingerprint, inspect, opened, sample
from ingest.dialect import CsvOptions
from ingest.masks import Masker, masked_sql
from ingest.rules import missing
from ingest.said import said
from ingest.scan import connect
from recipe.date_format import date_format
from recipe.mask_key import setting_value

KEY = b"a key of an organisation"
MASK_KEY = SecretStr(setting_value(KEY))
PEOPLE = "Name,Phone,Village,Age\nAsha,+91 98100,Hosa,31\nBen,,Kela,017\nबेन,१२३४५,Hosa,4\n"
MASKS = {"Name": "hash", "Phone": "partial", "Village": "redact"}


def rules(**said: object) -> CsvOptions:
    return CsvOptions.model_validate({"columns": said})


def digest(cell: str) -> str:
    return hmac.digest(KEY, cell.encode(), hashlib.sha256).hex()[:32]


def written(path: Path, options: CsvOptions, folder: Path) -> list[list[str]]:
    """The file that is loaded, cell by cell."""
    with opened(path, options, folder, mask_key=MASK_KEY) as file:
        file.write(folder / "clean.csv")
        delimiter = file.delimiter
    with (folder / "clean.csv").open(encoding="utf-8", newline="") as clean:
        return list(csv.reader(clean, delimiter=delimiter))


def test_masked_columns_are_text_and_nulls_stay_null(write, tmp_path):
    options = rules(**{name: {"mask": mask} for name, mask in MASKS.items()})
    path = write(PEOPLE)
    assert written(path, options, tmp_path) == [
        ["name", "phone", "village", "age"],
        [digest("Asha"), "*****8100", "***", "31"],
        [digest("Ben"), "", "***", "017"],
        [digest("बेन"), "*२३४५", "***", "4"],
    ]
    preview = sample(path, options, 2, mask_key=MASK_KEY)
    assert preview.rows[0] == {
        "Name": digest("Asha"),
        "Phone": "*****8100",
        "Village": "***",
        "Age": "31",
    }
    assert preview.rows[1]["Phone"] is None
    assert {column.type for column in preview.inspection.columns} == {"text"}


def test_a_skipped_column_is_nowhere(write, tmp_path):
    options = rules(Phone={"skip": True, "mask": "hash", "type": "integer"}, Name={"skip": True})
    path = write(PEOPLE)
    assert [row[0] for row in written(path, options, tmp_path)] == [
        "village",
        "Hosa",
        "Kela",
        "Hosa",
    ]
    preview = sample(path, options, 5)
    assert list(preview.rows[0]) == ["Village", "Age"]
    assert preview.inspection.rows == 3


def test_a_file_of_which_nothing_would_be_left_is_refused(write):
    with pytest.raises(BadSource) as caught:
        inspect(write("a,b\n1,2\n"), rules(a={"skip": True}, b={"skip": True}))
    assert caught.value.code == "no_columns"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))))
def test_duckdb_and_python_mask_alike(cells):
    masker = Masker(MASK_KEY, {"c": ColumnOption(mask="hash")})
    with connect(Path()) as connection:
        masker.into(connection)
        for mask in ("hash", "redact", "partial"):
            connection.execute("CREATE OR REPLACE TEMP TABLE t (n INTEGER, c VARCHAR)")
            connection.executemany("INSERT INTO t VALUES (?, ?)", [[-1, None], *enumerate(cells)])
            found = connection.execute(f"SELECT {masked_sql(mask, 'c')} FROM t ORDER BY n")
            assert [row[0] for row in found.fetchall()] == [
                None,
                *(masker.cell(mask, cell) for cell in cells),
            ]


def test_a_hash_without_a_key_is_not_made(write):
    with pytest.raises(ValueError, match="key"):
        sample(write(PEOPLE), rules(Name={"mask": "hash"}), 5)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"mask": "hash", "type": "integer"}, "a mask is text"),
        ({"mask": "redact", "format": "DD/MM/YYYY"}, "a mask is text"),
        ({"type": "integer", "format": "YYYY"}, "type integer"),
        ({"format": "%d/%m/%Y"}, "means nothing"),
        ({"format": "DD/MM"}, "no year"),
    ],
)
def test_a_rule_that_cannot_hold_is_refused(write, rule, told):
    with pytest.raises(BadSource) as caught:
        inspect(write(PEOPLE), rules(Name=rule), mask_key=MASK_KEY)
    assert caught.value.code == "bad_rule"
    assert "'Name'" in caught.value.message
    assert told in caught.value.message


def test_a_rule_for_no_column_names_the_columns_there_are(write):
    with pytest.raises(BadSource) as caught:
        inspect(write(PEOPLE), rules(phone={"skip": True}))
    assert caught.value.code == "unknown_column"
    assert "Did you mean 'Phone'?" in caught.value.message
    assert "'Name', 'Phone', 'Village', 'Age'" in caught.value.message


def test_a_column_that_went_later_is_a_warning(write, tmp_path):
    options = rules(Phone={"type": "text"}, Gone={"mask": "redact"})
    known = ("Name", "Phone", "Village", "Age", "Gone")
    with opened(write(PEOPLE), options, tmp_path, known=known) as file:
        (warning,) = file.inspection.warnings
    assert warning.code == "rule_without_column"
    assert "'Gone'" in warning.message


def test_a_guarded_column_that_went_while_another_came_is_no_warning():
    columns = {"Phone": ColumnOption(mask="redact")}
    with pytest.raises(BadSource) as caught:
        missing(columns, ["Name", "Telephone"], ["Name", "Phone"])
    assert caught.value.code == "guard_lost"
    assert "'Phone'" in caught.value.message
    assert "'Telephone'" in caught.value.message


@pytest.mark.parametrize(
    ("format", "type", "cells", "shown"),
    [
        ("DD/MM/YYYY", "date", ["03/04/2024", " 1/12/2024"], ["2024-04-03", "2024-12-01"]),
        ("DD MON YY", "date", ["5 mar 29", "05 DEC 30"], ["2029-03-05", "1930-12-05"]),
        ("DAY, DD MONTH YYYY", "date", ["Friday, 5 July 2024"], ["2024-07-05"]),
        ("YYYYMMDD", "date", ["20240229"], ["2024-02-29"]),
        ("MM/YYYY", "date", ["2/2024"], ["2024-02-01"]),
        ("DD'MM'YYYY HH24:MI", "timestamp", ["1'2'2024 9:05"], ["2024-02-01T09:05:00"]),
        ("YYYY-MM-DDTHH24:MI:SSZ", "timestamp", ["2024-02-01T09:05:07Z"], ["2024-02-01T09:05:07"]),
    ],
)
def test_a_format_says_how_dates_are_written(write, format, type, cells, shown):
    path = write("k\tx\n" + "".join(f"1\t{cell}\n" for cell in cells))
    preview = sample(path, rules(x={"format": format}), 5)
    assert preview.inspection.columns[1].type == type
    assert [row["x"] for row in preview.rows] == shown


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(
        [
            "DD/MM/YYYY",
            "YYYY%MM",
            "SS DD.MM.YYYY HH24:MI",
            "YY-MON-DD",
            "MONTH DD YYYY HH24:MI:SS",
            "YYYYMMDD",
        ]
    ),
    st.lists(
        st.one_of(
            st.dates().map(lambda day: f"{day:%d/%m/%Y}"),
            st.text("0123456789/- :janfebmarAPR", max_size=20),
        )
    ),
)
def test_python_reads_a_format_as_duckdb_does(format, cells):
    (reading,) = said("timestamp", format)
    dates = date_format(format)
    with connect(Path()) as connection:
        for cell in cells:
            ((fits, value),) = connection.execute(
                f"SELECT {reading.fits_sql('c')}, {reading.value_sql('c')} FROM (SELECT $1 AS c)",
                [cell],
            ).fetchall()
            iso = dates.read(cell.strip())
            moment = None
            if iso is not None:
                moment = connection.execute("SELECT try_cast($1 AS TIMESTAMP)", [iso]).fetchone()
            assert fits == (iso is not None and moment is not None and moment[0] is not None)
            if fits:
                assert moment is not None
                assert value == f"{moment[0]:%Y-%m-%d %H:%M:%S}".rjust(19, "0")


def test_values_that_do_not_fit_are_told_with_their_lines(write):
    lines = "".join(f"{n},{n}\n" for n in range(3000))
    with pytest.raises(BadSource) as caught:
        inspect(write(f'a,b\n"x\ny",1\n{lines}4,many\n4,"2 or 3"\n'), rules(b={"type": "integer"}))
    assert caught.value.code == "wrong_type"
    assert "'many' in line 3004, '2 or 3' in line 3005" in caught.value.message


def test_no_message_of_a_masked_column_shows_a_value(write, tmp_path):
    rows = "".join(f"2024-01-0{n}T10:00Z,{n},x,y\n" for n in range(1, 9)) * 5
    path = write(f"When,Day,b,c\n{rows}secret,1,2,3,4\n\nsecret,,,\n")
    options = rules(When={"mask": "partial"}, Day={"skip": True})
    with opened(path, options, tmp_path) as file:
        assert file.rejects is not None
        told = json.dumps([notice.message for notice in file.inspection.warnings])
        with file.rejects.open(newline="") as rejects:
            kept = list(csv.reader(rejects))
    assert "secret" not in told
    assert "time_zone" not in told
    assert kept == [
        ["line", "reason", "text"],
        ["42", "5 cells for 4 columns", ""],
        ["44", "below the table", "**cret,,"],
    ]


def test_a_record_set_aside_is_kept_as_it_stands_where_nothing_is_guarded(write, tmp_path):
    path = write("a,b\n" + "1,2\n" * 20 + "3,4,5\n")
    with opened(path, rules(a={"type": "text"}), tmp_path) as file:
        assert file.rejects is not None
        assert file.rejects.read_text().splitlines()[1:] == ['22,3 cells for 2 columns,"3,4,5"']


def test_the_fingerprint_follows_rules_and_key():
    def of(key: bytes, **said: object) -> str:
        return fingerprint("content", rules(**said), SecretStr(setting_value(key)))

    assert of(b"one", a={"mask": "hash"}) == of(b"one", a={"mask": "hash"})
    assert of(b"one", a={"mask": "hash"}) != of(b"two", a={"mask": "hash"})
    assert of(b"one", a={"mask": "redact"}) == of(b"two", a={"mask": "redact"})
    assert len({of(b"one", a={"mask": mask}) for mask in ("hash", "redact", "partial")}) == 3
    assert of(b"one", a={"skip": True}) != of(b"one") == of(b"two")
