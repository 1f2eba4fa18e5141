"""The operator's commands where they cannot be carried out: what they say instead."""

import pytest
from typer.testing import CliRunner

from dalgo.cli.app import app

LETTER = "01a20998-108a-74a6-80b5-feb46a15371b"


@pytest.fixture
def dalgo():
    """`dalgo("dlq", "list")`: the command's result."""
    return lambda *words: CliRunner().invoke(app, list(words))


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> str:
    """A data directory from which nothing has ever run."""
    for name in ("DATABASE_URL", "SUPABASE_DB_URL", "DATABASE_DIRECT_URL", "NATS_URL"):
        monkeypatch.delenv(name, raising=False)
    return str(tmp_path / "data")


@pytest.mark.parametrize(
    "command", ["dlq list", f"dlq show {LETTER}", f"dlq replay {LETTER}", "drain", "drain --undo"]
)
def test_where_nothing_has_run_the_operator_is_told_the_ways_in(dalgo, elsewhere, command):
    result = dalgo(*command.split(), "--data-dir", elsewhere)
    assert result.exit_code == 1
    assert f"Dalgo Lite has never run from {elsewhere}." in result.stderr
    assert "DATABASE_URL" in result.stderr


def test_a_database_that_is_away_is_one_clear_line_without_its_password(dalgo, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://boss:secret-word@127.0.0.1:1/dalgo")
    result = dalgo("dlq", "list")
    assert result.exit_code == 1
    assert "The database cannot be reached" in result.stderr
    assert "secret-word" not in result.output


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("dlq replay", "Name letters by their ids"),
        ("dlq drop", "Name letters by their ids"),
        (f"dlq drop {LETTER} --all", "Name letters by their ids"),
        ("dlq list --service ingst", "There is no service 'ingst'"),
        ("dlq show 7", "UUID"),
        ("drain --undo --wait", "--undo"),
        ("drain --timeout 5", "--wait"),
    ],
)
def test_a_line_that_makes_no_sense_changes_nothing_and_exits_2(dalgo, elsewhere, command, hint):
    result = dalgo(*command.split(), "--data-dir", elsewhere)
    assert result.exit_code == 2
    assert hint in result.stderr
