"""What all resources share: pages, tags of revisions, ids that make a repeat harmless."""

import re
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from contracts.envelope import derived_id, new_id
from contracts.problem import problem
from contracts.text import MAX_COUNT, MAX_INTEGER, ShortText
from gateway.auth import Caller

Limit = Annotated[int, Query(ge=1, le=500, description="Entries a page.")]
Cursor = Annotated[
    ShortText | None, Query(description="From the `Link` header of the page before.")
]
Offset = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
"""Rows before the first that is wanted."""
IdempotencyKey = Annotated[
    Annotated[ShortText, Field(min_length=1, max_length=255)] | None,
    Header(
        description="The same key makes a repeated request the same request.",
    ),
]

TableName = Annotated[ShortText, Path(description="A table's id, physical name or display name.")]

View = Annotated[
    Annotated[ShortText, Field(max_length=100)] | None,
    Header(
        alias="Dalgo-View",
        description="A name for the place that shows the answer. A newer request of yours of this "
        "kind with the same name ends this one with 409 `superseded`.",
    ),
]

_TAG = re.compile(r'(?:W/)?"(\d{1,10})"', re.ASCII)


class Body(BaseModel):
    """A request's body: a field that we do not know is an error, not a silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def link_next(request: Request, response: Response, cursor: str | None) -> None:
    """Point to the next page (RFC 8288), where there is one."""
    if cursor is not None:
        url = request.url.include_query_params(cursor=cursor)
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'


def tag(response: Response, revision: int) -> None:
    """Tell the revision of a single resource, to be given back in If-Match."""
    response.headers["ETag"] = f'"{revision}"'


def _if_match(
    if_match: Annotated[
        Annotated[ShortText, Field(max_length=200)] | None,
        Header(description="The `ETag` that was read; 412 when it is not so any more."),
    ] = None,
) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    found = _TAG.fullmatch(if_match.strip())
    if found is None or int(found.group(1)) > MAX_COUNT:
        raise problem(
            412, "changed_meanwhile", "If-Match holds no tag of ours. Read the resource again."
        )
    return int(found.group(1))


IfMatch = Annotated[int | None, Depends(_if_match)]


def mint(caller: Caller, route: str, key: str | None) -> UUID:
    """The id of what is about to be created: a new one, or the one that the key always gives."""
    return new_id() if key is None else derived_id(caller.org_id, route, key)
