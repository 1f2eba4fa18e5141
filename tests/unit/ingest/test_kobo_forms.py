"""A KoboToolbox form's definition gives the columns, their types and their labels."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from ingest.connectors import BadSource
from ingest.connectors.kobo.form import tables
from ingest.connectors.kobo.shape import TableForm

from ...servers.households import CONTENT, LANGUAGES, choice, question

ASSET = {"content": CONTENT}


def described(*survey: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"content": {"survey": list(survey), **more}}


def columns(table: TableForm) -> dict[str, str]:
    """Types by display name, without what every form has."""
    own = [one for one in table.fields if not one.path.startswith("_")]
    return {one.display: one.type for one in own}


def test_questions_become_columns_with_the_path_of_their_groups() -> None:
    assert columns(tables(ASSET, "codes")) == {
        "start": "timestamp",
        "end": "timestamp",
        "village": "text",
        "head/name": "text",
        "head/age": "integer",
        "head/sex": "text",
        "water": "text",
        "income": "decimal",
        "visited": "date",
        "place": "text",
        "score": "text",
        "members_count": "integer",
    }


def test_repeats_become_tables_inside_one_another() -> None:
    root = tables(ASSET, "codes")
    _, members, visits = root.all()
    assert [one.path for one in members.fields] == [
        *("_id", "_parent_id", "_index", "members/name", "members/age"),
    ]
    assert [(one.path, one.type) for one in visits.fields] == [
        ("_id", "text"),
        ("_parent_id", "text"),
        ("_index", "integer"),
        ("members/visits/on", "date"),
    ]
    assert (members.fields[1].type, root.fields[0].type) == ("integer", "integer")


def test_a_table_keeps_its_id_and_is_called_after_the_source() -> None:
    source = uuid4()
    root, members, visits = tables(ASSET, "codes").all()
    ids = [one.table_id(source) for one in (root, members, visits)]
    assert ids[0] == source
    assert len(set(ids)) == 3
    assert members.table_id(source) == ids[1]
    assert members.table_id(UUID(int=1)) != ids[1]
    assert [one.display_name("Survey") for one in (root, visits)] == [
        "Survey",
        "Survey / members / visits",
    ]


def test_labels_name_columns_choices_and_repeats_in_the_language() -> None:
    english, hindi = (tables(ASSET, "labels", one) for one in LANGUAGES)
    assert list(columns(english))[2:6] == ["Village", "Name", "Age", "Sex"]
    assert list(columns(hindi))[2:7] == ["गाँव", "नाम", "आयु", "लिंग", "Sources of water"]
    assert [one.name for one in hindi.all()] == ["", "सदस्य", "सदस्य / क्लिनिक"]
    fields = {one.path: one for one in hindi.fields}
    assert fields["head/sex"].shown("f") == "महिला"
    assert fields["head/sex"].shown("gone") == "gone"


def test_the_first_language_is_taken_and_a_code_says_another() -> None:
    said = tables(ASSET, "labels")
    assert said.fingerprint() == tables(ASSET, "labels", "english (EN)").fingerprint()
    assert tables(ASSET, "labels", "hi").fingerprint() != said.fingerprint()


def test_a_language_that_the_form_has_not_is_told_with_those_it_has() -> None:
    with pytest.raises(BadSource, match="English") as raised:
        tables(ASSET, "labels", "Français")
    assert raised.value.code == "unknown_language"
    assert columns(tables(ASSET, "codes", "Français"))


def test_labels_of_choices_that_are_blank_or_shared_are_repaired() -> None:
    water = next(one for one in tables(ASSET, "labels").fields if one.path == "water")
    assert water.shown("tap well") == "Tap in the house; Well (well)"
    assert water.shown("bore x new") == "Well (bore); x; new"


def test_a_form_without_labels_or_languages_has_names() -> None:
    asset = described(question("text", "a"), question("text", "b", None), translations=[None])
    assert list(columns(tables(asset, "labels"))) == ["a", "b"]
    plain = described({"type": "text", "name": "c", "label": "Plain"})
    assert list(columns(tables(plain, "labels"))) == ["Plain"]


@pytest.mark.parametrize(
    ("kind", "type"),
    [
        *(("text", "text"), ("integer", "integer"), ("decimal", "decimal"), ("range", "decimal")),
        *(("date", "date"), ("today", "date"), ("dateTime", "timestamp"), ("time", "text")),
        *(("select_one sex", "text"), ("select_multiple", "text"), ("geopoint", "text")),
        *(("geotrace", "text"), ("calculate", "text"), ("image", "text"), ("barcode", "text")),
        *(("acknowledge", "text"), ("deviceid", "text"), ("start", "timestamp")),
    ],
)
def test_a_questions_type_gives_the_columns(kind: str, type: str) -> None:
    assert columns(tables(described(question(kind, "q")), "codes")) == {"q": type}


def test_what_has_no_answer_has_no_column() -> None:
    asset = described(question("note", "n"), question("xml-external", "x"), {"type": "text"}, {})
    assert columns(tables(asset, "codes")) == {}
    assert columns(tables({"content": {}}, "codes")) == {}


def test_the_servers_own_path_wins_over_the_one_from_groups() -> None:
    asset = described(
        question("begin_group", "g"),
        question("text", "q", **{"$xpath": "g_1/q"}),
        {"type": "end_group"},
    )
    assert list(columns(tables(asset, "codes"))) == ["g_1/q"]


def test_groups_as_people_write_them_and_ends_too_many_do_no_harm() -> None:
    asset = described(
        *(question("begin group", "g"), question("text", "q"), {"type": "end group"}),
        *({"type": "end_group"}, question("text", "r")),
    )
    assert list(columns(tables(asset, "codes"))) == ["g/q", "r"]


def test_questions_of_a_matrix_come_from_the_answers() -> None:
    asset = described(
        *(question("begin_kobomatrix", "m"), question("text", "column")),
        *({"type": "end_kobomatrix"}, question("text", "r")),
    )
    assert list(columns(tables(asset, "codes"))) == ["r"]


def test_repeats_of_one_name_are_told_apart() -> None:
    repeat = (question("begin_repeat", "kids"), question("text", "q"), {"type": "end_repeat"})
    asset = described(
        *(question("begin_group", "a"), *repeat, {"type": "end_group"}),
        *(question("begin_group", "b"), *repeat, {"type": "end_group"}),
    )
    assert [one.name for one in tables(asset, "codes").all()] == ["", "kids", "kids_2"]


def test_how_often_a_repeat_comes_is_a_column_where_the_form_computes_it() -> None:
    asset = described(
        *(question("integer", "size"), question("begin_repeat", "a", repeat_count="${size}")),
        *({"type": "end_repeat"}, question("begin_repeat", "b", repeat_count="${size} * 2")),
        *({"type": "end_repeat"}, question("integer", "b_count")),
    )
    assert columns(tables(asset, "codes")) == {"size": "integer", "b_count": "integer"}


def test_a_choice_of_the_same_label_in_another_list_is_no_clash() -> None:
    asset = described(
        question("select_one", "q", select_from_list_name="a"),
        choices=[choice("a", "1", "Yes"), choice("b", "y", "Yes")],
    )
    field = next(one for one in tables(asset, "labels").fields if one.path == "q")
    assert field.shown("1") == "Yes"
