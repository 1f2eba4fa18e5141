"""Transformations: saved recipes, checked and previewed before they are run."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts.orchestrator import Run
from contracts.transform import (
    CreateTransformation,
    DeleteTransformation,
    GetTransformation,
    ListTransformations,
    PlanTransformations,
    PreviewPage,
    PreviewRecipe,
    ProfileRecipe,
    RecipeCheck,
    RecipeSql,
    ShowSql,
    TableProfile,
    TraceTransformation,
    Transformation,
    TransformationLineage,
    UpdateTransformation,
    ValidateRecipe,
)
from gateway.answers import sends
from gateway.conventions import (
    Cursor,
    IdempotencyKey,
    IfMatch,
    Limit,
    View,
    link_next,
    mint,
    tag,
)
from gateway.edge import EdgeDep, Editor, Reader, Runner, require
from gateway.recipes import (
    DraftBody,
    ExecuteBody,
    OrRecipe,
    PageBody,
    ProfileBody,
    RecipeBody,
    SqlBody,
    TransformationBody,
    TransformationChange,
)
from gateway.routes import versions
from gateway.runs import STARTED, Starting, start_run

COMPUTING = 60.0
"""Seconds that compiling and previewing may take; the owner's own time-out is shorter."""

router = APIRouter(tags=["transformations"])
router.include_router(versions.router)


@router.get("", responses=sends(200, "Link"))
async def index(
    request: Request,
    response: Response,
    edge: EdgeDep,
    caller: Reader,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> list[Transformation]:
    """The organisation's transformations, by name."""
    page = await edge.ask(caller, ListTransformations(limit=limit, cursor=cursor))
    link_next(request, response, page.next_cursor)
    return list(page.transformations)


@router.post("", status_code=201, responses=sends(201, "ETag", "Location"))
async def create(
    body: TransformationBody,
    response: Response,
    edge: EdgeDep,
    caller: Editor,
    idempotency_key: IdempotencyKey = None,
) -> Transformation:
    """Save a recipe; what does not fit is told at its step."""
    asked = CreateTransformation(
        transformation_id=mint(caller, "transformations", idempotency_key),
        name=body.name,
        description=body.description,
        recipe=body.recipe,
        output_table_name=body.output_table_name,
    )
    saved = await edge.ask(caller, asked, timeout=COMPUTING)
    response.headers["Location"] = f"/api/v1/transformations/{saved.id}"
    tag(response, saved.version)
    return saved


@router.post("/validate")
async def validate(
    body: RecipeBody, request: Request, edge: EdgeDep, caller: Reader, view: View = None
) -> RecipeCheck:
    """Every error at its step, and the columns after each step; no data is touched."""
    asked = ValidateRecipe(recipe=body.recipe, transformation_id=body.transformation_id, view=view)
    return await edge.ask_while_there(request, caller, asked, timeout=COMPUTING)


@router.post("/sql")
async def sql_of_draft(
    body: SqlBody, request: Request, edge: EdgeDep, caller: Reader, view: View = None
) -> RecipeSql:
    """The one statement that a recipe compiles to, formatted for reading; nothing is saved."""
    asked = ShowSql(recipe=body.recipe, view=view)
    return await edge.ask_while_there(request, caller, asked, timeout=COMPUTING)


@router.post("/preview")
async def preview_draft(
    body: DraftBody, request: Request, edge: EdgeDep, caller: Reader, view: View = None
) -> PreviewPage:
    """A page of what a recipe gives now; stopped when the client goes away."""
    asked = _preview(body, None, view)
    return await edge.ask_while_there(request, caller, asked, timeout=COMPUTING)


@router.post("/profile")
async def profile(
    body: ProfileBody, request: Request, edge: EdgeDep, caller: Reader, view: View = None
) -> TableProfile:
    """What the columns of a recipe's result hold now; stopped when the client goes away."""
    asked = ProfileRecipe(recipe=body.recipe, until_step=body.until_step, view=view)
    return await edge.ask_while_there(request, caller, asked, timeout=COMPUTING)


@router.get("/{transformation_id}", responses=sends(200, "ETag"))
async def show(
    transformation_id: UUID, response: Response, edge: EdgeDep, caller: Reader
) -> Transformation:
    """One transformation, at its newest version."""
    found = await edge.ask(caller, GetTransformation(transformation_id=transformation_id))
    tag(response, found.version)
    return found


@router.put("/{transformation_id}", responses=sends(200, "ETag"))
async def update(
    transformation_id: UUID,
    body: Annotated[TransformationChange, OrRecipe()],
    response: Response,
    edge: EdgeDep,
    caller: Editor,
    if_match: IfMatch,
) -> Transformation:
    """Save a new version."""
    asked = UpdateTransformation(
        transformation_id=transformation_id,
        if_version=if_match,
        name=body.name,
        description=body.description,
        recipe=body.recipe,
        output_table_name=body.output_table_name,
    )
    saved = await edge.ask(caller, asked, timeout=COMPUTING)
    tag(response, saved.version)
    return saved


@router.delete("/{transformation_id}", status_code=204)
async def delete(transformation_id: UUID, edge: EdgeDep, caller: Editor, if_match: IfMatch) -> None:
    """Delete a transformation and its table; 409 names what reads it."""
    asked = DeleteTransformation(transformation_id=transformation_id, if_version=if_match)
    await edge.ask(caller, asked)


@router.post("/{transformation_id}/preview")
async def preview_saved(
    transformation_id: UUID,
    body: PageBody,
    request: Request,
    edge: EdgeDep,
    caller: Reader,
    view: View = None,
) -> PreviewPage:
    """A page of what the saved recipe, or the given change of it, gives now."""
    asked = _preview(body, transformation_id, view)
    return await edge.ask_while_there(request, caller, asked, timeout=COMPUTING)


@router.get("/{transformation_id}/sql")
async def sql(transformation_id: UUID, edge: EdgeDep, caller: Reader) -> RecipeSql:
    """The one statement that the recipe compiles to, formatted for reading."""
    asked = ShowSql(transformation_id=transformation_id)
    return await edge.ask(caller, asked, timeout=COMPUTING)


@router.get("/{transformation_id}/lineage")
async def lineage(transformation_id: UUID, edge: EdgeDep, caller: Reader) -> TransformationLineage:
    """For every column those of the sources that it comes from; the tables before and after."""
    asked = TraceTransformation(transformation_id=transformation_id)
    return await edge.ask(caller, asked, timeout=COMPUTING)


@router.post("/{transformation_id}/execute", status_code=202, responses=STARTED)
async def execute(
    transformation_id: UUID,
    response: Response,
    edge: EdgeDep,
    caller: Runner,
    options: Starting,
    body: ExecuteBody | None = None,
) -> Run:
    """Build the transformation's table and publish it."""
    asked = PlanTransformations(transformation_ids=(transformation_id,), source_table_ids=())
    await edge.ask(caller, asked)
    if body and body.output_table_name:
        require(caller, "edit")
        renamed = UpdateTransformation(
            transformation_id=transformation_id, output_table_name=body.output_table_name
        )
        await edge.ask(caller, renamed, timeout=COMPUTING)
    route = f"transformations/{transformation_id}/execute"
    return await start_run(
        edge,
        caller,
        response,
        options,
        route,
        kind="transform",
        transformation_ids=(transformation_id,),
    )


def _preview(body: PageBody, transformation_id: UUID | None, view: str | None) -> PreviewRecipe:
    return PreviewRecipe(
        recipe=body.recipe,
        transformation_id=transformation_id,
        until_step=body.until_step,
        limit=body.limit,
        offset=body.offset,
        sort=body.sort,
        count=body.count,
        filter=body.filter,
        view=view,
    )
