"""What a person says of a form's columns holds in its table and in those of its repeats."""

import csv
import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from contracts.ingest import ColumnOption
from ingest.connectors import BadSource
from ingest.connectors.kobo.cells import forced
from ingest.connectors.kobo.form import tables
from ingest.connectors.kobo.rows import Spool
from ingest.connectors.kobo.writing import Ruling, Written
from recipe.date_format import date_format
from recipe.mask_key import setting_value

from ...servers.households import question

KEY = b"a key of an organisation"
SURVEY = [
    question("text", "name"),
    question("integer", "age"),
    question("text", "seen"),
    question("begin_repeat", "members"),
    question("text", "name"),
    question("text", "phone"),
    question("end_repeat", ""),
]
ANSWERS = [
    {
        "name": "Asha",
        "age": "41",
        "seen": "3/4/2024",
        "members": [{"members/name": "Asha", "members/phone": "98100"}, {"members/phone": "1"}],
    },
    {"age": "many", "seen": "31/12/2023"},
]


def written(
    folder: Path, rules: dict[str, dict[str, Any]], known: tuple[str, ...] | None = None
) -> tuple[Written, ...]:
    columns = {name: ColumnOption.model_validate(said) for name, said in rules.items()}
    ruling = Ruling(columns, SecretStr(setting_value(KEY)), known)
    with Spool(tables({"content": {"survey": SURVEY}}, "codes"), folder) as spool:
        for number, answers in enumerate(ANSWERS, start=1):
            spool.add({"_id": number, **answers})
        return spool.finish(ruling)


def rows(table: Written) -> list[dict[str, str]]:
    with table.path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_masks_and_skips_hold_in_every_table_of_the_form(tmp_path):
    rules = {
        "name": {"mask": "hash"},
        "age": {"mask": "redact"},
        "members/name": {"mask": "hash"},
        "members/phone": {"mask": "partial"},
        "_uuid": {"skip": True},
    }
    form, members = written(tmp_path, rules)
    digest = hmac.digest(KEY, b"Asha", hashlib.sha256).hex()[:32]
    assert [(row["name"], row["age"]) for row in rows(form)] == [(digest, "***"), ("", "***")]
    assert [(row["members_name"], row["members_phone"]) for row in rows(members)] == [
        (digest, "*8100"),
        ("", "*"),
    ]
    assert {one.type for one in form.columns if one.display_name in rules} == {"text"}
    assert "uuid" not in rows(form)[0]
    # Of a masked column no answer is told, though it is not of the question's type.
    assert form.warnings == members.warnings == ()


def test_a_type_that_a_person_said_is_used(tmp_path):
    form, _ = written(tmp_path, {"seen": {"format": "DD/MM/YYYY"}, "age": {"type": "text"}})
    assert [row["seen"] for row in rows(form)] == ["2024-04-03", "2023-12-31"]
    assert [row["age"] for row in rows(form)] == ["41", "many"]
    types = {one.display_name: one.type for one in form.columns}
    assert (types["seen"], types["age"]) == ("date", "text")
    assert form.warnings == ()


def test_answers_that_do_not_fit_are_told_with_their_submissions(tmp_path):
    with pytest.raises(BadSource) as caught:
        written(tmp_path, {"age": {"type": "integer"}})
    assert caught.value.code == "wrong_type"
    assert "'many' in submission 2 do not fit" in caught.value.message


def test_a_rule_needs_a_column_until_the_form_is_published(tmp_path_factory):
    def read(known: tuple[str, ...] | None, **said: Any) -> tuple[Written, ...]:
        return written(tmp_path_factory.mktemp("form"), {"nmae": said} if said else {}, known)

    with pytest.raises(BadSource) as caught:
        read(None, mask="redact")
    assert caught.value.code == "unknown_column"
    assert "Did you mean 'name'?" in caught.value.message
    known = tuple(one.display_name for table in read(None) for one in table.columns)
    assert "rule_without_column" in [one.code for one in read(known, mask="redact")[0].warnings]
    with pytest.raises(BadSource) as caught:
        read(known[:-1], mask="redact")
    assert caught.value.code == "guard_lost"


@pytest.mark.parametrize("name", ["_id", "_parent_id", "_index"])
def test_what_ties_repeats_to_submissions_is_not_masked(tmp_path, name):
    with pytest.raises(BadSource) as caught:
        written(tmp_path, {name: {"mask": "hash"}})
    assert caught.value.code == "bad_rule"


@pytest.mark.parametrize(
    ("type", "cell", "shown"),
    [
        ("integer", " +007 ", "7"),
        ("integer", "1.0", None),
        ("integer", "9" * 20, None),
        ("decimal", ".5", ".5"),
        ("boolean", "Yes", "true"),
        ("boolean", "maybe", None),
        ("date", "2024-02-30", None),
        ("timestamp", "2024-02-01T10:00+02:00", "2024-02-01 08:00:00"),
        ("json", "{", None),
        ("text", " x ", " x "),
    ],
)
def test_a_said_type_is_read_as_in_files(type, cell, shown):
    assert forced(type, cell, None) == shown


def test_a_said_format_is_read_in_whole_dates_only():
    dates = date_format("DD/MM/YYYY HH24:MI")
    assert forced("timestamp", "3/4/2024 9:05", dates) == "2024-04-03 09:05:00"
    assert forced("date", "3/4/2024 9:05", dates) == "2024-04-03"
    assert forced("date", "30/2/2024 9:05", dates) is None
