"""A rule for a column holds before the warehouse: masked as a recipe masks, skipped, of a type."""

import csv
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from contracts.envelope import new_id
from contracts.ingest import ListRejects, PreviewSource, SourceSyncFailed, UpdateSource
from contracts.problem import ProblemError
from contracts.tables import TableVersion
from ingest.domain import rejects_key
from recipe import Context, Table, compile_recipe, parse
from recipe.mask_key import SETTING
from warehouse.mask_key import mask_key
from warehouse.names import data_schema

from .stand import Stand, creation

PEOPLE = "Name,Phone,Note\nAsha,+91 98100,x\nबेन,,y\n 😀 é ,१२३४५, \nAbe,1234,it's\n"
MASKS = {"Name": "hash", "Phone": "partial", "Note": "redact"}
RULES: dict[str, dict[str, Any]] = {name: {"mask": mask} for name, mask in MASKS.items()}


async def masked_by_a_recipe(
    stand: Stand, version: TableVersion, secret: str, masks: Mapping[str, str]
) -> list[tuple[object, ...]]:
    """The rows of a version after the mask steps of a recipe, which PostgreSQL computes."""
    table = Table(
        table_id="t",
        display_name="t",
        physical_name="t",
        schema_name=data_schema(stand.org_id),
        relation=version.relation,
        columns=version.columns,
    )
    steps: list[dict[str, object]] = [{"type": "source", "table": "t"}]
    steps += [{"type": "mask", "columns": [name], "method": how} for name, how in masks.items()]
    compiled = compile_recipe(
        parse({"steps": steps}), {"t": table}, Context(as_of=datetime.now(UTC))
    )
    key = mask_key(SecretStr(secret), stand.org_id).get_secret_value()
    async with stand.connected() as connection:
        await connection.execute("SELECT set_config($1, $2, false)", SETTING, key)
        return [tuple(row) for row in await connection.fetch(compiled.sql)]


async def stored(stand: Stand, version: TableVersion) -> list[tuple[object, ...]]:
    """What lies in a version's table, without the load's id."""
    target = f"{data_schema(stand.org_id)}.{version.relation}"
    return [tuple(row.values())[:-1] for row in await stand.fetch(f"SELECT * FROM {target}")]


async def test_a_column_is_masked_as_the_recipes_step_masks_it(stand, ingest):
    upload = await stand.upload(PEOPLE.encode())
    plain = await stand.ask(creation(upload, "plain"))
    (open_version,) = (await stand.synced(plain)).tables
    masked = await stand.ask(creation(upload, "masked", columns=RULES))
    (version,) = (await stand.synced(masked)).tables
    assert [(column.name, column.type) for column in version.columns] == [
        (name, "text") for name in MASKS
    ]
    secret = ingest.settings.mask_key.get_secret_value()
    by_recipe = await masked_by_a_recipe(stand, open_version, secret, MASKS)
    found = await stored(stand, version)
    assert found == by_recipe
    assert found[1][1] is None
    assert found[0][1:] == ("*****8100", "***")
    preview = await stand.ask(PreviewSource(source_type="csv", config=masked.config))
    assert [tuple(row.values()) for row in preview.rows] == found


async def test_a_skipped_column_is_neither_loaded_nor_shown(stand, ingest):
    upload = await stand.upload(PEOPLE.encode())
    rules = {"Phone": {"skip": True}, "Name": {"mask": "redact"}}
    source = await stand.ask(creation(upload, columns=rules))
    preview = await stand.ask(PreviewSource(source_type="csv", config=source.config))
    assert set(preview.rows[0]) == {"Name", "Note"}
    version = await stand.published(source)
    assert [column.name for column in version.columns] == ["Name", "Note"]
    assert sorted(await stand.live(source)) == [
        ("***", " "),
        ("***", "it's"),
        ("***", "x"),
        ("***", "y"),
    ]
    again = await stand.synced(source, published=version)
    assert again.unchanged


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"phone": {"skip": True}}, "unknown_column"),
        ({"Phone": {"mask": "hash", "type": "integer"}}, "bad_rule"),
        ({"Phone": {"type": "integer"}}, "wrong_type"),
        ({name: {"skip": True} for name in MASKS}, "no_columns"),
    ],
)
async def test_a_rule_that_cannot_hold_makes_no_source(stand, ingest, columns, code):
    upload = await stand.upload(PEOPLE.encode())
    with pytest.raises(ProblemError) as caught:
        await stand.ask(creation(upload, columns=columns))
    assert (caught.value.problem.status, caught.value.problem.code) == (422, code)
    source = await stand.ask(creation(upload))
    with pytest.raises(ProblemError) as caught:
        await stand.ask(
            UpdateSource(source_id=source.id, config=creation(upload, columns=columns).config)
        )
    assert caught.value.problem.code == code


async def test_a_column_that_may_have_been_renamed_is_not_loaded_in_clear(stand, ingest):
    upload = await stand.upload(PEOPLE.encode())
    lenient = {"on_schema_change": "accept", "shrink_guard": 100}
    source = await stand.ask(creation(upload, columns=RULES, **lenient))
    # Not published, or the file would go while it is changed.
    (version,) = (await stand.synced(source)).tables
    await stand.store(source.config.upload_id, PEOPLE.replace("Phone", "Telephone").encode())
    outcome = await stand.outcome(await stand.sync(source, published=version, force=True))
    assert isinstance(outcome, SourceSyncFailed)
    assert outcome.problem.code == "guard_lost"
    assert "98100" not in outcome.problem.detail
    await stand.store(source.config.upload_id, b"Name,Note\nAsha,x\n")
    later = await stand.synced(source, published=version, force=True)
    assert [one.code for one in later.warnings] == ["rule_without_column", "schema_changed"]


async def test_what_is_set_aside_is_masked_too(stand, ingest):
    content = PEOPLE + "Dan,5,z\n" * 20 + "Cleo,98100,2,3\n\nEve,,\n"
    upload = await stand.upload(content.encode())
    rules = {"Name": {"mask": "partial"}, "Note": {"skip": True}}
    source = await stand.ask(creation(upload, columns=rules))
    outcome = await stand.synced(source)
    assert {notice.code for notice in outcome.warnings} >= {"rows_rejected", "lines_after_table"}
    assert not any("Eve" in notice.message for notice in outcome.warnings)
    async with stand.objects.local(rejects_key(stand.org_id, source.id)) as path:
        kept = list(csv.reader(path.read_text().splitlines()))
    assert kept[1:] == [
        ["26", "4 cells for 3 columns", ""],
        ["28", "below the table", "***,"],
    ]
    listed = await stand.ask(ListRejects(source_id=source.id, limit=1))
    assert (listed.total, [one.line for one in listed.rejects]) == (2, [26])


async def test_what_is_set_aside_is_listed_of_ones_own_sources_only(stand, other, ingest):
    source = await stand.source()
    await stand.synced(source)
    none = await stand.ask(ListRejects(source_id=source.id))
    assert (none.rejects, none.total, none.stored_at) == ((), 0, None)
    for asker, source_id in ((other, source.id), (stand, new_id())):
        with pytest.raises(ProblemError) as caught:
            await asker.ask(ListRejects(source_id=source_id))
        assert caught.value.problem.status == 404


async def test_records_of_any_size_fit_into_an_answer(stand, ingest):
    content = "a,b\n" + "1,2\n" * 100_000 + f"1,{chr(1) * 3000},3\n" * 300
    source = await stand.source(content.encode())
    await stand.synced(source)
    listed = await stand.ask(ListRejects(source_id=source.id, limit=500))
    assert listed.total == 300
    assert 10 < len(listed.rejects) < 300
    assert all(len(one.text) < 3000 for one in listed.rejects)
