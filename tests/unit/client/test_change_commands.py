"""`dalgo sources changes|accept|reject`, as people see them."""

import json

import pytest
from typer.testing import CliRunner

from contracts.envelope import new_id
from dalgo.cli.app import app

ID = str(new_id())
NOW = "2026-01-02T03:04:05Z"
SOURCE = {
    "id": ID,
    "name": "Donations",
    "source_type": "csv",
    "config": {},
    "status": "ready",
    "warehouse_table_name": "source_1",
    "created_at": NOW,
    "pending_changes": 1,
}
COLUMN = {"name": "village", "physical": "village", "type": "text"}
CHANGE = {
    "source_id": ID,
    "number": 3,
    "table_id": ID,
    "table_name": "",
    "kind": "drift",
    "status": "pending",
    "is_open": True,
    "removed": [COLUMN],
    "added": [COLUMN | {"name": "gaon"}],
    "retyped": [{"name": "age", "old": "integer", "new": "text"}],
    "renames": [{"old": "village", "new": "gaon"}],
    "used_by": [{"transformation_id": ID, "name": "adults", "columns": ["age"], "error": "x"}],
    "pipelines": ["nightly"],
    "run_id": ID,
    "first_seen": NOW,
    "last_seen": NOW,
}
SHRUNKEN = CHANGE | {
    "number": 2,
    "kind": "shrinkage",
    "status": "accepted",
    "removed": [],
    "added": [],
    "retyped": [],
    "renames": [],
    "old_rows": 1000,
    "new_rows": 0,
    "table_name": "children",
}
PATH = f"/sources/{ID}/schema/changes"
SAID = "- village (renamed to gaon?); ~ age: integer -> text; + gaon: text"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch, gateway, answer):
    """A user of the test's own, whose server is the test's and knows one source."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DALGO_URL", gateway.url)
    monkeypatch.setenv("DALGO_API_KEY", "key")
    gateway.on("GET /sources", answer(json=[SOURCE]))
    gateway.on(f"GET {PATH}", answer(json=[CHANGE, SHRUNKEN]))
    gateway.on(f"POST {PATH}/3/accept", answer(json=CHANGE | {"status": "accepted"}))
    gateway.on(f"POST {PATH}/3/reject", answer(json=CHANGE | {"status": "rejected"}))


@pytest.fixture
def dalgo():
    """`dalgo("sources", "ls")`: the command's result."""
    return lambda *words: CliRunner().invoke(app, list(words))


def test_changes_are_listed_with_who_uses_what_is_lost(dalgo):
    result = dalgo("sources", "changes", "Donations")
    assert result.exit_code == 0, result.output
    (_, first, second) = result.stdout.splitlines()
    assert SAID in first
    assert "adults, nightly" in first
    assert "children: 0 of 1,000 rows left" in second
    listed = json.loads(dalgo("sources", "changes", "Donations", "-n", "1", "--json").stdout)
    assert [one["number"] for one in listed] == [3]


def test_the_one_change_that_waits_needs_no_number(dalgo, gateway):
    result = dalgo("sources", "accept", "Donations")
    assert result.stdout.splitlines() == [
        f"Change 3 of 'Donations' is accepted: {SAID}",
        "The next sync publishes it.",
    ]
    assert len(gateway.requests(f"POST {PATH}/3/accept")) == 1
    result = dalgo("sources", "reject", "Donations", "3")
    assert result.stdout.splitlines()[-1] == "The last good data stays."


def test_of_several_changes_one_must_be_named(dalgo, gateway, answer):
    gateway.on(f"GET {PATH}", answer(json=[CHANGE, CHANGE | {"number": 4}]))
    result = dalgo("sources", "accept", "Donations")
    assert result.exit_code == 1
    assert "2 changes of 'Donations' wait (3, 4): name one." in result.stderr
    gateway.on(f"GET {PATH}", answer(json=[SHRUNKEN]))
    assert "No change of 'Donations' waits" in dalgo("sources", "reject", "Donations").stderr


def test_accepting_starts_a_sync_only_when_asked(dalgo, gateway, answer):
    run = {
        "id": ID,
        "kind": "sync",
        "pipeline_id": None,
        "version": 1,
        "status": "queued",
        "trigger": {"type": "api", "actor": "me"},
        "steps": [],
        "created_at": NOW,
        "started_at": None,
        "finished_at": None,
        "error": None,
    }
    gateway.on(f"POST /sources/{ID}/sync", answer(202, json=run))
    dalgo("sources", "accept", "Donations", "3")
    assert gateway.requests(f"POST /sources/{ID}/sync") == []
    result = dalgo("sources", "accept", "Donations", "3", "--sync")
    assert result.exit_code == 0, result.output
    assert len(gateway.requests(f"POST /sources/{ID}/sync")) == 1
