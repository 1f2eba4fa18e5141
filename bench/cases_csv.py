"""CSV cases run through the product over HTTP: uploaded, synced as text, read again, scored.

`python -m bench.cases_csv [DIR] [--own] [--direct] [--scorer PATH]`; DIR defaults to $SHARED_CASES and is
a folder of cases (with `manifest.json`), one of such folders, or the one above a folder `csv`.
`--own` takes our own cases instead (`tests/cases/csv_files.py`). `--direct` reads files with the connector alone, without services: quicker, for work on detection.
`--scorer` (or $CSV_SCORER) names a Python file whose `score(cases, results)` is used instead of
ours.
"""

import argparse
import asyncio
import csv
import importlib.util
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
from bench import csv_scorer
from bench.ground import Ground, running, signed_up
from tests.cases import csv_files

from ingest.connectors import BadSource
from ingest.connectors.csv import sample
from ingest.dialect import CsvOptions

WORKERS = 3
"""Files at once, each in an organisation of its own."""
SERVICES = ("auth", "ingest", "transform", "orchestrator", "gateway")
PAGE = 1000

Score = Callable[[str, str], dict[str, Any]]
Case = tuple[Path, Path]
"""A file, and where to write what was understood."""


def folders(given: Path) -> list[Path]:
    """The folders of cases in a folder."""
    inner = given / "csv"
    root = inner if inner.is_dir() else given
    found = [root] if (root / "manifest.json").is_file() else []
    found = found or sorted(path.parent for path in root.glob("*/manifest.json"))
    if not found:
        raise SystemExit(f"There are no cases in {given}: a folder with manifest.json is wanted.")
    return found


def cases_of(folder: Path, results: Path) -> list[Case]:
    """The files of a folder, and where their results go."""
    listed = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["cases"]
    (results / folder.name).mkdir()
    return [(folder / case["file"], results / folder.name / case["file"]) for case in listed]


def write(target: Path, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Every cell as text; what is missing is the empty cell."""
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(["" if cell is None else cell for cell in row] for row in rows)


def read_directly(cases: Iterable[Case]) -> None:
    """Read every file with the connector."""
    for source, target in cases:
        try:
            read = sample(source, CsvOptions(types="text"), 1 << 40)
        except BadSource as refused:
            print(f"{source.name}: refused: {refused.code}: {refused.message}")
            continue
        names = [column.display_name for column in read.inspection.columns]
        write(target, names, ([row[name] for name in names] for row in read.rows))


async def read_through(ground: Ground, cases: Iterable[Case]) -> None:
    """Read every file as a person would: upload, sync, and look at the table."""
    waiting = list(reversed(list(cases)))

    async def work() -> None:
        async with AsyncExitStack() as stack:
            client, _ = await stack.enter_async_context(signed_up(ground))
            while waiting:
                source, target = waiting.pop()
                try:
                    await _one(client, source, target)
                except httpx.HTTPStatusError as error:
                    print(f"{source.name}: refused: {error.response.text[:500]}")
                except httpx.HTTPError as error:
                    print(f"{source.name}: {type(error).__name__}: {error}")

    await asyncio.gather(*(work() for _ in range(WORKERS)))


async def _one(client: httpx.AsyncClient, source: Path, target: Path) -> None:
    content = await asyncio.to_thread(source.read_bytes)
    uploaded = await _call(client, "POST", "/uploads", files={"file": (source.name, content)})
    config = {"upload_id": uploaded["upload_id"], "types": "text"}
    body = {"type": "csv", "name": source.stem[:60], "config": config}
    made = await _call(client, "POST", "/sources", json=body)
    run = await _call(client, "POST", f"/sources/{made['id']}/sync", headers={"Prefer": "wait=60"})
    while run["status"] in {"queued", "syncing", "transforming", "publishing"}:
        await asyncio.sleep(1)
        run = await _call(client, "GET", f"/runs/{run['id']}")
    if run["status"] != "succeeded":
        print(f"{source.name}: the run is {run['status']}: {json.dumps(run)[:500]}")
        return
    path = f"/warehouse/tables/{made['id']}/preview"
    rows: list[list[object]] = []
    limit = PAGE
    while True:
        try:
            window = {"limit": limit, "offset": len(rows)}
            page = await _call(client, "GET", path, params=window)
        except httpx.HTTPStatusError as error:
            if error.response.json().get("code") != "answer_too_large" or limit == 1:
                raise
            limit = max(1, limit // 4)
            continue
        rows += [[row[name] for name in page["columns"]] for row in page["rows"]]
        if len(rows) >= page["total_count"] or not page["rows"]:
            break
    await asyncio.to_thread(write, target, page["columns"], rows)


async def _call(client: httpx.AsyncClient, method: str, path: str, **more: Any) -> dict[str, Any]:
    answer = await client.request(method, path, **more)
    answer.raise_for_status()
    return answer.json()


def scorer(path: str | None) -> Score:
    """Ours, or the one in a file."""
    if path is None:
        return csv_scorer.score
    spec = importlib.util.spec_from_file_location("scorer", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.score


def main() -> None:
    """Read all cases, score them, and report by folder; the means are of the required ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dir", nargs="?", default=os.environ.get("SHARED_CASES"))
    parser.add_argument("--own", action="store_true")
    parser.add_argument("--direct", action="store_true")
    parser.add_argument("--scorer", default=os.environ.get("CSV_SCORER"))
    said = parser.parse_args()
    if not said.dir and not said.own:
        raise SystemExit("Where are the cases? Name their folder, or set SHARED_CASES.")
    score = scorer(said.scorer)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="csv-cases-") as temporary:
        results = Path(temporary, "results")
        results.mkdir()
        given = results.with_name("own") if said.own else Path(said.dir)
        if said.own:
            csv_files.write(given)
        found = folders(given)
        cases = [case for folder in found for case in cases_of(folder, results)]
        if said.direct:
            read_directly(cases)
        else:
            with running(*SERVICES) as ground:
                asyncio.run(read_through(ground, cases))
        scored = {folder.name: score(str(folder), str(results / folder.name)) for folder in found}
    for name, one in scored.items():
        for case in one["cases"]:
            if case["exact"] < 10:
                mark = " (a matter of taste)" if case["optional"] else ""
                print(f"{name}: {case['file']}: {case['exact']:.2f}{mark}")
        required, every = one["required"], one["all"]
        print(
            f"{name:10} {required['exact']:6.3f} exact {required['exact_matches']}/"
            f"{required['cases']} required; {every['exact']:.3f} of all {every['cases']}"
        )
    count = sum(one["required"]["cases"] for one in scored.values())
    total = sum(one["required"]["exact"] * one["required"]["cases"] for one in scored.values())
    print(f"{len(cases)} cases in {time.perf_counter() - started:.0f} s")
    report = {
        "score": round(total / count, 3),
        "exact": sum(one["required"]["exact_matches"] for one in scored.values()),
        "cases": count,
        "folders": {name: one["required"]["exact"] for name, one in scored.items()},
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
