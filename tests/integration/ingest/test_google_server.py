"""Google's own client against the tests' server: it is no friendlier to us than to others."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import google_auth_httplib2
import httplib2
import pytest
from google.auth.exceptions import RefreshError
from google.oauth2 import service_account
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from tests.servers.sheets import Shown, Tab, Workbook

EMAIL = "sync@project.iam.gserviceaccount.com"
SCOPE = "https://www.googleapis.com/auth/spreadsheets.readonly"
BOOK = "1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms"


@pytest.fixture
def book(google) -> Workbook:
    tab = Tab(
        7,
        "Girls' data",
        [
            ["name", "code", "when", "met"],
            ["Asha", Shown(7, "007"), Shown(45355, "04/03/2024", is_date=True), True],
            [],
            ["Bo", None, None, None],
        ],
        merges=((0, 1, 2, 4),),
    )
    book = Workbook("Donors", [tab, Tab(8, "Empty", [[None], []], hidden=True)], {EMAIL})
    google.workbooks[BOOK] = book
    return book


@pytest.fixture
def sheets(google) -> Callable[..., Any]:
    """Opens `spreadsheets()` of the client with its static discovery document."""

    @contextmanager
    def opened(key: str, scopes: tuple[str, ...] = (SCOPE,)) -> Iterator[Any]:
        credentials = service_account.Credentials.from_service_account_info(
            json.loads(key), scopes=scopes
        )
        http = google_auth_httplib2.AuthorizedHttp(credentials, http=httplib2.Http())
        with (
            closing(http),
            build(
                "sheets",
                "v4",
                http=http,
                static_discovery=True,
                client_options={"api_endpoint": google.url},
            ) as service,
        ):
            yield service.spreadsheets()

    return opened


def refused(call: Any) -> HttpError:
    with pytest.raises(HttpError) as caught:
        call.execute(num_retries=0)
    return caught.value


def test_the_official_client_signs_in_and_lists_the_tabs(google, sheets, book):
    with sheets(google.key()) as client:
        found = client.get(spreadsheetId=BOOK).execute()
    assert found["properties"]["timeZone"] == "Asia/Kolkata"
    assert [sheet["properties"]["title"] for sheet in found["sheets"]] == ["Girls' data", "Empty"]
    assert found["sheets"][0]["merges"] == [
        {
            "sheetId": 7,
            "startRowIndex": 0,
            "endRowIndex": 1,
            "startColumnIndex": 2,
            "endColumnIndex": 4,
        }
    ]


def test_every_field_of_its_answers_stands_in_the_discovery_document(google, sheets, book):
    with sheets(google.key()) as client:
        schemas = client._schema.schemas
        answers = {
            "Spreadsheet": client.get(spreadsheetId=BOOK).execute(),
            "BatchGetValuesResponse": client.values()
            .batchGet(spreadsheetId=BOOK, ranges="'Girls'' data'")
            .execute(),
            "ValueRange": client.values().get(spreadsheetId=BOOK, range="'Girls'' data'").execute(),
        }
    for name, answer in answers.items():
        check(schemas, schemas[name], answer)


KINDS = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list}


def check(schemas: dict[str, Any], schema: dict[str, Any], answer: Any) -> None:
    """Fails for a field, a type or a word that the document does not know."""
    schema = schemas[schema["$ref"]] if "$ref" in schema else schema
    kind = schema["type"]
    assert kind == "any" or isinstance(answer, KINDS[kind])
    if "enum" in schema:
        assert answer in schema["enum"]
    if kind == "array":
        for item in answer:
            check(schemas, schema["items"], item)
    if kind == "object":
        for name, value in answer.items():
            check(schemas, schema["properties"][name], value)


def test_fields_select_a_part_of_the_answer(google, sheets, book):
    fields = "properties.title,sheets(properties(sheetId,title),merges/endRowIndex)"
    with sheets(google.key()) as client:
        found = client.get(spreadsheetId=BOOK, fields=fields).execute()
    assert found == {
        "properties": {"title": "Donors"},
        "sheets": [
            {"properties": {"sheetId": 7, "title": "Girls' data"}, "merges": [{"endRowIndex": 1}]},
            {"properties": {"sheetId": 8, "title": "Empty"}},
        ],
    }


@pytest.mark.parametrize(
    ("options", "row"),
    [
        ({}, ["Asha", "007", "04/03/2024", "TRUE"]),
        ({"valueRenderOption": "UNFORMATTED_VALUE"}, ["Asha", 7, 45355, True]),
        (
            {
                "valueRenderOption": "UNFORMATTED_VALUE",
                "dateTimeRenderOption": "FORMATTED_STRING",
            },
            ["Asha", 7, "04/03/2024", True],
        ),
    ],
)
def test_values_are_rendered_as_asked_and_blank_ends_left_out(google, sheets, book, options, row):
    with sheets(google.key()) as client:
        found = (
            client.values()
            .batchGet(spreadsheetId=BOOK, ranges=["'Girls'' data'", "Empty"], **options)
            .execute()
        )
    first, second = found["valueRanges"]
    assert first["range"] == "'Girls'' data'!A1:Z1000"
    assert first["values"] == [["name", "code", "when", "met"], row, [], ["Bo"]]
    assert second == {"range": "Empty!A1:Z1000", "majorDimension": "ROWS"}


def test_a_part_of_a_tab_can_be_read_by_columns(google, sheets, book):
    with sheets(google.key()) as client:
        found = (
            client.values()
            .get(spreadsheetId=BOOK, range="'Girls'' data'!A1:B4", majorDimension="COLUMNS")
            .execute()
        )
    assert found["values"] == [["name", "Asha", "", "Bo"], ["code", "007"]]


def test_errors_come_as_the_official_client_expects_them(google, sheets, book):
    with sheets(google.key()) as client:
        unknown = refused(client.get(spreadsheetId="nothing"))
        assert (unknown.status_code, unknown.reason) == (404, "Requested entity was not found.")
        range_ = refused(client.values().get(spreadsheetId=BOOK, range="Nowhere!A1"))
        assert (range_.status_code, range_.reason) == (
            400,
            "Unable to parse range: Nowhere!A1",
        )
        outside = refused(client.values().get(spreadsheetId=BOOK, range="Empty!A1001"))
        assert "exceeds grid limits. Max rows: 1000" in outside.reason
    with sheets(google.key("stranger@project.iam.gserviceaccount.com")) as client:
        unshared = refused(client.get(spreadsheetId=BOOK))
        assert (unshared.status_code, unshared.reason) == (
            403,
            "The caller does not have permission",
        )


def test_the_quota_is_kept_for_each_account(google, sheets, book):
    google.reads_per_minute = 2
    with sheets(google.key()) as client:
        client.get(spreadsheetId=BOOK).execute()
        client.get(spreadsheetId=BOOK).execute()
        over = refused(client.get(spreadsheetId=BOOK))
    assert over.status_code == 429
    assert "RATE_LIMIT_EXCEEDED" in str(over.error_details)
    with sheets(google.key("other@project.iam.gserviceaccount.com")) as client:
        assert refused(client.get(spreadsheetId=BOOK)).status_code == 403


def test_a_signature_by_another_key_is_no_sign_in(google, sheets, book):
    key, other = json.loads(google.key()), json.loads(google.key())
    forged = json.dumps(key | {"private_key": other["private_key"]})
    with sheets(forged) as client, pytest.raises(RefreshError, match="Invalid JWT Signature"):
        client.get(spreadsheetId=BOOK).execute()


def test_another_scope_is_no_sign_in(google, sheets, book):
    scopes = ("https://www.googleapis.com/auth/gmail.send",)
    opened = sheets(google.key(), scopes=scopes)
    with opened as client, pytest.raises(RefreshError, match="invalid_scope"):
        client.get(spreadsheetId=BOOK).execute()


def test_without_a_token_nothing_is_answered(google, book):
    with closing(httplib2.Http()) as http:
        status, body = http.request(f"{google.url}/v4/spreadsheets/{BOOK}")
    assert status.status == 401
    assert json.loads(body)["error"]["status"] == "UNAUTHENTICATED"
