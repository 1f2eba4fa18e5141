"""Former versions of the warehouse's tables, and the way back to one."""

from uuid import UUID

from fastapi import APIRouter

from contracts.transform import (
    ListTableVersions,
    PublishedVersion,
    RollbackTable,
    WarehouseTable,
)
from gateway.conventions import Body, TableName
from gateway.edge import EdgeDep, Editor, Reader

router = APIRouter(prefix="/warehouse/tables/{name:path}", tags=["warehouse"])


class RollbackBody(Body):
    """Where to go back to."""

    version: UUID


@router.get("/versions")
async def table_versions(name: TableName, edge: EdgeDep, caller: Reader) -> list[PublishedVersion]:
    """The versions of a table that are still there, newest first."""
    return list((await edge.ask(caller, ListTableVersions(name=name))).versions)


@router.post("/rollback")
async def rollback(
    name: TableName, body: RollbackBody, edge: EdgeDep, caller: Editor
) -> WarehouseTable:
    """Show readers a former version, until the next run publishes another."""
    return await edge.ask(caller, RollbackTable(name=name, version=body.version), timeout=30.0)
