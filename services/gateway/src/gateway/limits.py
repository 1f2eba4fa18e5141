"""Limits on bodies: nothing larger than its route allows is read, whatever its headers say."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 900_000
"""Bytes of a JSON body: what fits into one message of the bus, which refuses more than 1 MB."""

ENVELOPE = 64 * 1024
"""Bytes that multipart boundaries and part headers may add to an upload."""


class BodyLimit:
    """Refuses bodies over the limit of their path: by their stated length, or once they exceed it."""

    def __init__(self, app: ASGIApp, larger: dict[str, int]) -> None:
        self._app = app
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._larger.get(scope["path"], MAX_BODY)
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        received = 0

        async def counted() -> Message:
            nonlocal received
            # Raised from within the route's own reading, where the framework makes an answer of it.
            if stated.isdigit() and int(stated) > limit:
                raise too_large(limit)
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise too_large(limit)
            return message

        await self._app(scope, counted, send)


def too_large(limit: int) -> HTTPException:
    """413 naming the limit in bytes."""
    return HTTPException(413, f"The body is larger than {limit:,} bytes, the most this takes.")
