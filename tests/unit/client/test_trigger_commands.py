"""`dalgo pipelines triggers` and what `firings` says of causes, as people see them."""

import json

import pytest
from typer.testing import CliRunner

from contracts.envelope import new_id
from dalgo.cli.app import app

MONTHLY, NIGHTLY, DONATIONS = (str(new_id()) for _ in range(3))
NOW = "2026-01-02T03:04:05Z"
ADDRESS = f"PUT /pipelines/{MONTHLY}/triggers"


def pipeline(pipeline_id: str, name: str, *rules: dict) -> dict:
    return {
        "id": pipeline_id,
        "name": name,
        "source_ids": [DONATIONS],
        "transformation_ids": [],
        "triggers": rules,
        "revision": 1,
        "last_run_at": None,
        "created_at": NOW,
    }


SOURCE = {
    "id": DONATIONS,
    "name": "Donations",
    "source_type": "csv",
    "config": {},
    "status": "ready",
    "warehouse_table_name": "source_1",
    "created_at": NOW,
}
AFTER = {"type": "pipeline", "pipeline_id": NIGHTLY}
UPLOAD = {"type": "upload"}
ALWAYS = {"is_active": True, "overlap": "queue"}


@pytest.fixture
def dalgo(tmp_path, monkeypatch, gateway, answer):
    """`dalgo("triggers", "Monthly")`: the command's result; `kept` are the triggers that are there."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DALGO_URL", gateway.url)
    monkeypatch.setenv("DALGO_API_KEY", "dlg_1_secret")
    gateway.on("GET /sources", answer(json=[SOURCE]))

    def run(*words: str, kept: tuple[dict, ...] = ()):
        known = [pipeline(MONTHLY, "Monthly", *kept), pipeline(NIGHTLY, "Nightly")]
        gateway.on("GET /pipelines", answer(json=known))
        return CliRunner().invoke(app, ["pipelines", *words])

    return run


def test_triggers_are_put_as_a_whole_and_shown_in_words(gateway, answer, dalgo):
    rules = (AFTER | {"only_if_changed": True}, UPLOAD | {"overlap": "skip", "is_active": False})
    gateway.on(ADDRESS, answer(json=pipeline(MONTHLY, "Monthly", *rules)))
    result = dalgo(
        "triggers", "monthly", "--after", "Nightly", "--after-change", "nightly", "--on-upload",
        "--on-upload-of", "Donations",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert gateway.requests(ADDRESS)[0].json == {
        "triggers": [
            AFTER | ALWAYS | {"only_if_changed": False},
            AFTER | ALWAYS | {"only_if_changed": True},
            UPLOAD | ALWAYS | {"source_id": None},
            UPLOAD | ALWAYS | {"source_id": DONATIONS},
        ]
    }
    assert result.stdout.splitlines() == [
        "'Monthly' runs",
        "  when 'Nightly' has published something new",
        "  when any of its sources got a new file, unless it runs (paused)",
    ]


def test_without_an_option_they_are_shown_and_nothing_is_changed(gateway, dalgo):
    result = dalgo("triggers", "Monthly", kept=(AFTER, UPLOAD | {"source_id": DONATIONS}))
    assert result.stdout.splitlines() == [
        "'Monthly' runs",
        "  when 'Nightly' has succeeded",
        "  when 'Donations' got a new file",
    ]
    assert "but its schedule and people" in dalgo("triggers", "Monthly").stdout
    shown = json.loads(dalgo("triggers", "Monthly", "--json", kept=(UPLOAD,)).stdout)
    assert shown == [UPLOAD | ALWAYS | {"source_id": None}]
    assert gateway.requests(ADDRESS) == []


def test_none_takes_them_away(gateway, answer, dalgo):
    gateway.on(ADDRESS, answer(json=pipeline(MONTHLY, "Monthly")))
    assert dalgo("triggers", "Monthly", "--none", kept=(UPLOAD,)).exit_code == 0
    assert gateway.requests(ADDRESS)[0].json == {"triggers": []}


@pytest.mark.parametrize("said", [("--none", "--on-upload"), ("--skip",), ("--paused",)])
def test_what_is_not_clear_is_asked_back(dalgo, said):
    result = dalgo("triggers", "Monthly", *said)
    assert result.exit_code == 2
    assert "Name triggers" in result.stderr


def test_the_cause_of_each_firing_is_told_by_name(gateway, answer, dalgo):
    causes = (
        None,
        {"type": "pipeline", "pipeline_id": NIGHTLY, "run_id": DONATIONS},
        {"type": "upload", "source_id": DONATIONS, "upload_id": NIGHTLY},
        {"type": "event", "event_id": NIGHTLY, "event_source": "/etl/wells"},
    )
    firing = {"scheduled_for": NOW, "run_id": None, "reason": "skipped: it runs", "at": NOW}
    fired = [firing | {"cause": cause} for cause in causes]
    gateway.on(f"GET /pipelines/{MONTHLY}/firings", answer(json=fired))
    lines = dalgo("firings", "Monthly").stdout
    for told in ("schedule", "'Nightly' succeeded", "new file of 'Donations'", "/etl/wells"):
        assert told in lines
