"""Google Sheets over HTTP, through the real owners: from the address to the source."""

import pytest
from tests.servers.google import GoogleServer
from tests.servers.sheets import Tab, Workbook

from contracts.envelope import new_id

BOOK = "1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms"
ADDRESS = f"https://docs.google.com/spreadsheets/d/{BOOK}/edit#gid=7"


@pytest.fixture
def book(google: GoogleServer) -> Workbook:
    tabs = [Tab(0, "Notes", [], hidden=True), Tab(7, "Donors", [["Name", "Age"], ["Asha", 31]])]
    google.workbooks[BOOK] = book = Workbook("Charity", tabs)
    return book


@pytest.fixture
async def client(member, start_service, google):
    await start_service("transform")
    urls = {"GOOGLE_SHEETS_URL": google.url, "GOOGLE_TOKEN_URL": google.token_url}
    await start_service("ingest", WARM_WORKERS="0", **urls)
    return member.client


async def test_a_sheet_is_shared_looked_at_and_kept(client, google, book):
    email = f"{new_id().hex}@project.iam.gserviceaccount.com"
    said = {"spreadsheet": ADDRESS, "credentials": google.key(email)}
    answer = await client.post("/sources/google-sheets/sheets", json=said)
    assert (answer.status_code, answer.json()["code"]) == (422, "not_shared")
    assert email in answer.json()["detail"]
    book.shared_with.add(email)
    answer = await client.post("/sources/google-sheets/sheets", json=said)
    size = {"rows": 1000, "columns": 26}
    assert answer.json() == [
        {"sheet_id": 0, "title": "Notes", "hidden": True, "chosen": False} | size,
        {"sheet_id": 7, "title": "Donors", "hidden": False, "chosen": True} | size,
    ]
    body = {"type": "google_sheets", "config": said}
    preview = await client.post("/sources/preview", json=body)
    assert preview.json()["rows"] == [{"Name": "Asha", "Age": 31}]
    made = await client.post("/sources", json=body | {"name": "donors"})
    assert made.status_code == 201, made.text
    source = made.json()
    assert [column["name"] for column in source["columns"]] == ["Name", "Age"]
    assert (source["config"]["sheet_id"], source["config"]["sheet_name"]) == (7, "Donors")
    assert set(source["config"]["credentials"]) == {"*"}
    again = {"spreadsheet": BOOK, "source_id": source["id"]}
    answer = await client.post("/sources/google-sheets/sheets", json=again)
    assert len(answer.json()) == 2


async def test_what_is_not_known_of_a_spreadsheet_is_refused_without_its_key(client, google):
    said = {"spreadsheet": BOOK, "credentials": {"type": "service_account"}, "tab": 1}
    answer = await client.post("/sources/google-sheets/sheets", json=said)
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {"credentials", "tab"}
    assert "service_account" not in answer.text
