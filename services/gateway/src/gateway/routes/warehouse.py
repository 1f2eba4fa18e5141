"""The warehouse: tables as readers see them."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from contracts.problem import ProblemError, problem
from contracts.text import ColumnName
from contracts.transform import (
    GetStorage,
    GetTable,
    ListTables,
    PreviewPage,
    PreviewTable,
    ProfileTable,
    SortItem,
    TableProfile,
    TracedTable,
    TraceTables,
    WarehouseStorage,
    WarehouseTable,
)
from gateway.answers import sends
from gateway.conventions import Cursor, Limit, Offset, TableName, View, link_next
from gateway.edge import EdgeDep, Reader
from gateway.text import read_json

READING = 60.0
"""Seconds that a page may take; the owner's own time-out is shorter."""

TRACING = 60.0
"""Seconds that compiling the recipes of one page may take."""

router = APIRouter(prefix="/warehouse", tags=["warehouse"])

Sort = Annotated[
    list[ColumnName],
    Query(
        default_factory=list,
        max_length=50,
        description="A column to order by, `-` before it for descending; may be repeated.",
    ),
]


Filter = Annotated[
    Annotated[str, Field(max_length=20_000)] | None,
    Query(
        description="A predicate of the recipe language as JSON: which rows.",
        examples=['{"column": "age", "operator": "greater_than", "value": 17}'],
    ),
]


class WarehouseLineage(BaseModel):
    """All tables of the organisation by display name, and what each column is made of."""

    tables: list[TracedTable]


@router.get("/tables", responses=sends(200, "Link"))
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
    name: TableName,
    request: Request,
    edge: EdgeDep,
    caller: Reader,
    sort: Sort,
    filter: Filter = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[Offset, Query()] = 0,
    count: Literal["exact", "none"] = "exact",
    view: View = None,
) -> PreviewPage:
    """A page of a table's published rows; `name` is its id, physical name or display name."""
    asked = PreviewTable(
        name=name,
        limit=limit,
        offset=offset,
        sort=tuple(_sort_item(text) for text in sort),
        count=count,
        filter=_predicate(filter),
        view=view,
    )
    return await edge.ask_while_there(request, caller, asked, timeout=READING)


@router.get("/tables/{name:path}/profile")
async def profile(
    name: TableName, request: Request, edge: EdgeDep, caller: Reader, view: View = None
) -> TableProfile:
    """What the columns of a table hold; of a large one, in an even sample of its rows."""
    asked = ProfileTable(name=name, view=view)
    return await edge.ask_while_there(request, caller, asked, timeout=READING)


@router.get("/tables/{name:path}")
async def show(name: TableName, edge: EdgeDep, caller: Reader) -> WarehouseTable:
    """One table; `name` is its id, physical name or display name."""
    return await edge.ask(caller, GetTable(name=name))


@router.get("/storage")
async def storage(
    edge: EdgeDep,
    caller: Reader,
    limit: Annotated[
        int, Query(ge=1, le=1000, description="So many tables are listed; all are counted.")
    ] = 50,
) -> WarehouseStorage:
    """How much room the tables take, and how much former versions may take; the largest first."""
    return await edge.ask(caller, GetStorage(limit=limit))


@router.get("/lineage")
async def lineage(
    edge: EdgeDep,
    caller: Reader,
    columns: Annotated[
        bool, Query(description="Whether to trace columns too, or tables alone.")
    ] = True,
) -> WarehouseLineage:
    """What every table and column is made of, one recipe at a time."""
    found: list[TracedTable] = []
    cursor = None
    while True:
        asked = TraceTables(with_columns=columns, cursor=cursor)
        page = await edge.ask(caller, asked, timeout=TRACING)
        found += page.tables
        if (cursor := page.next_cursor) is None:
            return WarehouseLineage(tables=found)


def _sort_item(text: str) -> SortItem:
    return SortItem(column=text.removeprefix("-"), descending=text.startswith("-"))


def _predicate(text: str | None) -> dict[str, object] | None:
    """The JSON object of a filter; raises a 422 problem for what is none."""
    if text is None:
        return None
    found = read_json(text, "filter", otherwise=_bad_filter)
    if not isinstance(found, dict):
        raise _bad_filter()
    return found


def _bad_filter() -> ProblemError:
    return problem(
        422,
        "bad_filter",
        'The filter is not a JSON object, such as {"column": "age", "operator": "is_null"}.',
    )
