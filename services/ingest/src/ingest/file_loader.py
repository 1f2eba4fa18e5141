"""From a file to a version: typed, cleaned, loaded. Runs in a subprocess."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from ingest.connectors.csv import fingerprint, opened
from ingest.jobs import LoadJob, LoadResult, Tell
from ingest.loader import Ready, into_table


def load(job: LoadJob, work: Path, progress: Tell) -> LoadResult:
    """Write the file into a new table. Everything temporary lies in `work`.

    Raises BadSource (the file, or a value the database refuses) and Unavailable (the database is
    away). A table that was begun and not finished is dropped.
    """
    progress("reading", total_bytes=job.path.stat().st_size)
    with opened(job.path, job.options, work) as file, TemporaryDirectory(dir=work) as folder:
        progress("writing", total_rows=file.inspection.rows)
        clean = Path(folder) / "clean.csv"
        file.write(clean)
        if job.rejects is not None and file.rejects is not None:
            shutil.copyfile(file.rejects, job.rejects)
        inspection = file.inspection
        try:
            ready = Ready(clean, file.delimiter, inspection.columns, inspection.rows)
            rows, size = into_table(job, ready, Path(folder), progress)
        finally:
            clean.unlink(missing_ok=True)
    return LoadResult(
        relation=job.relation,
        columns=inspection.columns,
        rows=rows,
        bytes=size,
        fingerprint=fingerprint(inspection.sha256, job.options),
        warnings=inspection.warnings,
    )
