"""One good request for every operation of the HTTP interface."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_FILTER = {"column": "age", "operator": "greater_than", "value": 17}
_RECIPE = {
    "steps": [
        {"type": "source", "table": "people"},
        {"type": "filter", "where": _FILTER},
    ]
}
_CSV = {
    "type": "csv",
    "name": "{unique}",
    "config": {"upload_id": "{upload_id}", "columns": {"age": {"type": "integer"}}},
}
_PAGE = {
    "recipe": _RECIPE,
    "until_step": 1,
    "limit": 10,
    "offset": 0,
    "sort": [{"column": "name", "descending": True}],
    "filter": _FILTER,
    "count": "exact",
}
_EVENT = {
    "specversion": "1.0",
    "id": "{unique}",
    "source": "/tests",
    "type": "source.synced",
    "time": "2026-03-01T00:00:00Z",
    "data": {"table": "answers", "rows": 3},
}
_ENDED = {"Idempotency-Key": "the same run", "Prefer": "wait=60"}
"""All of these requests are one run, however often it is asked for."""
_DONE = (200, 201, 202, 204)


@dataclass(frozen=True)
class Good:
    """A request that is answered well; `{name}` stands for an id that is there, or a new word."""

    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    path: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"
    answers: tuple[int, ...] = _DONE


_CURSOR = {"limit": "1"}
_RUNS = {"status": "succeeded", "trigger": "manual", "created_after": "2020-01-01T00:00:00Z"}
_PEOPLE = {"name": "people"}
_ANSWERS = {"source_id": "{external_id}"}
_VIEW = {"Dalgo-View": "tests"}

GOOD: dict[str, tuple[Good, ...]] = {
    "auth_sign_up": (
        Good(
            {
                "email": "{unique}@example.org",
                "password": "a long pass phrase {unique}",
                "name": "Asha",
                "organization_name": "Asha's",
            }
        ),
    ),
    "auth_log_in": (
        Good(
            {
                "email": "{email}",
                "password": "{password}",
                "organization_id": "{organization_id}",
            }
        ),
    ),
    "auth_refresh": (Good(headers={"Cookie": "dalgo_refresh=none"}, answers=(401,)),),
    "auth_log_out": (Good(headers={"Cookie": "dalgo_refresh=none"}),),
    "sources_upload": (
        Good(
            '--b\r\nContent-Disposition: form-data; name="file"; filename="people.csv"\r\n\r\n'
            "name,age\nAsha,31\n\r\n--b--\r\n",
            headers={"Idempotency-Key": "{unique}"},
            media_type="multipart/form-data; boundary=b",
        ),
    ),
    "sources_list_sheets": (Good({"spreadsheet": "abc", "source_id": None}, answers=(422,)),),
    "sources_create": (
        Good(_CSV),
        Good({"type": "external", "name": "{unique}", "config": {"table": "t_{unique}"}}),
        Good(
            {
                "type": "kobo",
                "name": "{unique}",
                "config": {"server_url": "http://127.0.0.1", "form_id": "a", "api_token": "b"},
            },
            answers=(422,),
        ),
        Good(
            {"type": "google_sheets", "name": "{unique}", "config": {"spreadsheet": "a"}},
            answers=(422,),
        ),
    ),
    "sources_preview": (Good({"type": "csv", "config": _CSV["config"], "limit": 10}),),
    "sources_update": (
        Good({"name": "people", "config": _CSV["config"]}),
        Good({"name": "people"}, headers={"If-Match": "*"}),
    ),
    "sources_delete": (Good(path={"source_id": "{spare_source_id}"}, headers={"If-Match": "*"}),),
    "sources_add_upload": (Good({"upload_id": "{upload_id}"}),),
    "sources_sync": (Good(query={"force": "false"}, headers=_ENDED),),
    "sources_loader": (Good(path=_ANSWERS),),
    "sources_revoke_loader": (Good(path=_ANSWERS),),
    "sources_rejects": (
        Good(query={"format": "json", "limit": "5"}),
        Good(query={"format": "csv", "raw": "true"}),
    ),
    "sources_forms": (Good({"server_url": "http://127.0.0.1", "api_token": "b"}, answers=(422,)),),
    "sources_accept_change": (Good(path={"number": "1"}, answers=(404,)),),
    "sources_reject_change": (Good(path={"number": "1"}, answers=(404,)),),
    "sources_index": (Good(query=_CURSOR),),
    "pipelines_index": (Good(query=_CURSOR),),
    "pipelines_create": (
        Good(
            {"name": "{unique}", "source_ids": ["{source_id}"], "transformation_ids": []},
            headers={"Idempotency-Key": "{unique}"},
        ),
    ),
    "pipelines_update": (Good({"name": "all", "source_ids": ["{source_id}"]}),),
    "pipelines_delete": (
        Good(path={"pipeline_id": "{spare_pipeline_id}"}, headers={"If-Match": "*"}),
    ),
    "pipelines_run": (Good(query={"force": "false"}, headers=_ENDED),),
    "pipelines_runs": (Good(query=_RUNS),),
    "pipelines_set_schedule": (
        Good(
            {
                "frequency": "cron",
                "cron": "0 6 1 1 *",
                "timezone": "Africa/Nairobi",
                "run_at": "06:00",
                "day_of_week": 1,
                "grace_minutes": 60,
            }
        ),
    ),
    "pipelines_set_triggers": (
        Good(
            {
                "triggers": [
                    {"type": "upload", "source_id": "{source_id}"},
                    {"type": "pipeline", "pipeline_id": "{other_pipeline_id}"},
                ]
            }
        ),
    ),
    "runs_index": (
        Good(query=_RUNS | {"kind": "sync", "limit": "1"}),
        Good(
            query={
                "pipeline_id": "{pipeline_id}",
                "source_id": "{source_id}",
                "transformation_id": "{transformation_id}",
                "created_before": "2100-01-01T00:00:00Z",
            }
        ),
    ),
    "runs_retry": (Good(answers=(409,)),),
    "events_tell": (
        Good(_EVENT, media_type="application/cloudevents+json"),
        Good([_EVENT], media_type="application/cloudevents-batch+json"),
        Good(
            _EVENT["data"],
            headers={
                "ce-specversion": "1.0",
                "ce-id": "a",
                "ce-source": "/tests",
                "ce-type": "source.synced",
                "ce-time": "2026-03-01T00:00:00Z",
            },
        ),
        Good(
            _EVENT | {"type": "pipeline.run", "data": {"pipeline_id": "{other_pipeline_id}"}},
            media_type="application/cloudevents+json",
        ),
    ),
    "warehouse_table_versions": (Good(path=_PEOPLE),),
    "warehouse_rollback": (Good({"version": "{version_id}"}, path=_PEOPLE, answers=(200, 404)),),
    "warehouse_index": (Good(query=_CURSOR),),
    "warehouse_preview": (
        Good(
            query={
                "sort": "-name",
                "filter": json.dumps(_FILTER),
                "limit": "10",
                "offset": "0",
                "count": "exact",
            },
            headers=_VIEW,
            path=_PEOPLE,
        ),
        Good(path={"name": "answers"}, answers=(409,)),
    ),
    "warehouse_profile": (
        Good(headers=_VIEW, path=_PEOPLE),
        Good(path={"name": "answers"}, answers=(409,)),
    ),
    "warehouse_show": (Good(path=_PEOPLE),),
    "warehouse_lineage": (Good(query={"columns": "true"}),),
    "transformations_index": (Good(query=_CURSOR),),
    "transformations_version": (Good(path={"version": "1"}),),
    "transformations_diff": (Good(query={"with": "1"}, path={"version": "1"}),),
    "transformations_restore": (Good(path={"version": "1"}),),
    "transformations_create": (
        Good(
            {
                "name": "{unique}",
                "description": "Grown-ups.\nAll of them.",
                "recipe": _RECIPE,
                "output_table_name": "{unique}",
            },
            headers={"Idempotency-Key": "{unique}"},
        ),
    ),
    "transformations_validate": (
        Good({"recipe": _RECIPE, "transformation_id": "{transformation_id}"}, headers=_VIEW),
    ),
    "transformations_sql_of_draft": (Good({"recipe": _RECIPE}, headers=_VIEW),),
    "transformations_preview_draft": (Good(_PAGE, headers=_VIEW),),
    "transformations_profile": (Good({"recipe": _RECIPE, "until_step": 1}, headers=_VIEW),),
    "transformations_update": (
        Good({"name": "grown-ups", "recipe": _RECIPE, "output_table_name": "grown-ups"}),
        Good(_RECIPE),
    ),
    "transformations_delete": (
        Good(path={"transformation_id": "{spare_transformation_id}"}, headers={"If-Match": "*"}),
    ),
    "transformations_preview_saved": (Good(_PAGE, headers=_VIEW),),
    "transformations_execute": (
        Good({"output_table_name": "grown-ups"}, query={"force": "false"}, headers=_ENDED),
    ),
}
"""Those without an entry take their path alone."""


def good_requests(operation_id: str) -> tuple[Good, ...]:
    return GOOD.get(operation_id, (Good(),))
