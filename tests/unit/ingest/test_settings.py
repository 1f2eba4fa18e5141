"""Settings of ingest that are refused at its start."""

import pytest

from chassis.settings import load
from ingest.settings import Settings

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def test_what_is_no_google_key_is_named_with_an_example_and_not_repeated(monkeypatch, capsys):
    for name in ("DATABASE_URL", "NATS_URL", "OBJECT_STORE_URL"):
        monkeypatch.setenv(name, "x://y")
    monkeypatch.setenv("ENCRYPTION_KEY", KEY)
    monkeypatch.setenv("GOOGLE_CREDENTIALS_JSON", "/etc/secrets/key.json")
    with pytest.raises(SystemExit):
        load(Settings)
    told = capsys.readouterr().err
    assert told.startswith("Setting GOOGLE_CREDENTIALS_JSON does not fit")
    assert "the file's content" in told
    assert "/etc/secrets" not in told
