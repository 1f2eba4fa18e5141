"""From a file to a version: typed, cleaned, loaded. Runs in a subprocess."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from ingest.connectors.csv import Inspection, as_it_stands, fingerprint, opened
from ingest.jobs import LoadJob, LoadResult, Tell
from ingest.loader import Ready, into_table


def load(job: LoadJob, work: Path, progress: Tell) -> LoadResult:
    """Write the file into a new table. Everything temporary lies in `work`.

    Raises BadSource (the file, or a value the database refuses) and Unavailable (the database is
    away). A table that was begun and not finished is dropped.
    """
    progress("reading", total_bytes=job.path.stat().st_size)
    with TemporaryDirectory(dir=work) as folder:
        target = Path(folder) / "clean.csv"
        if job.looked is not None and _written(job.path, job.looked, target):
            assert job.looked.clean is not None
            found, delimiter = job.looked, job.looked.clean.delimiter
            progress("writing", total_rows=found.rows)
        else:
            reading = opened(job.path, job.options, work, mask_key=job.mask_key, known=job.known)
            with reading as file:
                progress("writing", total_rows=file.inspection.rows)
                file.write(target)
                if job.rejects is not None and file.rejects is not None:
                    shutil.copyfile(file.rejects, job.rejects)
                found, delimiter = file.inspection, file.delimiter
        ready = Ready(target, delimiter, found.columns, found.rows)
        rows, size = into_table(job, ready, Path(folder), progress)
    return LoadResult(
        relation=job.relation,
        columns=found.columns,
        rows=rows,
        bytes=size,
        fingerprint=fingerprint(found.sha256, job.options, job.mask_key),
        warnings=found.warnings,
    )


def _written(path: Path, looked: Inspection, target: Path) -> bool:
    """Whether the file is a clean one and the one that was looked at: then it is written out."""
    if looked.clean is None:
        return False
    physical = [column.physical_name for column in looked.columns]
    digest = as_it_stands(path, looked.clean.begins, looked.clean.delimiter, physical, target)
    return digest == looked.sha256
