"""Files on their way out: streamed from the object store, never held as a whole."""

from starlette.responses import Response, StreamingResponse

from chassis.objects import Objects


async def download(objects: Objects, key: str | None, empty: str, filename: str) -> Response:
    """A CSV file of the object store; where there is none, what an `empty` one says.

    `filename` is ours, for whoever saves it.
    """
    headers = {"Content-Disposition": f'attachment; filename="{filename}"'}
    if key is not None:
        try:
            chunks = await objects.read(key)
            return StreamingResponse(chunks, media_type="text/csv", headers=headers)
        except FileNotFoundError:
            pass
    return Response(empty, media_type="text/csv", headers=headers)
