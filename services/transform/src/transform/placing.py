"""Where recipes find their tables and what they may not read: versions, live names, cycles."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from contracts.tables import Column, TableVersion
from recipe import Checked, RecipeError, Table
from recipe.naming import physical_names
from transform.domain import CatalogueTable, find_cycle
from transform.drafts import Mention
from warehouse.names import data_schema, live_schema


def recipe_tables(org_id: UUID, tables: Iterable[CatalogueTable]) -> dict[str, Table]:
    """Tables as recipes read them: the published version, else the live name that is to come."""
    placed: dict[str, Table] = {}
    for table in tables:
        version = table.published
        placed[table.physical_name] = Table(
            table_id=table.table_id.hex,
            display_name=table.name,
            physical_name=table.physical_name,
            schema_name=data_schema(org_id) if version else live_schema(org_id),
            relation=version.relation if version else table.physical_name,
            columns=table.columns,
        )
    return placed


def live_tables(org_id: UUID, tables: Iterable[CatalogueTable]) -> dict[str, Table]:
    """Tables under their live names, for SQL that people read."""
    return {
        name: table.model_copy(
            update={"schema_name": live_schema(org_id), "relation": table.physical_name}
        )
        for name, table in recipe_tables(org_id, tables).items()
    }


def pinned_tables(
    org_id: UUID, tables: Iterable[CatalogueTable], inputs: Sequence[TableVersion]
) -> dict[str, Table]:
    """Exactly these versions, under the names of their tables."""
    versions = {version.table_id: version for version in inputs}
    return {
        table.physical_name: Table(
            table_id=table.table_id.hex,
            display_name=table.name,
            physical_name=table.physical_name,
            schema_name=data_schema(org_id),
            relation=versions[table.table_id].relation,
            columns=versions[table.table_id].columns,
        )
        for table in tables
        if table.table_id in versions
    }


def cycle_error(
    mentions: Iterable[Mention],
    reads: Mapping[UUID, Collection[UUID]],
    tables: Mapping[UUID, CatalogueTable],
    own: UUID,
) -> RecipeError | None:
    """The error of a recipe that reaches its own table, at the step where the way begins.

    `mentions` of the recipe in its kept form; `reads` with what the recipe itself reads.
    """
    way = find_cycle(reads, own)
    if way is None:
        return None
    first = tables[way[1]].physical_name
    at = next((mention for mention in mentions if mention.table == first), None)
    spelled = " → ".join(f"'{tables[table].name}'" for table in way[::-1])
    return RecipeError(
        step=at.step if at else 0,
        step_id=at.step_id if at else None,
        type=at.type if at else None,
        field=at.field if at else None,
        code="cycle",
        message=f"The recipe would read its own result: {spelled}. Read another table here.",
    )


def final_columns(checked: Checked) -> tuple[Column, ...]:
    """The columns that a fitting recipe gives, under the names they will have in the database."""
    columns = checked.steps[-1]
    names = physical_names([column.name for column in columns])
    return tuple(
        column.model_copy(update={"physical": name})
        for column, name in zip(columns, names, strict=True)
    )
