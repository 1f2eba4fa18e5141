"""The connector against a server that speaks Google's protocol, down to the typed columns."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from datetime import date as day
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from starlette.responses import Response
from tests.servers.google import GoogleServer
from tests.servers.sheets import Shown, Tab, Workbook

from ingest.connectors import BadSource, Unavailable
from ingest.connectors.csv import fingerprint, sample
from ingest.connectors.google.auth import ServiceAccount
from ingest.connectors.google.client import ATTEMPTS, SheetsClient
from ingest.connectors.google_sheets import Fetched, SheetOptions, fetch

BOOK = "1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms"
EMAIL = "sync@project.iam.gserviceaccount.com"
Fetch = Callable[..., Awaitable[Fetched]]


class Clock:
    """A time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Unbounded:
    """Lets every read through at once."""

    async def reserve(self, email: str, patience: float) -> float:
        return 0.0

    async def hold(self, email: str, seconds: float) -> None:
        """Nothing is held: what the client does about a refusal is seen alone."""


@pytest.fixture
def clock(google: GoogleServer) -> Clock:
    google.clock = clock = Clock()
    return clock


@pytest.fixture
def tab() -> Tab:
    return Tab(
        7,
        "Girls' data",
        [
            ["Visits 2024"],
            [],
            ["Name", "Code", "Amount", "When", "Met", "Name"],
            ["Asha", Shown(7, "007"), Shown(1234.5, "₹ 1,234.50"), date(45355), True, "x"],
            ["बो", Shown(12, "012"), 3, date(45356), False, None],
            ["", "", "", "", "", ""],
        ],
    )


@pytest.fixture
def book(google: GoogleServer, tab: Tab) -> Workbook:
    google.workbooks[BOOK] = book = Workbook("Donors", [Tab(0, "Notes", []), tab], {EMAIL})
    return book


@pytest_asyncio.fixture
async def connect(google, clock) -> AsyncIterator[Callable[[str], SheetsClient]]:
    with httpx.Client() as blocking:
        async with httpx.AsyncClient() as http:

            def connect(key: str) -> SheetsClient:
                account = ServiceAccount(key, blocking, google.token_url)
                return SheetsClient(
                    http, account, Unbounded(), google.url, patience=120, sleep=clock.sleep
                )

            yield connect


@pytest.fixture
def get(google, connect, tmp_path: Path) -> Fetch:
    client = connect(google.key(EMAIL))

    async def get(spreadsheet: str = BOOK, **options) -> Fetched:
        said = SheetOptions.model_validate({"spreadsheet": spreadsheet, "sheet_id": 7} | options)
        return await fetch(client, said, tmp_path / "sheet.csv")

    return get


def date(serial: int) -> Shown:
    return Shown(serial, f"{serial - 45351}/3/24", is_date=True)


async def refusal(found: Awaitable[Fetched]) -> BadSource:
    with pytest.raises(BadSource) as caught:
        await found
    return caught.value


async def test_a_tab_arrives_with_names_types_and_values(get, book):
    found = await get()
    preview = sample(found.path, found.options, 10)
    assert [(c.display_name, c.type) for c in preview.inspection.columns] == [
        ("Name", "text"),
        ("Code", "text"),
        ("Amount", "decimal"),
        ("When", "date"),
        ("Met", "boolean"),
        ("Name_2", "text"),
    ]
    assert [list(row.values()) for row in preview.rows] == [
        ["Asha", "007", 1234.5, "2024-03-04", True, "x"],
        ["बो", "012", 3.0, "2024-03-05", False, None],
    ]
    assert found.rows == preview.inspection.rows == 2
    assert [warning.code for warning in found.warnings] == ["lines_before_header"]
    assert [warning.code for warning in preview.inspection.warnings] == ["duplicate_header"]
    assert found.sha256 == preview.inspection.sha256
    assert (found.spreadsheet.time_zone, found.spreadsheet.locale) == ("Asia/Kolkata", "en_GB")


async def test_one_listing_and_as_few_readings_as_can_be_are_made(google, get, book, tab):
    await get()
    assert len(google.reads) == 4
    tab.cells = [["a"], [1]]
    await get()
    assert len(google.reads) == 7


async def test_line_ends_quotes_and_commas_in_cells_survive(get, book, tab):
    tab.cells = [["a", "b"], ['say "x", y', "two\nlines"], [r"back\ ", r"\"q"]]
    found = await get()
    rows = [list(row.values()) for row in sample(found.path, found.options, 10).rows]
    assert rows == [['say "x", y', "two\nlines"], [r"back\ ", r"\"q"]]


async def test_equal_values_have_equal_fingerprints_and_others_do_not(get, book, tab):
    first = await get()
    tab.title = "Renamed"
    assert (await get()).sha256 == first.sha256
    tab.cells[3][0] = "Aisha"
    assert (await get()).sha256 != first.sha256


async def test_the_address_names_the_tab(get, book):
    address = f"https://docs.google.com/spreadsheets/d/{BOOK}/edit#gid=7"
    assert (await get(address, sheet_id=None)).sheet.title == "Girls' data"


@pytest.mark.parametrize("refused", [True, False])
async def test_an_empty_tab_is_told_whatever_google_answers(get, book, refused):
    book.empty_is_refused = refused
    error = await refusal(get(sheet_id=0))
    assert error.code == "empty_sheet"


async def test_an_unshared_sheet_says_with_whom_to_share_it(google, get, book):
    book.shared_with.clear()
    error = await refusal(get())
    assert error.message == f"Share the sheet with {EMAIL} as a viewer, then try again."
    assert len(google.reads) == 1


async def test_what_will_not_pass_is_asked_once(google, clock, get, book):
    assert (await refusal(get("another-spreadsheet"))).code == "no_such_spreadsheet"
    book.is_excel = True
    assert (await refusal(get())).code == "not_a_google_sheet"
    google.accounts[EMAIL].api_enabled = False
    assert (await refusal(get())).code == "api_disabled"
    assert len(google.reads) == 3
    assert clock.slept == []


async def test_retry_after_is_waited_as_told(google, clock, get, book):
    google.failures.append(Response(status_code=429, headers={"Retry-After": "40"}))
    await get()
    assert 40 <= clock.slept[0] <= 41


async def test_retry_after_may_be_a_date(google, clock, get, book):
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=50), usegmt=True)
    google.failures.append(Response(status_code=503, headers={"Retry-After": at}))
    await get()
    assert 40 <= clock.slept[0] <= 51


async def test_what_may_pass_is_tried_again_ever_later_and_then_given_up(google, clock, get, book):
    google.failures = [Response(status_code=500) for _ in range(ATTEMPTS)]
    with pytest.raises(Unavailable) as caught:
        await get()
    assert caught.value.code == "google_away"
    assert len(google.reads) == ATTEMPTS
    assert [int(seconds) for seconds in clock.slept] == [1, 2, 4, 8]


async def test_a_spent_quota_is_outlasted_without_being_told_for_how_long(google, clock, get, book):
    google.failures = [Response(status_code=429) for _ in range(ATTEMPTS)]
    with pytest.raises(Unavailable) as caught:
        await get()
    assert caught.value.code == "quota"
    assert clock.now >= 60


async def test_a_quota_that_others_spent_is_waited_for(google, clock, get, book):
    google.reads_per_minute = 3
    await get()
    assert len(google.reads) == 4
    assert clock.now <= 90


async def test_a_server_that_is_not_there_is_away(google, clock, connect, tmp_path):
    client = connect(google.key(EMAIL))
    client._base_url = "http://127.0.0.1:9"
    with pytest.raises(Unavailable):
        await fetch(client, SheetOptions(spreadsheet=BOOK), tmp_path / "sheet.csv")
    assert len(clock.slept) == ATTEMPTS - 1


async def test_who_has_no_patience_is_told_at_once(google, clock, get, book):
    google.failures.append(Response(status_code=429, headers={"Retry-After": "121"}))
    with pytest.raises(Unavailable) as caught:
        await get()
    assert caught.value.code == "quota"
    assert clock.slept == []


async def test_a_token_that_is_no_longer_good_is_replaced(google, get, book):
    await get()
    google.tokens.clear()
    await get()
    assert len(google.tokens) == 1


async def test_one_token_serves_many_reads(google, get, book):
    await get()
    await get()
    assert len(google.tokens) == 1


async def test_a_key_that_google_does_not_know_is_refused_in_words(google, connect, book, tmp_path):
    key = google.key(EMAIL)
    google.accounts.clear()
    error = await refusal(
        fetch(connect(key), SheetOptions(spreadsheet=BOOK), tmp_path / "sheet.csv")
    )
    assert error.code == "bad_credentials"
    assert f"key of {EMAIL} (Invalid grant: account not found)" in error.message


async def test_a_sign_in_that_is_away_is_tried_again(google, clock, get, book):
    google.sign_in_failures.append(Response(status_code=503))
    await get()
    assert len(clock.slept) == 1


def test_a_key_may_send_nobody_to_another_place(google, connect):
    key = json.dumps(json.loads(google.key(EMAIL)) | {"token_uri": "http://10.0.0.1/token"})
    with pytest.raises(BadSource, match="token_uri"):
        connect(key)


@pytest.mark.parametrize("key", ["", "[]", '{"type": "authorized_user"}', "{"])
def test_what_is_no_key_of_a_service_account_is_refused(connect, key):
    with pytest.raises(BadSource) as caught:
        connect(key)
    assert caught.value.code == "bad_credentials"


async def test_a_tab_edited_between_two_readings_is_read_again(google, get, book, tab):
    def edit(number: int) -> None:
        if number == 3:
            tab.cells.insert(3, ["New", Shown(99, "099"), 1, date(45360), True, "y"])

    google.before_read = edit
    found = await get()
    first = sample(found.path, found.options, 1).rows[0]
    assert list(first.values()) == ["New", "099", 1.0, "2024-03-09", True, "y"]


async def test_a_tab_that_never_rests_is_left_for_later(google, get, book, tab):
    def edit(number: int) -> None:
        tab.cells.insert(3, [f"New {number}", None, 1])

    google.before_read = edit
    with pytest.raises(Unavailable) as caught:
        await get()
    assert caught.value.code == "sheet_changing"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_tab_is_loaded_into_the_database(
    google, clock, book, tmp_path, pool, job, as_organization
):
    with httpx.Client() as blocking:
        async with httpx.AsyncClient() as http:
            account = ServiceAccount(google.key(EMAIL), blocking, google.token_url)
            client = SheetsClient(http, account, Unbounded(), google.url, patience=0)
            said = SheetOptions(spreadsheet=BOOK, sheet_id=7)
            found = await fetch(client, said, tmp_path / "sheet.csv")
    loaded = await pool.load(job(found.path, **found.options.model_dump()))
    assert loaded.rows == found.rows
    assert loaded.fingerprint == fingerprint(found.sha256, found.options)
    rows = await as_organization.fetch(
        f'SELECT name, code, amount, "when", met FROM {loaded.relation} ORDER BY code'
    )
    assert [tuple(row) for row in rows] == [
        ("Asha", "007", Decimal("1234.5"), day(2024, 3, 4), True),
        ("बो", "012", Decimal(3), day(2024, 3, 5), False),
    ]


async def test_a_tab_renamed_while_it_is_read_is_left_for_later(google, get, book, tab):
    def rename(number: int) -> None:
        tab.title = "Renamed" if number > 1 else tab.title

    google.before_read = rename
    with pytest.raises(Unavailable, match="renamed"):
        await get()
