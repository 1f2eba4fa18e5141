"""Versions of transformations: what was saved before, what changed, and the way back."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from contracts.text import MAX_COUNT
from contracts.transform import (
    CompareRecipeVersions,
    GetRecipeVersion,
    ListRecipeVersions,
    RecipeDiff,
    RecipeVersion,
    RestoreRecipeVersion,
    SavedRecipe,
    Transformation,
)
from gateway.answers import sends
from gateway.conventions import Cursor, IfMatch, Limit, link_next, tag
from gateway.edge import EdgeDep, Editor, Reader

COMPUTING = 60.0
"""Seconds that checking a recipe may take; the owner's own time-out is shorter."""

VersionNumber = Annotated[int, Path(ge=1, le=MAX_COUNT, description="Counts from 1.")]

router = APIRouter(prefix="/{transformation_id}/versions", tags=["transformations"])


@router.get("", responses=sends(200, "Link"))
async def versions(
    transformation_id: UUID,
    request: Request,
    response: Response,
    edge: EdgeDep,
    caller: Reader,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> list[RecipeVersion]:
    """Every save, the newest first."""
    asked = ListRecipeVersions(transformation_id=transformation_id, limit=limit, cursor=cursor)
    page = await edge.ask(caller, asked)
    link_next(request, response, page.next_cursor)
    return list(page.versions)


@router.get("/{version}")
async def version(
    transformation_id: UUID, version: VersionNumber, edge: EdgeDep, caller: Reader
) -> SavedRecipe:
    """One save with its recipe."""
    asked = GetRecipeVersion(transformation_id=transformation_id, version=version)
    return await edge.ask(caller, asked)


@router.get("/{version}/diff")
async def diff(
    transformation_id: UUID,
    version: VersionNumber,
    edge: EdgeDep,
    caller: Reader,
    with_version: Annotated[
        int | None,
        Query(
            alias="with",
            ge=1,
            le=MAX_COUNT,
            description="The version to compare with; else the one before.",
        ),
    ] = None,
) -> RecipeDiff:
    """Steps that the version added, removed, changed or moved, compared with another one."""
    asked = CompareRecipeVersions(
        transformation_id=transformation_id, version=version, with_version=with_version
    )
    return await edge.ask(caller, asked)


@router.post("/{version}/restore", responses=sends(200, "ETag"))
async def restore(
    transformation_id: UUID,
    version: VersionNumber,
    response: Response,
    edge: EdgeDep,
    caller: Editor,
    if_match: IfMatch,
) -> Transformation:
    """Save the version's recipe as a new version; what does not fit any more is told at its step."""
    asked = RestoreRecipeVersion(
        transformation_id=transformation_id, version=version, if_version=if_match
    )
    saved = await edge.ask(caller, asked, timeout=COMPUTING)
    tag(response, saved.version)
    return saved
