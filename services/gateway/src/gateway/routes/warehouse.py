"""The warehouse: tables as readers see them."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from contracts.transform import (
    GetTable,
    ListTables,
    PreviewPage,
    PreviewTable,
    SortItem,
    WarehouseTable,
)
from gateway.conventions import Cursor, Limit, link_next
from gateway.edge import EdgeDep, Reader

READING = 60.0
"""Seconds that a page may take; the owner's own time-out is shorter."""

router = APIRouter(prefix="/warehouse", tags=["warehouse"])

Sort = Annotated[
    list[str],
    Query(
        default_factory=list,
        description="A column to order by, `-` before it for descending; may be repeated.",
    ),
]


@router.get("/tables")
async def index(
    request: Request,
    response: Response,
    edge: EdgeDep,
    caller: Reader,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> list[WarehouseTable]:
    """The organisation's tables, by name."""
    page = await edge.ask(caller, ListTables(limit=limit, cursor=cursor))
    link_next(request, response, page.next_cursor)
    return list(page.tables)


@router.get("/tables/{name:path}/preview")
async def preview(
    name: str,
    edge: EdgeDep,
    caller: Reader,
    sort: Sort,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
    count: Literal["exact", "none"] = "exact",
) -> PreviewPage:
    """A page of a table's published rows; `name` is its id, physical name or display name."""
    asked = PreviewTable(
        name=name,
        limit=limit,
        offset=offset,
        sort=tuple(_sort_item(text) for text in sort),
        count=count,
    )
    return await edge.ask(caller, asked, timeout=READING)


@router.get("/tables/{name:path}")
async def show(name: str, edge: EdgeDep, caller: Reader) -> WarehouseTable:
    """One table; `name` is its id, physical name or display name."""
    return await edge.ask(caller, GetTable(name=name))


def _sort_item(text: str) -> SortItem:
    return SortItem(column=text.removeprefix("-"), descending=text.startswith("-"))
