"""Forms of KoboToolbox as sources: made, read anew, added to, and never half visible."""

from collections.abc import AsyncIterator, Iterator
from copy import deepcopy
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from pydantic import SecretStr

from contracts.auth import GetOrganization, Organization
from contracts.envelope import new_id
from contracts.ingest import (
    CreateSource,
    DeleteSource,
    GetSource,
    KoboConfig,
    ListForms,
    PreviewSource,
    Source,
    SourceSynced,
    SourceSyncFailed,
    UpdateSource,
)
from contracts.orchestrator import CreatePipeline, RunFailed, RunSucceeded, StartRun, Trigger
from contracts.problem import Problem, ProblemError
from contracts.transform import CreateTransformation, ListTables, ValidateRecipe
from ingest.domain import stamps_prefix
from warehouse.names import live_name, live_schema

from ...servers import kobo
from ...servers.households import ANSWERS, CONTENT, question
from ...servers.kobo import Asset, KoboServer
from .stand import Stand

if TYPE_CHECKING:
    from contracts.tables import TableVersion

ZONE = "Asia/Kolkata"
TREES = [
    question("begin_repeat", "trees", "Trees", "पेड़"),
    question("text", "kind", "Kind", "प्रकार"),
    question("end_repeat", ""),
]


@pytest.fixture
def server() -> Iterator[KoboServer]:
    with kobo.running() as server:
        yield server


@pytest.fixture
def form(server: KoboServer) -> Asset:
    return server.add_form("Households", deepcopy(CONTENT))


@pytest_asyncio.fixture(autouse=True)
async def ingest(transform, run_ingest, server) -> AsyncIterator[None]:
    """One replica, whose operator lets it read the server of this machine."""
    async with run_ingest(kobo_allowed_origins=server.url, warm_workers=0):
        yield


class Reading:
    """A source that is read, and what readers see of it."""

    def __init__(self, stand: Stand, source: Source) -> None:
        self.stand = stand
        self.source = source
        self.versions: dict[str, TableVersion] = {}
        """By name behind the source's; its own is empty."""
        self.shown: set[str] = set()
        """Relations that readers have seen."""

    async def begin(self, **changes: object):
        """Send what the orchestrator would."""
        others = tuple(one for name, one in self.versions.items() if name)
        said = {"published": self.versions.get(""), "other_published": others, "timezone": ZONE}
        return await self.stand.sync(self.source, **said | changes)

    async def sync(self, **changes: object) -> SourceSynced:
        """Read it and publish what came of it."""
        outcome = await self.stand.outcome(await self.begin(**changes))
        assert isinstance(outcome, SourceSynced), outcome
        if not outcome.unchanged:
            await self.stand.publish(*outcome.tables)
            self.shown |= {one.relation for one in outcome.tables}
        self.source = await self.stand.ask(GetSource(source_id=self.source.id))
        names = {one.table_id: one.name for one in self.source.other_tables}
        self.versions |= {names.get(one.table_id, ""): one for one in outcome.tables}
        return outcome

    async def live(self, name: str, *columns: str) -> list[tuple]:
        """Some columns of what readers see, in order."""
        version = self.versions[name]
        physical = {one.name: f'"{one.physical}"' for one in version.columns}
        view = f"{live_schema(self.stand.org_id)}.{live_name('source', version.table_id)}"
        listed = ", ".join(physical[column] for column in columns)
        rows = await self.stand.fetch(f"SELECT {listed} FROM {view} ORDER BY {listed}")
        return [tuple(row) for row in rows]

    async def stamps(self) -> set[str]:
        """The versions whose stamps are kept."""
        keys = await self.stand.objects.keys(stamps_prefix(self.stand.org_id, self.source.id))
        return {key.rpartition("/")[2] for key in keys}


def config(server: KoboServer, form: Asset, **changes: object) -> KoboConfig:
    said = {
        "server_url": server.url,
        "form_id": form.uid,
        "api_token": kobo.TOKEN,
        "on_schema_change": "accept",
    }
    return KoboConfig.model_validate(said | changes)


def creation(server: KoboServer, form: Asset, **changes: object) -> CreateSource:
    return CreateSource(
        source_id=new_id(),
        name="Survey",
        source_type="kobo",
        config=config(server, form, **changes),
    )


@pytest.fixture
def add(stand: Stand, server: KoboServer, form: Asset):
    """Makes the form a source."""

    async def add(**changes: object) -> Reading:
        return Reading(stand, await stand.ask(creation(server, form, **changes)))

    return add


async def refused(stand: Stand, request) -> Problem:
    with pytest.raises(ProblemError) as caught:
        await stand.ask(request)
    return caught.value.problem


def notices(said: SourceSynced) -> dict[str, str]:
    return {one.code: one.message for one in said.warnings}


async def test_a_form_becomes_tables_and_its_token_is_told_to_nobody_but_its_server(
    stand, add, server, form, capfd
):
    number = server.submit_all(form, ANSWERS)
    listed = await stand.ask(ListForms(server_url=server.url, api_token=SecretStr(kobo.TOKEN)))
    assert [(one.name, one.form_id, one.submissions) for one in listed.forms] == [
        ("Households", form.uid, 1)
    ]
    reading = await add()
    names = ["members", "members / visits"]
    assert [one.name for one in reading.source.other_tables] == names
    tables = {one.name: one for one in (await stand.ask(ListTables())).tables}
    assert sorted(tables) == ["Survey", *(f"Survey / {name}" for name in names)]
    expected = {one.name: one.type for one in tables["Survey / members"].columns}
    assert expected == {
        "_id": "text",
        "_parent_id": "integer",
        "_index": "integer",
        "members/name": "text",
        "members/age": "integer",
    }

    asked = config(server, form, api_token=None)
    preview = await stand.ask(
        PreviewSource(
            source_type="kobo", config=asked, source_id=reading.source.id, timezone=ZONE, limit=5
        )
    )
    assert preview.rows[0]["start"] == "2026-01-05T10:00:00.123000"
    assert [(one.name, len(one.rows)) for one in preview.other_tables] == [
        ("members", 2),
        ("members / visits", 2),
    ]

    first = await reading.sync()
    assert [one.rows for one in first.tables] == [1, 2, 2]
    assert "submissions_changed" not in notices(first)
    assert ZONE in notices(first)["times_by_local_clock"]
    (row,) = await reading.live("", "_id", "start", "_submission_time")
    assert [str(cell) for cell in row] == [
        str(number),
        "2026-01-05 10:00:00.123000",
        "2026-01-01 13:31:00",
    ]
    assert await reading.live("members", "_parent_id", "members/name") == [
        (number, "Gita"),
        (number, "Ravi"),
    ]
    again = await reading.sync()
    assert again.unchanged
    assert {one.table_id for one in again.tables} == {one.table_id for one in first.tables}
    assert len(await stand.versions()) == 3

    # To another server it does not go, whoever asks.
    elsewhere = {"server_url": "https://example.org", "api_token": None}
    moved = UpdateSource(source_id=reading.source.id, config=config(server, form, **elsewhere))
    asks = ListForms(server_url="https://example.org", source_id=reading.source.id)
    for request in (moved, asks):
        problem = await refused(stand, request)
        assert (problem.status, problem.code) == (422, "token_missing")
    told = [event.model_dump_json() for event in stand.heard(object)]
    rows = await stand.fetch(
        "SELECT sources::text AS said FROM sources UNION ALL SELECT sync_runs::text FROM sync_runs"
    )
    logs = capfd.readouterr()
    said = "\n".join(
        [
            *told,
            *(row["said"] for row in rows),
            logs.out,
            logs.err,
            str(listed),
            str(preview),
            str(reading.source),
            reading.source.model_dump_json(),
        ]
    )
    assert str(form.uid) in said
    assert kobo.TOKEN not in said


async def test_what_cannot_be_read_is_told_with_the_way_out(stand, server, form):
    problem = await refused(stand, creation(server, form, api_token=None))
    assert (problem.status, problem.code) == (422, "token_missing")
    assert problem.errors[0].field == "config.api_token"
    wrong = await refused(stand, creation(server, form, api_token="0" * 40))
    assert (wrong.status, wrong.code) == (422, "token_refused")
    assert "0000" not in wrong.model_dump_json()
    inside = await refused(stand, creation(server, form, server_url="https://localhost"))
    assert (inside.status, inside.code) == (422, "address_refused")
    server.fail(503, Retry_After="900")
    away = await refused(stand, ListForms(server_url=server.url, api_token=SecretStr(kobo.TOKEN)))
    assert (away.status, away.code) == (503, "kobo_away")
    assert (await stand.ask(ListTables())).tables == ()


async def test_reconciling_tells_what_came_changed_and_went(stand, add, server, form):
    numbers = [server.submit_all(form, ANSWERS) for _ in range(4)]
    reading = await add()
    await reading.sync()
    assert await reading.stamps() == {str(reading.versions[""].version_id)}
    server.edit(form, numbers[0], village="moved")
    server.edit(form, numbers[1], members=[{"members/name": "Gita"}])
    server.delete(form, numbers[2])
    late = [server.submit(form, village="new") for _ in range(2)]
    before = reading.versions[""]
    second = await reading.sync()
    message = notices(second)["submissions_changed"]
    assert message == "2 new submissions, 2 edited, 1 deleted."
    assert await reading.live("", "_id", "village") == [
        (numbers[0], "moved"),
        *((one, "रामपुर") for one in (numbers[1], numbers[3])),
        *((one, "new") for one in late),
    ]
    parents = [numbers[0], numbers[0], numbers[1], numbers[3], numbers[3]]
    assert await reading.live("members", "_parent_id") == [(one,) for one in parents]
    assert await reading.stamps() == {str(one.version_id) for one in (before, reading.versions[""])}
    # A repeat that the form has no more keeps what was read of it.
    members = reading.versions["members"]
    form.content["survey"] = [*form.content["survey"][:14], *TREES]
    third = await reading.sync()
    assert "'members', 'members / visits'" in notices(third)["repeat_gone"]
    names = [one.name for one in reading.source.other_tables]
    assert names == ["members", "members / visits", "trees"]
    assert reading.versions["members"] == members
    assert len(await reading.live("members", "_id")) == len(parents)
    assert await reading.live("trees", "_id") == []
    assert len(await reading.stamps()) == 2


async def test_appending_adds_what_came_later_and_loses_nothing(stand, add, server, form):
    numbers = [server.submit_all(form, ANSWERS) for _ in range(3)]
    reading = await add(mode="append")
    await reading.sync()
    assert (await reading.sync()).unchanged
    server.edit(form, numbers[0], village="moved")
    server.delete(form, numbers[1])
    late = server.submit(form, village="new", head__age="about 40")
    form.content["survey"] = [*form.content["survey"], question("text", "phone", "Phone"), *TREES]
    later = server.submit(form, phone="0041", trees=[{"trees/kind": "neem"}])
    server.calls.clear()
    second = await reading.sync()
    assert f"%22%24gt%22%3A+{numbers[2]}" in server.calls[-1]
    assert notices(second)["submissions_changed"] == "2 new submissions."
    assert await reading.live("", "_id", "village", "head/age", "phone") == [
        *((one, "रामपुर", "41", None) for one in numbers),
        (late, "new", "about 40", None),
        (later, None, None, "0041"),
    ]
    types = {one.name: one.type for one in reading.versions[""].columns}
    assert (types["head/age"], types["income"]) == ("text", "decimal")
    assert len(await reading.live("members", "_parent_id")) == 6
    assert await reading.live("trees", "_parent_id", "trees/kind") == [(later, "neem")]
    assert (await reading.sync()).unchanged
    # Batches are gone, only versions that were published stay.
    assert await stand.versions() <= reading.shown


async def test_a_server_that_fails_half_way_leaves_what_readers_see(stand, add, server, form):
    for _ in range(1001):
        server.submit(form, village="V")
    reading = await add()
    await reading.sync()
    shown = await stand.versions()
    server.submit(form, village="late")
    server.fail_after(2, 400)
    outcome = await stand.outcome(await reading.begin())
    assert isinstance(outcome, SourceSyncFailed)
    assert outcome.problem.code == "kobo_refused"
    assert await stand.versions() == shown
    assert len(await reading.live("", "_id")) == 1001
    # What may pass is tried again, without anybody's doing.
    server.fail_after(2, 503, Retry_After="900")
    assert notices(await reading.sync())["submissions_changed"] == "1 new submission."


async def test_a_run_that_is_called_off_leaves_nothing_nor_does_a_source_that_is_deleted(
    stand, add, server, form, orchestrator
):
    server.submit_all(form, ANSWERS)
    rules = {"members/name": {"mask": "redact"}, "village": {"skip": True}}
    reading = await add(columns=rules)
    await reading.sync()
    assert await reading.live("members", "members/name") == [("***",), ("***",)]
    assert "village" not in {one.name for one in reading.versions[""].columns}
    shown = await stand.versions()
    server.submit_all(form, ANSWERS)
    others = tuple(one for name, one in reading.versions.items() if name)
    async with stand.stopped(
        reading.source, "counting", published=reading.versions[""], other_published=others
    ) as (command, _):
        await stand.cancel(command.run_id)
        await stand.idle()
    assert await stand.versions() == shown
    assert await reading.stamps() == {str(reading.versions[""].version_id)}
    await stand.ask(DeleteSource(source_id=reading.source.id))
    assert await stand.versions() == await reading.stamps() == set()
    assert (await stand.ask(ListTables())).tables == ()


async def test_recipes_read_repeats_in_a_run_and_hold_the_source(
    stand, add, server, form, orchestrator, stand_in
):
    async def organization(_, meta) -> Organization:
        return Organization(id=meta.org_id, name="Wells", timezone=ZONE)

    await stand_in("auth", {GetOrganization: organization})
    reading = await add()
    source_id, recipe_id = reading.source.id, new_id()
    recipe: dict[str, object] = {
        "steps": [
            {"type": "source", "table": "Survey / members"},
            {"type": "select", "columns": ["members/name", "_parent_id"]},
        ]
    }
    check = await stand.ask(ValidateRecipe(recipe=recipe))
    assert check.valid, check
    await stand.ask(CreateTransformation(transformation_id=recipe_id, name="Kin", recipe=recipe))
    server.submit_all(form, ANSWERS)
    gateway = await stand.as_("gateway")
    for rows, reason in ((2, None), (2, "unchanged")):
        start = StartRun(
            run_id=new_id(),
            run_kind="pipeline",
            pipeline_id=None,
            source_ids=(source_id,),
            transformation_ids=(recipe_id,),
            trigger=Trigger(type="manual", actor="tester"),
        )
        await gateway.send(start, org_id=stand.org_id, actor="tester")
        ended = await stand.hear(RunSucceeded, RunFailed, run_id=start.run_id)
        assert isinstance(ended, RunSucceeded), ended
        built = next(step for step in ended.run.steps if step.kind == "transform")
        assert (built.rows, built.reason) == (rows, reason)

    renamed = await stand.ask(UpdateSource(source_id=source_id, name="Visits"))
    tables = {one.name for one in (await stand.ask(ListTables())).tables}
    assert tables == {"Visits", "Visits / members", "Visits / members / visits", "Kin"}
    problem = await refused(stand, DeleteSource(source_id=renamed.id))
    assert (problem.status, problem.code) == (409, "in_use")
    assert "'Kin'" in problem.detail
    await stand.ask(
        CreatePipeline(
            pipeline_id=new_id(), name="Weekly", source_ids=(source_id,), transformation_ids=()
        )
    )
    problem = await refused(stand, DeleteSource(source_id=renamed.id))
    assert "the transformation 'Kin' and the pipeline 'Weekly'" in problem.detail
