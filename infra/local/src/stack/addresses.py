"""Where the database and the bus are: this machine's own, or those the environment names."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from chassis import names
from chassis.bus_login import BusLogin
from contracts.streams import MIB, STORE
from stack.errors import StackError

_SUPABASE_POOLER = ".pooler.supabase.com"
_TRANSACTION_POOLER = 6543
_SMALLEST_STORE = 512 * MIB
_REPLICAS = ("1", "3", "5")
_NATS_FILES = ("NATS_CA_FILE", "NATS_CREDS_FILE", "NATS_NKEY_SEED_FILE")
_PASSWORD_OF = "NATS_PASSWORD_"  # noqa: S105 - the name of settings


@dataclass(frozen=True)
class Given:
    """Servers that exist already; None where the stack starts its own."""

    database: str | None
    """The migrator's URL; services log in to the same place as themselves."""
    database_direct: str | None
    """The same past a transaction pooler, for migrations and loads."""
    nats: str | None
    """Of one server, or of several of a cluster, comma-separated."""
    nats_replicas: int = 1
    """How many servers of the cluster keep each stream."""
    nats_store: int = STORE
    """Bytes on disk that all streams together may take, on each server."""


def given(environ: Mapping[str, str]) -> Given:
    """Read SUPABASE_DB_URL (or DATABASE_URL), DATABASE_DIRECT_URL and NATS_URL, _REPLICAS, _STORE_BYTES.

    Raises StackError for a number of replicas that is none, and for a store that is none or too small.
    """
    try:
        names.checked(environ.get(names.PREFIX) or names.DEFAULT)
    except ValueError as error:
        raise StackError(f"{names.PREFIX}: {error}.") from error
    replicas = environ.get("NATS_REPLICAS") or "1"
    if replicas not in _REPLICAS:
        raise StackError(
            f"NATS_REPLICAS is {replicas!r}: how many servers of the cluster keep each stream, one of "
            f"{', '.join(_REPLICAS)}."
        )
    store = environ.get("NATS_STORE_BYTES") or str(STORE)
    if not store.isdecimal() or int(store) < _SMALLEST_STORE:
        raise StackError(
            f"NATS_STORE_BYTES is {store!r}: the bytes on disk that all streams may take, "
            f"{_SMALLEST_STORE} at least."
        )
    return Given(
        environ.get("SUPABASE_DB_URL") or environ.get("DATABASE_URL") or None,
        environ.get("DATABASE_DIRECT_URL") or None,
        environ.get("NATS_URL") or None,
        int(replicas),
        int(store),
    )


def login_url(url: str, user: str, password: str) -> str:
    """The same database for another login."""
    parts = urlsplit(url)
    if (parts.hostname or "").endswith(_SUPABASE_POOLER):
        # Supabase's pooler tells its tenants apart by a suffix of the user: `name.project`.
        _, dot, project = unquote(parts.username or "").partition(".")
        user += dot + project
    return _with_login(parts, f"{quote(user, safe='')}:{quote(password, safe='')}@")


def database_settings(given: Given, url: str, service: str, password: str) -> dict[str, str]:
    """The settings by which a service reaches the database that the migrator reaches by `url`."""
    user = names.schema(service)
    direct = given.database_direct
    settings = {"DATABASE_URL": login_url(url, user, password)}
    if direct:
        settings["DATABASE_DIRECT_URL"] = login_url(direct, user, password)
    if urlsplit(url).port == _TRANSACTION_POOLER:
        settings["DATABASE_STATEMENT_CACHE"] = "0"
    return settings


def nats_login(environ: Mapping[str, str], user: str) -> BusLogin:
    """How a service, or who makes the streams, logs in to the NATS of NATS_URL.

    With NATS_PASSWORD_<USER> as that user; with NATS_CREDS_FILE or NATS_NKEY_SEED_FILE by that file, in
    whose name `{user}` stands for the user's; else all as the user of NATS_URL.
    Raises StackError for more than one way.
    """
    files = {
        name: environ[name].replace("{user}", user) for name in _NATS_FILES if environ.get(name)
    }
    own = environ.get(_PASSWORD_OF + user.upper())
    _, shared, password = split_nats(environ.get("NATS_URL") or "")
    try:
        return BusLogin(
            user if own else shared,
            own or password,
            files.get("NATS_CA_FILE"),
            files.get("NATS_CREDS_FILE"),
            files.get("NATS_NKEY_SEED_FILE"),
        )
    except ValueError as error:
        raise StackError(str(error)) from error


def nats_settings(login: BusLogin) -> dict[str, str]:
    """The settings of a service that logs in so."""
    settings = {
        "NATS_USER": login.user,
        "NATS_PASSWORD": login.password,
        "NATS_CA_FILE": login.ca_file,
        "NATS_CREDS_FILE": login.creds_file,
        "NATS_NKEY_SEED_FILE": login.nkey_seed_file,
    }
    return {name: value for name, value in settings.items() if value}


def split_nats(url: str) -> tuple[str, str | None, str | None]:
    """URLs without user, the user, the password, of comma-separated `nats://user:password@host`.

    The user of the first that names one is taken for all.
    """
    servers = [urlsplit(each.strip()) for each in url.split(",") if each.strip()]
    named = next((parts for parts in servers if parts.username), None)
    user = unquote(named.username) if named and named.username else None
    password = unquote(named.password) if named and named.password else None
    return ",".join(_with_login(parts, "") for parts in servers), user, password


def _with_login(parts: SplitResult, login: str) -> str:
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=login + host))
