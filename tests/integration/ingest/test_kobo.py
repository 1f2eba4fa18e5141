"""Reading a form from a KoboToolbox server: pages, refusals, faults, and what another client sees."""

import email.utils
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pykobo
import pytest
from pydantic import SecretStr

from chassis import egress
from ingest.connectors import BadSource, Unavailable
from ingest.connectors.kobo import changes
from ingest.connectors.kobo.address import server_of
from ingest.connectors.kobo.client import KoboClient
from ingest.connectors.kobo.http import Patience
from ingest.connectors.kobo.reading import Reading, read, sample
from ingest.connectors.kobo.shape import KoboOptions

from ...servers import kobo
from ...servers.households import ANSWERS, CONTENT
from ...servers.kobo import Asset, KoboServer

QUICK = Patience(backoff=0.001)


@pytest.fixture
def server() -> Iterator[KoboServer]:
    with kobo.running() as server:
        yield server


@pytest.fixture
def form(server: KoboServer) -> Asset:
    return server.add_form("Households", CONTENT)


@pytest.fixture
def client(server: KoboServer) -> Iterator[KoboClient]:
    with calling(server) as client:
        yield client


def calling(server: KoboServer, token: str = kobo.TOKEN) -> KoboClient:
    return KoboClient(server.url, SecretStr(token), allowed=[server.url], patience=QUICK)


def reading(client: KoboClient, form: Asset, folder: Path, **more) -> Reading:
    options = more.pop("options", KoboOptions(form_id=form.uid))
    folder.mkdir(exist_ok=True)
    return read(client, options, folder, **more)


def refused(error: type[BadSource] | type[Unavailable], code: str, call) -> str:
    with pytest.raises(error) as raised:
        call()
    assert raised.value.code == code
    return raised.value.message


def test_deployed_forms_are_listed_with_their_submissions(
    server: KoboServer, client: KoboClient
) -> None:
    forms = [server.add_form(f"Form {number}", CONTENT) for number in range(230)]
    server.add_form("Draft", CONTENT, deployed=False)
    server.add_form("Block", CONTENT, asset_type="block")
    server.add_form("Somebody's", CONTENT, shared=False)
    server.submit(forms[7], village="Rampur")
    found = list(client.forms())
    assert [one.name for one in found] == [one.name for one in forms]
    assert [(one.form_id, one.submissions) for one in found[7:9]] == [
        (forms[7].uid, 1),
        (forms[8].uid, 0),
    ]
    assert len(server.calls) == 3


def test_all_submissions_come_by_rising_id_in_pages_of_a_thousand(
    server: KoboServer, form: Asset, client: KoboClient
) -> None:
    numbers = [server.submit(form, village=f"V{number}") for number in range(2345)]
    pages = list(client.submissions(form.uid))
    assert [len(page) for page in pages] == [1000, 1000, 345]
    assert [one["_id"] for page in pages for one in page] == numbers
    assert len(server.calls) == 3
    later = list(client.submissions(form.uid, after=numbers[2000]))
    assert [one["_id"] for page in later for one in page] == numbers[2001:]


def test_a_form_of_exactly_one_page_needs_one_call(
    server: KoboServer, form: Asset, client: KoboClient
) -> None:
    for _ in range(1000):
        server.submit(form, village="V")
    assert [len(page) for page in client.submissions(form.uid)] == [1000]
    assert len(server.calls) == 1
    assert list(client.submissions(form.uid, after=10**9)) == []


def test_submissions_that_come_and_go_while_pages_are_read_shift_nothing(
    server: KoboServer, form: Asset, client: KoboClient
) -> None:
    numbers = [server.submit(form, village="V") for _ in range(1500)]
    pages = client.submissions(form.uid)
    first = next(pages)
    for number in numbers[:100]:
        server.delete(form, number)
    late = server.submit(form, village="late")
    rest = [one["_id"] for page in pages for one in page]
    assert [one["_id"] for one in first] + rest == [*numbers, late]


def test_submissions_that_are_counted_and_not_given_fail_the_reading(
    server: KoboServer, form: Asset, client: KoboClient
) -> None:
    numbers = [server.submit(form, village="V") for _ in range(5)]
    server.hidden = {numbers[4]}
    message = refused(Unavailable, "incomplete", lambda: list(client.submissions(form.uid)))
    assert "1 submissions more" in message


def test_a_token_that_is_not_accepted_is_told_and_not_tried_again(server: KoboServer) -> None:
    with calling(server, "0" * 40) as client:
        message = refused(BadSource, "token_refused", lambda: list(client.forms()))
    assert message.startswith("The API token is not accepted by 127.0.0.1:")
    assert "0000" not in message
    assert len(server.calls) == 1


@pytest.mark.parametrize("token", ["", "with space", "line\r\nX-Evil: 1", "é"])
def test_what_cannot_be_a_token_is_told_without_a_call(server: KoboServer, token: str) -> None:
    refused(BadSource, "token_refused", lambda: calling(server, token))
    assert server.calls == []


def test_a_form_that_is_not_there_or_not_shared_is_told(
    server: KoboServer, client: KoboClient
) -> None:
    other = server.add_form("Somebody's", CONTENT, shared=False)
    for uid in (other.uid, "aNobodysForm"):
        for call in (client.definition, lambda uid: list(client.submissions(uid))):
            message = refused(BadSource, "form_not_found", lambda c=call, u=uid: c(u))
            assert uid in message
            assert "share" in message
    assert len(server.calls) == 4


@pytest.mark.parametrize("uid", ["", "../../token", "a/b", "a?b", "a b", "a" * 65])
def test_what_cannot_be_a_forms_id_is_told_without_a_call(
    server: KoboServer, client: KoboClient, uid: str
) -> None:
    refused(BadSource, "bad_form_id", lambda: client.definition(uid))
    assert server.calls == []


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(
    server: KoboServer, form: Asset, client: KoboClient, status: int
) -> None:
    server.submit(form, village="V")
    server.fail(status, times=4)
    assert [len(page) for page in client.submissions(form.uid)] == [1]
    assert len(server.calls) == 5


def test_what_does_not_pass_is_left_to_a_later_sync(
    server: KoboServer, form: Asset, client: KoboClient
) -> None:
    server.fail(503, times=QUICK.tries)
    refused(Unavailable, "kobo_away", lambda: client.definition(form.uid))
    assert len(server.calls) == QUICK.tries
    assert not server.faults


@pytest.mark.parametrize(
    ("status", "code"), [(400, "kobo_refused"), (403, "not_allowed"), (204, "not_kobo")]
)
def test_a_refusal_is_final(
    server: KoboServer, form: Asset, client: KoboClient, status: int, code: str
) -> None:
    server.fail(status)
    refused(BadSource, code, lambda: client.definition(form.uid))
    assert len(server.calls) == 1


def test_the_server_says_how_long_to_wait(
    server: KoboServer, form: Asset, client: KoboClient
) -> None:
    server.fail(429, Retry_After="1")
    began = time.monotonic()
    client.definition(form.uid)
    assert time.monotonic() - began >= 1
    server.fail(429, Retry_After=email.utils.formatdate(time.time() + 900, usegmt=True))
    refused(Unavailable, "kobo_away", lambda: client.definition(form.uid))
    assert len(server.calls) == 3


def test_a_server_that_is_not_there_is_tried_and_told(server: KoboServer) -> None:
    with KoboClient(
        "http://127.0.0.1:1", SecretStr("abc"), allowed=["http://127.0.0.1:1"], patience=QUICK
    ) as client:
        message = refused(Unavailable, "kobo_away", lambda: list(client.forms()))
    assert message.startswith("127.0.0.1:1 cannot be reached")


@pytest.mark.parametrize("body", ["<html>", "[1]", '{"detail": "hello"}', '{"results": 3}'])
def test_an_answer_of_something_else_is_told(
    server: KoboServer, client: KoboClient, body: str
) -> None:
    server.faults.append(kobo.Fault(200, body=body))
    assert "https://kf.kobotoolbox.org" in refused(
        BadSource, "not_kobo", lambda: list(client.forms())
    )


def test_the_servers_address_follows_the_rule_of_public_addresses(server: KoboServer) -> None:
    with KoboClient(server.url, SecretStr("abc")) as client:
        assert "https://" in refused(BadSource, "address_refused", lambda: list(client.forms()))
    with KoboClient("https://localhost", SecretStr("abc")) as client:
        refused(BadSource, "address_refused", lambda: list(client.forms()))
    assert server.calls == []


def test_a_redirect_does_not_lead_inside(server: KoboServer, client: KoboClient) -> None:
    server.fail(302, Location="https://169.254.169.254/latest/meta-data")
    message = refused(BadSource, "address_refused", lambda: list(client.forms()))
    assert "private network" in message
    assert egress.MAX_REDIRECTS == 5


@pytest.mark.parametrize(
    ("given", "server"),
    [
        ("https://kf.kobotoolbox.org", "https://kf.kobotoolbox.org"),
        (" https://kf.kobotoolbox.org/#/forms/aXY/summary ", "https://kf.kobotoolbox.org"),
        ("eu.kobotoolbox.org", "https://eu.kobotoolbox.org"),
        ("https://kobo.example.org:8443/api/v2/", "https://kobo.example.org:8443"),
    ],
)
def test_an_address_is_taken_as_people_paste_it(given: str, server: str) -> None:
    assert server_of(given) == server


@pytest.mark.parametrize(
    "given", ["", "ftp://kf.kobotoolbox.org", "https://", "https://me:secret@host", "https://h:x"]
)
def test_what_is_no_address_is_told(given: str) -> None:
    assert "secret" not in refused(BadSource, "bad_address", lambda: server_of(given))


def test_a_form_becomes_tables_whose_cells_are_the_answers(
    server: KoboServer, form: Asset, client: KoboClient, tmp_path: Path
) -> None:
    number = server.submit_all(form, ANSWERS)
    empty = server.submit(form, village="V")
    whole = reading(client, form, tmp_path)
    assert [one.form.display_name(whole.name) for one in whole.tables] == [
        "Households",
        "Households / members",
        "Households / members / visits",
    ]
    submissions, members, visits = (sample(one, 10) for one in whole.tables)
    assert [row["_id"] for row in submissions] == [number, empty]
    first, second = submissions
    assert first["start"] == "2026-01-05T04:30:00.123000"
    assert first["head/name"] == ANSWERS["head/name"]
    assert (first["head/age"], first["income"], first["score"]) == (41, 1200.5, "007")
    assert (first["head/sex"], first["water"], first["visited"]) == ("f", "tap well", "2026-01-05")
    assert first["_submission_time"] == "2026-01-01T08:01:00"
    assert (first["_tags"], first["_validation_status"]) == ([], None)
    assert {key for key, cell in second.items() if cell is not None} == {
        *("_id", "village", "_uuid", "_submission_time", "_submitted_by", "_status"),
        *("__version__", "_tags", "_notes", "_attachments"),
    }
    assert [tuple(row.values()) for row in members] == [
        (f"{number}-1", number, 1, "Gita", 12),
        (f"{number}-2", number, 2, "Ravi", None),
    ]
    assert [tuple(row.values()) for row in visits] == [
        (f"{number}-1-1", f"{number}-1", 1, "2025-11-01"),
        (f"{number}-1-2", f"{number}-1", 2, "2025-12-01"),
    ]


def test_the_fingerprint_tells_whether_anything_changed(
    server: KoboServer, form: Asset, client: KoboClient, tmp_path: Path
) -> None:
    numbers = [server.submit_all(form, ANSWERS) for _ in range(3)]
    seen = [reading(client, form, tmp_path / "a")]
    assert reading(client, form, tmp_path / "b").fingerprint == seen[0].fingerprint
    server.edit(form, numbers[1], village="moved")
    seen.append(reading(client, form, tmp_path / "c"))
    server.delete(form, numbers[0])
    seen.append(reading(client, form, tmp_path / "d"))
    asked = KoboOptions(form_id=form.uid, values="labels")
    seen.append(reading(client, form, tmp_path / "e", options=asked))
    form.content = CONTENT | {"survey": CONTENT["survey"][:-3]}
    seen.append(reading(client, form, tmp_path / "f"))
    assert len({one.fingerprint for one in seen}) == len(seen)


def test_reconciling_finds_edits_and_deletions_that_no_time_tells(
    server: KoboServer, form: Asset, client: KoboClient, tmp_path: Path
) -> None:
    numbers = [server.submit_all(form, ANSWERS) for _ in range(4)]
    old = reading(client, form, tmp_path / "old")
    times = {one: row["_submission_time"] for one, row in form.submissions.items()}
    server.edit(form, numbers[0], village="moved")
    server.edit(form, numbers[1], members=[{"members/name": "Gita"}])
    server.delete(form, numbers[2])
    added = server.submit(form, village="new")
    assert {one: form.submissions[one]["_submission_time"] for one in numbers[:2]} == {
        one: times[one] for one in numbers[:2]
    }
    new = reading(client, form, tmp_path / "new")
    found = list(changes.difference(changes.stamps(old.stamps), changes.stamps(new.stamps)))
    assert found == [
        ("update", numbers[0]),
        ("update", numbers[1]),
        ("delete", numbers[2]),
        ("insert", added),
    ]
    assert changes.counts(found, new.submissions) == changes.Counts(1, 2, 1, 1)


def test_appending_takes_new_submissions_only(
    server: KoboServer, form: Asset, client: KoboClient, tmp_path: Path
) -> None:
    numbers = [server.submit_all(form, ANSWERS) for _ in range(3)]
    server.edit(form, numbers[0], village="moved")
    later = reading(client, form, tmp_path, after=numbers[1])
    assert [row["_id"] for row in sample(later.tables[0], 9)] == [numbers[2]]
    assert {row["_parent_id"] for row in sample(later.tables[1], 9)} == {numbers[2]}


def test_a_sample_reads_one_page(
    server: KoboServer, form: Asset, client: KoboClient, tmp_path: Path
) -> None:
    for _ in range(1200):
        server.submit(form, village="V")
    first = reading(client, form, tmp_path, limit=50)
    assert (first.submissions, first.tables[0].rows) == (50, 50)
    assert len(server.calls) == 2


@pytest.mark.filterwarnings("ignore")  # Its use of pandas is its own.
def test_another_client_reads_the_same_from_the_server(
    server: KoboServer, form: Asset, client: KoboClient, tmp_path: Path
) -> None:
    answers = ANSWERS | {"members": [{"members/name": "Gita", "members/age": 12}]}
    for _ in range(3):
        server.submit_all(form, answers)
    manager = pykobo.Manager(url=server.url, api_version=2, token=kobo.TOKEN)
    theirs = manager.get_form(form.uid)
    assert theirs is not None
    assert (theirs.metadata["name"], theirs.metadata["num_submissions"]) == ("Households", 3)
    assert {one.uid for one in manager.get_forms()} == {one.form_id for one in client.forms()}
    assert pykobo.Manager(url=server.url, api_version=2, token="wrong").get_forms() == []
    theirs.fetch_data()
    theirs.display(choices_as="label")
    asked = KoboOptions(form_id=form.uid, values="labels")
    submissions, members, _ = reading(client, form, tmp_path, options=asked).tables
    frame: Any = theirs.data
    for row, other in zip(sample(submissions, 9), frame.to_dict("records"), strict=True):
        assert str(row["Age"]) == other["age"] == "41"
        assert row["Sex"] == other["sex"] == "Female"
        assert row["Where is it?"] == " ".join(
            other[f"_place_{one}"] for one in ("latitude", "longitude", "altitude", "precision")
        )
        for mine, its in {"_id": "_id", "Village": "village", "_uuid": "_uuid"}.items():
            assert row[mine] == other[its]
    found = theirs.repeats["members"].to_dict("records")
    assert [(one["Name"], str(one["Age"])) for one in sample(members, 9)] == [
        (one["name"], one["age"]) for one in found
    ]
