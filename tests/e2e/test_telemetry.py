"""What can be seen of the stack from outside: one trace for a run, none of loops that poll; metrics."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import nats
import pytest

from contracts.envelope import from_headers
from dalgo import Dalgo
from stack.control import status
from stack.probe import get
from stack.secrets import load
from stack.services import NAMES
from stack.state import read_state

from ..servers.otlp import Collector, collector

_WITHIN = 30.0
_QUIET = 5.0
"""Seconds of idleness; most loops look each second or two."""


@pytest.fixture(scope="module", autouse=True)
def traces() -> Iterator[Collector]:
    """Where the stack of this module sends its spans."""
    with collector() as found, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        patch.setenv("LOG_LEVEL", "INFO")
        yield found


class Ear:
    """Hears every command and event of the bus, in a thread of its own."""

    def __init__(self, running: Any) -> None:
        self._port = read_state(running.layout).ports["nats"]
        self._password = load(running.layout.secrets, list(NAMES)).bus["migrator"]
        self._ready, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()))
        self.heard: list[tuple[str, dict[str, str], bytes]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(_WITHIN)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    async def _listen(self) -> None:
        url = f"nats://127.0.0.1:{self._port}"
        connection = await nats.connect(url, user="migrator", password=self._password)

        async def hear(message: Any) -> None:
            self.heard.append((message.subject, dict(message.headers or {}), message.data))

        for subject in ("cmd.>", "evt.>"):
            await connection.subscribe(subject, cb=hear)
        await connection.flush()
        self._ready.set()
        await asyncio.to_thread(self._over.wait)
        await connection.close()

    def of(self, run_id: str) -> list[tuple[str, str | None]]:
        """Type and trace id of all that names a run."""
        return [
            (from_headers(headers, subject).type, headers.get("traceparent", "")[3:35] or None)
            for subject, headers, body in self.heard
            if run_id in body.decode()
        ]


def _lines(folder: Path, run_id: str) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for name in NAMES
        for line in (folder / f"{name}.log").read_text().splitlines()
        if line.startswith("{") and run_id in line
    ]


def _sql(spans: list[Any]) -> list[tuple[str, str]]:
    return [
        (service, attribute.value.string_value)
        for service, span in spans
        for attribute in span.attributes
        if attribute.key in ("db.statement", "db.query.text")
    ]


def test_a_run_is_one_trace_from_the_request_to_the_last_build(
    dalgo: Dalgo, people: Path, running: Any, traces: Collector
) -> None:
    upload = dalgo.uploads.create(people)
    source = dalgo.sources.create("people", {"upload_id": str(upload.upload_id)})
    steps = {"type": "filter", "column": "age", "operator": "greater_or_equal", "value": 18}
    built, table = [], "people"
    for name in ("adults", "elders"):
        recipe = {"version": 1, "steps": [{"type": "source", "table": table}, steps]}
        built.append(dalgo.transformations.create(name, recipe, output_table_name=name))
        table = name
    pipeline = dalgo.pipelines.create("all", [source.id], [one.id for one in built])
    with Ear(running) as ear:
        run = dalgo.runs.wait(dalgo.pipelines.run(pipeline.id))
        assert run.status == "succeeded"
    said = ear.of(str(run.id))
    kinds = {kind.rpartition(".v")[0].rpartition(".")[2] for kind, _ in said}
    assert {"start_run", "sync_source", "build_transformation", "publish_run"} <= kinds
    assert {"run_queued", "source_synced", "transformation_built", "run_succeeded"} <= kinds
    ids = {trace_id for _, trace_id in said}
    assert len(ids) == 1, said
    (trace_id,) = ids
    assert trace_id is not None

    lines = _lines(running.layout.logs, str(run.id))
    assert {line["service"] for line in lines} >= {"orchestrator", "ingest", "transform"}
    assert {line["run_id"] for line in lines} == {str(run.id)}
    assert len({line["org_id"] for line in lines}) == 1
    assert {line["trace_id"] for line in lines} == {trace_id}

    deadline = time.monotonic() + _WITHIN
    while True:
        spans = traces.of(trace_id)
        builds = [text for service, text in _sql(spans) if service == "transform"]
        made = [text for text in builds if text.lstrip().upper().startswith("CREATE TABLE")]
        if len(made) >= len(built) or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    assert len(made) >= len(built), builds
    assert {service for service, _ in spans} >= set(NAMES) - {"auth"}
    assert [span.name for service, span in spans if service == "gateway" and span.kind == 2]


def test_metrics_of_every_service_are_on_the_port_that_status_shows(running: Any) -> None:
    parts = [part for part in status(running.layout).parts if part.name in NAMES]
    assert len(parts) == len(NAMES)
    for part in parts:
        assert part.metrics_port
        assert part.port
        assert get(part.metrics_port, "/metrics", timeout=5).status == 200
        assert get(part.port, "/metrics", timeout=5).status == 404


def test_an_idle_stack_sends_no_spans(running: Any, traces: Collector) -> None:
    time.sleep(_QUIET)  # what the requests before have begun
    before = len(traces.spans)
    time.sleep(_QUIET)
    late = [(service, span.name) for service, span in traces.spans[before:]]
    assert late == []
