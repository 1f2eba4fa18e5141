"""Names of schemas and roles begin with the installation's prefix, and nowhere without it."""

import re
from pathlib import Path

import pytest

from chassis.names import PREFIX, filled, prefix, schema, system_role

ROOT = Path(__file__).parents[3]
_OURS = "auth|ingest|transform|orchestrator|warehouse|chassis"
_NAMED = re.compile(
    rf"(?<![\w}}])(?:{_OURS})(?:_system|_loaders|_watch)?\.[a-z_]+\(?"
    rf"|(?:SCHEMA|ROLE|TO|FROM) (?:{_OURS})\b|'org_[0-9\[]"
)


def test_the_prefix_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PREFIX, raising=False)
    assert (schema("auth"), system_role("auth")) == ("dalgo_auth", "dalgo_auth_system")
    monkeypatch.setenv(PREFIX, "second")
    assert (schema("auth"), system_role("auth")) == ("second_auth", "second_auth_system")
    assert filled("SELECT ${prefix}_warehouse.f($1)") == "SELECT second_warehouse.f($1)"


@pytest.mark.parametrize("given", ["Dalgo", "1st", "a_b", "eleven_char", "abcdefghijk", 'a"b', "ü"])
def test_a_prefix_that_could_not_stand_in_every_name_is_refused(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PREFIX, given)
    with pytest.raises(ValueError, match="is no prefix"):
        prefix()


def test_no_migration_names_a_schema_or_role_without_the_prefix() -> None:
    found = {
        f"{path.name}: {name}"
        for folder in ("libs", "services")
        for path in (ROOT / folder).rglob("migrations/*.sql")
        for name in _NAMED.findall(re.sub(r"--.*", "", path.read_text()))
    }
    assert found == set()
