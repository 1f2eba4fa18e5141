"""Submissions as rows: nothing lost, typed only where every answer keeps what it says."""

import csv
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.connectors import BadSource
from ingest.connectors.kobo import rows
from ingest.connectors.kobo.cells import as_text, fitting
from ingest.connectors.kobo.form import tables
from ingest.connectors.kobo.rows import Spool
from ingest.connectors.kobo.writing import Written

from ...servers.households import ANSWERS, CONTENT, choice, question


def written(
    folder: Path, survey: list[dict[str, Any]], *submissions: dict[str, Any], **more: Any
) -> tuple[Written, ...]:
    values = more.pop("values", "codes")
    asset = {"content": {"survey": survey, **more}}
    with Spool(tables(asset, values), folder) as spool:
        for number, answers in enumerate(submissions, start=1):
            spool.add({"_id": number, **answers})
        return spool.finish()


def column(table: Written, name: str) -> tuple[str, list[str]]:
    """Type and cells of one column; "" is null."""
    found = next(one for one in table.columns if one.display_name == name)
    with table.path.open(encoding="utf-8", newline="") as file:
        return found.type, [row[found.physical_name] for row in csv.DictReader(file)]


def codes(table: Written) -> list[str]:
    return [one.code for one in table.warnings]


@pytest.mark.parametrize(
    ("type", "cell", "expected"),
    [
        *(("integer", "0", "0"), ("integer", "-12", "-12"), ("integer", " 7 ", "7")),
        *(("integer", "007", None), ("integer", "+7", None), ("integer", "7.0", None)),
        *(("integer", "9223372036854775807", "9223372036854775807"), ("integer", "-0", None)),
        *(
            ("integer", "9223372036854775808", None),
            ("integer", "\u0667", None),
            ("integer", "", None),
        ),
        *(("decimal", "1.50", "1.50"), ("decimal", "-0.10", "-0.10"), ("decimal", "1e-5", "1e-5")),
        *(("decimal", "007.5", None), ("decimal", "NaN", None), ("decimal", "1,5", None)),
        *(("date", "2024-02-29", "2024-02-29"), ("date", "2023-02-29", None)),
        *(
            ("date", "2024-02-29T10:00", None),
            ("date", "20240229", None),
            ("date", "0000-01-01", None),
        ),
        ("timestamp", "2026-01-05T10:00:00.123+05:30", "2026-01-05 04:30:00.123000"),
        ("timestamp", "2026-01-05T10:00:00.000Z", "2026-01-05 10:00:00"),
        ("timestamp", "2026-01-05T10:00:00", "2026-01-05 10:00:00"),
        ("timestamp", "2026-01-05T10:00:00.1234567Z", None),
        *(("timestamp", "0001-01-01T00:00:00+14:00", None), ("timestamp", "2026-01-05", None)),
        *(("json", "[1]", "[1]"), ("json", "[", None), ("text", " as is ", " as is ")),
    ],
)
def test_a_cell_fits_a_type_where_it_loses_nothing(type, cell: str, expected: str | None) -> None:
    assert fitting(type, cell) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((None, None), ("a", "a"), ("a\0b", "ab"), ("\ud800x", "\ufffdx"), ("नाम", "नाम")),
        *((7, "7"), (True, "true"), ([], "[]"), ({"a": ["\0"]}, '{"a": [""]}'), ("😀", "😀")),
    ],
)
def test_an_answer_is_text_that_postgresql_can_hold(value: Any, text: str | None) -> None:
    assert as_text(value) == text


def test_an_absent_answer_is_null_and_a_given_one_is_typed(tmp_path: Path) -> None:
    survey = [question("integer", "age"), question("text", "name")]
    (table,) = written(tmp_path, survey, {"age": "41"}, {"name": "x"}, {"age": "", "name": "y"})
    assert column(table, "age") == ("integer", ["41", "", ""])
    assert column(table, "name") == ("text", ["", "x", "y"])
    assert table.rows == 3
    assert [one.nullable for one in table.columns[:2]] == [False, True]
    assert codes(table) == []


def test_one_answer_that_does_not_fit_keeps_the_column_text_and_is_told(tmp_path: Path) -> None:
    survey = [question("integer", "phone"), question("dateTime", "at")]
    at = "2026-01-05T10:00:00.000+05:30"
    (table,) = written(
        tmp_path, survey, {"phone": "41", "at": at}, {"phone": "0041", "at": "yesterday"}
    )
    assert column(table, "phone") == ("text", ["41", "0041"])
    assert column(table, "at") == ("text", [at, "yesterday"])
    assert codes(table) == ["kept_as_text", "kept_as_text"]
    assert "1 of 2 answers are not, for example '0041'" in table.warnings[0].message


def test_times_with_a_zone_are_shown_in_utc_and_that_is_told(tmp_path: Path) -> None:
    survey = [question("start", "start")]
    (table,) = written(tmp_path, survey, {"start": "2026-01-05T10:00:00.000+05:30"})
    assert column(table, "start") == ("timestamp", ["2026-01-05 04:30:00"])
    assert codes(table) == ["times_in_utc"]


def test_answers_of_older_forms_are_kept_as_text_at_the_end(tmp_path: Path) -> None:
    survey = [question("text", "name")]
    (table,) = written(
        tmp_path,
        survey,
        {"name": "a"},
        {"old/age": "7", "name": "b"},
        {"removed": [{"removed/q": "1"}], "_supplementalDetails": {}},
    )
    assert [one.display_name for one in table.columns][-2:] == ["old/age", "removed"]
    assert column(table, "old/age") == ("text", ["", "7", ""])
    assert column(table, "removed") == ("text", ["", "", '[{"removed/q": "1"}]'])
    assert codes(table) == ["not_in_form"]


def test_a_question_that_was_a_repeat_and_a_repeat_that_was_a_question_lose_nothing(
    tmp_path: Path,
) -> None:
    survey = [
        *(question("integer", "a"), question("begin_repeat", "r"), question("text", "q")),
        {"type": "end_repeat"},
    ]
    table, repeat = written(tmp_path, survey, {"a": [{"a/x": "1"}], "r": "words"}, {"r": []})
    assert column(table, "a") == ("text", ['[{"a/x": "1"}]', ""])
    assert column(table, "r") == ("text", ["words", ""])
    assert repeat.rows == 0


def test_labels_stand_for_codes(tmp_path: Path) -> None:
    survey = [question("select_multiple", "q", "Which?", select_from_list_name="l")]
    choices = [choice("l", "1", "One"), choice("l", "2", "Two")]
    (table,) = written(tmp_path, survey, {"q": "2 1"}, choices=choices, values="labels")
    assert column(table, "Which?") == ("text", ["Two; One"])


def test_names_that_clash_or_are_in_any_script_are_told_apart(tmp_path: Path) -> None:
    survey = [question("text", one, "नाम") for one in ("a", "b")]
    (table,) = written(tmp_path, survey, {"a": "1", "b": "2"}, values="labels")
    assert column(table, "नाम") == ("text", ["1"])
    assert column(table, "नाम_2") == ("text", ["2"])
    assert codes(table) == ["duplicate_header"]
    assert len({one.physical_name for one in table.columns}) == len(table.columns)


def test_the_validation_is_its_word(tmp_path: Path) -> None:
    (table,) = written(
        tmp_path,
        [],
        {"_validation_status": {}},
        {"_validation_status": {"uid": "validation_status_approved", "label": "Approved"}},
    )
    assert column(table, "_validation_status")[1] == ["", "Approved"]


def test_what_breaks_csv_does_not(tmp_path: Path) -> None:
    said = ['a"b', "a,b", "a\nb", "a\r\nb", "\\.", "'", "  ", "", "NULL", "\\N"]
    (table,) = written(tmp_path, [question("text", "q")], *({"q": one} for one in said))
    assert column(table, "q") == ("text", said)


def test_a_form_wider_than_a_table_is_told(tmp_path: Path) -> None:
    wide = [question("text", f"q{number}") for number in range(rows.MAX_COLUMNS)]
    with pytest.raises(BadSource, match="more questions"):
        written(tmp_path, wide)
    odd = {f"q{number}": "1" for number in range(rows.MAX_COLUMNS)}
    with pytest.raises(BadSource, match="more questions"):
        written(tmp_path, [], odd)


def test_a_form_without_submissions_is_an_empty_table(tmp_path: Path) -> None:
    (table,) = written(tmp_path, [question("integer", "age")])
    assert (table.rows, column(table, "age")) == (0, ("integer", []))


def test_a_stamp_tells_whether_a_submission_or_its_repeats_changed(tmp_path: Path) -> None:
    def stamp(name: str, **answers: Any) -> str:
        folder = tmp_path / name
        folder.mkdir()
        with Spool(tables({"content": CONTENT}, "codes"), folder) as spool:
            return spool.add({"_id": 1, **ANSWERS, **answers})[1]

    same = stamp("a")
    assert stamp("b") == same
    assert stamp("c", _geolocation=[1, 2], **{"formhub/uuid": "x"}) == same
    assert stamp("d", village="moved") != same
    assert stamp("e", members=ANSWERS["members"][:1]) != same
    assert stamp("f", _validation_status={"uid": "v"}) != same


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PATHS = st.sampled_from(
    ["head/age", "income", "visited", "start", "water", "members", "old", "_tags", "members_count"]
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.dictionaries(PATHS, ANYTHING, max_size=6), max_size=6))
def test_whatever_a_server_answers_every_submission_is_a_row_of_cells_that_fit(
    tmp_path_factory: pytest.TempPathFactory, submissions: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    with Spool(tables({"content": CONTENT}, "codes"), folder) as spool:
        for number, answers in enumerate(submissions, start=1):
            spool.add({"_id": number, **answers})
        found = spool.finish()
    assert found[0].rows == len(submissions)
    for table in found:
        with table.path.open(encoding="utf-8", newline="") as file:
            header, *cells = csv.reader(file)
        assert header == [one.physical_name for one in table.columns]
        assert len(cells) == table.rows
        for row in cells:
            for one, cell in zip(table.columns, row, strict=True):
                assert cell == "" or fitting(one.type, cell) is not None
