"""Uploads on this machine, for as long as somebody reads them."""

import asyncio
import csv
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import UUID

from chassis.objects import Objects
from contracts.ingest import Upload
from ingest.connectors import BadSource
from ingest.dialect import CELL_LIMIT
from ingest.domain import rejects_key, upload_key
from ingest.encoding import CHUNK


@asynccontextmanager
async def local(objects: Objects, org_id: UUID, upload: Upload) -> AsyncIterator[Path]:
    """The upload as a file that is only read. Raises BadSource `upload_gone`."""
    async with AsyncExitStack() as stack:
        try:
            path = await stack.enter_async_context(
                objects.local(upload_key(org_id, upload.upload_id))
            )
        except FileNotFoundError as error:
            raise BadSource(
                "upload_gone",
                f"The file {upload.filename} is not stored any more. Upload it again.",
            ) from error
        yield path


def joined_rejects(parts: Sequence[tuple[str, Path]], target: Path) -> Path:
    """What several loads set aside, by the names of their files; of a single one as it is.

    The result is not there when nothing was set aside.
    """
    if len(parts) == 1:
        return parts[0][1]
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
    return target


async def keep_rejects(objects: Objects, org_id: UUID, source_id: UUID, path: Path) -> None:
    """Store what a load set aside, in place of what the one before did."""
    key = rejects_key(org_id, source_id)
    if not await asyncio.to_thread(path.exists):
        await objects.delete(key)
        return

    async def chunks() -> AsyncIterator[bytes]:
        with path.open("rb") as file:
            while chunk := await asyncio.to_thread(file.read, CHUNK):
                yield chunk

    await objects.put(key, chunks())
