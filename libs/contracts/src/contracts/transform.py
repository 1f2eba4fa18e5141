"""What transform owns: the warehouse's catalogue, recipes, builds and publishing."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import (
    AliasChoices,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from contracts.drift import ColumnUser
from contracts.message import Command, Done, Event, Part, Request
from contracts.problem import Problem
from contracts.readiness import Readiness
from contracts.tables import Column, LoaderLogin, Notice, TableVersion
from contracts.text import ColumnName
from recipe import Recipe
from recipe.diff import StepChange
from recipe.errors import RecipeError
from recipe.tables import ColumnType

TableKind = Literal["source", "transform"]


class EnsureOrganization(Request[Done]):
    """Provision the schemas and the role of the envelope's organisation; idempotent."""


class DeclareTable(Request[Done]):
    """Reserve or change a table's display name and expected columns, before it has data.

    Idempotent by `table_id`. Raises 409 `name_taken` with a free name as alternative.
    """

    table_id: UUID
    table_kind: TableKind
    display_name: str
    expected: tuple[Column, ...] | None = None
    """None: as they are."""


class DropTable(Request[Done]):
    """Forget a table, its versions and its live name; 409 names the recipes that read it."""

    table_id: UUID
    other_table_ids: tuple[UUID, ...] = ()
    """Tables that go with it: all or none."""


class ProvisionLoader(Request[LoaderLogin]):
    """Make the login of a source's loader; one that is there gets a new password."""

    source_id: UUID


class CloseLoader(Request[Done]):
    """Let nobody in with a loader's login, and end its sessions; its table stays."""

    source_id: UUID


class DropLoader(Request[Done]):
    """Remove a loader's login with everything that it made in the landing schema."""

    source_id: UUID


class WarehouseTable(Part):
    """A table of the catalogue; rows, bytes and version are None until it is published."""

    table_id: UUID
    name: str
    physical_name: str
    """Live name in the organisation's schema: `source_<id>` or `transform_<id>`."""
    kind: TableKind
    columns: tuple[Column, ...]
    """Published columns, else the expected ones."""
    row_count: int | None
    bytes: int | None
    version: UUID | None
    updated_at: datetime | None
    used_by: tuple[str, ...] = ()
    """Names of the transformations that read the table."""
    nullable: tuple[str, ...] | None = None
    """Display names of the published columns that have empty cells; None: not known."""


class WarehouseTables(Part):
    """The catalogue, or the part of it that was asked for."""

    tables: tuple[WarehouseTable, ...]
    next_cursor: str | None = None


class ListTables(Request[WarehouseTables]):
    """Tables by display name, all of them or those with the given ids."""

    table_ids: tuple[UUID, ...] | None = None
    limit: int = 50
    cursor: str | None = None


class GetTable(Request[WarehouseTable]):
    """One table, by its id, its physical name or its display name."""

    name: str


class ColumnUsers(Part):
    """Recipes that use columns, by name."""

    users: tuple[ColumnUser, ...]


class FindColumnUsers(Request[ColumnUsers]):
    """Which recipes use these columns of a table, also through recipes that hand them on?

    To read the table is not to use its columns: a recipe uses one if it does not fit without it.
    """

    table_id: UUID
    changed: tuple[str, ...]
    """Display names."""
    columns: tuple[Column, ...]
    """What the table would have; a user's `error` says why its recipe would not fit."""


class PublishedVersion(Part):
    """A version of a table that readers see now, or saw before; `version` names it."""

    version: UUID
    is_current: bool
    row_count: int
    bytes: int
    columns: tuple[Column, ...]
    published_at: datetime


class PublishedVersions(Part):
    """The versions of a table that are still there, newest first."""

    versions: tuple[PublishedVersion, ...]


class ListTableVersions(Request[PublishedVersions]):
    """Which versions of a table can be gone back to?"""

    name: str


class RollbackTable(Request[WarehouseTable]):
    """Show readers a former version of a table, until the next run publishes another.

    Raises problems 404 (table, version), 409 `columns_still_used` naming the views that would
    break, and 409 `tables_locked`.
    """

    name: str
    version: UUID


class TableStorage(Part):
    """The room that one table takes."""

    table_id: UUID
    name: str
    kind: TableKind
    published_bytes: int
    former_bytes: int
    former_versions: int
    """How many there are, to go back to."""


class WarehouseStorage(Part):
    """The room that an organisation's tables take, in bytes on disk."""

    published_bytes: int
    former_bytes: int
    unpublished_bytes: int
    """What runs are writing, and what those that failed have left for a retry."""
    former_budget_bytes: int
    """Above it, former versions are dropped, the oldest first."""
    former_versions: int
    """So many are kept of each table, if they fit into the budget."""
    tables: tuple[TableStorage, ...]
    """The largest first."""


class GetStorage(Request[WarehouseStorage]):
    """How much room do the organisation's tables take?"""

    limit: int = Field(default=50, ge=1, le=1000)
    """So many tables are listed; all are counted."""


class SortItem(Part):
    """One column of an order; nulls come last either way."""

    column: ColumnName
    descending: bool = False


class PreviewPage(Part):
    """Rows of a preview; a value is as api.md says: wide numbers and times are strings."""

    columns: tuple[str, ...]
    types: dict[str, str]
    rows: tuple[dict[str, object], ...]
    total_count: int | None
    elapsed_ms: float
    warnings: tuple[Notice, ...] = ()
    """What to expect of the recipe's build, where that is much."""


View = Annotated[str | None, Field(max_length=100)]
"""The place that shows the answer, as its asker calls it; see `Request.coalesces`."""


class PreviewTable(Request[PreviewPage]):
    """A page of a table's published version."""

    withdrawable: ClassVar[bool] = True
    coalesces: ClassVar[bool] = True

    name: str
    limit: int = Field(default=100, ge=1, le=1000)
    offset: int = Field(default=0, ge=0)
    sort: tuple[SortItem, ...] = ()
    count: Literal["exact", "none"] = "exact"
    filter: dict[str, object] | None = None
    """A predicate of the recipe language on the table's columns, as the user wrote it."""
    view: View = None


class ValueCount(Part):
    """A value, and in how many of the rows read it stands."""

    value: object
    count: int


class Bucket(Part):
    """A stretch of values and how many of the rows read lie in it.

    `from` belongs to it, `to` to the next one, and in the last one to it.
    """

    from_: object = Field(alias="from")
    to: object
    count: int

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)


class ColumnProfile(Part):
    """What a column holds, in the rows that were read."""

    name: str
    type: str
    nulls: int
    distinct: int
    min: object = None
    """The least value of numbers, times and text (by code point); text is cut at 200 characters."""
    max: object = None
    mean: float | None = None
    """Of numbers."""
    top: tuple[ValueCount, ...] = ()
    """The most frequent values."""
    histogram: tuple[Bucket, ...] = ()
    """Of numbers and times."""


class TableProfile(Part):
    """What the columns hold; `sampled`: read from an even sample of the rows."""

    columns: tuple[ColumnProfile, ...]
    sampled: bool
    rows_read: int
    total_rows: int
    elapsed_ms: float


class ProfileTable(Request[TableProfile]):
    """What the columns of a table's published version hold."""

    withdrawable: ClassVar[bool] = True
    coalesces: ClassVar[bool] = True

    name: str
    view: View = None


class _ShownAsRecipe:
    """Keeps the field's own parsing, shows the schema of a recipe."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return handler(source)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(Recipe.__pydantic_core_schema__)


RecipeJson = Annotated[dict[str, object], _ShownAsRecipe()]
"""A recipe that is passed on: parsing one can take 100 ms, which only its owner's workers spend."""


class Transformation(Part):
    """A saved recipe, at its newest version."""

    id: UUID
    name: str
    description: str | None
    recipe: RecipeJson
    version: int
    output_table_id: UUID
    output_table_name: str
    columns: tuple[Column, ...]
    """What the recipe gives, as compiled on what its inputs have now."""
    last_run_at: datetime | None
    created_at: datetime
    updated_at: datetime


class TransformationList(Part):
    """A page of transformations, by name."""

    transformations: tuple[Transformation, ...]
    next_cursor: str | None = None


class CreateTransformation(Request[Transformation]):
    """Check the recipe, resolve its tables, reserve the output's name, keep version 1."""

    transformation_id: UUID
    name: str
    description: str | None = None
    recipe: dict[str, object]
    """As the user wrote it: the owner parses it and answers with problems at their steps."""
    output_table_name: str | None = None


class UpdateTransformation(Request[Transformation]):
    """Save a new version; None leaves a field as it is."""

    transformation_id: UUID
    if_version: int | None = None
    name: str | None = None
    description: str | None = None
    recipe: dict[str, object] | None = None
    output_table_name: str | None = None


class GetTransformation(Request[Transformation]):
    """One transformation of the organisation."""

    transformation_id: UUID


class ListTransformations(Request[TransformationList]):
    """The organisation's transformations, a page at a time."""

    limit: int = 50
    cursor: str | None = None


class DeleteTransformation(Request[Done]):
    """Delete a transformation whose output nobody reads; 409 names who does."""

    transformation_id: UUID
    if_version: int | None = None


class StepColumns(Part):
    """The columns after one step."""

    columns: tuple[Column, ...]


class RecipeCheck(Part):
    """Every error at its step, and the columns after each step before the first error.

    They end too at a pivot whose columns are named in data that is not there yet, with those columns
    of it that are certain: the first build reads the names and checks the rest.
    """

    valid: bool
    errors: tuple[RecipeError, ...]
    steps: tuple[StepColumns, ...]
    warnings: tuple[Notice, ...] = ()
    """What to expect of the build of a recipe that is valid, where that is much."""


class ValidateRecipe(Request[RecipeCheck]):
    """Check a recipe against the catalogue; of the data only names of columns are read."""

    withdrawable: ClassVar[bool] = True
    coalesces: ClassVar[bool] = True

    recipe: dict[str, object]
    transformation_id: UUID | None = None
    """Where the recipe would be saved: cycles are found only when this is known."""
    view: View = None


class PreviewRecipe(Request[PreviewPage]):
    """A page of what a recipe gives now; without a recipe, of the saved one."""

    withdrawable: ClassVar[bool] = True
    coalesces: ClassVar[bool] = True

    recipe: dict[str, object] | None = None
    transformation_id: UUID | None = None
    until_step: int | None = Field(default=None, ge=0)
    limit: int = Field(default=100, ge=1, le=1000)
    offset: int = Field(default=0, ge=0)
    sort: tuple[SortItem, ...] = ()
    count: Literal["exact", "none"] = "exact"
    filter: dict[str, object] | None = None
    """A predicate of the recipe language on the result's columns, as the user wrote it."""
    view: View = None


class ProfileRecipe(Request[TableProfile]):
    """What the columns of a recipe's result hold now."""

    withdrawable: ClassVar[bool] = True
    coalesces: ClassVar[bool] = True

    recipe: dict[str, object]
    until_step: int | None = Field(default=None, ge=0)
    view: View = None


class RecipeSql(Part):
    """The one statement a recipe compiles to, formatted for reading."""

    sql: str


class ShowSql(Request[RecipeSql]):
    """The SQL of a recipe, or without one of a saved transformation, on what its inputs have now."""

    withdrawable: ClassVar[bool] = True
    coalesces: ClassVar[bool] = True

    transformation_id: UUID | None = None
    recipe: dict[str, object] | None = None
    view: View = None


class RecipeVersion(Part):
    """One save of a transformation."""

    version: int
    saved_at: datetime
    saved_by: str
    """The actor of the save: a user's id, or the key's."""
    step_count: int
    is_current: bool
    restored_from: int | None = None
    """The version whose recipe was brought back by this one."""


class RecipeVersions(Part):
    """A page of a transformation's versions, the newest first."""

    versions: tuple[RecipeVersion, ...]
    next_cursor: str | None = None


class ListRecipeVersions(Request[RecipeVersions]):
    """Every save of a transformation."""

    transformation_id: UUID
    limit: int = 50
    cursor: str | None = None


class SavedRecipe(RecipeVersion):
    """One save of a transformation, with its recipe."""

    recipe: RecipeJson
    """Tables by their names of today; one that is gone, by the name it had at the save."""


class GetRecipeVersion(Request[SavedRecipe]):
    """One version of a transformation."""

    transformation_id: UUID
    version: int


class RecipeDiff(Part):
    """What was changed from one version of a transformation to another."""

    version: int
    with_version: int
    """The version that `version` is compared with: `old` is what this one says."""
    steps: tuple[StepChange, ...]


class CompareRecipeVersions(Request[RecipeDiff]):
    """What a version changed, compared with another one, or with the one before it."""

    transformation_id: UUID
    version: int
    with_version: int | None = None


class RestoreRecipeVersion(Request[Transformation]):
    """Save an old version's recipe as a new version, if it fits the tables there are now."""

    transformation_id: UUID
    version: int
    if_version: int | None = None


class ColumnOrigin(Part):
    """A column that a value is made of; `column` None: of the table's rows, as a count is."""

    table: str
    """Display name."""
    table_id: UUID
    kind: TableKind
    column: str | None


class ColumnLineage(Part):
    """Where one column's values come from."""

    name: str
    type: ColumnType
    origins: tuple[ColumnOrigin, ...] = Field(
        validation_alias=AliasChoices("from", "origins"), serialization_alias="from"
    )
    """Columns of sources, through all recipes between; empty for a constant."""
    read: tuple[ColumnOrigin, ...]
    """Columns of the tables that the recipe itself reads."""


class RelatedTable(Part):
    """A table before or after another one."""

    table_id: UUID
    name: str
    kind: TableKind
    is_direct: bool
    """No other recipe lies between."""


class TransformationLineage(Part):
    """Where a transformation's columns come from, and which tables depend on it."""

    transformation_id: UUID
    version: int
    columns: tuple[ColumnLineage, ...]
    upstream: tuple[RelatedTable, ...]
    downstream: tuple[RelatedTable, ...]


class TraceTransformation(Request[TransformationLineage]):
    """The lineage of a saved transformation, as it compiles on what its inputs have now."""

    coalesces: ClassVar[bool] = True

    transformation_id: UUID


class ReadColumn(Part):
    """A column that a recipe reads; None: it counts the table's rows."""

    table_id: UUID
    column: str | None


class TracedColumn(Part):
    """A column of the warehouse, and the columns that its recipe makes it of."""

    name: str
    type: ColumnType
    origins: tuple[ReadColumn, ...] = Field(
        default=(), validation_alias=AliasChoices("from", "origins"), serialization_alias="from"
    )


class TracedTable(Part):
    """A table of the warehouse, what it is made of and by whom it is read."""

    table_id: UUID
    name: str
    kind: TableKind
    columns: tuple[TracedColumn, ...]
    reads: tuple[UUID, ...]
    read_by: tuple[UUID, ...]
    misfit: str | None = None
    """Why its recipe does not fit its inputs any more, so that nothing is known of its columns."""


class TracedTables(Part):
    """A part of the organisation's lineage, tables by display name."""

    tables: tuple[TracedTable, ...]
    next_cursor: str | None = None


class TraceTables(Request[TracedTables]):
    """The lineage of all tables, a page at a time; without columns it costs next to nothing."""

    coalesces: ClassVar[bool] = True

    with_columns: bool = True
    limit: int = 50
    cursor: str | None = None


class PlannedTransformation(Part):
    """What a run must know of a transformation before it starts."""

    transformation_id: UUID
    name: str
    recipe_version: int
    table_id: UUID
    reads: tuple[UUID, ...]
    """Table ids that the recipe reads."""


class TransformationsPlan(Part):
    """Recipe versions, and for every table involved what is published (absent: never)."""

    transformations: tuple[PlannedTransformation, ...]
    published: tuple[TableVersion, ...]
    table_names: dict[UUID, str]
    warnings: tuple[Notice, ...] = ()


class PlanTransformations(Request[TransformationsPlan]):
    """Pin recipes and versions for a run that writes `source_table_ids` and the recipes' outputs.

    A recipe that is gone, or reads a table that is neither written by the run nor ever published,
    is a problem naming it.
    """

    transformation_ids: tuple[UUID, ...]
    source_table_ids: tuple[UUID, ...]


class MissingVersions(Part):
    """Relations of versions that are gone."""

    relations: tuple[str, ...]


class FindMissingVersions(Request[MissingVersions]):
    """Which of these versions of the organisation are gone?"""

    relations: tuple[str, ...]


class BuildTransformation(Command):
    """Build a transformation's next version from exactly these inputs."""

    run_id: UUID
    step_id: UUID
    transformation_id: UUID
    recipe_version: int
    inputs: tuple[TableVersion, ...]
    published: TableVersion | None
    as_of: datetime
    """The moment that TODAY and NOW mean in this run."""
    timezone: str
    force: bool = False
    repeated: bool = False
    """Asked again: say the outcome if there is one, leave the step to whoever holds it if not."""
    attempt: int = 1
    """Of the run: how often it was begun, this time included."""


class TransformationBuilt(Event):
    """A version was built, or (`unchanged`) the published one is still the truth."""

    run_id: UUID
    step_id: UUID
    lease: int
    tables: tuple[TableVersion, ...]
    unchanged: bool
    sql: str
    warnings: tuple[Notice, ...] = ()


class TransformationFailed(Event):
    """The build failed; the problem names the step of the recipe where there is one."""

    run_id: UUID
    step_id: UUID
    lease: int
    problem: Problem


class PublishRun(Command):
    """Make these versions what readers see, all at once: the point of no return."""

    run_id: UUID
    step_id: UUID
    tables: tuple[TableVersion, ...]
    attempt: int = 1
    """Of the run: how often it was begun, this time included."""


class AbortPublish(Command):
    """Do not publish the run any more, if it has not been published yet."""

    run_id: UUID
    step_id: UUID
    attempt: int = 1
    """Of the run: how often it was begun, this time included."""


class RunPublished(Event):
    """Readers see the run's tables."""

    run_id: UUID
    table_ids: tuple[UUID, ...]
    attempt: int = 1
    """Of the run: how often it was begun, this time included."""


class PublishAborted(Event):
    """The run will not be published, unless it is begun again."""

    run_id: UUID
    attempt: int = 1
    """Of the run: how often it was begun, this time included."""


class PublishFailed(Event):
    """Publishing failed for good; readers see what they saw before."""

    run_id: UUID
    problem: Problem
    attempt: int = 1
    """Of the run: how often it was begun, this time included."""


class GetReadiness(Request[Readiness]):
    """Whether this service is ready: what its own `/readyz` answers."""
