"""Google Sheets as sources: found by their tab, loaded when their values change, in words when not."""

import json
from collections.abc import Iterator
from decimal import Decimal

import pytest
import pytest_asyncio
from nats.aio.msg import Msg
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr
from starlette.responses import Response
from tests.servers.google import GoogleServer
from tests.servers.sheets import Shown, Tab, Workbook

from contracts.envelope import new_id
from contracts.ingest import (
    CreateSource,
    GoogleSheetsConfig,
    ListSheets,
    PreviewSource,
    SourceSyncFailed,
    UpdateSource,
)
from contracts.message import Request
from contracts.problem import Problem, ProblemError
from ingest.sealing import CONCEALED

from .stand import Stand

BOOK = "1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms"
ADDRESS = f"https://docs.google.com/spreadsheets/d/{BOOK}/edit#gid=7"


@pytest.fixture
def email() -> str:
    """A service account that no other test reads as."""
    return f"{new_id().hex}@project.iam.gserviceaccount.com"


@pytest.fixture
def key(google: GoogleServer, email) -> str:
    return google.key(email)


@pytest.fixture
def tab() -> Tab:
    rows = [["Name", "Code", "Amount"], ["Asha", Shown(7, "007"), 1234.5], ["Ben", "", 3]]
    return Tab(7, "Donors", rows)  # pyright: ignore[reportArgumentType]


@pytest.fixture
def book(google: GoogleServer, tab: Tab, email) -> Workbook:
    tabs = [Tab(0, "Notes", []), tab, Tab(9, "Chart", [], chart=True)]
    google.workbooks[BOOK] = book = Workbook("Charity", tabs, {email})
    return book


@pytest_asyncio.fixture
async def ingest(transform, run_ingest, google, key):
    """A replica whose installation has a key of its own."""
    urls = {"google_sheets_url": google.url, "google_token_url": google.token_url}
    async with run_ingest(google_credentials_json=key, **urls) as service:
        yield service


def creation(spreadsheet: str = ADDRESS, **config: object) -> CreateSource:
    return CreateSource(
        source_id=new_id(),
        name="donors",
        source_type="google_sheets",
        config=GoogleSheetsConfig.model_validate({"spreadsheet": spreadsheet} | config),
    )


async def refused(stand: Stand, request: Request) -> Problem:
    with pytest.raises(ProblemError) as caught:
        await stand.ask(request)
    return caught.value.problem


async def failure(stand: Stand, source) -> Problem:
    """Why the next sync of a source fails."""
    outcome = await stand.outcome(await stand.sync(source))
    assert isinstance(outcome, SourceSyncFailed), outcome
    return outcome.problem


async def test_a_tab_is_found_by_its_address_loaded_and_left_alone_until_its_values_change(
    stand, ingest, google, book, tab
):
    source = await stand.ask(request := creation())
    assert source.config == GoogleSheetsConfig(spreadsheet=ADDRESS, sheet_id=7, sheet_name="Donors")
    assert await stand.ask(request) == source
    first = await stand.published(source)
    assert await stand.live(source) == [
        ("Asha", "007", Decimal("1234.5")),
        ("Ben", None, Decimal(3)),
    ]
    tab.title = "Donors of 2024"
    again = await stand.synced(source, published=first)
    assert again.unchanged
    assert await stand.versions() == {first.relation}
    tab.cells[2][2] = 4
    changed = await stand.published(source, published=first)
    assert changed.fingerprint != first.fingerprint
    assert (await stand.live(source))[1] == ("Ben", None, Decimal(4))
    forced = await stand.synced(source, published=changed, force=True)
    assert not forced.unchanged
    assert forced.tables[0].fingerprint == changed.fingerprint
    assert len(google.tokens) == 1


async def test_a_tab_that_goes_or_is_closed_to_us_fails_in_words_and_the_table_stays(
    stand, ingest, google, book, tab, email
):
    source = await stand.ask(creation())
    published = await stand.published(source)
    before = await stand.live(source)
    book.shared_with.clear()
    assert f"Share the sheet with {email} as a viewer" in (await failure(stand, source)).detail
    book.shared_with.add(email)
    tab.cells, cells = [], tab.cells
    assert (await failure(stand, source)).code == "empty_sheet"
    tab.cells = cells
    book.tabs[1] = Tab(8, "Donors", cells)
    gone = await failure(stand, source)
    assert gone.code == "no_such_tab"
    assert "has no tab 'Donors' with the number 7" in gone.detail
    del google.workbooks[BOOK]
    assert (await failure(stand, source)).code == "no_such_spreadsheet"
    assert await stand.live(source) == before
    assert await stand.versions() == {published.relation}


async def test_what_may_pass_is_tried_again_by_a_sync_and_told_to_who_waits(
    stand, ingest, google, book, email
):
    source = await stand.ask(creation())
    later = {"Retry-After": "500"}
    google.failures.append(Response(status_code=503, headers=later))
    assert not (await stand.synced(source)).unchanged
    preview = PreviewSource(source_type="google_sheets", config=source.config, source_id=source.id)
    google.failures.append(Response(status_code=429, headers=later))
    problem = await refused(stand, preview)
    assert (problem.status, problem.code) == (503, "quota")
    reads = len(google.reads)
    # All replicas know by now, so Google is not asked again.
    assert (await refused(stand, preview)).code == "quota"
    assert (await refused(stand, ListSheets(spreadsheet=BOOK))).code == "quota"
    assert len(google.reads) == reads


async def test_tabs_are_listed_and_previewed_before_anything_is_kept(stand, ingest, book, tab):
    found = await stand.ask(ListSheets(spreadsheet=ADDRESS))
    assert [(sheet.sheet_id, sheet.title, sheet.chosen) for sheet in found.sheets] == [
        (0, "Notes", False),
        (7, "Donors", True),
    ]
    gone = await stand.ask(ListSheets(spreadsheet=ADDRESS.replace("gid=7", "gid=5")))
    assert [sheet.chosen for sheet in gone.sheets] == [False, False]
    tab.cells[2][2] = "#REF!"
    preview = await stand.ask(
        PreviewSource(
            source_type="google_sheets",
            config=GoogleSheetsConfig(spreadsheet=BOOK, sheet_name="Donors"),
        )
    )
    assert [column.name for column in preview.columns] == ["Name", "Code", "Amount"]
    assert preview.rows[0] == {"Name": "Asha", "Code": "007", "Amount": 1234.5}
    assert preview.warnings[0].code == "formula_errors"
    assert (await refused(stand, ListSheets(spreadsheet="donors"))).code == "bad_spreadsheet"


async def test_without_any_key_both_ways_to_give_one_are_told(stand, transform, run_ingest):
    async with run_ingest():
        problem = await refused(stand, creation())
    assert (problem.status, problem.code) == (422, "no_credentials")
    assert "(credentials)" in problem.detail
    assert "GOOGLE_CREDENTIALS_JSON" in problem.detail


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """What is traced from now on."""
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        trace.set_tracer_provider(provider := TracerProvider())
    provider.add_span_processor(SimpleSpanProcessor(exporter := InMemorySpanExporter()))
    yield exporter
    exporter.shutdown()


async def test_a_key_of_a_source_is_used_and_shown_nowhere(
    stand, ingest, google, book, spans, capfd, monkeypatch
):
    own = f"{new_id().hex}@other.iam.gserviceaccount.com"
    key = google.key(own)
    secret = json.loads(key)["private_key"].splitlines()[5]
    heard: list[Msg] = []

    async def hear(message: Msg) -> None:
        heard.append(message)

    await (await stand.as_("migrator")).watch(">", hear)
    assert own in (await refused(stand, creation(credentials=key))).detail
    book.shared_with = {own}
    source = await stand.ask(creation(credentials=key))
    assert source.config.credentials == CONCEALED
    kept = ListSheets(spreadsheet=BOOK, source_id=source.id)
    assert len((await stand.ask(kept)).sheets) == 2
    assert "Share" in (await refused(stand, ListSheets(spreadsheet=BOOK))).detail
    await stand.ask(UpdateSource(source_id=source.id, config=source.config))
    await stand.published(source)
    broken = SecretStr(key.replace("BEGIN PRIVATE", "BEGIN"))
    config = source.config.model_copy(update={"credentials": broken})
    problem = await refused(stand, UpdateSource(source_id=source.id, config=config))
    assert problem.code == "bad_credentials"

    told = [message for message in heard if not message.subject.startswith("req.")]
    assert len(told) > 5
    assert any(secret.encode() in message.data for message in heard)
    for message in told:
        assert secret.encode() not in message.data, message.subject
        assert secret not in str(message.header)
    for row in await stand.fetch(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|information_)'"
    ):
        table = f'"{row["schemaname"]}"."{row["tablename"]}"'
        found = await stand.fetch(f"SELECT FROM {table} t WHERE t::text LIKE $1", f"%{secret}%")
        assert found == [], table
    output = capfd.readouterr()
    assert "source_loaded" in output.out + output.err
    assert secret not in output.out + output.err
    finished = spans.get_finished_spans()
    assert finished != ()
    assert not any(secret in span.to_json() for span in finished)
