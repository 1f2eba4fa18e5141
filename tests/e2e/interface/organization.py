"""An organisation with one of everything, and people of different roles in it."""

import asyncio
import os
from dataclasses import dataclass
from typing import Any

import httpx

from stack.access import database
from stack.layout import Layout

COLUMNS = b"name,age\nAsha,31\nBen,17\nChidi,45\n"


@dataclass(frozen=True)
class Organization:
    """Ids and names by the word that requests use for them, and access tokens by role."""

    known: dict[str, str]
    tokens: dict[str, str]


def founded(url: str, layout: Layout) -> Organization:
    """Sign up an owner and a viewer, load a table twice, and build on it."""
    with httpx.Client(base_url=f"{url}/api/v1", timeout=60) as client:
        owner, owner_session = _signed_up(client)
        viewer, viewer_session = _signed_up(client)
        organization_id = owner_session["organization"]["id"]
        asyncio.run(_admit(layout, viewer_session["user"]["id"], organization_id))
        viewer = {name: viewer[name] for name in ("email", "password")}
        session = _made(client.post("/auth/login", json=viewer | _at(organization_id)))
        assert session["role"] == "viewer", session
        client.headers["Authorization"] = f"Bearer {owner_session['access_token']}"
        known = _filled(client) | owner | {"organization_id": organization_id}
        tokens = {"owner": owner_session["access_token"], "viewer": session["access_token"]}
        return Organization(known, tokens)


def _at(organization_id: str) -> dict[str, str]:
    return {"organization_id": organization_id}


def _signed_up(client: httpx.Client) -> tuple[dict[str, str], dict[str, Any]]:
    name = os.urandom(6).hex()
    account = {"email": f"{name}@example.org", "password": f"a long pass phrase {name}"}
    session = _made(
        client.post("/auth/signup", json=account | {"organization_name": f"Organisation {name}"})
    )
    return account, session


async def _admit(layout: Layout, user_id: str, organization_id: str) -> None:
    """Members are not the interface's to add yet."""
    statement = "INSERT INTO dalgo_auth.organization_members VALUES ($1, $2, 'viewer')"
    async with database(layout) as connection:
        await connection.execute(statement, user_id, organization_id)


def _filled(client: httpx.Client) -> dict[str, str]:
    """Make one of each resource, and one more of those that are to be deleted."""
    waiting = {"Prefer": "wait=60"}

    def upload(more: bytes = b"") -> str:
        file = {"file": ("people.csv", COLUMNS + more)}
        return _made(client.post("/uploads", files=file))["upload_id"]

    def source(name: str, type: str = "csv", **config: str) -> str:
        body = {"type": type, "name": name, "config": config}
        return _made(client.post("/sources", json=body))["id"]

    def pipeline(name: str) -> str:
        body = {"name": name, "source_ids": [source_id]}
        return _made(client.post("/pipelines", json=body))["id"]

    def transformation(name: str) -> str:
        recipe = {"steps": [{"type": "source", "table": "people"}]}
        return _made(client.post("/transformations", json={"name": name, "recipe": recipe}))["id"]

    def run(path: str) -> str:
        found = _made(client.post(path, headers=waiting))
        assert found["status"] == "succeeded", found
        return found["id"]

    source_id = source("people", upload_id=upload())
    run(f"/sources/{source_id}/sync")
    _made(client.post(f"/sources/{source_id}/uploads", json={"upload_id": upload(b"Dia,8\n")}))
    run_id = run(f"/sources/{source_id}/sync")
    versions = _made(client.get("/warehouse/tables/people/versions"))
    return {
        "upload_id": upload(b"Esi,9\n"),
        "source_id": source_id,
        "external_id": source("answers", "external", table="answers"),
        "spare_source_id": source("spare source", upload_id=upload()),
        "run_id": run_id,
        "version_id": versions[-1]["version"],
        "pipeline_id": pipeline("all"),
        "other_pipeline_id": pipeline("other"),
        "spare_pipeline_id": pipeline("spare"),
        "transformation_id": transformation("same"),
        "spare_transformation_id": transformation("spare"),
    }


def _made(response: httpx.Response) -> Any:
    assert response.is_success, response.text
    return response.json()
