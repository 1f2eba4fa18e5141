"""A backup is drilled: taken while a run is under way, restored elsewhere beside an empty bus."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dalgo import Dalgo
from stack.access import database
from stack.control import status
from stack.layout import Layout
from stack.state import recorded

from .conftest import Running, stack_in, until


def _dalgo(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dalgo", *map(str, words)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def _keys(layout: Layout) -> dict[str, str]:
    """What an operator keeps apart from backups."""
    kept = json.loads(layout.secrets.read_text())
    return {"ENCRYPTION_KEY": kept["encryption_key"], "MASK_KEY": kept["mask_key"]}


@pytest.fixture
def elsewhere(folder: Path) -> Layout:
    """Another machine, on which nothing has run yet."""
    parent = folder / "elsewhere"
    parent.mkdir()
    parent.chmod(0o711)
    return Layout(parent / "data")


def _sql(layout: Layout, *statements: str) -> object:
    """As the operator; gives the first value of the last statement."""

    async def run() -> object:
        async with database(layout, {}) as connection:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])

    return asyncio.run(run())


@pytest.mark.timeout(400)
def test_a_backup_taken_in_the_middle_of_a_run_is_restored_beside_an_empty_bus(
    folder: Path, running: Running, dalgo: Dalgo, people: Path, elsewhere: Layout, tmp_path: Path
):
    upload = dalgo.uploads.create(people)
    source = dalgo.sources.create("people", {"upload_id": str(upload.upload_id)})
    pipeline = dalgo.pipelines.create("All", [source.id])
    dalgo.pipelines.schedule(pipeline.id, "cron", cron="* * * * *")
    assert dalgo.runs.wait(dalgo.pipelines.run(pipeline.id)).status == "succeeded"
    email = dalgo.me().user.email
    reader = f"dalgo_org_{dalgo.me().organization.id.hex}_reader"
    _sql(
        running.layout,
        "CREATE ROLE analyst NOLOGIN",
        "CREATE ROLE nobody_of_ours NOLOGIN",
        f"GRANT {reader} TO analyst",
        "SELECT 1",
    )
    tables = [table.name for table in dalgo.tables.list()]
    rows = dalgo.tables.preview(tables[0]).rows

    ingest = next(part for part in status(running.layout).parts if part.name == "ingest")
    assert ingest.pid is not None
    # It plans and takes the step, which does not end: its workers stand still.
    workers = psutil.Process(ingest.pid).children(recursive=True)
    for worker in workers:
        worker.suspend()
    file = tmp_path / "backup.dalgo"
    try:
        run = dalgo.pipelines.run(pipeline.id, force=True)
        for event in dalgo.runs.events(run.id):
            if event.type == "step_started":
                break
        done = _dalgo("backup", file, "--data-dir", running.layout.root)
        assert done.returncode == 0, done.stderr
    finally:
        for worker in workers:
            worker.resume()
    assert dalgo.runs.wait(run).status == "succeeded"
    assert file.stat().st_mode & 0o777 == 0o600
    secrets = json.loads(running.layout.secrets.read_text())
    held = file.read_bytes()
    for secret in (secrets["encryption_key"], secrets["mask_key"], secrets["migrator"]):
        assert secret.encode() not in held

    # Other keys: nothing is touched.
    refused = _dalgo("restore", file, "--data-dir", elsewhere.root)
    assert refused.returncode == 1
    assert "ENCRYPTION_KEY" in refused.stderr
    done = _dalgo("restore", file, "--data-dir", elsewhere.root, **_keys(running.layout))
    assert done.returncode == 0, done.stderr
    assert recorded(elsewhere) == []
    again = _dalgo("restore", file, "--data-dir", elsewhere.root, **_keys(running.layout))
    assert again.returncode == 1
    assert "nothing was changed" in again.stderr

    with (
        stack_in(elsewhere.root.parent, **_keys(running.layout)) as restored,
        Dalgo(restored.url) as client,
    ):
        # Whom the operator has let read.
        assert _sql(restored.layout, f"SELECT pg_has_role('analyst', '{reader}', 'MEMBER')")
        assert not _sql(
            restored.layout, "SELECT count(*) FROM pg_roles WHERE rolname = 'nobody_of_ours'"
        )
        client.login(email, f"a long pass phrase {email.partition('@')[0]}")
        # What was under way at the time of the backup ends, of what the outboxes hold.
        assert client.runs.wait(run.id).status == "succeeded"
        assert [table.name for table in client.tables.list()] == tables
        assert client.tables.preview(tables[0]).rows == rows
        # A new file, read from the restored object store, and a schedule that goes on.
        assert client.runs.wait(client.sources.sync(source.id, force=True)).status == "succeeded"

        def is_due_again() -> bool:
            runs = client.runs.list(pipeline_id=pipeline.id)
            return any(each.trigger.type == "schedule" and each.id not in before for each in runs)

        before = {each.id for each in client.runs.list(pipeline_id=pipeline.id)}
        until(is_due_again, 100)
