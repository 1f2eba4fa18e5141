"""Secrets: made once, kept, closed to others."""

import base64
import json
import stat
from pathlib import Path

import pytest

from stack.errors import StackError
from stack.secrets import load


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_made_once_and_kept(tmp_path: Path):
    path = tmp_path / "secrets.json"
    first = load(path, ["auth", "ingest"])
    assert load(path, ["auth", "ingest"]) == first
    assert set(first.database) == {"auth", "ingest"}
    assert set(first.bus) == {"auth", "ingest", "system", "migrator"}


def test_the_file_is_for_its_owner_only(tmp_path: Path):
    path = tmp_path / "secrets.json"
    load(path, ["auth"])
    assert _mode(path) == 0o600


def test_a_file_that_others_could_read_is_closed(tmp_path: Path):
    path = tmp_path / "secrets.json"
    load(path, ["auth"])
    path.chmod(0o644)
    load(path, ["auth"])
    assert _mode(path) == 0o600


def test_a_new_service_gets_a_password_and_the_others_keep_theirs(tmp_path: Path):
    path = tmp_path / "secrets.json"
    before = load(path, ["auth"])
    after = load(path, ["auth", "ingest"])
    assert after.database["auth"] == before.database["auth"]
    assert after.database["ingest"]
    assert after.encryption_key == before.encryption_key


def test_keys_are_base64_of_32_bytes_and_all_passwords_differ(tmp_path: Path):
    made = load(tmp_path / "secrets.json", ["auth", "ingest"])
    assert len(base64.b64decode(made.encryption_key, validate=True)) == 32
    assert len(base64.b64decode(made.mask_key, validate=True)) == 32
    passwords = [made.superuser, made.migrator, *made.database.values(), *made.bus.values()]
    assert len(set(passwords)) == len(passwords)


def test_a_damaged_file_is_refused_and_not_overwritten(tmp_path: Path):
    path = tmp_path / "secrets.json"
    path.write_text("{")
    with pytest.raises(StackError, match="backup"):
        load(path, ["auth"])
    assert path.read_text() == "{"


def test_secrets_do_not_show_in_a_repr(tmp_path: Path):
    made = load(tmp_path / "secrets.json", ["auth"])
    assert made.encryption_key not in repr(made)
    assert json.loads((tmp_path / "secrets.json").read_text())["mask_key"] not in repr(made)
