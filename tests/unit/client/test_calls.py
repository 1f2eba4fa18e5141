"""Calls over a real socket: lists, files, errors, and another attempt when one is lost."""

import json
from uuid import UUID

import httpx
import pytest

from contracts.envelope import new_id
from dalgo import AsyncDalgo, Dalgo, DalgoError, Unreachable

SOURCE_ID, RUN_ID = new_id(), new_id()

SOURCE = {
    "id": str(SOURCE_ID),
    "name": "donations",
    "source_type": "csv",
    "config": {"upload_id": str(new_id())},
    "status": "ready",
    "warehouse_table_name": f"source_{SOURCE_ID.hex}",
    "column_count": 2,
    "row_count": None,
    "last_synced_at": None,
    "created_at": "2026-01-01T00:00:00Z",
    "columns": [{"name": "Amount", "physical": "amount", "type": "decimal"}],
    "something_new": "that this version does not know",
}
RUN = {
    "id": str(RUN_ID),
    "kind": "sync",
    "pipeline_id": None,
    "status": "queued",
    "trigger": {"type": "manual", "actor": "me"},
    "created_at": "2026-01-01T00:00:00Z",
    "version": 1,
}


def named(name):
    return {**SOURCE, "name": name}


def test_a_source_is_read_as_a_model_and_carries_the_key(gateway, answer):
    gateway.on(f"GET /sources/{SOURCE_ID}", answer(json=SOURCE))
    with Dalgo(gateway.url, "dlg_1_secret") as dalgo:
        source = dalgo.sources.get(SOURCE_ID)
    assert (source.id, source.columns[0].type) == (SOURCE_ID, "decimal")
    assert gateway.seen[0].headers["authorization"] == "Bearer dlg_1_secret"


async def test_the_asynchronous_client_knows_the_same_calls(gateway, answer):
    gateway.on(f"GET /sources/{SOURCE_ID}", answer(json=SOURCE))
    gateway.on("GET /sources", answer(json=[named("a"), named("b")]))
    async with AsyncDalgo(gateway.url, token="t") as dalgo:
        assert (await dalgo.sources.get(SOURCE_ID)).name == "donations"
        assert [source.name async for source in dalgo.sources.list()] == ["a", "b"]


def test_a_list_follows_its_pages(gateway, answer):
    link = {"Link": '</api/v1/sources?cursor=second&limit=2>; rel="next"'}
    gateway.on(
        "GET /sources",
        answer(json=[named("a"), named("b")], headers=link),
        answer(json=[named("c")]),
    )
    with Dalgo(gateway.url, "key") as dalgo:
        assert [source.name for source in dalgo.sources.list(limit=2)] == ["a", "b", "c"]
    assert [seen.query for seen in gateway.seen] == [
        {"limit": "2"},
        {"cursor": "second", "limit": "2"},
    ]


def test_a_next_page_at_another_host_never_gets_the_key(gateway, answer):
    link = {"Link": '<http://elsewhere.invalid/api/v1/sources?cursor=x>; rel="next"'}
    gateway.on("GET /sources", answer(json=[named("a")], headers=link), answer(json=[]))
    with Dalgo(gateway.url, "key") as dalgo:
        assert len(list(dalgo.sources.list())) == 1
    assert len(gateway.requests("GET /sources")) == 2


def test_pages_are_fetched_only_as_far_as_they_are_read(gateway, answer):
    link = {"Link": '</api/v1/sources?cursor=x>; rel="next"'}
    gateway.on("GET /sources", answer(json=[named("a")], headers=link))
    with Dalgo(gateway.url, "key") as dalgo:
        assert next(dalgo.sources.list()).name == "a"
    assert len(gateway.seen) == 1


def test_a_file_is_streamed_with_its_progress(gateway, answer, tmp_path):
    upload = {"upload_id": str(new_id()), "filename": "a.csv", "size_bytes": 0, "sha256": ""}
    gateway.on("POST /uploads", answer(201, upload))
    file = tmp_path / "a.csv"
    file.write_bytes(b"a,b\n" + b"1,2\n" * 100_000)
    told = []
    with Dalgo(gateway.url, "key") as dalgo:
        dalgo.uploads.create(file, lambda sent, size: told.append((sent, size)))
    assert file.read_bytes() in gateway.seen[0].body
    assert b'filename="a.csv"' in gateway.seen[0].body
    assert told[-1] == (400_004, 400_004)
    assert len(told) > 3
    assert [sent for sent, _ in told] == sorted(sent for sent, _ in told)


async def test_the_asynchronous_client_streams_files_too(gateway, answer, tmp_path):
    upload = {"upload_id": str(new_id()), "filename": "a.csv", "size_bytes": 0, "sha256": ""}
    gateway.on("POST /uploads", answer(hang_up=True), answer(201, upload))
    file = tmp_path / "a.csv"
    file.write_bytes(b"a,b\n1,2\n")
    async with AsyncDalgo(gateway.url, "key") as dalgo:
        await dalgo.uploads.create(file)
    assert b"a,b\n1,2\n" in gateway.seen[-1].body


def test_a_refusal_is_raised_with_its_problem(gateway, refusal):
    errors = [{"field": "name", "code": "name_taken", "message": "Taken.", "alternatives": ["b"]}]
    gateway.on("POST /sources", refusal(409, "name_taken", "'a' is taken.", errors=errors))
    with Dalgo(gateway.url, "key") as dalgo, pytest.raises(DalgoError, match="'a' is taken") as got:
        dalgo.sources.create("a", {"upload_id": new_id()})
    assert (got.value.status, got.value.code) == (409, "name_taken")
    assert got.value.problem.errors[0].alternatives == ("b",)


def test_an_error_page_of_a_proxy_is_an_error_in_words(gateway, answer):
    gateway.on("GET /auth/me", answer(500, body=b"<html>oops</html>"))
    with Dalgo(gateway.url, "key") as dalgo, pytest.raises(DalgoError, match="500 Internal"):
        dalgo.me()


def test_an_answer_of_another_version_is_an_error_in_words(gateway, answer):
    gateway.on("GET /auth/me", answer(json={"user": {}}))
    with Dalgo(gateway.url, "key") as dalgo, pytest.raises(DalgoError, match="version"):
        dalgo.me()


def test_a_creation_whose_answer_was_lost_is_sent_again_under_the_same_key(gateway, answer):
    gateway.on("POST /sources", answer(hang_up=True), answer(502), answer(201, SOURCE))
    with Dalgo(gateway.url, "key") as dalgo:
        dalgo.sources.create("donations", {"upload_id": new_id()})
    keys = {seen.headers["idempotency-key"] for seen in gateway.seen}
    assert (len(gateway.seen), len(keys)) == (3, 1)


def test_two_creations_have_keys_of_their_own(gateway, answer):
    gateway.on("POST /sources", answer(201, SOURCE))
    with Dalgo(gateway.url, "key") as dalgo:
        for _ in range(2):
            dalgo.sources.create("donations", {"upload_id": new_id()})
    assert len({seen.headers["idempotency-key"] for seen in gateway.seen}) == 2


def test_a_service_that_is_away_is_waited_for(gateway, answer, refusal):
    away = refusal(503, "unavailable", "auth does not answer.")
    gateway.on("GET /sources", away, away, answer(json=[]))
    with Dalgo(gateway.url, "key") as dalgo:
        assert list(dalgo.sources.list()) == []


def test_patience_has_an_end(gateway, refusal):
    gateway.on("GET /sources", refusal(503, "unavailable", "auth does not answer."))
    refused = pytest.raises(DalgoError, match="auth does not answer")
    with Dalgo(gateway.url, "key", patience=0.3) as dalgo, refused:
        list(dalgo.sources.list())
    assert 2 <= len(gateway.seen) <= 4


def test_a_wait_that_the_server_asks_for_beyond_all_patience_is_not_begun(gateway, answer):
    busy = answer(
        429,
        {"title": "x", "status": 429, "code": "busy", "detail": "Slow down."},
        {"Retry-After": "60"},
    )
    gateway.on("GET /sources", busy)
    with Dalgo(gateway.url, "key") as dalgo, pytest.raises(DalgoError, match="Slow down"):
        list(dalgo.sources.list())
    assert len(gateway.seen) == 1


def test_a_conditional_change_is_not_repeated_blindly(gateway, answer):
    identity = UUID(int=1)
    gateway.on(f"PUT /transformations/{identity}", answer(hang_up=True))
    with Dalgo(gateway.url, "key") as dalgo, pytest.raises(Unreachable):
        dalgo.transformations.update(identity, name="new", if_version=3)
    assert len(gateway.seen) == 1
    assert gateway.seen[0].headers["if-match"] == '"3"'
    assert gateway.seen[0].json == {"name": "new"}


def test_nobody_at_the_address_is_an_error_that_says_what_to_do():
    refused = pytest.raises(Unreachable, match=r"127\.0\.0\.1:1 does not answer.*dalgo up")
    with Dalgo("http://127.0.0.1:1", "key", patience=0) as dalgo, refused:
        dalgo.me()


def test_starting_a_sync_gives_the_run(gateway, answer):
    gateway.on(f"POST /sources/{SOURCE_ID}/sync", answer(202, RUN))
    with Dalgo(gateway.url, "key") as dalgo:
        assert dalgo.sources.sync(SOURCE_ID).id == RUN_ID


def test_a_preview_leaves_out_what_was_not_asked_for(gateway, answer):
    page = {
        "columns": ["a"],
        "types": {"a": "text"},
        "rows": [{"a": "x"}],
        "total_count": 1,
        "elapsed_ms": 1,
    }
    gateway.on("POST /transformations/preview", answer(json=page))
    with Dalgo(gateway.url, "key") as dalgo:
        found = dalgo.transformations.preview({"steps": []}, limit=5)
    assert found.rows == ({"a": "x"},)
    assert gateway.seen[0].json == {
        "recipe": {"steps": []},
        "limit": 5,
        "offset": 0,
        "count": "exact",
    }


def test_a_filter_goes_as_json_in_the_query_and_in_the_body(gateway, answer):
    page = {"columns": [], "types": {}, "rows": [], "total_count": 0, "elapsed_ms": 1}
    old = {"column": "age", "operator": "greater_than", "value": 17}
    gateway.on("GET /warehouse/tables/people/preview", answer(json=page))
    gateway.on("POST /transformations/preview", answer(json=page))
    with Dalgo(gateway.url, "key") as dalgo:
        dalgo.tables.preview("people", filter=old)
        dalgo.transformations.preview({"steps": []}, filter=old)
    assert json.loads(gateway.seen[0].query["filter"]) == old
    assert gateway.seen[1].json["filter"] == old


def test_a_profile_is_read_as_a_model(gateway, answer):
    column = {"name": "age", "type": "integer", "nulls": 1, "distinct": 2, "min": 3, "max": 7}
    column |= {"mean": 5, "top": [{"value": 3, "count": 4}]}
    column |= {"histogram": [{"from": 3, "to": 7, "count": 5}]}
    found = {"columns": [column], "sampled": False, "rows_read": 6, "total_rows": 6}
    gateway.on("GET /warehouse/tables/people/profile", answer(json=found | {"elapsed_ms": 1}))
    gateway.on("POST /transformations/profile", answer(json=found | {"elapsed_ms": 1}))
    with Dalgo(gateway.url, "key") as dalgo:
        profile = dalgo.tables.profile("people")
        assert dalgo.transformations.profile({"steps": []}, until_step=1) == profile
    (bucket,) = profile.columns[0].histogram
    assert (bucket.from_, bucket.to, bucket.count) == (3, 7, 5)
    assert gateway.seen[1].json == {"recipe": {"steps": []}, "until_step": 1}


def test_a_table_is_found_by_a_name_with_a_slash_in_it():
    asked = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path.decode())
        page = {"columns": [], "types": {}, "rows": [], "total_count": 0, "elapsed_ms": 1}
        return httpx.Response(200, content=json.dumps(page))

    with Dalgo("http://x", "key", transport=httpx.MockTransport(handle)) as dalgo:
        dalgo.tables.preview("a/b ç", sort=("-x", "y"))
    assert asked == [
        "/api/v1/warehouse/tables/a%2Fb%20%C3%A7/preview?limit=100&offset=0&count=exact&sort=-x&sort=y"
    ]


def test_a_method_keeps_the_words_of_what_it_describes():
    assert "first sync" in (Dalgo("http://x").sources.create.__doc__ or "")
