"""A large file through a worker into a table: time, and the most memory that the worker took.

`python -m bench.large [--mb 1000] [--form plain gzip utf16]`; every form is the same text.
"""

import argparse
import asyncio
import gzip
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
from bench.ground import Ground, running
from pydantic import SecretStr

from contracts.envelope import new_id
from ingest.jobs import LoadJob, Progress
from ingest.pool import WorkerPool
from warehouse.names import data_schema, org_role, version_relation
from warehouse.provision import provision

LOOKED = 0.05
"""Seconds between two looks at the worker's memory."""
_LINES = 10_000


def write(path: Path, megabytes: int) -> int:
    """A text of ten columns; gives its rows."""
    rows = 0
    with path.open("w", encoding="utf-8") as file:
        file.write("id,full name,district,status,age,amount,joined,seen at,active,note\n")
        while file.tell() < megabytes << 20:
            file.writelines(
                f"{n},Person {n * 7919 % 1_000_003},District {n % 50},"
                f"{('Active', 'Closed', '')[n % 3]},{n % 90},{n % 100_000 / 4:.2f},"
                f"20{n % 30:02}-{n % 12 + 1:02}-{n % 28 + 1:02},"
                f"2024-01-{n % 28 + 1:02} {n % 24:02}:{n % 60:02}:00,"
                f"{'true' if n % 2 else 'false'},a note about number {n}\n"
                for n in range(rows, rows + _LINES)
            )
            rows += _LINES
    return rows


def _as_gzip(source: Path, target: Path) -> None:
    with source.open("rb") as file, gzip.open(target, "wb", compresslevel=1) as packed:
        shutil.copyfileobj(file, packed, 1 << 20)


def _as_utf16(source: Path, target: Path) -> None:
    with source.open(encoding="utf-8") as file, target.open("w", encoding="utf-16") as wide:
        shutil.copyfileobj(file, wide, 1 << 20)


FORMS: dict[str, Callable[[Path, Path], object]] = {
    "plain": shutil.copyfile,
    "gzip": _as_gzip,
    "utf16": _as_utf16,
}


async def measure(ground: Ground, path: Path, rows: int) -> dict[str, float]:
    """Load one file into a new table."""
    org_id = new_id()
    connection = await asyncpg.connect(ground.database_url("transform"))
    await provision(connection, org_id)
    await connection.close()
    job = LoadJob(
        path=path,
        database_url=SecretStr(ground.database_url("ingest")),
        role=org_role(org_id),
        schema_name=data_schema(org_id),
        relation=version_relation(new_id()),
    )
    began: dict[str, float] = {}

    def heard(progress: Progress) -> None:
        began.setdefault(f"{progress.phase}_at", round(time.perf_counter() - start, 1))

    async with WorkerPool(spares=0) as pool:
        start = time.perf_counter()
        loading = asyncio.create_task(pool.load(job, heard))
        peak = 0
        while not loading.done():
            await asyncio.sleep(LOOKED)
            for process in psutil.Process().children():
                with suppress(psutil.NoSuchProcess):
                    if "ingest.worker" in process.cmdline():
                        peak = max(peak, process.memory_info().rss)
        loaded = await loading
    if loaded.rows != rows:
        raise SystemExit(f"{rows} rows were written and {loaded.rows} loaded")
    return {
        "seconds": round(time.perf_counter() - start, 1),
        **began,
        "worker_peak_mb": round(peak / (1 << 20)),
    }


def main() -> None:
    """Write, load, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=1000)
    parser.add_argument("--form", nargs="*", choices=FORMS, default=list(FORMS))
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dalgo-large-") as name, running() as ground:
        text = Path(name, "text")
        rows = write(text, said.mb)
        report: dict[str, object] = {"mb": said.mb, "rows": rows}
        for form in said.form:
            path = text.with_name(form)
            FORMS[form](text, path)
            report[form] = asyncio.run(measure(ground, path, rows))
            print(f"{form}: {report[form]}", flush=True)
            path.unlink()
    print(json.dumps(report))


if __name__ == "__main__":
    main()
