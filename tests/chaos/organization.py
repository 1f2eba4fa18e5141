"""An organisation under chaos: its sources, recipes and pipelines, and how they are edited and run."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from contracts.envelope import new_id

from .client import Client
from .truth import PIPELINES, STRICT, TABLES


@dataclass
class Organization:
    """What was made over HTTP, and of which generation its sources are now."""

    client: Client
    name: str
    id: str = ""
    ids: dict[str, str] = field(default_factory=dict)
    """Of sources and transformations, by the name of their table."""
    pipelines: dict[str, str] = field(default_factory=dict)
    generation: int = 1

    async def build(self) -> None:
        """Make everything and run every pipeline once."""
        self.id = await self.client.sign_up(self.name)
        sources = [name for name, table in TABLES.items() if not table.reads]
        await asyncio.gather(*(self._make_source(name) for name in sources))
        for name, table in TABLES.items():
            if table.reads:
                recipe: dict[str, Any] = {"name": name, "recipe": {"steps": list(table.recipe)}}
                self.ids[name] = await self._make("/transformations", recipe)
        for pipeline, tables in PIPELINES.items():
            sources = [self.ids[name] for name in tables if not TABLES[name].reads]
            recipes = [self.ids[name] for name in tables if TABLES[name].reads]
            body = {"name": pipeline, "source_ids": sources, "transformation_ids": recipes}
            self.pipelines[pipeline] = await self._make("/pipelines", body)

    async def edit(self, *, broken: str | None = None) -> None:
        """Give every source a file of the next generation; `broken` one that does not fit."""
        self.generation += 1
        names = [name for name, table in TABLES.items() if not table.reads]
        await asyncio.gather(*(self._replace(name, broken=name == broken) for name in names))

    async def mend(self, name: str) -> None:
        """Give a source the file that it should have had."""
        await self._replace(name)

    async def start(self, pipeline: str, key: str) -> str:
        """The id of a run that was acknowledged."""
        path = f"/pipelines/{self.pipelines[pipeline]}/run"
        if pipeline == "visits alone":
            path = f"/sources/{self.ids['visits']}/sync"
        return (await self.client.ask("POST", path, key=key)).json()["id"]

    async def cancel(self, run_id: str) -> None:
        """Ask for a run's end; 404: the orchestrator has not heard of it yet, which may be."""
        await self.client.ask("POST", f"/runs/{run_id}/cancel", accept=(404,))

    async def retry(self, run_id: str) -> bool:
        """Begin a run again; False when it is too late for that, and an answer says so."""
        answer = await self.client.ask("POST", f"/runs/{run_id}/retry", accept=(409,))
        # Said again after an answer that was lost: it runs already.
        return answer.status_code != 409 or answer.json()["code"] in {"not_ended", "succeeded"}

    async def runs(self) -> dict[str, dict[str, Any]]:
        """The last runs, by id."""
        found = (await self.client.ask("GET", "/runs", params={"limit": 60})).json()
        return {run["id"]: run for run in found}

    async def _make_source(self, name: str) -> None:
        config: dict[str, Any] = {"upload_id": await self._upload(name)}
        if name == STRICT:
            config["on_schema_change"] = "fail"
        body = {"name": name, "type": "csv", "config": config}
        self.ids[name] = await self._make("/sources", body)

    async def _make(self, path: str, body: dict[str, Any]) -> str:
        key = f"make {body['name']}"
        return (await self.client.ask("POST", path, json=body, key=key)).json()["id"]

    async def _replace(self, name: str, *, broken: bool = False) -> None:
        upload = await self._upload(name, broken=broken)
        path = f"/sources/{self.ids[name]}/uploads"
        await self.client.ask("POST", path, json={"upload_id": upload})

    async def _upload(self, name: str, *, broken: bool = False) -> str:
        content = TABLES[name].file(self.generation, broken=broken)
        key = f"{name} {self.generation} {broken} {new_id()}"
        file = {"file": (f"{name}.csv", content)}
        return (await self.client.ask("POST", "/uploads", files=file, key=key)).json()["upload_id"]
