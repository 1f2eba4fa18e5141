"""How many rows a COPY has written so far, as PostgreSQL counts them."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import psycopg2

from ingest.jobs import Destination, Tell

_EVERY = 0.5
"""Seconds between two looks; a load that is done before the first costs none."""
_QUERY = """
    SELECT copy.tuples_processed, copy.bytes_processed
    FROM pg_stat_progress_copy AS copy JOIN pg_stat_activity AS session USING (pid)
    WHERE session.application_name = %s
"""


@contextmanager
def watched(job: Destination, rows: int, size: int, tell: Tell) -> Iterator[None]:
    """Tell how far the load of a version has come while the context lasts.

    `rows` and `size` (bytes) are what there is to load. Whoever cannot look tells nothing.
    """
    tell("loading", rows=0, total_rows=rows, total_bytes=size)
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(job, rows, size, tell, done), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _watch(job: Destination, rows: int, size: int, tell: Tell, done: threading.Event) -> None:
    if done.wait(_EVERY):
        return
    # As the service's own login: the organisation's role is shown nobody's progress.
    url = job.database_url.get_secret_value()
    with suppress(psycopg2.Error), closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        while not done.wait(_EVERY):
            copied = _look(connection, job)
            if copied is not None:
                tell("loading", rows=copied[0], total_rows=rows, bytes=copied[1], total_bytes=size)


def _look(connection: Any, job: Destination) -> tuple[int, int] | None:
    with connection.cursor() as cursor:
        cursor.execute(_QUERY, (job.relation,))
        return cursor.fetchone()
