"""Resources over HTTP: composed from their owners' answers, refused in their owners' words."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlparse
from uuid import UUID

import pytest

from chassis.telemetry import trace_id
from contracts.envelope import new_id
from contracts.ingest import (
    AddUpload,
    CreateSource,
    DeleteSource,
    Form,
    Forms,
    GetSource,
    ListForms,
    ListRejects,
    ListSources,
    PlannedSource,
    PlanSources,
    PreviewedTable,
    PreviewSource,
    RegisterUpload,
    Reject,
    Source,
    SourceList,
    SourcePreview,
    SourcesPlan,
    StoredRejects,
    UpdateSource,
    Upload,
)
from contracts.message import Done
from contracts.problem import not_found, problem
from contracts.tables import Column
from contracts.transform import (
    CreateTransformation,
    GetTable,
    ListTables,
    PlanTransformations,
    PreviewPage,
    PreviewTable,
    SortItem,
    TransformationsPlan,
    UpdateTransformation,
    WarehouseTable,
    WarehouseTables,
)

CONFIG = {"upload_id": str(new_id())}


class Owners:
    """Ingest and transform, in a few words: what they were asked, and one source with its table."""

    def __init__(self, make_source) -> None:
        self.make_source = make_source
        self.asked: list = []
        self.traces: list[str | None] = []
        self.actors: list[str] = []
        self.refusal: Exception | None = None
        self.ids = [new_id() for _ in range(3)]

    def note(self, request, meta) -> None:
        self.asked.append(request)
        self.traces.append(trace_id())
        self.actors.append(meta.actor)
        if self.refusal:
            raise self.refusal

    def table(self, source_id: UUID) -> WarehouseTable:
        return WarehouseTable(
            table_id=source_id,
            name="wells",
            physical_name=f"source_{source_id.hex}",
            kind="source",
            columns=(Column(name="Depth", physical="depth", type="integer"),),
            row_count=42,
            bytes=8192,
            version=new_id(),
            updated_at=datetime.now(UTC),
        )

    async def create_source(self, request: CreateSource, meta) -> Source:
        self.note(request, meta)
        return self.make_source(request.source_id, request.name, revision=1)

    async def get_source(self, request: GetSource, meta) -> Source:
        self.note(request, meta)
        if request.source_id not in self.ids:
            raise not_found("source", request.source_id)
        return self.make_source(request.source_id)

    async def list_sources(self, request: ListSources, meta) -> SourceList:
        self.note(request, meta)
        start = int(request.cursor or 0)
        ids = self.ids[start : start + request.limit]
        end = start + len(ids)
        return SourceList(
            sources=tuple(self.make_source(one) for one in ids),
            next_cursor=str(end) if end < len(self.ids) else None,
        )

    async def update_source(self, request: UpdateSource, meta) -> Source:
        self.note(request, meta)
        return self.make_source(request.source_id, request.name or "wells", revision=4)

    async def add_upload(self, request: AddUpload, meta) -> Source:
        self.note(request, meta)
        return self.make_source(request.source_id, revision=5)

    async def delete_source(self, request: DeleteSource, meta) -> Done:
        self.note(request, meta)
        return Done()

    async def list_forms(self, request: ListForms, meta) -> Forms:
        self.note(request, meta)
        return Forms(forms=(Form(form_id="aXY", name="Households", submissions=3),))

    async def preview_source(self, request: PreviewSource, meta) -> SourcePreview:
        self.note(request, meta)
        repeat = PreviewedTable(name="members", columns=(), rows=())
        return SourcePreview(columns=(), rows=(), other_tables=(repeat,), warnings=())

    async def plan_sources(self, request: PlanSources, meta) -> SourcesPlan:
        self.note(request, meta)
        for source_id in request.source_ids:
            if source_id not in self.ids:
                raise not_found("source", source_id)
        return SourcesPlan(
            sources=tuple(
                PlannedSource(source_id=one, name="wells", table_id=one)
                for one in request.source_ids
            )
        )

    async def list_rejects(self, request: ListRejects, meta) -> StoredRejects:
        self.note(request, meta)
        first = Reject(line=7, reason="3 cells for 2 columns", text="a,b,c")
        key = f"org/{meta.org_id.hex}/rejects/{request.source_id}.csv"
        known = request.source_id == self.ids[0]
        return StoredRejects(
            rejects=(first,) if known else (),
            total=9 if known else 0,
            stored_at=key if known else None,
        )

    async def register_upload(self, request: RegisterUpload, meta) -> Upload:
        self.note(request, meta)
        return Upload.model_validate(request.model_dump())

    async def get_table(self, request: GetTable, meta) -> WarehouseTable:
        for one in self.ids[:2]:
            if request.name == f"source_{one.hex}":
                return self.table(one)
        raise not_found("table", request.name)

    async def list_tables(self, request: ListTables, meta) -> WarehouseTables:
        assert request.table_ids is not None
        known = [one for one in request.table_ids if one in self.ids[:2]]
        return WarehouseTables(tables=tuple(self.table(one) for one in known))

    async def preview_table(self, request: PreviewTable, meta) -> PreviewPage:
        self.note(request, meta)
        return PreviewPage(
            columns=("Depth",),
            types={"Depth": "integer"},
            rows=({"Depth": 5},),
            total_count=1,
            elapsed_ms=0.5,
        )

    async def plan_transformations(self, request: PlanTransformations, meta):
        self.note(request, meta)
        raise problem(422, "never_published", "'clean wells' reads 'countries', never published.")

    async def refuse_recipe(self, request, meta) -> TransformationsPlan:
        self.note(request, meta)
        raise problem(422, "recipe_does_not_fit", "Step 1: there is no step 'fliter'.")


@pytest.fixture
async def owners(stand_in, member, make_source) -> Owners:
    owners = Owners(make_source)
    await stand_in(
        "ingest",
        {
            CreateSource: owners.create_source,
            GetSource: owners.get_source,
            ListSources: owners.list_sources,
            UpdateSource: owners.update_source,
            AddUpload: owners.add_upload,
            DeleteSource: owners.delete_source,
            ListRejects: owners.list_rejects,
            PlanSources: owners.plan_sources,
            ListForms: owners.list_forms,
            PreviewSource: owners.preview_source,
            RegisterUpload: owners.register_upload,
        },
    )
    await stand_in(
        "transform",
        {
            GetTable: owners.get_table,
            ListTables: owners.list_tables,
            PreviewTable: owners.preview_table,
            PlanTransformations: owners.plan_transformations,
            CreateTransformation: owners.refuse_recipe,
            UpdateTransformation: owners.refuse_recipe,
        },
    )
    return owners


@pytest.fixture
def client(member, owners):
    return member.client


async def test_a_source_is_composed_of_its_owners_answers(client, owners):
    response = await client.get(f"/sources/{owners.ids[0]}")
    source = response.json()
    assert response.headers["etag"] == '"3"'
    assert source["warehouse_table_name"] == f"source_{owners.ids[0].hex}"
    assert (source["column_count"], source["row_count"]) == (1, 42)
    assert source["columns"] == [{"name": "Depth", "physical": "depth", "type": "integer"}]
    assert (source["source_type"], source["status"]) == ("csv", "ready")


async def test_a_source_whose_table_is_not_there_yet_is_shown_all_the_same(client, owners):
    source = (await client.get(f"/sources/{owners.ids[2]}")).json()
    assert (source["column_count"], source["row_count"], source["columns"]) == (None, None, [])


async def test_a_list_leads_on_to_its_next_page(client, owners):
    first = await client.get("/sources", params={"limit": 2})
    assert [one["row_count"] for one in first.json()] == [42, 42]
    link = first.headers["link"]
    assert link.endswith('; rel="next"')
    url = link.partition(">")[0].removeprefix("<")
    assert "limit=2" in url
    second = await client.get(url.removeprefix("/api/v1"))
    assert [one["id"] for one in second.json()] == [str(owners.ids[2])]
    assert "link" not in second.headers


@pytest.mark.parametrize("limit", [0, 501, "x"])
async def test_a_page_has_its_limits(client, limit):
    assert (await client.get("/sources", params={"limit": limit})).status_code == 422


async def test_an_unknown_source_is_not_found(client):
    response = await client.get(f"/sources/{new_id()}")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


async def test_the_same_key_names_the_same_source(client, owners):
    body = {"type": "csv", "name": "wells", "config": CONFIG}

    async def create(key: str | None) -> str:
        headers = {"Idempotency-Key": key} if key else {}
        response = await client.post("/sources", json=body, headers=headers)
        assert response.status_code == 201
        assert response.headers["location"] == f"/api/v1/sources/{response.json()['id']}"
        return response.json()["id"]

    first = await create("k")
    assert await create("k") == first
    assert len({first, await create("other"), await create(None), await create(None)}) == 4


async def test_forms_are_listed_by_a_token_that_is_said_to_ingest_alone(client, owners):
    body = {"server_url": "https://kf.kobotoolbox.org", "api_token": "3f1c0b7a"}
    response = await client.post("/sources/kobo/forms", json=body)
    form = {"form_id": "aXY", "name": "Households", "submissions": 3}
    assert (response.status_code, response.json()) == (200, [form])
    (asked,) = owners.asked
    assert asked.api_token.get_secret_value() == "3f1c0b7a"
    refused = await client.post("/sources/kobo/forms", json={"api_token": "3f1c0b7a"})
    assert refused.status_code == 422
    assert "3f1c0b7a" not in refused.text


async def test_a_preview_is_shown_by_the_clocks_of_the_organisation(client, owners, member):
    config = {"server_url": "https://kf.kobotoolbox.org", "form_id": "aXY", "api_token": "3f1c"}
    body = {"type": "kobo", "config": config}
    response = await client.post("/sources/preview", json=body)
    assert response.json()["other_tables"][0]["name"] == "members"
    assert owners.asked[0].timezone == member.session["organization"]["timezone"]


async def test_a_tag_that_was_read_guards_the_write(client, owners):
    source = f"/sources/{owners.ids[0]}"
    guarded = await client.patch(source, json={"name": "x"}, headers={"If-Match": '"3"'})
    assert guarded.headers["etag"] == '"4"'
    await client.delete(source, headers={"If-Match": 'W/"4"'})
    await client.delete(source, headers={"If-Match": "*"})
    revisions = [one.if_revision for one in owners.asked if hasattr(one, "if_revision")]
    assert revisions == [3, 4, None]


async def test_a_further_file_is_given_to_a_source(client, owners):
    upload_id = new_id()
    response = await client.post(
        f"/sources/{owners.ids[0]}/uploads", json={"upload_id": str(upload_id)}
    )
    assert (response.status_code, response.headers["etag"]) == (201, '"5"')
    assert (response.json()["id"], response.json()["row_count"]) == (str(owners.ids[0]), 42)
    assert owners.asked == [AddUpload(source_id=owners.ids[0], upload_id=upload_id)]
    unknown = await client.post(f"/sources/{owners.ids[0]}/uploads", json={"file": "x"})
    assert unknown.status_code == 422


async def test_the_owners_refusal_is_the_answer(client, owners):
    owners.refusal = problem(409, "in_use", "'wells' is used by the pipeline 'Monthly'.")
    response = await client.delete(f"/sources/{owners.ids[0]}")
    assert (response.status_code, response.json()["code"]) == (409, "in_use")
    assert "'Monthly'" in response.json()["detail"]


async def test_owners_hear_who_asked_and_in_which_trace(client, owners, member):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    parent = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    await client.get(f"/sources/{owners.ids[0]}", headers=parent)
    assert owners.traces == [trace]
    assert owners.actors == [str(member.user_id)]


async def test_what_a_load_set_aside_is_shown_and_can_be_downloaded_whole(
    client, owners, member, ground
):
    aside, sound, _ = owners.ids
    shown = (await client.get(f"/sources/{aside}/rejects", params={"limit": 1})).json()
    assert shown == {
        "rejects": [{"file": None, "line": 7, "reason": "3 cells for 2 columns", "text": "a,b,c"}],
        "total": 9,
    }
    assert owners.asked == [ListRejects(source_id=aside, limit=1)]
    as_csv = {"format": "csv"}
    nothing = b"line,reason,text\r\n"
    for source_id in (sound, aside):
        # Of the second the file went meanwhile: nothing is set aside any more.
        response = await client.get(f"/sources/{source_id}/rejects", params=as_csv)
        assert (response.status_code, response.content) == (200, nothing)
    folder = Path(urlparse(ground.objects_url).path) / "org" / member.org_id.hex / "rejects"
    folder.mkdir(parents=True)
    content = nothing + "7,3 cells for 2 columns,=नमस्ते\r\n".encode() * 100_000
    (folder / f"{aside}.csv").write_bytes(content)
    response = await client.get(f"/sources/{aside}/rejects", params=as_csv)
    assert response.content == content.replace(b"=", b"'=")
    raw = await client.get(f"/sources/{aside}/rejects", params=as_csv | {"raw": True})
    assert raw.content == content
    assert response.headers["content-type"].startswith("text/csv")
    assert 'filename="wells rejects.csv"' in response.headers["content-disposition"]
    refused = await client.get(f"/sources/{aside}/rejects", params={"limit": 501})
    assert refused.status_code == 422


async def test_an_upload_is_stored_and_registered(client, owners, member, ground):
    content = b"name,depth\nNorth,12\n"
    response = await client.post("/uploads", files={"file": ("wells.csv", content)})
    assert response.status_code == 201
    upload = response.json()
    assert upload["sha256"] == hashlib.sha256(content).hexdigest()
    folder = Path(urlparse(ground.objects_url).path)
    stored = folder / "org" / member.org_id.hex / "uploads" / upload["upload_id"]
    assert stored.read_bytes() == content
    (registered,) = owners.asked
    assert registered.model_dump(mode="json") == upload


async def test_an_upload_that_is_refused_is_not_kept(client, owners, member, ground):
    owners.refusal = problem(422, "not_a_csv", "This is a picture.")
    response = await client.post("/uploads", files={"file": ("x.png", b"png")})
    assert response.status_code == 422
    folder = Path(urlparse(ground.objects_url).path) / "org" / member.org_id.hex
    assert [path for path in folder.rglob("*") if path.is_file()] == []


async def test_uploads_have_a_limit_of_their_own(start_gateway, sign_up, member, owners):
    small = await sign_up(await start_gateway(upload_max_bytes=2_000_000))
    fits = await small.client.post("/uploads", files={"file": ("x", b"x" * 2_000_000)})
    assert fits.status_code == 201
    for size in (2_000_001, 3_000_000):
        response = await small.client.post("/uploads", files={"file": ("x", b"x" * size)})
        assert (response.status_code, response.json()["code"]) == (413, "too_large")


async def test_a_pipeline_of_an_unknown_source_is_refused_at_its_field(client):
    missing = new_id()
    response = await client.post("/pipelines", json={"name": "x", "source_ids": [str(missing)]})
    body = response.json()
    assert (response.status_code, body["code"]) == (422, "unknown_member")
    assert body["errors"][0]["field"] == "source_ids"
    assert str(missing) in body["detail"]


async def test_a_pipelines_schedule_is_set_shown_and_refused_at_its_field(client, start_service):
    await start_service("orchestrator")
    pipeline = (await client.post("/pipelines", json={"name": "nightly"})).json()
    one = f"/pipelines/{pipeline['id']}"
    kept = await client.put(f"{one}/schedule", json={"frequency": "daily", "run_at": "06:00"})
    schedule = kept.json()
    assert kept.status_code == 200, schedule
    # The organisation's own.
    assert (schedule["timezone"], schedule["run_at_time"]) == ("UTC", "06:00:00")
    assert len(schedule["next_runs"]) == 5
    assert (await client.get(one)).json()["schedule"] == schedule
    assert (await client.get(f"{one}/firings")).json() == []
    refused = {
        "run_at": {"frequency": "daily", "run_at": "6 o'clock"},
        "timezone": {"frequency": "hourly", "timezone": "Mars/Olympus"},
        "day_of_week": {"frequency": "weekly", "run_at": "06:00", "day_of_week": 7},
        "cron": {"frequency": "cron", "cron": "* * *"},
    }
    for field, body in refused.items():
        answer = await client.put(f"{one}/schedule", json=body)
        assert answer.status_code == 422
        assert [entry["field"] for entry in answer.json()["errors"]] == [field]
    missing = await client.put(f"/pipelines/{new_id()}/schedule", json={"frequency": "manual"})
    assert missing.status_code == 404


async def test_a_pipeline_that_misses_what_it_reads_is_refused_naming_it(client, owners):
    response = await client.post(
        "/pipelines",
        json={
            "name": "x",
            "source_ids": [str(owners.ids[0])],
            "transformation_ids": [str(new_id())],
        },
    )
    body = response.json()
    assert (response.status_code, body["code"]) == (422, "never_published")
    assert "'countries'" in body["detail"]
    assert body["errors"][0]["field"] == "transformation_ids"
    assert owners.asked[-1].source_table_ids == (owners.ids[0],)


async def test_a_recipe_goes_to_its_owner_as_it_was_written(client, owners):
    recipe = {"version": 1, "steps": [{"type": "fliter", "x": [1, None]}]}
    created = await client.post("/transformations", json={"name": "x", "recipe": recipe})
    assert created.json()["code"] == "recipe_does_not_fit"
    one = f"/transforms/{new_id()}"
    await client.put(one, json=recipe)
    await client.put(one, json={"recipe": recipe}, headers={"If-Match": '"2"'})
    assert [asked.recipe for asked in owners.asked] == [recipe] * 3
    assert owners.asked[-1].if_version == 2


async def test_a_table_is_previewed_by_any_of_its_names(client, owners):
    response = await client.get(
        "/warehouse/tables/Wells%2Fnorth%20%E0%A4%95/preview",
        params={"limit": 5, "offset": 10, "sort": ["-Depth", "name"]},
    )
    assert response.json()["rows"] == [{"Depth": 5}]
    (asked,) = owners.asked
    assert asked == PreviewTable(
        name="Wells/north क",
        limit=5,
        offset=10,
        sort=(SortItem(column="Depth", descending=True), SortItem(column="name")),
    )
