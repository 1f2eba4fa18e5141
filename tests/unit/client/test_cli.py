"""The command line: what it prints, what it exits with, what it keeps."""

import json
import re
import stat
import sys
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from contracts.envelope import new_id
from dalgo.cli.app import app
from dalgo.cli.credentials import Credentials, default_path

SOURCE_ID, RUN_ID, PIPELINE_ID, RECIPE_ID, STEP_ID = (new_id() for _ in range(5))
NOW = "2026-01-02T03:04:05Z"
USER = {"id": str(new_id()), "email": "a@example.org", "name": None}
ORGANIZATION = {"id": str(new_id()), "name": "Org", "timezone": "UTC"}
ME = {"user": USER, "organization": ORGANIZATION, "role": "owner", "organizations": []}
SESSION = {
    "access_token": "token",
    "expires_in": 900,
    "user": USER,
    "organization": ORGANIZATION,
    "role": "owner",
}
SOURCE = {
    "id": str(SOURCE_ID),
    "name": "Donations",
    "source_type": "csv",
    "config": {},
    "status": "ready",
    "warehouse_table_name": "source_1",
    "column_count": 2,
    "row_count": 12345,
    "last_synced_at": NOW,
    "created_at": NOW,
    "columns": [{"name": "Amount [EUR]", "physical": "amount_eur", "type": "decimal"}],
    "warnings": [{"code": "ragged", "message": "1 row was short."}],
}
PIPELINE = {
    "id": str(PIPELINE_ID),
    "name": "Monthly",
    "source_ids": [str(SOURCE_ID)],
    "transformation_ids": [],
    "revision": 1,
    "last_run_at": None,
    "created_at": NOW,
}
STEP = {
    "id": str(STEP_ID),
    "kind": "sync",
    "name": "Donations",
    "status": "succeeded",
    "attempt": 1,
    "rows": 12345,
    "started_at": NOW,
    "finished_at": "2026-01-02T03:04:06.5Z",
}
TABLE = {
    "table_id": str(new_id()),
    "name": "Totals",
    "physical_name": "transform_1",
    "kind": "transform",
    "columns": [],
    "row_count": 2,
    "bytes": 1,
    "version": str(new_id()),
    "updated_at": NOW,
}
BROKEN = {
    "title": "Does not fit",
    "status": 422,
    "code": "not_a_csv",
    "detail": "'Donations' is not a CSV file: save it as CSV and upload it again.",
}


def run(status, *steps, **more):
    return {
        "id": str(RUN_ID),
        "kind": "pipeline",
        "pipeline_id": str(PIPELINE_ID),
        "status": status,
        "trigger": {"type": "manual", "actor": "me"},
        "created_at": NOW,
        "version": 4,
        "steps": list(steps),
        **more,
    }


def block(version, type, **data):
    body = {"run_id": str(RUN_ID), "version": version, "type": type, "time": NOW, "data": data}
    return f"id: {version}\nevent: {type}\ndata: {json.dumps(body)}"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch, gateway):
    """A user of the test's own, whose server is the test's."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DALGO_URL", gateway.url)
    monkeypatch.setenv("DALGO_API_KEY", "key")
    return tmp_path


@pytest.fixture
def dalgo():
    """`dalgo("sources", "ls")`: the command's result."""
    return lambda *words, **options: CliRunner().invoke(app, list(words), **options)


def test_sources_are_a_plain_table(gateway, answer, dalgo):
    gateway.on("GET /sources", answer(json=[SOURCE]))
    result = dalgo("sources", "ls")
    header, row = result.stdout.splitlines()
    assert re.split(r"\s{2,}", header) == ["name", "type", "rows", "columns", "last synced", "id"]
    assert re.split(r"\s{2,}", row) == [
        "Donations",
        "csv",
        "12,345",
        "2",
        f"{datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).astimezone():%Y-%m-%d %H:%M:%S}",
        str(SOURCE_ID),
    ]


def test_json_is_what_the_interface_says(gateway, answer, dalgo):
    gateway.on("GET /sources", answer(json=[SOURCE]))
    assert json.loads(dalgo("sources", "ls", "--json").stdout)[0]["row_count"] == 12345


@pytest.mark.parametrize(
    "named", ["Donations", "donations", str(SOURCE_ID)], ids=["name", "any case", "id"]
)
def test_a_source_is_named_by_name_or_id(gateway, answer, dalgo, named):
    gateway.on("GET /sources", answer(json=[SOURCE]))
    gateway.on(f"GET /sources/{SOURCE_ID}", answer(json=SOURCE))
    result = dalgo("sources", "show", named)
    assert result.exit_code == 0
    assert "Amount [EUR]" in result.stdout
    assert "note: 1 row was short." in result.stderr


def test_what_a_load_set_aside_is_listed_or_written_to_a_file(gateway, answer, dalgo, home):
    gateway.on("GET /sources", answer(json=[SOURCE]))
    reject = {"line": 7, "reason": "3 cells for 2 columns", "text": "a,b,c"}
    path = f"GET /sources/{SOURCE_ID}/rejects"
    gateway.on(path, answer(json={"rejects": [reject], "total": 9}))
    result = dalgo("sources", "rejects", "Donations")
    assert result.exit_code == 0
    assert re.search(r"7\s+3 cells for 2 columns\s+a,b,c", result.stdout)
    assert "9 records in all" in result.stdout
    content = b"line,reason,text\r\n7,why,x\r\n"
    gateway.on(path, answer(json={"rejects": [], "total": 1}), answer(body=content))
    result = dalgo("sources", "rejects", "Donations", "--csv", str(home / "aside.csv"))
    assert "1 record." in result.stdout
    assert (home / "aside.csv").read_bytes() == content
    gateway.on(path, answer(json={"rejects": [], "total": 0}))
    result = dalgo("sources", "rejects", "Donations")
    assert result.stdout.strip() == "The last load of 'Donations' set no record aside."


def test_a_mistyped_name_is_answered_with_a_suggestion(gateway, answer, dalgo):
    gateway.on("GET /sources", answer(json=[SOURCE]))
    result = dalgo("sources", "show", "Donation")
    assert result.exit_code == 1
    assert result.stderr.strip() == (
        "Error: There is no source 'Donation'. Did you mean 'Donations'?"
    )


def test_adding_a_file_uploads_it_and_makes_a_source(gateway, answer, dalgo, home):
    upload = {"upload_id": str(new_id()), "filename": "a.csv", "size_bytes": 4, "sha256": ""}
    gateway.on("POST /uploads", answer(201, upload))
    gateway.on("POST /sources", answer(201, SOURCE))
    file = home / "gifts 2026.csv"
    file.write_text("a,b\n")
    result = dalgo("sources", "add", str(file), "--delimiter", ";")
    assert result.exit_code == 0, result.output
    assert gateway.requests("POST /sources")[0].json == {
        "type": "csv",
        "name": "gifts 2026",
        "config": {"upload_id": upload["upload_id"], "delimiter": ";"},
    }
    assert "Source 'Donations' has 2 columns" in result.stdout


FORMS = [{"form_id": "aXY", "name": "Households", "submissions": 1204}]
KOBO = "https://kf.kobotoolbox.org"


def test_forms_are_listed_by_a_token_that_is_typed(gateway, answer, dalgo):
    gateway.on("POST /sources/kobo/forms", answer(json=FORMS))
    result = dalgo("sources", "forms", KOBO, input="3f1c\n")
    assert result.exit_code == 0, result.output
    assert re.split(r"\s{2,}", result.stdout.splitlines()[-1]) == ["aXY", "1204", "Households"]
    assert "3f1c" not in result.output
    (seen,) = gateway.requests("POST /sources/kobo/forms")
    assert seen.json == {"server_url": KOBO, "api_token": "3f1c"}


@pytest.mark.parametrize("place", ["file", "environment"])
def test_adding_a_form_makes_a_source_by_its_name(gateway, answer, dalgo, home, monkeypatch, place):
    repeat = {"table_id": str(new_id()), "name": "members"}
    gateway.on("POST /sources/kobo/forms", answer(json=FORMS))
    gateway.on("POST /sources", answer(201, {**SOURCE, "other_tables": [repeat]}))
    words = ["sources", "add-form", KOBO, "aXY", "--labels", "--append"]
    if place == "file":
        (home / "token").write_text("3f1c\n")
        words += ["--token-file", str(home / "token")]
    else:
        monkeypatch.setenv("KOBO_TOKEN", "3f1c")
    result = dalgo(*words)
    assert result.exit_code == 0, result.output
    assert gateway.requests("POST /sources")[0].json == {
        "type": "kobo",
        "name": "Households",
        "config": {
            "server_url": KOBO,
            "form_id": "aXY",
            "api_token": "3f1c",
            "values": "labels",
            "mode": "append",
        },
    }
    assert "It fills 'Donations / members' too." in result.stdout
    assert "3f1c" not in result.output


def test_a_growing_source_is_made_with_its_mode_and_key(gateway, answer, dalgo, home):
    upload = {"upload_id": str(new_id()), "filename": "a.csv", "size_bytes": 4, "sha256": ""}
    gateway.on("POST /uploads", answer(201, upload))
    gateway.on("POST /sources", answer(201, SOURCE))
    (file := home / "a.csv").write_text("a,b\n")
    result = dalgo("sources", "add", str(file), "--mode", "upsert", "--key", "a", "--key", "b")
    assert result.exit_code == 0, result.output
    config = gateway.requests("POST /sources")[0].json["config"]
    assert config == {"upload_id": upload["upload_id"], "mode": "upsert", "key": ["a", "b"]}
    assert dalgo("sources", "add", str(file), "--mode", "guess").exit_code == 2


@pytest.mark.parametrize("then", ["", "--sync"])
def test_a_further_file_is_uploaded_and_given_to_the_source(
    gateway, answer, live, dalgo, home, then
):
    upload = {"upload_id": str(new_id()), "filename": "may.csv", "size_bytes": 4, "sha256": ""}
    gateway.on("GET /sources", answer(json=[SOURCE]))
    gateway.on("POST /uploads", answer(201, upload))
    gateway.on(f"POST /sources/{SOURCE_ID}/uploads", answer(201, SOURCE))
    gateway.on(f"POST /sources/{SOURCE_ID}/sync", answer(202, run("queued")))
    ended = block(2, "run_succeeded", run=run("succeeded", STEP))
    gateway.on(f"GET /runs/{RUN_ID}/events", live(ended))
    (file := home / "may.csv").write_text("a,b\n")
    result = dalgo("sources", "upload", "Donations", str(file), *filter(None, [then]))
    assert result.exit_code == 0, result.output
    (given,) = gateway.requests(f"POST /sources/{SOURCE_ID}/uploads")
    assert given.json == {"upload_id": upload["upload_id"]}
    assert "note: 1 row was short." in result.stderr
    assert ("succeeded" if then else "dalgo sync 'Donations'") in result.stdout
    assert len(gateway.requests(f"POST /sources/{SOURCE_ID}/sync")) == bool(then)


SHEET = {"sheet_id": 7, "title": "Visits", "rows": 40, "columns": 5, "hidden": False}
KEY = '{"type": "service_account"}\n'


def test_a_sheet_is_named_for_its_tab_and_read_with_a_key_from_a_file(gateway, answer, dalgo, home):
    tabs = [SHEET | {"sheet_id": 0, "title": "Notes"}, SHEET | {"chosen": True}]
    gateway.on("POST /sources/google-sheets/sheets", answer(json=tabs))
    gateway.on("POST /sources", answer(201, SOURCE | {"source_type": "google_sheets"}))
    key = home / "key.json"
    key.write_text(KEY)
    result = dalgo("sources", "add-sheet", "https://x/d/1#gid=7", "--credentials", str(key))
    assert result.exit_code == 0, result.output
    asked = {"spreadsheet": "https://x/d/1#gid=7", "credentials": KEY}
    assert gateway.requests("POST /sources/google-sheets/sheets")[0].json == asked
    body = {"type": "google_sheets", "name": "Visits", "config": asked | {"sheet_id": 7}}
    assert gateway.requests("POST /sources")[0].json == body
    assert "has 2 columns" in result.stdout
    assert "note: 1 row was short." in result.stderr
    assert "service_account" not in result.output


def test_a_tab_may_be_said_and_read_as_text(gateway, answer, dalgo):
    gateway.on("POST /sources", answer(201, SOURCE))
    result = dalgo("sources", "add-sheet", "id", "--tab", "Visits", "--text")
    assert result.exit_code == 0, result.output
    config = {"spreadsheet": "id", "sheet_name": "Visits", "types": "text"}
    body = {"type": "google_sheets", "name": "Visits", "config": config}
    assert gateway.requests("POST /sources")[0].json == body


def test_tabs_are_a_table_and_a_refusal_one_line(gateway, answer, refusal, dalgo):
    told = "Share the sheet with sync@example.org as a viewer, then try again."
    refused = refusal(422, "not_shared", told)
    gateway.on("POST /sources/google-sheets/sheets", answer(json=[SHEET]), refused)
    assert re.split(r"\s{2,}", dalgo("sources", "sheets", "id").stdout.splitlines()[1]) == [
        *("Visits", "40", "5", "no", "7")
    ]
    result = dalgo("sources", "sheets", "id")
    assert result.exit_code == 1
    assert result.stderr == f"Error: {told}\n"


@pytest.mark.parametrize(
    ("given", "sent"), [("30m", "PT30M"), ("2h", "PT2H"), ("1d", "P1D"), ("PT5S", "PT5S")]
)
def test_an_external_source_says_how_long_to_wait(gateway, answer, dalgo, given, sent):
    gateway.on("POST /sources", answer(201, SOURCE))
    result = dalgo("sources", "add-external", "wells", "--deadline", given, "--use-last")
    assert result.exit_code == 0, result.output
    assert gateway.requests("POST /sources")[0].json == {
        "type": "external",
        "name": "wells",
        "config": {"table": "wells", "deadline": sent, "on_missing": "use_last"},
    }


def test_a_loaders_login_is_shown_and_shut(gateway, answer, dalgo):
    login = {"host": "db.example.org", "port": 6543, "database": "dalgo", "username": "org_1"}
    login |= {"password": "open sesame", "schema_name": "org_1_landing", "table": "wells"}
    gateway.on("GET /sources", answer(json=[SOURCE]))
    gateway.on(f"POST /sources/{SOURCE_ID}/loader", answer(201, login))
    gateway.on(f"DELETE /sources/{SOURCE_ID}/loader", answer(204))
    shown = dalgo("sources", "loader", "Donations")
    assert "open sesame" in shown.stdout
    assert "org_1_landing.wells" in shown.stdout
    assert "not shown again" in shown.stderr
    assert json.loads(dalgo("sources", "loader", "Donations", "--json").stdout) == login
    assert "is shut" in dalgo("sources", "loader", "Donations", "--revoke").stdout
    assert len(gateway.requests(f"DELETE /sources/{SOURCE_ID}/loader")) == 1


def test_a_table_is_announced_as_an_event(gateway, answer, dalgo):
    gateway.on("POST /events", answer(202, []))
    assert dalgo("sources", "announce", "wells", "--rows", "3").exit_code == 0
    (told,) = gateway.requests("POST /events")
    assert told.headers["content-type"] == "application/cloudevents+json"
    assert told.json.pop("id")
    assert told.json | {"id": ""} == {
        "specversion": "1.0",
        "type": "source.synced",
        "source": "dalgo",
        "id": "",
        "data": {"table": "wells", "rows": 3},
    }


def test_deleting_what_is_used_says_by_whom(gateway, answer, refusal, dalgo):
    gateway.on("GET /sources", answer(json=[SOURCE]))
    gateway.on(
        f"DELETE /sources/{SOURCE_ID}",
        refusal(409, "in_use", "'Donations' is used by the pipeline 'Monthly'."),
    )
    result = dalgo("sources", "rm", "Donations")
    assert result.exit_code == 1
    assert result.stderr == "Error: 'Donations' is used by the pipeline 'Monthly'.\n"


def test_following_a_pipeline_tells_each_step_and_the_end(gateway, answer, live, dalgo):
    ended = run("succeeded", STEP, started_at=NOW, finished_at="2026-01-02T03:04:07Z")
    gateway.on("GET /pipelines", answer(json=[PIPELINE]))
    gateway.on(f"POST /pipelines/{PIPELINE_ID}/run", answer(202, run("queued")))
    gateway.on(
        f"GET /runs/{RUN_ID}/events",
        live(
            block(1, "run_queued", run=run("queued")),
            block(2, "step_started", step={**STEP, "status": "running"}),
            block(3, "step_finished", step=STEP),
            block(4, "run_succeeded", run=ended),
        ),
    )
    result = dalgo("pipelines", "run", "Monthly", "--follow")
    assert result.exit_code == 0, result.output
    step, end = result.stdout.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d +sync +Donations +12,345 rows +1\.50 s", step)
    assert end == f"Run {RUN_ID} succeeded in 2.00 s."


SCHEDULE = {
    "frequency": "weekly",
    "run_at_time": "06:00:00",
    "run_at_day": 0,
    "cron": None,
    "timezone": "Africa/Nairobi",
    "is_active": True,
    "overlap": "skip",
    "grace_minutes": 60,
    "next_run_at": "2026-11-30T03:00:00Z",
    "next_runs": ["2026-11-30T03:00:00Z"],
}


def test_scheduling_a_pipeline_says_its_next_times(gateway, answer, dalgo):
    gateway.on("GET /pipelines", answer(json=[PIPELINE]))
    address = f"PUT /pipelines/{PIPELINE_ID}/schedule"
    gateway.on(address, answer(json=SCHEDULE))
    result = dalgo("pipelines", "schedule", "Monthly", "--weekly", "mon", "--at", "06:00")
    assert result.exit_code == 0, result.output
    first, second = result.stdout.splitlines()
    assert first == "'Monthly' runs by itself (weekly, Africa/Nairobi). Next:"
    assert second == "  Mon 2026-11-30 06:00 (03:00 UTC)"
    assert gateway.requests(address)[0].json == {
        "frequency": "weekly",
        "run_at": "06:00",
        "day_of_week": 0,
        "is_active": True,
        "overlap": "skip",
        "grace_minutes": 60,
    }


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ((), "Choose one of"),
        (("--daily", "--hourly"), "Choose one of"),
        (("--weekly", "t"), "no day"),
    ],
    ids=["nothing", "two", "which of two days"],
)
def test_a_schedule_that_is_not_clear_is_asked_back(dalgo, said, hint):
    result = dalgo("pipelines", "schedule", "Monthly", *said)
    assert result.exit_code == 2
    assert hint in result.stderr


def test_what_came_of_a_schedule_is_listed(gateway, answer, dalgo):
    gateway.on("GET /pipelines", answer(json=[PIPELINE]))
    skipped = {"scheduled_for": NOW, "run_id": None, "reason": "skipped: it runs", "at": NOW}
    gateway.on(f"GET /pipelines/{PIPELINE_ID}/firings", answer(json=[skipped]))
    assert "skipped: it runs" in dalgo("pipelines", "firings", "Monthly").stdout


def test_a_failed_run_exits_1_with_its_problem(gateway, answer, live, dalgo):
    failed = {**STEP, "status": "failed", "rows": None, "error": BROKEN}
    gateway.on("GET /sources", answer(json=[SOURCE]))
    gateway.on(f"POST /sources/{SOURCE_ID}/sync", answer(202, run("queued")))
    gateway.on(
        f"GET /runs/{RUN_ID}/events",
        live(
            block(3, "step_finished", step=failed),
            block(4, "run_failed", run=run("failed", failed, error=BROKEN)),
        ),
    )
    result = dalgo("sync", "Donations", "--follow")
    assert result.exit_code == 1
    assert "sync       Donations" in result.stdout
    assert result.stderr == f"Run {RUN_ID} failed: {BROKEN['detail']}\n"


def test_without_follow_a_run_is_only_named(gateway, answer, dalgo):
    gateway.on("GET /pipelines", answer(json=[PIPELINE]))
    gateway.on(f"POST /pipelines/{PIPELINE_ID}/run", answer(202, run("queued")))
    result = dalgo("pipelines", "run", "Monthly")
    assert result.stdout == f"Run {RUN_ID} is queued. Watch it: dalgo runs follow {RUN_ID}\n"


@pytest.mark.parametrize("detail", ["Too many runs. Try again in 90 s.", "Too many runs wait."])
def test_a_refusal_for_a_while_says_once_for_how_long(gateway, answer, dalgo, detail):
    body = {"title": "x", "status": 429, "code": "rate_exceeded", "retry_after": 90}
    gateway.on("GET /runs", answer(429, body | {"detail": detail}, {"Retry-After": "90"}))
    result = dalgo("runs", "ls")
    assert result.exit_code == 1
    assert result.output.count("Try again in 90 s.") == 1


def test_a_retried_run_is_followed_from_its_new_beginning(gateway, answer, live, dalgo):
    gateway.on(f"GET /runs/{RUN_ID}", answer(json=run("failed")))
    gateway.on(f"POST /runs/{RUN_ID}/retry", answer(202, run("queued", version=5, attempt=2)))
    told = run("succeeded", version=7, attempt=2)
    gateway.on(f"GET /runs/{RUN_ID}/events", live(block(7, "run_succeeded", run=told)))
    assert dalgo("runs", "retry", str(RUN_ID), "--follow").exit_code == 0
    assert gateway.seen[-1].headers["last-event-id"] == "4"


def test_a_run_that_cannot_be_retried_is_refused_in_words(gateway, answer, refusal, dalgo):
    gateway.on(f"GET /runs/{RUN_ID}", answer(json=run("failed")))
    gateway.on(f"POST /runs/{RUN_ID}/retry", refusal(409, "newer_data", "Newer data of 'wells'."))
    result = dalgo("runs", "retry", str(RUN_ID))
    assert result.exit_code == 1
    assert "Newer data of 'wells'." in result.stderr


def test_following_as_json_is_an_object_a_line(gateway, answer, live, dalgo):
    gateway.on(f"GET /runs/{RUN_ID}", answer(json=run("queued")), answer(json=run("cancelled")))
    gateway.on(
        f"GET /runs/{RUN_ID}/events",
        live(block(3, "step_finished", step=STEP), block(4, "run_cancelled", run=run("cancelled"))),
    )
    result = dalgo("runs", "follow", str(RUN_ID), "--json")
    assert [json.loads(line)["type"] for line in result.stdout.splitlines()] == [
        "step_finished",
        "run_cancelled",
    ]
    assert result.exit_code == 1


def test_runs_are_listed_up_to_a_limit_over_pages(gateway, answer, dalgo):
    link = {"Link": '</api/v1/runs?cursor=x>; rel="next"'}
    gateway.on("GET /runs", answer(json=[run("succeeded"), run("failed")], headers=link))
    result = dalgo("runs", "ls", "-n", "3")
    assert [re.split(r"\s{2,}", line)[2] for line in result.stdout.splitlines()] == [
        "status",
        "succeeded",
        "failed",
        "succeeded",
    ]


def test_runs_are_listed_by_filters(gateway, answer, dalgo):
    gateway.on("GET /runs", answer(json=[]))
    gateway.on("GET /pipelines", answer(json=[PIPELINE]))
    chosen = ("--status", "failed", "--trigger", "schedule", "--since", "2026-03-01T12:00:00")
    assert dalgo("runs", "ls", "--pipeline", "Monthly", *chosen).exit_code == 0
    (asked,) = gateway.requests("GET /runs")
    since = datetime.fromisoformat(asked.query.pop("created_after"))
    assert since == datetime(2026, 3, 1, 12).astimezone()
    assert asked.query == {
        "pipeline_id": str(PIPELINE_ID),
        "status": "failed",
        "trigger": "schedule",
        "limit": "20",
    }


def test_a_run_is_shown_with_what_each_attempt_did(gateway, answer, dalgo):
    failed = {**STEP, "status": "failed", "rows": None, "error": BROKEN}
    later = {**STEP, "id": str(new_id()), "kind": "publish", "name": "Publish", "attempt": 2}
    first = {
        "number": 1,
        "status": "failed",
        "queued_at": NOW,
        "waited_ms": 250,
        "took_ms": 2000,
        "error": BROKEN,
        "steps": [{**failed, "waited_ms": 0, "took_ms": 1500}],
    }
    second = {
        "number": 2,
        "status": "succeeded",
        "queued_at": NOW,
        "waited_ms": 10,
        "took_ms": 1000,
        "steps": [{**later, "waited_ms": 500, "took_ms": 500}],
    }
    gateway.on(f"GET /runs/{RUN_ID}", answer(json=run("succeeded", STEP, attempt=2)))
    gateway.on(
        f"GET /runs/{RUN_ID}/timeline",
        answer(json={"run_id": str(RUN_ID), "attempts": [first, second]}),
    )
    shown = dalgo("runs", "show", str(RUN_ID)).stdout
    assert f"Run {RUN_ID} (pipeline) is succeeded." in shown
    assert f"Attempt 1 is failed, 0.25 s in the queue, 2.00 s at work: {BROKEN['detail']}" in shown
    assert f"1.50  {'█' * 24}" in shown
    assert "'Donations' is not a CSV file" in shown
    assert "Attempt 2 is succeeded, 0.01 s in the queue, 1.00 s at work." in shown
    assert f"0.50  0.50  {'·' * 16}{'█' * 16}" in re.sub(r" {2,}", "  ", shown)
    told = json.loads(dalgo("runs", "show", str(RUN_ID), "--json").stdout)
    assert (told["status"], len(told["attempts"])) == ("succeeded", 2)


def test_a_recipe_that_does_not_fit_exits_1_and_names_the_step(gateway, answer, dalgo, home):
    error = {
        "step": 1,
        "type": "filter",
        "field": "column",
        "code": "unknown_column",
        "message": "There is no column 'statuss' here. Did you mean 'status'?",
    }
    gateway.on(
        "POST /transformations/validate",
        answer(json={"valid": False, "errors": [error], "steps": []}),
    )
    file = home / "recipe.json"
    file.write_text('{"version": 1, "steps": []}')
    result = dalgo("recipe", "validate", str(file))
    assert result.exit_code == 1
    assert result.stderr == (
        "step 1 (filter), column: There is no column 'statuss' here. Did you mean 'status'?\n"
    )


def test_a_recipe_that_fits_shows_its_columns(gateway, answer, dalgo):
    columns = [{"name": "Name", "physical": "name", "type": "text"}]
    gateway.on(
        "POST /transformations/validate",
        answer(json={"valid": True, "errors": [], "steps": [{"columns": columns}]}),
    )
    result = dalgo("recipe", "validate", "-", input='{"version": 1, "steps": []}')
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == "The recipe fits: 1 step, 1 column."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"steps": [}', "is not JSON: Expecting value in line 1, column 12."),
        ("[]", "is not a recipe"),
    ],
)
def test_a_file_that_is_no_recipe_is_told_where(dalgo, home, text, message):
    file = home / "recipe.json"
    file.write_text(text)
    result = dalgo("recipe", "preview", str(file))
    assert result.exit_code == 1
    assert message in result.stderr


def test_a_file_that_is_not_there_is_one_line(dalgo):
    result = dalgo("recipe", "validate", "missing.json")
    assert result.exit_code == 1
    assert result.stderr == "Error: missing.json: No such file or directory\n"


def test_rows_with_brackets_and_wide_cells_are_printed_as_they_are(gateway, answer, dalgo):
    page = {
        "columns": ["note", "n"],
        "types": {"note": "text", "n": "integer"},
        "rows": [{"note": "[red]" + "x" * 150, "n": 9007199254740993}, {"note": None, "n": 1}],
        "total_count": 2,
        "elapsed_ms": 1,
    }
    gateway.on("GET /warehouse/tables", answer(json=[TABLE]))
    gateway.on("GET /warehouse/tables/Totals/preview", answer(json=page))
    result = dalgo("tables", "head", "totals")
    assert result.exit_code == 0, result.output
    assert "[red]" + "x" * 150 in result.stdout
    assert result.stdout.splitlines()[2].split() == ["-", "1"]
    assert "2 of 2 rows" in result.stderr


def test_a_profile_is_a_line_for_each_column(gateway, answer, dalgo):
    column = {"name": "district", "type": "text", "nulls": 1200, "distinct": 2}
    column |= {"min": "North", "max": "South", "top": [{"value": "South", "count": 70000}]}
    found = {"columns": [column], "sampled": True, "rows_read": 100000, "total_rows": 2000000}
    gateway.on("GET /warehouse/tables", answer(json=[TABLE]))
    gateway.on("GET /warehouse/tables/Totals/profile", answer(json=found | {"elapsed_ms": 1}))
    result = dalgo("tables", "profile", "totals")
    assert result.exit_code == 0, result.output
    cells = re.split(r"\s{2,}", result.stdout.splitlines()[1])
    assert cells == ["district", "text", "1,200", "2", "North", "South", "-", "South (70,000)"]
    assert "100,000 of 2,000,000 rows read" in result.stderr


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_a_filter_that_is_no_predicate_is_refused_before_anything_is_asked(gateway, dalgo, text):
    result = dalgo("tables", "head", "totals", "--filter", text)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: --filter is not ")
    assert gateway.seen == []


def test_signing_in_is_kept_for_the_user_alone(gateway, answer, dalgo, monkeypatch):
    cookie = {"Set-Cookie": "dalgo_refresh=c1; Path=/api/v1/auth; HttpOnly"}
    gateway.on("POST /auth/login", answer(json=SESSION, headers=cookie))
    gateway.on("GET /auth/me", answer(json=ME))
    monkeypatch.delenv("DALGO_API_KEY")
    result = dalgo("login", "--email", "a@example.org", input="a long password\n")
    assert result.exit_code == 0, result.output
    assert f"Signed in to {gateway.url} as a@example.org, owner of Org." in result.output
    assert stat.S_IMODE(default_path().stat().st_mode) == 0o600
    monkeypatch.delenv("DALGO_URL")
    assert dalgo("whoami").exit_code == 0
    assert gateway.seen[-1].headers["authorization"] == "Bearer token"


def test_a_renewed_session_is_kept(gateway, answer, dalgo, monkeypatch):
    monkeypatch.delenv("DALGO_API_KEY")
    credentials = Credentials.load()
    session = credentials.session(gateway.url)
    session.token, session.expires_at, session.cookies = "old", 1.0, {"dalgo_refresh": "c1"}
    credentials.keep(gateway.url, session)
    cookie = {"Set-Cookie": "dalgo_refresh=c2; Path=/api/v1/auth; HttpOnly"}
    gateway.on("POST /auth/refresh", answer(json=SESSION, headers=cookie))
    gateway.on("GET /auth/me", answer(json=ME))
    assert dalgo("whoami").exit_code == 0
    assert Credentials.load().session(gateway.url).cookies == {"dalgo_refresh": "c2"}


def test_logging_out_leaves_nothing(gateway, answer, dalgo, monkeypatch):
    monkeypatch.delenv("DALGO_API_KEY")
    credentials = Credentials.load()
    session = credentials.session(gateway.url)
    session.token, session.expires_at, session.cookies = "t", 1e12, {"dalgo_refresh": "c1"}
    credentials.keep(gateway.url, session)
    gateway.on("POST /auth/logout", answer(204))
    assert dalgo("logout").exit_code == 0
    assert Credentials.load().servers == {}


def test_nobody_there_is_one_clear_line(dalgo, monkeypatch):
    monkeypatch.setenv("DALGO_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("DALGO_PATIENCE", "0")
    result = dalgo("sources", "ls")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: http://127.0.0.1:1 does not answer (no connection).")
    assert "Traceback" not in result.output


def test_json_stays_json_when_the_run_fails(gateway, answer, live, dalgo):
    gateway.on("GET /pipelines", answer(json=[PIPELINE]))
    gateway.on(f"POST /pipelines/{PIPELINE_ID}/run", answer(202, run("queued")))
    result = dalgo("pipelines", "run", "Monthly", "--json")
    assert json.loads(result.stdout)["status"] == "queued"


def test_an_address_without_its_scheme_is_refused_at_once(dalgo, monkeypatch):
    monkeypatch.setenv("DALGO_URL", "localhost:8000")
    result = dalgo("sources", "ls")
    assert result.exit_code == 1
    assert "'localhost:8000' is not an address" in result.stderr


@pytest.mark.parametrize("command", ["up", "down", "status", "drain", "dlq list"])
def test_where_only_the_client_is_installed_the_stack_is_explained(dalgo, monkeypatch, command):
    monkeypatch.delitem(sys.modules, "dalgo.local", raising=False)
    monkeypatch.setitem(sys.modules, "stack", None)
    result = dalgo(*command.split())
    assert result.exit_code == 1
    assert "Only the client is installed here" in result.stderr


def test_where_nothing_runs_status_says_how_to_start(dalgo, home):
    result = dalgo("status", "--data-dir", str(home / "data"))
    assert (result.exit_code, result.stdout) == (
        1,
        "Dalgo Lite does not run here. `dalgo up` starts it.\n",
    )
    assert json.loads(dalgo("status", "--data-dir", str(home / "data"), "--json").stdout) == {
        "running": False,
        "ready": False,
        "url": None,
        "parts": [],
        "runs": None,
        "dead_letters": None,
    }


def test_who_is_not_signed_in_is_told_how(gateway, refusal, dalgo):
    gateway.on("GET /sources", refusal(401, "not_signed_in", "Send an access token."))
    result = dalgo("sources", "ls")
    assert (result.exit_code, result.stderr.splitlines()) == (
        1,
        ["Error: Send an access token.", "Sign in: dalgo login (new here: dalgo signup)"],
    )


VERSIONS = [
    {
        "version": str(new_id()),
        "is_current": current,
        "row_count": rows,
        "bytes": 8192,
        "columns": [],
        "published_at": NOW,
    }
    for current, rows in ((True, 0), (False, 12345))
]


def test_a_table_goes_back_to_what_readers_saw_before(gateway, answer, dalgo):
    table = {
        "table_id": str(SOURCE_ID),
        "name": "Donations",
        "physical_name": "source_1",
        "kind": "source",
        "columns": [],
        "row_count": 12345,
        "bytes": 8192,
        "version": VERSIONS[1]["version"],
        "updated_at": NOW,
    }
    gateway.on("GET /warehouse/tables", answer(json=[table]))
    gateway.on("GET /warehouse/tables/Donations/versions", answer(json=VERSIONS))
    gateway.on("POST /warehouse/tables/Donations/rollback", answer(json=table))
    listed = dalgo("tables", "versions", "donations")
    assert re.search(r"12,345 +0 +8.2 kB", listed.stdout)
    result = dalgo("tables", "rollback", "donations")
    assert result.exit_code == 0, result.output
    assert result.stdout == "Readers of 'Donations' see 12,345 rows.\n"
    (asked,) = gateway.requests("POST /warehouse/tables/Donations/rollback")
    assert asked.json == {"version": VERSIONS[1]["version"]}


def test_the_room_that_tables_take_is_shown(gateway, answer, dalgo):
    table = {"table_id": str(SOURCE_ID), "name": "Donations", "kind": "source"}
    numbers = {"published_bytes": 4_100_000, "former_bytes": 2_000_000, "former_versions": 1}
    found = {
        "published_bytes": 5_000_000,
        "former_bytes": 2_000_000,
        "unpublished_bytes": 8192,
        "former_budget_bytes": 5_000_000_000,
        "former_versions": 1,
        "tables": [table | numbers],
    }
    gateway.on("GET /warehouse/storage", answer(json=found))
    shown = dalgo("tables", "storage", "-n", "5").stdout
    assert re.search(r"Donations +4.1 MB +2.0 MB +1\n", shown)
    assert "former versions 2.0 MB of 5.0 GB" in shown
    (asked,) = gateway.requests("GET /warehouse/storage")
    assert asked.query == {"limit": "5"}
    assert json.loads(dalgo("tables", "storage", "--json").stdout) == found


def test_without_a_former_version_there_is_no_way_back(gateway, answer, dalgo):
    gateway.on("GET /warehouse/tables", answer(json=[]))
    gateway.on("GET /warehouse/tables/x/versions", answer(json=VERSIONS[:1]))
    assert dalgo("tables", "rollback", "x").exit_code == 1
