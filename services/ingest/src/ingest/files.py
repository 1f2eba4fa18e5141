"""Uploads on this machine, for as long as somebody reads them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import UUID

from chassis.objects import Objects
from contracts.ingest import Upload
from ingest.connectors import BadSource
from ingest.domain import upload_key


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
                f"The file {upload.filename} is not stored any more (where columns are masked or "
                "left out, it is deleted once it is published). Upload it again.",
            ) from error
        yield path
