"""Files on their way out: streamed from the object store, never held as a whole."""

from collections.abc import Sequence

from starlette.responses import Response, StreamingResponse

from chassis.csv_files import attachment, escaping, rows
from chassis.objects import Objects


async def download(
    objects: Objects, key: str | None, header: Sequence[str], filename: str, *, escape: bool
) -> Response:
    """A CSV file of the object store; where there is none, its `header` alone.

    `escape`: cells that a spreadsheet would run stand behind an apostrophe. `filename` may hold
    what people wrote.
    """
    headers = {"Content-Disposition": attachment(filename)}
    if key is not None:
        try:
            chunks = await objects.read(key)
            content = escaping(chunks) if escape else chunks
            return StreamingResponse(content, media_type="text/csv", headers=headers)
        except FileNotFoundError:
            pass
    return Response(rows([header]), media_type="text/csv", headers=headers)
