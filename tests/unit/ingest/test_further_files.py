"""Further files of a source: which fit, and what a version of several is known by."""

from uuid import UUID

import pytest
from pydantic import SecretStr

from contracts.ingest import CsvConfig, Upload
from contracts.problem import ProblemError
from contracts.tables import Column
from ingest import rejects
from ingest.connectors.csv import fingerprint
from ingest.dialect import CELL_LIMIT, CsvOptions
from ingest.fitting import fitted, repeated, require_key
from ingest.readers.uploads import fingerprints

CONFIG = CsvConfig(upload_id=UUID(int=1))
MASK_KEY = SecretStr("a key that masks")


def columns(**types: str) -> tuple[Column, ...]:
    """Columns by name."""
    return tuple(
        Column.model_validate({"name": name, "physical": name, "type": kind})
        for name, kind in types.items()
    )


def uploads(*contents: str) -> list[Upload]:
    """Uploads of some content each."""
    return [
        Upload(upload_id=UUID(int=n), filename=f"{n}.csv", size_bytes=1, sha256=content)
        for n, content in enumerate(contents)
    ]


def test_columns_fit_in_any_order_and_keep_that_of_the_source():
    known, found = columns(a="text", n="integer"), columns(n="integer", a="text")
    assert fitted("wells", known, found) == (known, ())


def test_missing_columns_are_told_and_added_ones_taken():
    kept, warnings = fitted(
        "wells", columns(a="text", n="integer", m="date"), columns(b="date", n="decimal", a="text")
    )
    assert kept == columns(a="text", n="decimal", m="date", b="date")
    assert [notice.message for notice in warnings] == [
        "The file has no 'm': these cells of its rows will be empty."
    ]


@pytest.mark.parametrize(
    ("found", "code", "told"),
    [
        ({"x": "text", "y": "text"}, "other_columns", "the file has 'x', 'y'"),
        ({"a": "text"} | {f"c{n}": "text" for n in range(1500)}, "too_many_columns", "1501"),
    ],
)
def test_a_file_of_another_kind_is_refused(found, code, told):
    with pytest.raises(ProblemError) as caught:
        fitted("wells", columns(a="text"), columns(**found))
    assert (caught.value.problem.status, caught.value.problem.code) == (422, code)
    assert told in caught.value.problem.detail


def test_a_file_for_a_source_without_columns_fits():
    assert fitted("wells", (), columns(a="text")) == (columns(a="text"), ())


@pytest.mark.parametrize(
    ("key", "code", "alternatives"),
    [((), "key_missing", ("name", "age")), (("name", "agee"), "unknown_key", ("age",))],
)
def test_a_key_must_be_said_and_be_there(key, code, alternatives):
    config = CONFIG.model_copy(update={"mode": "upsert", "key": key})
    with pytest.raises(ProblemError) as caught:
        require_key(config, columns(name="text", age="integer"))
    problem = caught.value.problem
    assert (problem.status, problem.code, problem.errors[0].field) == (422, code, "config.key")
    assert problem.errors[0].alternatives == alternatives
    assert "'name', 'age'" in problem.detail


@pytest.mark.parametrize("rule", [{"skip": True}, {"mask": "redact"}, {"mask": "partial"}])
def test_a_key_that_is_hidden_tells_no_rows_apart(rule):
    config = CsvConfig.model_validate(
        {"upload_id": UUID(int=1), "mode": "upsert", "key": ["name"], "columns": {"name": rule}}
    )
    with pytest.raises(ProblemError, match="Mask it by 'hash', or choose another key"):
        require_key(config, columns(age="integer"))


def test_content_that_was_added_before_is_told():
    first, second, again = uploads("x", "y", "x")
    assert list(repeated(second, [first])) == []
    (notice,) = repeated(again, [first, second])
    assert notice.message == "2.csv holds the same as 0.csv, which was added before."


def test_a_replacing_source_is_known_by_its_file_as_ever():
    (said,) = fingerprints(CONFIG, uploads("x"), MASK_KEY)
    assert said == fingerprint("x", CsvOptions())


def test_a_growing_source_is_known_by_each_run_of_its_first_files():
    append = CONFIG.model_copy(update={"mode": "append"})
    two, three = (
        fingerprints(append, uploads("x", "y"), MASK_KEY),
        fingerprints(append, uploads("x", "y", "y"), MASK_KEY),
    )
    assert three[:2] == two
    assert len(set(three)) == 3


@pytest.mark.parametrize(
    "other", [{"mode": "upsert"}, {"key": ("a",)}, {"types": "text"}, {"delimiter": ";"}]
)
def test_whatever_changes_the_rows_changes_what_a_version_is_known_by(other):
    append = CONFIG.model_copy(update={"mode": "append"})
    changed = append.model_copy(update=other)
    assert set(fingerprints(append, uploads("x"), MASK_KEY)).isdisjoint(
        fingerprints(changed, uploads("x"), MASK_KEY)
    )
    swapped = fingerprints(append, uploads("y", "x"), MASK_KEY)
    assert set(fingerprints(append, uploads("x", "y"), MASK_KEY)).isdisjoint(swapped)


def test_what_several_files_set_aside_is_told_by_file(tmp_path):
    long = "x" * (1 << 20)
    assert len(long) < CELL_LIMIT
    parts = [(f"{name}.csv", tmp_path / f"{name}-aside.csv") for name in "abc"]
    parts[0][1].write_text(f"line,reason,text\n3,too long,{long}\n")
    parts[2][1].write_text('line,reason,text\n7,why,"x\ny"\n')
    joined = rejects.joined(parts, tmp_path / "joined.csv")
    assert joined is not None
    assert joined.read_text().splitlines() == [
        "file,line,reason,text",
        f"a.csv,3,too long,{long}",
        'c.csv,7,why,"x',
        'y"',
    ]


def test_what_one_file_set_aside_is_kept_as_it_is(tmp_path):
    aside = tmp_path / "a"
    aside.write_text("line,reason,text\n3,why,x\n")
    assert rejects.joined([("a.csv", aside)], tmp_path / "joined.csv") == aside


@pytest.mark.parametrize("names", ["b", "bc"])
def test_where_nothing_was_set_aside_there_is_nothing(tmp_path, names):
    parts = [(name, tmp_path / name) for name in names]
    assert rejects.joined(parts, tmp_path / "joined.csv") is None
