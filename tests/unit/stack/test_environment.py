"""What each service is told, and what is kept from it."""

from pathlib import Path

import pytest

from contracts.streams import SERVICES, STORE
from stack.addresses import database_settings, given, login_url, split_nats
from stack.errors import StackError
from stack.layout import Layout
from stack.services import SPECS, environment

KEYS = {"ENCRYPTION_KEY": "own-e", "MASK_KEY": "own-m", "OBJECT_STORE_URL": "file:///o"}
LAYOUT = Layout(Path("/data"))
BY_NAME = {spec.name: spec for spec in SPECS}


def _environment(name: str, base: dict[str, str] | None = None) -> dict[str, str]:
    return environment(
        BY_NAME[name],
        base or {},
        addresses={"NATS_URL": "nats://own"},
        keys=KEYS,
        layout=LAYOUT,
        port=1,
        metrics_port=2,
    )


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("auth", {"ENCRYPTION_KEY"}),
        ("ingest", {"ENCRYPTION_KEY", "MASK_KEY", "OBJECT_STORE_URL"}),
        ("transform", {"MASK_KEY", "OBJECT_STORE_URL"}),
        ("orchestrator", set()),
        ("gateway", {"OBJECT_STORE_URL"}),
    ],
)
def test_a_service_gets_the_keys_that_it_needs_and_no_other(name: str, keys: set[str]):
    assert set(_environment(name)) & set(KEYS) == keys


def test_confidential_settings_of_the_caller_reach_only_who_needs_them():
    base = {"JWT_PRIVATE_KEY": "pem", "GOOGLE_CREDENTIALS_JSON": "{}", "SIGNUP": "closed"}
    assert "JWT_PRIVATE_KEY" in _environment("auth", base)
    assert "JWT_PRIVATE_KEY" not in _environment("gateway", base)
    assert "GOOGLE_CREDENTIALS_JSON" not in _environment("transform", base)
    assert all(_environment(spec.name, base)["SIGNUP"] == "closed" for spec in SPECS)


def test_the_callers_own_key_wins_over_the_kept_one_and_an_empty_one_does_not():
    assert _environment("auth", {"ENCRYPTION_KEY": "theirs"})["ENCRYPTION_KEY"] == "theirs"
    assert _environment("auth", {"ENCRYPTION_KEY": ""})["ENCRYPTION_KEY"] == "own-e"


def test_addresses_of_the_caller_never_pass_through():
    base = {"DATABASE_URL": "postgresql://migrator:x@h/d", "SUPABASE_DB_URL": "y", "NATS_URL": "z"}
    told = _environment("gateway", base)
    assert told["NATS_URL"] == "nats://own"
    assert "DATABASE_URL" not in told
    assert "SUPABASE_DB_URL" not in told


def test_a_login_takes_the_place_of_the_migrator_in_its_url():
    url = login_url("postgresql://admin:p%40w@db.example.org:5433/d?sslmode=require", "auth", "a/b")
    assert url == "postgresql://auth:a%2Fb@db.example.org:5433/d?sslmode=require"


def test_supabases_pooler_finds_the_project_in_the_login():
    url = "postgresql://postgres.abcd:x@aws-0-eu.pooler.supabase.com:6543/postgres"
    settings = database_settings(given({}), url, "auth", "pw")
    assert settings["DATABASE_URL"].startswith("postgresql://dalgo_auth.abcd:pw@aws-0-eu.pooler")
    assert settings["DATABASE_STATEMENT_CACHE"] == "0"


def test_supabases_name_of_the_setting_goes_before_the_general_one():
    assert given({"SUPABASE_DB_URL": "a", "DATABASE_URL": "b"}).database == "a"
    assert given({"SUPABASE_DB_URL": "", "DATABASE_URL": "b"}).database == "b"
    assert given({}).database is None


def test_user_and_password_of_a_given_bus_are_taken_out_of_its_url():
    assert split_nats("nats://me:p%3Aw@bus:4222") == ("nats://bus:4222", "me", "p:w")
    assert split_nats("nats://bus:4222") == ("nats://bus:4222", None, None)
    cluster = "nats://me:pw@one:4222, nats://two:4222"
    assert split_nats(cluster) == ("nats://one:4222,nats://two:4222", "me", "pw")


def test_the_number_of_replicas_is_one_three_or_five():
    assert given({}).nats_replicas == 1
    assert given({"NATS_REPLICAS": "3"}).nats_replicas == 3
    for wrong in ("2", "many", "0"):
        with pytest.raises(StackError, match="NATS_REPLICAS"):
            given({"NATS_REPLICAS": wrong})


def test_the_store_of_the_bus_is_a_number_of_bytes_that_streams_fit_in() -> None:
    assert given({}).nats_store == STORE
    assert given({"NATS_STORE_BYTES": "1073741824"}).nats_store == 1024**3
    for wrong in ("10 GB", "-1", "1024", "1e9"):
        with pytest.raises(StackError, match="NATS_STORE_BYTES"):
            given({"NATS_STORE_BYTES": wrong})


def test_the_data_directory_is_told_or_shared_or_below_home(tmp_path: Path):
    assert Layout.default({"DALGO_DATA_DIR": str(tmp_path)}).root == tmp_path
    assert Layout.default({"XDG_DATA_HOME": str(tmp_path)}).root == tmp_path / "dalgo"
    assert Layout.default({}).root.name == "dalgo"


def test_every_service_of_the_contracts_is_started():
    assert {spec.name for spec in SPECS} == {entry.name for entry in SERVICES}


def test_metrics_are_on_the_port_that_was_chosen_whatever_the_caller_says():
    told = _environment("auth", {"METRICS_HOST": "0.0.0.0", "METRICS_PORT": "9464"})
    assert (told["METRICS_HOST"], told["METRICS_PORT"]) == ("127.0.0.1", "2")
