"""`dalgo backup`: one file with all that an installation is, as of one moment, while it works on."""

import hashlib
import json
import os
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chassis.names import prefix
from stack import pg_tools
from stack.access import database, migrator_url
from stack.addresses import given
from stack.errors import StackError
from stack.installation import inherited, memberships, roles, schemas
from stack.layout import Layout
from stack.secrets import load

if TYPE_CHECKING:
    import asyncpg

FORMAT = 2
MANIFEST, DATABASE, OBJECTS = "manifest.json", "database.dump", "objects/"
_TRIES = 3
"""A dump fails when a table is dropped between the list and its lock, or a loader is issued meanwhile,
which takes the migrator's rights back: it is begun anew."""


@dataclass(frozen=True)
class Manifest:
    """What a backup holds, beside rows and files."""

    format: int
    made_at: str
    migrator: str
    prefix: str
    metadata: list[str]
    organizations: list[str]
    roles: list[dict[str, Any]]
    memberships: list[dict[str, Any]]
    keys: dict[str, list[str]]
    """Fingerprints of the keys without which it cannot be read; no key."""


def fingerprint(key: str) -> str:
    """Names a key without showing it."""
    return hashlib.sha256(b"dalgo backup:" + key.strip().encode()).hexdigest()[:12]


def keys_of(layout: Layout, environ: Mapping[str, str]) -> dict[str, list[str]]:
    """Fingerprints of the keys that are in use, by the names of their settings."""
    kept = load(layout.secrets, ()) if layout.secrets.exists() else None
    own = {"ENCRYPTION_KEY": kept.encryption_key, "MASK_KEY": kept.mask_key} if kept else {}
    found: dict[str, list[str]] = {}
    for name in ("ENCRYPTION_KEY", "MASK_KEY"):
        value = environ.get(name) or own.get(name)
        if value is None:
            raise StackError(f"{name} is not set: a backup names the keys that it needs.")
        found[name] = [fingerprint(part) for part in value.split(",")]
    return found


def object_store(layout: Layout, environ: Mapping[str, str]) -> str:
    """The URL of the object store."""
    return environ.get("OBJECT_STORE_URL") or layout.objects.as_uri()


async def backup(
    layout: Layout, environ: Mapping[str, str], file: Path, report: Callable[[str], None]
) -> Manifest:
    """Write the file, mode 0600; raises StackError when it exists or something cannot be read."""
    if file.exists():  # noqa: ASYNC240 - a command of its own
        raise StackError(f"{file} exists: a backup replaces no file.")
    keys = keys_of(layout, environ)
    own = given(environ)
    url = own.database_direct or own.database or migrator_url(layout)
    fresh = file.with_name(f"{file.name}.new")
    with tempfile.TemporaryDirectory(prefix="dalgo-backup-", dir=fresh.parent) as folder:
        dump = Path(folder) / DATABASE
        manifest = await _dump(layout, environ, url, dump, keys)
        report(
            f"database dumped ({len(manifest.organizations)} schemas of organisations, "
            f"{dump.stat().st_size:,} bytes)"
        )
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as raw, tarfile.open(fileobj=raw, mode="w") as tar:
                text = Path(folder) / MANIFEST
                text.write_text(json.dumps(asdict(manifest), indent=1))
                tar.add(text, MANIFEST)
                tar.add(dump, DATABASE)
                count = await _add_objects(tar, object_store(layout, environ))
            report(f"{count} objects copied")
            fresh.replace(file)
        finally:
            fresh.unlink(missing_ok=True)
    return manifest


async def _dump(
    layout: Layout, environ: Mapping[str, str], url: str, dump: Path, keys: dict[str, list[str]]
) -> Manifest:
    async with database(layout, environ) as admin, database(layout, environ) as holder:
        await holder.execute("SET idle_in_transaction_session_timeout = 0")
        for left in reversed(range(_TRIES)):
            made = await roles(admin)
            members = await memberships(admin, [role["name"] for role in made])
            try:
                async with (
                    inherited(admin, [role["name"] for role in made if not role["login"]]),
                    # The snapshot is the moment; it lives as long as the transaction that exports it.
                    holder.transaction(isolation="repeatable_read", readonly=True),
                ):
                    manifest = await _manifest(holder, made, members, keys)
                    await _run_dump(holder, url, dump, manifest)
                    return manifest
            except StackError:
                if not left:
                    raise
    raise AssertionError("unreachable")


async def _manifest(
    holder: "asyncpg.Connection",
    made: list[dict[str, Any]],
    members: list[dict[str, Any]],
    keys: dict[str, list[str]],
) -> Manifest:
    metadata, organizations = await schemas(holder)
    if not metadata:
        raise StackError("There is no Dalgo Lite in this database.")
    migrator = str(await holder.fetchval("SELECT current_user"))
    made_at = datetime.now(UTC).isoformat()
    return Manifest(
        FORMAT, made_at, migrator, prefix(), metadata, organizations, made, members, keys
    )


async def _run_dump(holder: "asyncpg.Connection", url: str, dump: Path, manifest: Manifest) -> None:
    snapshot = await holder.fetchval("SELECT pg_export_snapshot()")
    names = (*manifest.metadata, *manifest.organizations)
    await pg_tools.run(
        "pg_dump",
        url,
        [
            "--format=custom",
            f"--file={dump}",
            f"--snapshot={snapshot}",
            "--enable-row-security",
            *(f'--schema="{name}"' for name in names),
        ],
    )


async def _add_objects(tar: tarfile.TarFile, url: str) -> int:
    from chassis.objects import Objects

    store, count = Objects(url), 0
    for key in await store.keys(""):
        try:
            async with store.local(key) as path:
                tar.add(path, OBJECTS + key)
                count += 1
        except FileNotFoundError:
            continue  # deleted since the list was read
    return count
