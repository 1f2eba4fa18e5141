"""Records that loads set aside, in the object store: one CSV file for each source's last load."""

import asyncio
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from chassis.objects import Objects
from contracts.ingest import Reject, StoredRejects
from ingest import files
from ingest.dialect import CELL_LIMIT
from ingest.domain import rejects_key

LONGEST = 2000
"""Characters of a record that are shown; the file has all."""
LARGEST = 800_000
"""Bytes of text in an answer: the bus carries a megabyte."""


async def keep(objects: Objects, org_id: UUID, source_id: UUID, path: Path | None) -> None:
    """Store what a load set aside, in place of what the one before did; None: it was nothing."""
    key = rejects_key(org_id, source_id)
    if path is not None:
        await files.put(objects, key, path)
    else:
        await objects.delete(key)


def joined(parts: Sequence[tuple[str, Path]], target: Path) -> Path | None:
    """What several loads set aside, by the names of their files; of a single one as it is.

    None when nothing was set aside.
    """
    if len(parts) == 1:
        return parts[0][1] if parts[0][1].exists() else None
    # As long as a cell of a file may be; the limit is the process's.
    csv.field_size_limit(CELL_LIMIT)
    for filename, path in parts:
        if not path.exists():
            continue
        is_new = not target.exists()
        with (
            path.open(encoding="utf-8", newline="") as source,
            target.open("a", encoding="utf-8", newline="") as file,
        ):
            rows, writer = csv.reader(source), csv.writer(file)
            header = next(rows)
            if is_new:
                writer.writerow(("file", *header))
            writer.writerows((filename, *row) for row in rows)
    return target if target.exists() else None


async def first(objects: Objects, org_id: UUID, source_id: UUID, limit: int) -> StoredRejects:
    """The first `limit` of them, fewer where they are large, and how many there are."""
    key = rejects_key(org_id, source_id)
    try:
        async with objects.local(key) as path:
            return await asyncio.to_thread(_first, path, limit, key)
    except FileNotFoundError:
        return StoredRejects(rejects=(), total=0, stored_at=None)


def _first(path: Path, limit: int, key: str) -> StoredRejects:
    csv.field_size_limit(CELL_LIMIT)
    found: list[Reject] = []
    total = size = 0
    with path.open("r", encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows, None)
        for *named, line, reason, text in rows:
            total += 1
            shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
            # As JSON writes it: a control character takes six bytes.
            size += len(json.dumps(shown, ensure_ascii=False).encode()) + len(reason.encode())
            if len(found) < limit and size <= LARGEST:
                found.append(
                    Reject(
                        file=named[0] if named else None, line=int(line), reason=reason, text=shown
                    )
                )
    return StoredRejects(rejects=tuple(found), total=total, stored_at=key)
