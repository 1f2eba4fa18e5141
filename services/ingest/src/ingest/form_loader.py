"""From a KoboToolbox form to versions: all of its tables, or none. Runs in a subprocess."""

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from contracts.ingest import Form
from ingest.connectors.kobo import changes
from ingest.connectors.kobo import form as forms
from ingest.connectors.kobo.client import KoboClient
from ingest.connectors.kobo.http import HURRIED, Patience
from ingest.connectors.kobo.reading import Reading, read, sample
from ingest.connectors.kobo.writing import Column, Ruling, Writer, Written
from ingest.jobs import (
    Destination,
    FormJob,
    FormResult,
    FormSample,
    FormTable,
    ListFormsJob,
    LoadResult,
    SampleFormJob,
    Tell,
)
from ingest.loader import Ready, drop, into_table

Place = Callable[[Mapping[str, str]], Mapping[str, str]]
"""Asks for relations by path, given the tables' names by path."""


def load(job: FormJob, work: Path, progress: Tell, place: Place) -> FormResult:
    """Read the form and write its tables. Everything temporary lies in `work`.

    Raises BadSource and Unavailable; tables that were written until then are dropped.
    """
    progress("reading")
    with TemporaryDirectory(dir=work) as name:
        folder = Path(name)
        with _client(job) as client:
            reading = read(
                client,
                job.options,
                folder,
                after=job.after,
                seen=lambda rows: progress("reading", rows=rows),
                mask_key=job.mask_key,
                known=job.known,
            )
        loaded: dict[str, LoadResult] = {}
        if reading.fingerprint != job.published:
            relations = place({table.form.path: table.form.name for table in reading.tables})
            try:
                for table in reading.tables:
                    path = table.form.path
                    fingerprint = reading.fingerprint
                    loaded[path] = _table(
                        job, table, relations[path], fingerprint, folder, progress
                    )
            except BaseException:
                for one in loaded.values():
                    drop(_destination(job, one.relation))
                raise
            if job.stamps is not None:
                shutil.copyfile(reading.stamps, job.stamps)
        return FormResult(
            tables=loaded,
            fingerprint=reading.fingerprint,
            submissions=reading.submissions,
            changes=_changes(job, reading),
        )


def show(job: SampleFormJob, work: Path) -> FormSample:
    """What the form asks, with the first rows if any are wanted; a page at most is read.

    Raises BadSource and Unavailable.
    """
    with _client(job, HURRIED) as client, TemporaryDirectory(dir=work) as name:
        if not job.limit:
            asset = client.definition(job.options.form_id)
            shape = forms.tables(asset, job.options.values, job.options.language)
            ruling = Ruling(job.options.columns, job.mask_key, whole=False)
            found: list[FormTable] = []
            asked: list[str] = []
            for one in shape.all():
                writer = Writer(one, [Column(field) for field in one.fields], 1)
                columns = writer.expected(ruling)
                found.append(FormTable(path=one.path, name=one.name, columns=columns))
                asked += writer.names.display
            return FormSample(tables=tuple(found), warnings=tuple(ruling.meet(asked)))
        tables = read(
            client, job.options, Path(name), limit=job.limit, mask_key=job.mask_key
        ).tables
        return FormSample(
            tables=tuple(
                FormTable(
                    path=one.form.path,
                    name=one.form.name,
                    columns=one.columns,
                    rows=tuple(dict(row) for row in sample(one, job.limit)),
                )
                for one in tables
            ),
            warnings=tuple(notice for one in tables for notice in one.warnings),
        )


def forms_of(job: ListFormsJob) -> tuple[Form, ...]:
    """The forms that the account may read. Raises BadSource and Unavailable."""
    with _client(job, HURRIED) as client:
        return tuple(client.forms())


def _client(
    job: FormJob | SampleFormJob | ListFormsJob, patience: Patience | None = None
) -> KoboClient:
    return KoboClient(job.server_url, job.api_token, allowed=job.allowed_origins, patience=patience)


def _changes(job: FormJob, reading: Reading) -> changes.Counts | None:
    if job.after is not None:
        return changes.Counts(inserts=reading.submissions)
    if job.stamps_before is not None:
        # Stamps that cannot be read cost the notice, not the data.
        with suppress(OSError, ValueError):
            old, new = changes.stamps(job.stamps_before), changes.stamps(reading.stamps)
            return changes.counts(changes.difference(old, new), reading.submissions)
    return None


def _table(
    job: FormJob,
    table: Written,
    relation: str,
    fingerprint: str,
    folder: Path,
    progress: Tell,
) -> LoadResult:
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


def _destination(job: FormJob, relation: str) -> Destination:
    return Destination(
        database_url=job.database_url,
        role=job.role,
        schema_name=job.schema_name,
        relation=relation,
    )
