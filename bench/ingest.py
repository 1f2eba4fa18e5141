"""A CSV of a million rows from its bytes on disk to the visible table, against COPY of the same file.

`just bench ingest [--rows N] [--rounds N]`. The upload is stored before the clock starts. Measured
apart: making the source (`POST /sources`, which looks at every cell), and its sync until the run is
seen as succeeded over HTTP. `ratio_to_copy` is both together against COPY.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import duckdb
import httpx
import psutil
from bench.ground import Ground, running, signed_up

from contracts.envelope import new_id
from ingest.dialect import CsvOptions
from ingest.jobs import InspectJob, LoadJob, Progress
from ingest.pool import WorkerPool
from warehouse.access import as_org
from warehouse.names import data_schema, org_role, qualified, version_relation

SERVICES = ("auth", "ingest", "transform", "orchestrator", "gateway")
ROWS = 1_000_000
ROUNDS = 5
TYPES = {
    "number": "bigint",
    "full_name": "text",
    "district": "text",
    "status": "text",
    "age": "bigint",
    "amount": "numeric",
    "joined": "date",
    "seen_at": "timestamp",
    "active": "boolean",
    "note": "text",
}
"""Of PostgreSQL, and what ingestion must find by itself."""
_CELLS = """
    n AS number, 'Person ' || left(md5(n::VARCHAR), 9) AS full_name, 'District ' || n % 50 AS district,
    CASE n % 3 WHEN 0 THEN 'Active' WHEN 1 THEN 'Closed' END AS status, n % 7919 % 90 AS age,
    ((n % 100000) / 7)::DECIMAL(12, 2) AS amount,
    DATE '2020-01-01' + (n % 2000)::INTEGER AS joined,
    strftime(TIMESTAMP '2020-01-01' + to_seconds(n), '%Y-%m-%d %H:%M:%S') AS seen_at,
    n % 2 = 0 AS active, CASE WHEN n % 10 > 0 THEN 'note ' || n END AS note"""


def make(path: Path, rows: int) -> None:
    """Write the file: the same bytes for the same number of rows."""
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT {_CELLS} FROM range(1, {rows + 1}) AS numbers(n)) "
            f"TO '{path}' (FORMAT csv, HEADER true)"
        )


class Memory:
    """The largest memory of a loading process with its children, as the kernel counts it."""

    def __init__(self) -> None:
        self.peak = 0
        self._over = threading.Event()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look every 20 ms while the context lasts."""
        self._over.clear()
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _watch(self) -> None:
        workers: list[psutil.Process] = []
        found_at = 0.0
        while not self._over.wait(0.02):
            if time.monotonic() - found_at > 0.2:
                workers, found_at = _workers(), time.monotonic()
            for worker in workers:
                self.peak = max(self.peak, _peak(worker))


def _workers() -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "ingest.worker" in process.cmdline():
                found += process.children()
        except psutil.Error:
            continue
    return found


def _peak(worker: psutil.Process) -> int:
    """Bytes: the high-water mark of the process, and of each of its children."""
    try:
        everyone = [worker, *worker.children(recursive=True)]
        return sum(_high_water(process.pid) for process in everyone)
    except (psutil.Error, OSError):
        return 0


def _high_water(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return 0


async def _copy(plain: asyncpg.Connection, path: Path) -> float:
    """Seconds that COPY takes into an empty table of the right types."""
    columns = ", ".join(f"{name} {kind}" for name, kind in TYPES.items())
    await plain.execute(f"CREATE TABLE public.plain ({columns})")
    await plain.execute("CHECKPOINT")
    started = time.perf_counter()
    await plain.copy_to_table(
        "plain", schema_name="public", source=str(path), format="csv", header=True
    )
    taken = time.perf_counter() - started
    await plain.execute("DROP TABLE public.plain")
    return taken


async def _upload(client: httpx.AsyncClient, path: Path) -> str:
    with path.open("rb") as file:
        answer = await client.post("/uploads", files={"file": (path.name, file)}, timeout=600)
    return answer.raise_for_status().json()["upload_id"]


async def _product(
    client: httpx.AsyncClient, plain: asyncpg.Connection, path: Path, rows: int
) -> tuple[float, float]:
    """Seconds that making a source takes, and its first sync."""
    upload_id = await _upload(client, path)
    await plain.execute("CHECKPOINT")
    started = time.perf_counter()
    body = {"type": "csv", "name": path.stem, "config": {"upload_id": upload_id}}
    answer = await client.post("/sources", json=body, timeout=600)
    source: dict[str, Any] = answer.raise_for_status().json()
    made = time.perf_counter()
    run = await _run(client, f"/sources/{source['id']}/sync")
    ended = time.perf_counter()
    if run["status"] != "succeeded":
        raise RuntimeError(json.dumps(run))
    answer = await client.get(f"/sources/{source['id']}")
    seen = answer.raise_for_status().json()
    kinds = [column["type"] for column in seen["columns"]]
    assert seen["row_count"] == rows
    assert kinds == [{"bigint": "integer", "numeric": "decimal"}.get(k, k) for k in TYPES.values()]
    gone = await client.delete(
        f"/sources/{source['id']}", headers={"If-Match": answer.headers["ETag"]}
    )
    gone.raise_for_status()
    return made - started, ended - made


async def _run(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    answer = await client.post(path, headers={"Prefer": "wait=60"}, timeout=90)
    run = answer.raise_for_status().json()
    while run["status"] not in {"succeeded", "failed", "cancelled"}:
        await asyncio.sleep(0.1)
        run = (await client.get(f"/runs/{run['id']}")).raise_for_status().json()
    return run


async def _phases(ground: Ground, org_id: UUID, path: Path) -> dict[str, float]:
    """Seconds of each phase of one load of a file never seen, as a warm worker tells of them."""
    relation = version_relation(new_id())
    times: list[tuple[str, float]] = []
    async with WorkerPool(spares=1) as pool:
        warm = path.with_name("warm.csv")
        warm.write_text("a,b\n1,2\n")
        await pool.inspect(InspectJob(path=warm))
        job = LoadJob.model_validate(
            {
                "path": path,
                "options": CsvOptions(),
                "database_url": ground.database_url("ingest"),
                "role": org_role(org_id),
                "schema_name": data_schema(org_id),
                "relation": relation,
            }
        )

        def heard(progress: Progress) -> None:
            if not times or times[-1][0] != progress.phase:
                times.append((progress.phase, time.perf_counter()))

        started = time.perf_counter()
        await pool.load(job, heard)
    ended = time.perf_counter()
    connection = await asyncpg.connect(ground.database_url("ingest"))
    async with connection.transaction(), as_org(connection, org_id):
        await connection.execute(f"DROP TABLE {qualified(data_schema(org_id), relation)}")
    await connection.close()
    ends = [*(at for _, at in times[1:]), ended]
    found = {phase: end - at for (phase, at), end in zip(times, ends, strict=True)}
    return {"start": times[0][1] - started} | found | {"whole": ended - started}


async def measure(ground: Ground, path: Path, rows: int, rounds: int) -> dict[str, float]:
    """Medians of both, taken in turn; the median of the ratios of each pair."""
    plain = await asyncpg.connect(ground.servers.superuser_url)
    copied: list[float] = []
    made: list[float] = []
    synced: list[float] = []
    memory = Memory()
    async with signed_up(ground) as (client, org_id):
        for index in range(rounds + 1 if rounds > 1 else 1):
            copied.append(await _copy(plain, path))
            with memory.watched():
                making, syncing = await _product(client, plain, path, rows)
            made.append(making)
            synced.append(syncing)
            print(
                f"round {index}: COPY {copied[-1]:.2f} s, source {making:.2f} s, sync {syncing:.2f} s"
            )
        with memory.watched():
            told = await _phases(ground, org_id, path)
        print("phases (s):", json.dumps({name: round(took, 3) for name, took in told.items()}))
    await plain.close()
    skip = 1 if rounds > 1 else 0
    whole = [(m + s) / c for m, s, c in zip(made, synced, copied, strict=True)][skip:]
    only = [s / c for s, c in zip(synced, copied, strict=True)][skip:]
    return {
        "ratio_to_copy": round(statistics.median(whole), 2),
        "ratio_of_sync": round(statistics.median(only), 2),
        "peak_rss_mb": round(memory.peak / 1e6),
        "copy_s": round(statistics.median(copied[skip:]), 2),
        "source_s": round(statistics.median(made[skip:]), 2),
        "sync_s": round(statistics.median(synced[skip:]), 2),
        "rows": rows,
    }


def main() -> None:
    """Make the file, start everything, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dalgo-bench-") as folder:
        path = Path(folder) / "rows.csv"
        make(path, said.rows)
        print(f"{said.rows} rows, {path.stat().st_size / 1e6:.0f} MB")
        with running(*SERVICES) as ground:
            print(json.dumps(asyncio.run(measure(ground, path, said.rows, said.rounds))))


if __name__ == "__main__":
    main()
