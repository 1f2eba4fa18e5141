"""Changed columns and lost rows are held, failed or taken; the last good data stays until then."""

from collections.abc import Mapping

import pytest

from contracts.drift import SchemaChange
from contracts.envelope import new_id
from contracts.ingest import (
    AcceptSchemaChange,
    CsvConfig,
    GetColumnHistory,
    GetSource,
    ListSchemaChanges,
    RejectSchemaChange,
    Source,
    SourceSyncFailed,
    UpdateSource,
)
from contracts.orchestrator import CreatePipeline
from contracts.problem import Problem, ProblemError
from contracts.tables import TableVersion
from contracts.transform import CreateTransformation, GetTable, PreviewRecipe

from .stand import Stand

pytestmark = pytest.mark.usefixtures("orchestrator", "ingest")

PEOPLE = b"name,age,village\nAsha,31,Lodwar\nBen,17,Moroto\nChidi,45,Lodwar\nDina,50,Moroto\n"
FEWER = b"name,village\nAsha,Lodwar\nBen,Moroto\nChidi,Lodwar\n"


async def give(stand: Stand, source: Source, content: bytes) -> None:
    """What the source gives from now on; only a forced sync looks."""
    assert isinstance(source.config, CsvConfig)
    await stand.store(source.config.upload_id, content)


async def configure(stand: Stand, source: Source, **config: object) -> None:
    """Change how a source is read, or what becomes of it."""
    changed = CsvConfig.model_validate(dict(source.config) | config)
    await stand.ask(UpdateSource(source_id=source.id, config=changed))


async def held(stand: Stand, source: Source, published: TableVersion) -> str:
    """The reason for which a sync left all as it was."""
    before = await stand.versions()
    outcome = await stand.synced(source, published=published, force=True)
    assert (outcome.unchanged, outcome.tables) == (True, (published,))
    assert await stand.versions() == before
    assert outcome.reason is not None
    return outcome.reason


async def changes(stand: Stand, source: Source) -> list[SchemaChange]:
    return list((await stand.ask(ListSchemaChanges(source_id=source.id))).changes)


async def pending(stand: Stand, source: Source) -> int:
    return (await stand.ask(GetSource(source_id=source.id))).pending_changes


async def refused(stand: Stand, request) -> Problem:
    with pytest.raises(ProblemError) as caught:
        await stand.ask(request)
    return caught.value.problem


async def save(stand: Stand, name: str, *steps: Mapping[str, object]):
    """Save a recipe; its id."""
    transformation_id = new_id()
    request = CreateTransformation(
        transformation_id=transformation_id, name=name, recipe={"steps": list(steps)}
    )
    await stand.ask(request)
    return transformation_id


async def test_a_removed_column_is_held_until_it_is_accepted(stand, other):
    source = await stand.source(PEOPLE)
    first = await stand.published(source)
    read = {"type": "source", "table": "people"}
    old = {"type": "filter", "column": "age", "operator": "greater_than", "value": 20}
    adults = await save(stand, "adults", read, old)
    await save(stand, "copy", read, {"type": "drop", "columns": ["village"]})
    await save(stand, "grown", {"type": "source", "table": "copy"}, old)
    await save(stand, "names", read, {"type": "select", "columns": ["name"]})
    nightly = CreatePipeline(
        pipeline_id=new_id(), name="nightly", source_ids=(), transformation_ids=(adults,)
    )
    await stand.ask(nightly)

    await give(stand, source, FEWER)
    reason = await held(stand, source, first)
    assert reason == (
        "held: 1 column is gone (age), used by the transformation 'adults', "
        "the transformation 'grown' and the pipeline 'nightly': accept or reject change 1"
    )
    assert await pending(stand, source) == 1
    (change,) = await changes(stand, source)
    assert (change.number, change.kind, change.status) == (1, "drift", "pending")
    assert [column.name for column in change.removed] == ["age"]
    assert [(user.name, user.columns) for user in change.used_by] == [
        ("adults", ("age",)),
        ("grown", ("age",)),
    ]
    assert all("age" in (user.error or "") for user in change.used_by)
    # The last good data stays, for recipes too.
    assert len(await stand.live(source)) == 4
    page = await stand.ask(PreviewRecipe(transformation_id=adults))
    assert page.total_count == 3

    # What is accepted is exactly this: when more goes, that is held anew.
    accepted = await stand.ask(AcceptSchemaChange(source_id=source.id, number=1))
    assert (accepted.status, accepted.decided_by) == ("accepted", "tester")
    assert await stand.ask(AcceptSchemaChange(source_id=source.id, number=1)) == accepted
    assert await pending(stand, source) == 0
    await give(stand, source, b"name\nAsha\nBen\nChidi\n")
    assert "(age, village)" in await held(stand, source, first)
    (change, before) = await changes(stand, source)
    assert (change.is_open, before.is_open) == (True, False)
    assert [(user.name, user.columns) for user in change.used_by] == [
        ("adults", ("age",)),
        ("copy", ("village",)),
        ("grown", ("age",)),
    ]
    assert (await refused(stand, RejectSchemaChange(source_id=source.id, number=1))).status == 409
    page = await stand.ask(ListSchemaChanges(source_id=source.id, limit=1))
    rest = await stand.ask(ListSchemaChanges(source_id=source.id, cursor=page.next_cursor))
    assert [one.number for one in (*page.changes, *rest.changes)] == [2, 1]

    for request in (
        ListSchemaChanges(source_id=source.id),
        AcceptSchemaChange(source_id=source.id, number=2),
        RejectSchemaChange(source_id=source.id, number=2),
        GetColumnHistory(source_id=source.id),
    ):
        assert (await refused(other, request)).status == 404

    await stand.ask(AcceptSchemaChange(source_id=source.id, number=2))
    outcome = await stand.synced(source, published=first, force=True)
    assert [notice.code for notice in outcome.warnings] == ["schema_changed"]
    await stand.publish(*outcome.tables)
    assert await stand.live(source) == [("Asha",), ("Ben",), ("Chidi",)]
    # From now on others are measured by this.
    again = await stand.synced(source, published=outcome.tables[0])
    assert (again.reason, again.warnings) == (None, ())
    assert [one.is_open for one in await changes(stand, source)] == [False, False]


async def test_a_rejected_change_is_held_until_the_source_says_something_else(stand):
    source = await stand.source(PEOPLE)
    first = await stand.published(source)
    await give(stand, source, PEOPLE.replace(b"village", b"Village"))
    assert "village, perhaps renamed to Village" in await held(stand, source, first)
    await stand.ask(RejectSchemaChange(source_id=source.id, number=1))
    assert (await held(stand, source, first)).endswith("change 1 was rejected")
    (change,) = await changes(stand, source)
    assert (change.number, change.status) == (1, "rejected")
    assert change.last_seen > change.first_seen
    assert await pending(stand, source) == 0
    # Not today is not never; what was accepted may be under way.
    await stand.ask(AcceptSchemaChange(source_id=source.id, number=1))
    problem = await refused(stand, RejectSchemaChange(source_id=source.id, number=1))
    assert (problem.status, problem.code) == (409, "decided")

    assert (await stand.synced(source, published=first)).reason is None
    problem = await refused(stand, RejectSchemaChange(source_id=source.id, number=1))
    assert (problem.status, problem.code) == (409, "settled")
    assert (await refused(stand, AcceptSchemaChange(source_id=source.id, number=2))).status == 404


async def test_the_policy_fails_a_sync_or_takes_what_was_added(stand):
    source = await stand.source(PEOPLE)
    first = await stand.published(source)
    wider = b"name,age,village,wells\n" + PEOPLE.partition(b"\n")[2].replace(b"\n", b",3\n")
    await give(stand, source, wider)
    await configure(stand, source, on_schema_change="fail")
    outcome = await stand.outcome(await stand.sync(source, published=first, force=True))
    assert isinstance(outcome, SourceSyncFailed)
    assert (outcome.problem.status, outcome.problem.code) == (422, "schema_changed")
    assert "1 column is new (wells): accept or reject change 1" in outcome.problem.detail
    assert await stand.versions() == {first.relation}
    assert await pending(stand, source) == 1

    await configure(stand, source, on_schema_change=None)
    taken = await stand.synced(source, published=first, force=True)
    assert [notice.message for notice in taken.warnings] == ["1 column is new (wells)."]
    (change,) = await changes(stand, source)
    assert (change.number, change.status) == (1, "taken")
    await stand.publish(*taken.tables)
    history = await stand.ask(GetColumnHistory(source_id=source.id))
    assert history.added == {"wells": change.first_seen}
    table = await stand.ask(GetTable(name=str(source.id)))
    assert (table.columns[-1].name, table.nullable) == ("wells", ())


async def test_a_table_that_shrinks_keeps_its_rows_until_that_is_accepted(stand):
    rows = [b"Asha,%d\n" % number for number in range(20)]
    source = await stand.source(b"name,age\n" + b"".join(rows))
    first = await stand.published(source)
    await give(stand, source, b"name,age\n")
    reason = await held(stand, source, first)
    assert reason == (
        "held: 1 column has another type (age: integer before, text now); "
        "0 of 20 rows are left: accept or reject changes 1 and 2"
    )
    await give(stand, source, b"name,age\n" + b"".join(rows[:8]))
    reason = await held(stand, source, first)
    assert reason == "held: 8 of 20 rows are left: accept or reject change 2"
    assert len(await stand.live(source)) == 20
    change = (await changes(stand, source))[0]
    assert (change.kind, change.old_rows, change.new_rows) == ("shrinkage", 20, 8)
    await stand.ask(AcceptSchemaChange(source_id=source.id, number=2))
    await give(stand, source, b"name,age\n" + b"".join(rows[:7]))
    outcome = await stand.synced(source, published=first, force=True)
    assert outcome.tables[0].rows == 7


async def test_columns_that_a_person_asked_for_are_taken(stand):
    source = await stand.source(PEOPLE)
    first = await stand.published(source)
    await configure(stand, source, types="text")
    second = await stand.published(source, published=first)
    assert second.columns[1].type == "text"
    (change,) = await changes(stand, source)
    assert (change.status, change.retyped[0].name) == ("taken", "age")
    # What the data does by itself after that is held again.
    await give(stand, source, FEWER)
    assert "1 column is gone (age)" in await held(stand, source, second)
