"""Where the database and the bus are: this machine's own, or those the environment names."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

_SUPABASE_POOLER = ".pooler.supabase.com"
_TRANSACTION_POOLER = 6543


@dataclass(frozen=True)
class Given:
    """Servers that exist already; None where the stack starts its own."""

    database: str | None
    """The migrator's URL; services log in to the same place as themselves."""
    database_direct: str | None
    """The same past a transaction pooler, for migrations and loads."""
    nats: str | None


def given(environ: Mapping[str, str]) -> Given:
    """Read SUPABASE_DB_URL (or DATABASE_URL), DATABASE_DIRECT_URL and NATS_URL."""
    return Given(
        environ.get("SUPABASE_DB_URL") or environ.get("DATABASE_URL") or None,
        environ.get("DATABASE_DIRECT_URL") or None,
        environ.get("NATS_URL") or None,
    )


def login_url(url: str, user: str, password: str) -> str:
    """The same database for another login."""
    parts = urlsplit(url)
    if (parts.hostname or "").endswith(_SUPABASE_POOLER):
        # Supabase's pooler tells its tenants apart by a suffix of the user: `name.project`.
        _, dot, project = unquote(parts.username or "").partition(".")
        user += dot + project
    return _with_login(parts, f"{quote(user, safe='')}:{quote(password, safe='')}@")


def database_settings(given: Given, url: str, user: str, password: str) -> dict[str, str]:
    """The settings by which a service reaches the database that the migrator reaches by `url`."""
    direct = given.database_direct
    settings = {"DATABASE_URL": login_url(url, user, password)}
    if direct:
        settings["DATABASE_DIRECT_URL"] = login_url(direct, user, password)
    if urlsplit(url).port == _TRANSACTION_POOLER:
        settings["DATABASE_STATEMENT_CACHE"] = "0"
    return settings


def split_nats(url: str) -> tuple[str, str | None, str | None]:
    """URL without user, the user, the password, of a `nats://user:password@host` URL."""
    parts = urlsplit(url)
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    return _with_login(parts, ""), user, password


def _with_login(parts: SplitResult, login: str) -> str:
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=login + host))
