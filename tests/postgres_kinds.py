"""PostgreSQL as others run it: of another version, or prepared the way Supabase prepares its own.

`TEST_POSTGRES` names the session's server: words of a major version (Debian's programs), `supabase`, and
`rls` for a migrator that may not go past row-level security.
"""

from pathlib import Path
from typing import ClassVar

from stack.account import Account
from stack.postgres import MAJOR, Postgres

_DEBIAN = "/usr/lib/postgresql/{}"
_SUPABASE = (Path(__file__).parent / "supabase.sql").read_text()
_SINCE_16 = ("reserved_connections",)


def chosen(words: str) -> type[Postgres]:
    """The server that the words name; ours where there are none."""
    major, supabase, rls = MAJOR, False, False
    for word in words.split():
        if word.isdecimal():
            major = int(word)
        elif word == "supabase":
            supabase = True
        elif word == "rls":
            rls = True
        else:
            raise ValueError(f"TEST_POSTGRES: {word!r} is no version, nor 'supabase' or 'rls'")
    kind = Postgres if major == MAJOR else _of_version(major)
    return _as_supabase(kind, bypasses="NOBYPASSRLS" if rls else "BYPASSRLS") if supabase else kind


def _of_version(major: int) -> type[Postgres]:
    where = Path(_DEBIAN.format(major))
    if not (where / "bin" / "postgres").exists():
        raise ValueError(f"PostgreSQL {major} is not installed: apt-get install postgresql-{major}")

    class Other(Postgres):
        options: ClassVar = {
            key: value
            for key, value in Postgres.options.items()
            if major >= 16 or key not in _SINCE_16
        }
        locale = ("--locale=C.UTF-8",) if major < 17 else Postgres.locale
        prepare = Postgres.prepare if major >= 16 else _without_reserved(Postgres.prepare)

        def programs(self, home: Path, account: Account | None) -> Path:
            return where

    Other.major = major
    return Other


def _without_reserved(script: str) -> str:
    lines = script.splitlines(keepends=True)
    return "".join(line for line in lines if "pg_use_reserved_connections" not in line)


def _as_supabase(kind: type[Postgres], bypasses: str) -> type[Postgres]:
    class Supabase(kind):
        superuser = "supabase_admin"
        migrator = "postgres"
        database = "postgres"
        prepare = _SUPABASE.replace("${bypasses}", bypasses)

    return Supabase
