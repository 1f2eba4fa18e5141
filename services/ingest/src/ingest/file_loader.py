"""From a file to a version: typed, cleaned, loaded. Runs in a subprocess."""

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from ingest.connectors.csv import Inspection, as_it_stands, fingerprint, opened
from ingest.jobs import LoadJob, LoadResult, Phase
from ingest.loader import Ready, into_table


def load(job: LoadJob, work: Path, progress: Callable[[Phase], None]) -> LoadResult:
    """Write the file into a new table. Everything temporary lies in `work`.

    Raises BadSource (the file, or a value the database refuses) and Unavailable (the database is
    away). A table that was begun and not finished is dropped.
    """
    progress("reading")
    with TemporaryDirectory(dir=work) as folder:
        target = Path(folder) / "clean.csv"
        if job.known is not None and _written(job.path, job.known, target):
            assert job.known.clean is not None
            found, delimiter = job.known, job.known.clean.delimiter
        else:
            with opened(job.path, job.options, work) as file:
                progress("writing")
                file.write(target)
                if job.rejects is not None and file.rejects is not None:
                    shutil.copyfile(file.rejects, job.rejects)
                found, delimiter = file.inspection, file.delimiter
        progress("loading")
        ready = Ready(target, delimiter, found.columns, found.rows)
        rows, size = into_table(job, ready, Path(folder), progress)
    return LoadResult(
        relation=job.relation,
        columns=found.columns,
        rows=rows,
        bytes=size,
        fingerprint=fingerprint(found.sha256, job.options),
        warnings=found.warnings,
    )


def _written(path: Path, known: Inspection, target: Path) -> bool:
    """Whether the file is a clean one and the one that was looked at: then it is written out."""
    if known.clean is None:
        return False
    physical = [column.physical_name for column in known.columns]
    digest = as_it_stands(path, known.clean.begins, known.clean.delimiter, physical, target)
    return digest == known.sha256
