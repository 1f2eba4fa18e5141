"""Recipe cases run through the product over HTTP: checked, previewed, saved, built, published, read.

`python -m bench.cases_recipes [DIR]`; DIR defaults to $SHARED_CASES. Cases are in the documented
format (its README); the tables of each are published versions of an organisation's warehouse.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from bench.filling import Warehouse
from bench.ground import Ground, running, signed_up
from tests.integration.recipe.cases import POSTGRES, Outcome, mismatch, stored

from contracts.tables import Column
from recipe.naming import physical_names
from transform.values import cell

if TYPE_CHECKING:
    from uuid import UUID

WORKERS = 3
"""Cases at once, each in an organisation of its own."""
SERVICES = ("auth", "ingest", "transform", "orchestrator", "gateway")

Case = Mapping[str, Any]
Json = dict[str, Any]


class Refused(Exception):
    """The product said no, with the problem as it told it."""

    def __init__(self, problem: Json) -> None:
        super().__init__(problem.get("detail", ""))
        self.outcome = _outcome_of(problem)


def _outcome_of(problem: Json) -> Outcome:
    errors = problem.get("errors") or [{}]
    first = errors[0]
    step, code = first.get("step"), first.get("code", problem.get("code", ""))
    return Outcome(
        problem=(-1 if step is None else step, code),
        message=problem.get("detail") or first.get("message", ""),
    )


class Product:
    """The interface as the owner of one organisation uses it."""

    def __init__(self, client: httpx.AsyncClient, warehouse: Warehouse) -> None:
        self._client = client
        self._warehouse = warehouse
        self._made: list[UUID] = []
        self._saved: list[str] = []

    async def run(self, case: Case) -> str:
        """What is not as the case expects; empty when all is."""
        try:
            await self._fill(case)
            try:
                outcome = await self._outcome(case)
            except Refused as refused:
                outcome = refused.outcome
            return mismatch(_as_shown(case), outcome)
        finally:
            await self._clear()

    async def _outcome(self, case: Case) -> Outcome:
        """What comes of checking, previewing, saving and publishing, of which the rows agree."""
        own = await self._neighbours(case)
        recipe = case["recipe"]
        body: Json = {"recipe": recipe} | ({"transformation_id": own} if own else {})
        checked = await self._call("POST", "/transformations/validate", json=body)
        if not checked["valid"]:
            return _outcome_of({"errors": checked["errors"]})
        ordered = bool(case["expect"].get("ordered"))
        previewed = None
        if "error" not in case["expect"]:
            previewed = await self._page("POST", "/transformations/preview", recipe)
        if own:
            saved = await self._call("PUT", f"/transformations/{own}", json={"recipe": recipe})
        else:
            saved = await self._save("result", recipe)
        run = await self._call(
            "POST",
            f"/transformations/{saved['id']}/execute",
            headers={"Prefer": "wait=60"},
        )
        if run["status"] != "succeeded":
            raise Refused(_problem_of(run))
        table = await self._page("GET", f"/warehouse/tables/{saved['output_table_id']}/preview")
        if previewed is not None and (difference := _differ(previewed, table, ordered)):
            return Outcome(problem=(-1, "preview_differs"), message=difference)
        columns = checked["steps"][-1]["columns"]
        if [(c["name"], c["type"]) for c in columns] != [(c.name, c.type) for c in table.columns]:
            return Outcome(problem=(-1, "check_differs"), message=str(columns))
        return table

    async def _neighbours(self, case: Case) -> str | None:
        """Save the other recipes of a case, and what it is to be saved as; the latter's id."""
        own = None
        if name := case.get("save_as"):
            # It exists before it can be changed to what may not be.
            first = _hidden(name) if name in case["tables"] else next(iter(case["tables"]))
            source = {"type": "source", "table": first}
            own = (await self._save(name, {"steps": [source]}))["id"]
        for name, recipe in case.get("transforms", {}).items():
            other = await self._save(name, recipe)
            if "error" not in case["expect"]:
                await self._call(
                    "POST",
                    f"/transformations/{other['id']}/execute",
                    headers={"Prefer": "wait=60"},
                )
        return own

    async def _save(self, name: str, recipe: Json) -> Json:
        body = {"name": name, "recipe": recipe}
        saved = await self._call("POST", "/transformations", json=body)
        self._saved.append(saved["id"])
        return saved

    async def _page(self, method: str, path: str, recipe: Json | None = None) -> Outcome:
        rows: list[Json] = []
        found: Json = {"total_count": 1}
        while len(rows) < found["total_count"]:
            window = {"limit": 1000, "offset": len(rows)}
            if recipe is None:
                found = await self._call(method, path, params=window)
            else:
                found = await self._call(method, path, json={"recipe": recipe} | window)
            rows += found["rows"]
            if not found["rows"]:
                break
        types = found["types"]
        columns = tuple(
            Column(name=name, physical="", type=types[name]) for name in found["columns"]
        )
        listed = [tuple(_read(row[c.name], c.type) for c in columns) for row in rows]
        return Outcome(columns, listed)

    async def _fill(self, case: Case) -> None:
        for name, content in case["tables"].items():
            physical = physical_names(list(content["columns"]))
            columns = [
                Column(name=display, physical=inner, type=kind)
                for inner, (display, kind) in zip(physical, content["columns"].items(), strict=True)
            ]
            listed = ", ".join(f'"{c.physical}" {_postgres(c, content)}' for c in columns)
            rows = [
                [stored(cell, c.type) for cell, c in zip(row, columns, strict=True)]
                for row in content["rows"]
            ]
            shown = _hidden(name) if name == case.get("save_as") else name
            version = await self._warehouse.table(shown, columns, f"({listed})", rows)
            self._made.append(version.table_id)

    async def _clear(self) -> None:
        for transformation_id in reversed(self._saved):
            await self._call("DELETE", f"/transformations/{transformation_id}")
        for table_id in self._made:
            await self._warehouse.drop(table_id)
        self._saved, self._made = [], []

    async def _call(self, method: str, path: str, **more: Any) -> Json:
        answer = await self._client.request(method, path, **more)
        if answer.is_error:
            raise Refused(answer.json())
        return json.loads(answer.content) if answer.content else {}


def _hidden(name: str) -> str:
    """The name of a table that stands for what a recipe gave before it was changed."""
    return f"{name} (before)"


def _postgres(column: Column, content: Mapping[str, Any]) -> str:
    """Whole numbers may pass 64 bits."""
    place = list(content["columns"]).index(column.name)
    wide = any(isinstance(row[place], int) and abs(row[place]) >= 2**63 for row in content["rows"])
    return "numeric" if wide and column.type == "integer" else POSTGRES[column.type]


def _read(value: object, kind: str) -> object:
    """A cell of a page as the case writes it; wide numbers come as text."""
    if value is None:
        return None
    if kind == "integer":
        return int(str(value))
    return Decimal(str(value)) if kind == "decimal" else value


def _as_shown(case: Case) -> Case:
    """The case with JSON cells as they are shown: wide numbers inside are text there too."""
    expect = case["expect"]
    if "rows" not in expect:
        return case
    rows = [
        [cell(value) if isinstance(value, dict | list) else value for value in row]
        for row in expect["rows"]
    ]
    return {**case, "expect": {**expect, "rows": rows}}


def _problem_of(run: Json) -> Json:
    failed = [step["error"] for step in run["steps"] if step.get("error")]
    return failed[0] if failed else run.get("error") or {"detail": f"the run is {run['status']}"}


def _differ(previewed: Outcome, table: Outcome, ordered: bool) -> str:
    names = [column.name for column in previewed.columns]
    expect = {"columns": names, "rows": previewed.rows, "ordered": ordered}
    return mismatch({"expect": expect}, table)


def read_cases(folder: Path) -> list[tuple[str, Case]]:
    """Every case with its area; DIR is the folder of the areas, or the one above it."""
    inner = folder / "recipes"
    files = sorted((inner if inner.is_dir() else folder).glob("*.json"))
    found = [(f.stem, case) for f in files for case in json.loads(f.read_text(encoding="utf-8"))]
    if not found:
        raise SystemExit(f"There are no cases in {folder}: a folder of JSON files is wanted.")
    return found


async def run_all(ground: Ground, cases: Sequence[tuple[str, Case]]) -> dict[str, list[int]]:
    """Run every case and say which do not hold; passed and failed by area."""
    areas: dict[str, list[int]] = {area: [0, 0] for area, _ in cases}
    waiting = list(reversed(cases))

    async def work() -> None:
        async with AsyncExitStack() as stack:
            client, org_id = await stack.enter_async_context(signed_up(ground))
            warehouse = await stack.enter_async_context(Warehouse.open(ground, org_id))
            product = Product(client, warehouse)
            while waiting:
                area, case = waiting.pop()
                try:
                    wrong = await product.run(case)
                except (httpx.HTTPError, Refused, RuntimeError, ValueError) as error:
                    wrong = f"{type(error).__name__}: {error}"
                areas[area][bool(wrong)] += 1
                if wrong:
                    print(f"{area}: {case['name']}: {wrong[:500]}")

    await asyncio.gather(*(work() for _ in range(WORKERS)))
    return areas


def main() -> None:
    """Run the cases of a folder, report by area, and end with a failure if any does not hold."""
    given = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SHARED_CASES")
    if not given:
        raise SystemExit("Where are the cases? Name their folder, or set SHARED_CASES.")
    cases = read_cases(Path(given))
    started = time.perf_counter()
    with running(*SERVICES) as ground:
        areas = asyncio.run(run_all(ground, cases))
    total = Counter[str]()
    for area, (passed, failed) in sorted(areas.items()):
        print(f"{area:24} {passed:4} passed {failed:4} failed")
        total.update(passed=passed, failed=failed)
    print(f"{len(cases)} cases in {time.perf_counter() - started:.0f} s")
    print(json.dumps({"passed": total["passed"], "failed": total["failed"], "areas": areas}))
    sys.exit(1 if total["failed"] else 0)


if __name__ == "__main__":
    main()
