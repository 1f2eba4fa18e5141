"""Whatever part is killed at whatever point of a run: the run ends right, once."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from dalgo import Dalgo
from dalgo.tail import step_of

ROWS = 60_000
ADULTS = {"type": "filter", "column": "age", "operator": "greater_or_equal", "value": 18}
BY_DISTRICT = {
    "type": "group",
    "by": ["district"],
    "aggregates": [
        {"function": "count_rows", "alias": "people"},
        {"function": "sum", "column": "age", "alias": "years"},
    ],
}


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that takes long enough to load for a kill to meet it."""
    path = tmp_path_factory.mktemp("files") / "crowd.csv"
    with path.open("w") as file:
        file.write("person,district,age\n")
        file.writelines(f"{n},{n % 7},{n % 90}\n" for n in range(ROWS))
    return path


@pytest.fixture
def pipeline(dalgo: Dalgo, crowd: Path) -> Any:
    """One source and two recipes in a row."""
    upload = dalgo.uploads.create(crowd)
    source = dalgo.sources.create("crowd", {"upload_id": str(upload.upload_id)})
    adults = dalgo.transformations.create(
        "adults", {"steps": [{"type": "source", "table": "crowd"}, ADULTS]}
    )
    districts = dalgo.transformations.create(
        "districts", {"steps": [{"type": "source", "table": "adults"}, BY_DISTRICT]}
    )
    return dalgo.pipelines.create("all", [source.id], [adults.id, districts.id])


def expected() -> dict[str, tuple[int, int]]:
    totals: dict[str, tuple[int, int]] = {}
    for n in range(ROWS):
        if n % 90 >= 18:
            people, years = totals.get(str(n % 7), (0, 0))
            totals[str(n % 7)] = people + 1, years + n % 90
    return totals


@pytest.mark.parametrize(
    ("part", "event", "kind"),
    [
        ("ingest", "step_started", "sync"),
        ("orchestrator", "step_started", "sync"),
        ("orchestrator", "step_finished", "sync"),
        ("orchestrator", "step_started", "publish"),
        ("transform", "step_started", "transform"),
        ("transform", "step_started", "publish"),
        ("gateway", "step_finished", "sync"),
        ("nats", "step_started", "sync"),
        ("nats", "step_started", "transform"),
        ("postgres", "step_started", "sync"),
        ("postgres", "step_started", "publish"),
    ],
)
def test_a_part_killed_at_a_point_of_the_run_changes_nothing_about_the_result(
    dalgo: Dalgo, running: Any, pipeline: Any, part: str, event: str, kind: str
) -> None:
    started = dalgo.pipelines.run(pipeline.id)
    killed = 0
    for told in dalgo.runs.events(started):
        step = step_of(told)
        if not killed and step is not None and (told.type, step.kind) == (event, kind):
            killed = running.kill(part)
    assert killed
    ends_right(dalgo, started.id)


def ends_right(dalgo: Dalgo, run_id: UUID) -> None:
    """The run has succeeded, and its tables are what its source gives."""
    run = dalgo.runs.get(run_id)
    assert run.status == "succeeded", run.error
    assert [step.status for step in run.steps] == ["succeeded"] * 4
    page = dalgo.tables.preview("districts", limit=100)
    found = {str(r["district"]): (int(str(r["people"])), int(str(r["years"]))) for r in page.rows}
    assert found == expected()
    assert dalgo.tables.preview("crowd", limit=1).total_count == ROWS


@pytest.mark.parametrize("harm", ["store lost", "streams deleted", "store full"])
@pytest.mark.parametrize(
    ("event", "kind"),
    [("step_started", "sync"), ("step_finished", "sync"), ("step_started", "publish")],
)
def test_trouble_of_the_store_of_the_bus_changes_nothing_about_the_result(
    dalgo: Dalgo, running: Any, pipeline: Any, harm: str, event: str, kind: str
) -> None:
    started = dalgo.pipelines.run(pipeline.id)
    harmed = False
    for told in dalgo.runs.events(started):
        step = step_of(told)
        # Where no stream gets through the run is polled: what came between two looks is not told.
        is_time = step is not None and told.type in (event, "step_finished") and step.kind == kind
        if not harmed and is_time:
            harmed = True
            match harm:
                case "store lost":
                    running.lose_store()
                case "store full":
                    running.fill_store()
                case _:
                    running.delete_streams()
    ends_right(dalgo, started.id)
    assert harmed
    running.until_ready()
