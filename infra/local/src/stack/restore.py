"""`dalgo restore`: an installation from a backup, in an empty database and beside an empty bus."""

import json
import tarfile
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from chassis.names import PREFIX, prefix
from stack import pg_tools
from stack.access import database
from stack.backup import DATABASE, FORMAT, MANIFEST, OBJECTS, Manifest, keys_of, object_store
from stack.errors import StackError
from stack.installation import inherited, quoted, schemas
from stack.layout import Layout
from stack.migrating import passwords
from stack.prepare import PrepareDatabase, prepare_database

if TYPE_CHECKING:
    import asyncpg

_CHUNK = 1024 * 1024


async def restore(
    layout: Layout,
    environ: Mapping[str, str],
    url: str,
    file: Path,
    report: Callable[[str], None],
    prepare: PrepareDatabase = prepare_database,
) -> Manifest:
    """Restore; raises StackError, having changed nothing, for a target that is in use or other keys.

    `url`: the database as the migrator, with whose name the backup was made.
    """
    manifest = read_manifest(file)
    _require_keys(manifest, keys_of(layout, environ))
    own = passwords(layout, environ)
    environ = dict(environ) | {"DATABASE_URL": url, "DATABASE_DIRECT_URL": url}
    async with database(layout, environ) as connection:
        await _require_empty(connection, manifest)
        # Logins with this installation's own passwords; of the schemas only the roles are wanted.
        await prepare(url, own)
        metadata, _ = await schemas(connection)
        owners = await _owners_of_functions(connection, metadata)
        for name in metadata:
            await connection.execute(f"DROP SCHEMA {await quoted(connection, name)} CASCADE")
        await _make_roles(connection, manifest)
        names = [role["name"] for role in manifest.roles if not role["login"]]
        with tempfile.TemporaryDirectory(prefix="dalgo-restore-") as folder:
            dump = Path(folder) / DATABASE
            with tarfile.open(file) as tar, dump.open("wb") as target:
                source = tar.extractfile(DATABASE)
                assert source is not None
                while chunk := source.read(_CHUNK):
                    target.write(chunk)
            async with (
                inherited(connection, names),
                _may_own(connection, owners, manifest.metadata),
            ):
                arguments = ["--single-transaction", "--exit-on-error", str(dump)]
                await pg_tools.run("pg_restore", url, arguments)
        report("database restored")
        await _send_again(connection, manifest)
    # What this program has added since the backup was made.
    await prepare(url, own)
    report("database migrated")
    report(f"{await _put_objects(file, object_store(layout, environ))} objects put back")
    return manifest


def read_manifest(file: Path) -> Manifest:
    """What the backup holds; raises StackError for a file that is none, or of a later format."""
    try:
        with tarfile.open(file) as tar:
            text = tar.extractfile(MANIFEST)
            assert text is not None
            found = json.loads(text.read())
            if found["format"] != FORMAT:
                raise StackError(
                    f"{file} has format {found['format']}, this program reads {FORMAT}: restore it "
                    "with the release that made it."
                )
            return Manifest(**found)
    except (OSError, tarfile.TarError, KeyError, ValueError, TypeError, AssertionError) as error:
        raise StackError(f"{file} is no backup: {str(error) or repr(error)}") from error


def _require_keys(manifest: Manifest, have: Mapping[str, list[str]]) -> None:
    for name, wanted in manifest.keys.items():
        missing = [key for key in wanted if key not in have.get(name, [])]
        if missing:
            raise StackError(
                f"The backup needs another {name} (fingerprint {', '.join(missing)}). Set {name} to "
                "the one of the installation that was backed up, or bring its secrets.json."
            )


async def _require_empty(connection: "asyncpg.Connection", manifest: Manifest) -> None:
    if manifest.prefix != prefix():
        raise StackError(
            f"The backup's names begin with {manifest.prefix}, here it is {prefix()}: set "
            f"{PREFIX}={manifest.prefix}."
        )
    _, organizations = await schemas(connection)
    if organizations:
        raise StackError(
            f"The database holds {len(organizations)} schemas of organisations. A backup is restored "
            "in an empty database only: nothing was changed."
        )
    migrator = await connection.fetchval("SELECT current_user")
    if migrator != manifest.migrator:
        raise StackError(
            f"The backup was made as the role {manifest.migrator}, this is {migrator}: its tables "
            "would belong to a role that is not there. Use a role of that name."
        )


async def _make_roles(connection: "asyncpg.Connection", manifest: Manifest) -> None:
    """Roles as they were, without passwords: logins of other systems are issued anew."""
    there = {row[0] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
    for role in manifest.roles:
        name = await quoted(connection, role["name"])
        if role["name"] in there:
            continue
        login = "LOGIN" if role["login"] else "NOLOGIN"
        inherit = "INHERIT" if role["inherit"] else "NOINHERIT"
        await connection.execute(
            f"CREATE ROLE {name} {login} {inherit} CONNECTION LIMIT {int(role['connections'])}"
        )
        for setting in role["settings"]:
            key, _, value = setting.partition("=")
            value = await connection.fetchval("SELECT quote_literal($1)", value)
            if key != "temp_file_limit":  # a superuser's to give; loaders get it with their login
                await connection.execute(
                    f"ALTER ROLE {name} SET {await quoted(connection, key)} = {value}"
                )
    modern = connection.get_server_version() >= (16,)
    for each in manifest.memberships:
        role, member = [await quoted(connection, each[key]) for key in ("role", "member")]
        if each["member"] == manifest.migrator and not each["set"]:
            continue  # what making the role has given already
        how = f" WITH INHERIT {each['inherit']}, SET {each['set']}" if modern else ""
        await connection.execute(f"GRANT {role} TO {member}{how}")


async def _owners_of_functions(
    connection: "asyncpg.Connection", metadata: Sequence[str]
) -> list[str]:
    """Roles that own functions in schemas of the migrator's."""
    rows = await connection.fetch(
        "SELECT DISTINCT pg_get_userbyid(proowner) AS role FROM pg_proc JOIN pg_namespace AS schema "
        "ON schema.oid = pronamespace WHERE nspname = ANY ($1) AND proowner <> nspowner",
        metadata,
    )
    return [await quoted(connection, row["role"]) for row in rows]


@asynccontextmanager
async def _may_own(
    connection: "asyncpg.Connection", roles: Sequence[str], metadata: Sequence[str]
) -> AsyncIterator[None]:
    """PostgreSQL gives a function only to a role that may create one in the schema.

    The schemas are made inside the block: what is granted on new ones is taken back afterwards.
    """
    for role in roles:
        await connection.execute(f"ALTER DEFAULT PRIVILEGES GRANT CREATE ON SCHEMAS TO {role}")
    try:
        yield
    finally:
        for role in roles:
            await connection.execute(
                f"ALTER DEFAULT PRIVILEGES REVOKE CREATE ON SCHEMAS FROM {role}"
            )
    for role in roles:
        for name in metadata:
            schema = await quoted(connection, name)
            await connection.execute(f"REVOKE CREATE ON SCHEMA {schema} FROM {role}")


async def _send_again(connection: "asyncpg.Connection", manifest: Manifest) -> None:
    """Let the relays send again what the outboxes hold: the bus that had it is gone.

    What was handled is in an inbox or known by its step, and does nothing a second time.
    """
    for schema in manifest.metadata:
        table = await connection.fetchval(
            "SELECT format('%I.outbox', $1::text) WHERE to_regclass(format('%I.outbox', $1::text)) "
            "IS NOT NULL",
            schema,
        )
        if table:
            await connection.execute(f"UPDATE {table} SET published_at = NULL")


async def _put_objects(file: Path, url: str) -> int:
    from chassis.objects import Objects

    store, count = Objects(url), 0
    with tarfile.open(file) as tar:
        for member in tar:
            if member.isfile() and member.name.startswith(OBJECTS):
                key = member.name.removeprefix(OBJECTS)
                await store.put(key, _chunks(tar, member))
                count += 1
    return count


async def _chunks(tar: tarfile.TarFile, member: tarfile.TarInfo) -> AsyncIterator[bytes]:
    source = tar.extractfile(member)
    assert source is not None
    while chunk := source.read(_CHUNK):
        yield chunk
