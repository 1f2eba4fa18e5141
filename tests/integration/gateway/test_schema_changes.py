"""A source that changes, over HTTP: the run says why nothing moved, a person decides."""

import pytest

CSV = b"name,age\nAda,36\nKim,7\n"
FEWER = b"name\nAda\nKim\n"
WAIT = {"Prefer": "wait=60"}


@pytest.fixture
async def client(member, start_service):
    """A client of an organisation, with everything real."""
    for name in ("transform", "orchestrator", "ingest"):
        await start_service(name)
    return member.client


async def uploaded(client, content: bytes) -> dict[str, str]:
    answer = await client.post("/uploads", files={"file": ("people.csv", content)})
    assert answer.status_code == 201, answer.text
    return {"upload_id": answer.json()["upload_id"]}


async def synced(client, path: str) -> dict[str, object]:
    """The step of a sync that succeeded or was skipped."""
    answer = await client.post(f"{path}/sync", headers=WAIT)
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded"), answer.text
    return answer.json()["steps"][0]


async def test_a_change_is_held_seen_rejected_and_accepted(client, member):
    body = {"type": "csv", "name": "people", "config": await uploaded(client, CSV)}
    created = (await client.post("/sources", json=body)).json()
    path = f"/sources/{created['id']}"
    schema = (await client.get(f"{path}/schema")).json()
    assert [(one["name"], one["type"], one["nullable"]) for one in schema] == [
        ("name", "text", None),
        ("age", "integer", None),
    ]
    assert {one["first_seen"] for one in schema} == {created["created_at"]}
    assert (await synced(client, path))["status"] == "succeeded"
    schema = (await client.get(f"{path}/schema")).json()
    assert [one["nullable"] for one in schema] == [False, False]

    await client.patch(path, json={"config": await uploaded(client, FEWER)})
    step = await synced(client, path)
    assert step["status"] == "skipped"
    assert step["reason"] == "held: 1 column is gone (age): accept or reject change 1"
    shown = (await client.get(path)).json()
    assert (shown["pending_changes"], shown["row_count"], shown["column_count"]) == (1, 2, 2)
    (change,) = (await client.get(f"{path}/schema/changes")).json()
    assert (change["number"], change["status"]) == (1, "pending")
    assert [column["name"] for column in change["removed"]] == ["age"]

    rejected = await client.post(f"{path}/schema/changes/1/reject")
    assert (rejected.status_code, rejected.json()["status"]) == (200, "rejected")
    accepted = await client.post(f"{path}/schema/changes/1/accept")
    assert (accepted.status_code, accepted.json()["status"]) == (200, "accepted")
    assert accepted.json()["decided_by"] == str(member.user_id)
    refused = await client.post(f"{path}/schema/changes/1/reject")
    assert (refused.status_code, refused.json()["code"]) == (409, "decided")
    assert (await client.post(f"{path}/schema/changes/2/accept")).status_code == 404
    assert (await client.post(f"{path}/schema/changes/0/accept")).status_code == 422
    assert (await synced(client, path))["status"] == "succeeded"
    assert [one["name"] for one in (await client.get(f"{path}/schema")).json()] == ["name"]
