"""From a KoboToolbox form to versions: all of its tables, or none. Runs in a subprocess."""

from pathlib import Path
from tempfile import TemporaryDirectory

from ingest.connectors import Unavailable
from ingest.connectors.kobo.client import KoboClient
from ingest.connectors.kobo.reading import read
from ingest.connectors.kobo.writing import Written
from ingest.jobs import Destination, FormJob, FormResult, LoadResult, Tell
from ingest.loader import Ready, drop, into_table


def load(job: FormJob, work: Path, progress: Tell) -> FormResult:
    """Read the form and write its tables. Everything temporary lies in `work`.

    Raises BadSource and Unavailable; tables that were written until then are dropped.
    """
    progress("reading")
    with TemporaryDirectory(dir=work) as name:
        folder = Path(name)
        with KoboClient(job.server_url, job.api_token, allowed=job.allowed_origins) as client:
            reading = read(
                client,
                job.options,
                folder,
                after=job.after,
                mask_key=job.mask_key,
                known=job.known,
            )
        loaded: dict[str, LoadResult] = {}
        if reading.fingerprint != job.published:
            _require_places(job, reading.tables)
            try:
                for table in reading.tables:
                    loaded[table.form.path] = _table(
                        job, table, reading.fingerprint, folder, progress
                    )
            except BaseException:
                for one in loaded.values():
                    drop(_destination(job, one.relation))
                raise
        return FormResult(
            tables=loaded, fingerprint=reading.fingerprint, submissions=reading.submissions
        )


def _table(
    job: FormJob,
    table: Written,
    fingerprint: str,
    folder: Path,
    progress: Tell,
) -> LoadResult:
    relation = job.relations[table.form.path]
    ready = Ready(table.path, ",", table.columns, table.rows)
    rows, size = into_table(_destination(job, relation), ready, folder / relation, progress)
    return LoadResult(
        relation=relation,
        columns=table.columns,
        rows=rows,
        bytes=size,
        fingerprint=fingerprint,
        warnings=table.warnings,
    )


def _require_places(job: FormJob, tables: tuple[Written, ...]) -> None:
    missing = [table.form.name for table in tables if table.form.path not in job.relations]
    if missing:
        raise Unavailable(
            "form_changed",
            f"The form got new repeats while it was read: {', '.join(missing)}.",
        )


def _destination(job: FormJob, relation: str) -> Destination:
    return Destination(
        database_url=job.database_url,
        role=job.role,
        schema_name=job.schema_name,
        relation=relation,
    )
