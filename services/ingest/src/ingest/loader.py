"""A file of cells into a new table: loaded by dlt, counted in SQL. Runs in a subprocess."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import dlt
import psycopg2
from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.data_types.typing import TDataType
from dlt.common.destination.configuration import CsvFormatConfiguration
from dlt.common.schema.typing import TColumnSchema
from dlt.destinations.exceptions import DatabaseTransientException, DestinationConnectionError
from dlt.destinations.impl.postgres.factory import PostgresTypeMapper
from dlt.load.exceptions import LoadClientJobException
from psycopg2 import sql
from psycopg2.errors import DiskFull, ProgramLimitExceeded

from ingest.connectors import BadSource, ColumnType, InferredColumn, Unavailable
from ingest.jobs import ORDER, Destination, Tell
from ingest.watching import watched
from warehouse.names import LOAD_ID

ANALYZED = 10_000
"""Columns times their statistics target; at most `_STATISTICS`, a sample of 15,000 rows."""
_STATISTICS = 50
"""As of all versions (`warehouse.versions.analyze`)."""
_CONFIG: dict[str, Any] = {
    "restore_from_destination": False,
    "schema.naming": "direct",
    "load.workers": 1,
    "load.raise_on_max_retries": 1,
}
_DLT_TYPES: dict[ColumnType, TDataType] = {
    "text": "text",
    "integer": "bigint",
    "decimal": "decimal",
    "date": "date",
    "timestamp": "timestamp",
    "boolean": "bool",
    "json": "json",
}
_AWAY = (
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    DatabaseTransientException,
    DestinationConnectionError,
)


class ExactTypes(PostgresTypeMapper):
    """dlt's own would round decimals to nine places and put a zone on wall-clock times."""

    sct_to_unbound_dbt = PostgresTypeMapper.sct_to_unbound_dbt | {
        "text": "text",
        "decimal": "numeric",
        "timestamp": "timestamp without time zone",
    }

    def to_destination_type(self, column: TColumnSchema, table: Any) -> str:
        """The type as it stands above; never with a precision."""
        kind = column.get("data_type")
        known = self.sct_to_unbound_dbt.get(kind) if kind else None
        return known or super().to_destination_type(column, table)


@dataclass(frozen=True)
class Ready:
    """A file that PostgreSQL reads as it is: UTF-8, a header of physical names."""

    path: Path
    delimiter: str
    columns: tuple[InferredColumn, ...]
    rows: int


def into_table(job: Destination, ready: Ready, folder: Path, progress: Tell) -> tuple[int, int]:
    """Write a file into a new table; gives its rows and bytes, as SQL counts them.

    Raises BadSource and Unavailable. A table that was begun and not finished is dropped.
    """
    with _translated(), closing(_connect(job)) as connection:
        if _execute(connection, "SELECT to_regclass(%s)", values=(_literal(job),))[0]:
            raise ValueError(f"the relation {job.relation} exists: a version is new")
        try:
            with watched(job, ready.rows, ready.path.stat().st_size, progress):
                load_id = _through_dlt(job, ready, folder, connection)
            progress("counting", total_rows=ready.rows)
            rows, size = _finish(connection, job, load_id, len(ready.columns))
            if rows != ready.rows:
                raise BadSource(
                    "rows_lost",
                    f"{ready.rows} rows were read and {rows} arrived; nothing was kept. Report "
                    "this with the file.",
                )
        except BaseException:
            drop(job, connection)
            raise
    return rows, size


def drop(job: Destination, connection: Any = None) -> None:
    """Take a table back, if the database lets us."""
    with suppress(psycopg2.Error), closing(connection or _connect(job)) as held:
        _execute(held, "DROP TABLE IF EXISTS {}", _table(job))


def _through_dlt(job: Destination, ready: Ready, folder: Path, connection: Any) -> str:
    """Run one dlt pipeline of its own name; gives its load id."""
    for key, value in _CONFIG.items():
        dlt.config[key] = value
    destination = dlt.destinations.postgres(
        credentials=_as_role(job),
        create_indexes=False,
        csv_format=CsvFormatConfiguration(delimiter=ready.delimiter, include_header=True),
        type_mapper=ExactTypes,
    )
    pipeline = dlt.pipeline(
        pipeline_name=job.relation,
        pipelines_dir=str(folder / "dlt"),
        destination=destination,
        dataset_name=job.schema_name,
    )

    @dlt.resource(name=job.relation, columns=_hints(ready.columns))
    def rows() -> Iterator[Any]:
        yield dlt.mark.with_file_import(str(ready.path), "csv", ready.rows)

    pipeline.extract(rows, schema=dlt.Schema(job.relation), write_disposition="append")
    pipeline.normalize()
    _prepare(connection, job, pipeline)
    if job.ordered:
        pipeline.sync_schema()
        _execute(
            connection,
            f"ALTER TABLE {{}} ADD COLUMN {ORDER} bigint GENERATED ALWAYS AS IDENTITY",
            _table(job),
        )
    return pipeline.load().loads_ids[0]


def _hints(columns: tuple[InferredColumn, ...]) -> dict[str, TColumnSchema]:
    return {
        column.physical_name: {
            "name": column.physical_name,
            "data_type": _DLT_TYPES[column.type],
            "nullable": True,
        }
        for column in columns
    }


def _prepare(connection: Any, job: Destination, pipeline: dlt.Pipeline) -> None:
    """Let one load at a time make dlt's own tables: two at once fail on the same CREATE TABLE."""
    if _dlt_is_there(connection, job):
        return
    with _alone(job):
        if not _dlt_is_there(connection, job):
            pipeline.sync_schema()


@contextmanager
def _alone(job: Destination) -> Iterator[None]:
    """Hold the service's lock on an organisation's data schema: the organisation's role holds none."""
    url = job.database_url.get_secret_value()
    with closing(psycopg2.connect(url, connect_timeout=15)) as own, own:
        _execute(own, "SELECT take_lock(%s)", values=(f"dlt.{job.schema_name}",))
        yield


def _dlt_is_there(connection: Any, job: Destination) -> bool:
    found = _execute(
        connection,
        "SELECT count(*) FROM pg_tables WHERE schemaname = %s"
        " AND tablename IN ('_dlt_version', '_dlt_loads')",
        values=(job.schema_name,),
    )
    return found[0] == 2


def _finish(connection: Any, job: Destination, load_id: str, width: int) -> tuple[int, int]:
    """Stamp the rows, forget dlt's schema of this version, count. A default costs no rewrite."""
    table = _table(job)
    _execute(
        connection,
        f"ALTER TABLE {{}} ADD COLUMN {LOAD_ID} text NOT NULL DEFAULT %s",
        table,
        values=(load_id,),
    )
    _execute(connection, f"ALTER TABLE {{}} ALTER COLUMN {LOAD_ID} DROP DEFAULT", table)
    _execute(
        connection,
        "DELETE FROM {} WHERE schema_name = %s",
        sql.Identifier(job.schema_name, "_dlt_version"),
        values=(job.relation,),
    )
    # Time goes with sample times columns: that of a wide table may not be longer than a load.
    target = max(5, min(_STATISTICS, ANALYZED // width))
    _execute(
        connection,
        "SELECT set_config('default_statistics_target', %s, false)",
        values=(str(target),),
    )
    _execute(connection, "ANALYZE {}", table)
    (rows,) = _execute(connection, "SELECT count(*) FROM {}", table)
    (size,) = _execute(
        connection,
        "SELECT pg_total_relation_size(%s::regclass)",
        values=(_literal(job),),
    )
    return rows, size


def _table(job: Destination) -> sql.Identifier:
    return sql.Identifier(job.schema_name, job.relation)


def _literal(job: Destination) -> str:
    return f'"{job.schema_name}"."{job.relation}"'


def _execute(
    connection: Any, query: str, *names: sql.Identifier, values: tuple[Any, ...] = ()
) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(query).format(*names), values or None)
        return cursor.fetchone() or () if cursor.description else ()


def _connect(job: Destination) -> Any:
    connection = psycopg2.connect(_as_role(job), connect_timeout=15)
    connection.autocommit = True
    return connection


def _as_role(job: Destination) -> str:
    """The URL whose sessions begin as the organisation's role: dlt writes no SET ROLE.

    They bear the version's name, by which they can be found and ended.
    """
    url = job.database_url.get_secret_value()
    joint = "&" if urlsplit(url).query else "?"
    role = quote(f"-crole={job.role}", safe="")
    return f"{url}{joint}options={role}&application_name={job.relation}"


@contextmanager
def _translated() -> Iterator[None]:
    """What went wrong, for people: dlt wraps what the database said several times over."""
    try:
        yield
    except (BadSource, ConfigurationException):
        raise
    except Exception as error:
        causes = list(_causes(error))
        refused = next((cause for cause in causes if isinstance(cause, psycopg2.DataError)), None)
        if refused is not None:
            told = str(refused).partition("\n")[0]
            raise BadSource("refused", f"The database did not take the data: {told}") from error
        if any(isinstance(cause, ProgramLimitExceeded) for cause in causes):
            raise BadSource(
                "row_too_wide",
                "A row does not fit into the database: it holds 8,160 bytes of numbers, dates and "
                "short texts, and 18 bytes for each long text. Split the file into tables of fewer "
                "columns.",
            ) from error
        if any(isinstance(cause, DiskFull) for cause in causes):
            raise Unavailable("database_full", "The disk of the database is full.") from error
        if any(isinstance(cause, _AWAY) for cause in causes):
            raise Unavailable("database_away", "The database does not answer.") from error
        raise


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        beneath = error.client_exception if isinstance(error, LoadClientJobException) else None
        error = beneath or error.__cause__ or error.__context__
