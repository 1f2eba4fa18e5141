"""Files on their way in: parsed as they arrive and streamed on, never held as a whole."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from chassis.objects import Objects
from contracts.envelope import derived_id, new_id
from contracts.problem import ProblemError, problem
from gateway.limits import too_large

_MAX_NAME = 255


@dataclass(frozen=True)
class Stored:
    """A file that lies in the object store, as it was counted on its way there."""

    upload_id: UUID
    filename: str
    size_bytes: int
    sha256: str


def upload_key(org_id: UUID, upload_id: UUID) -> str:
    """Where an upload lies in the object store."""
    return f"org/{org_id.hex}/uploads/{upload_id}"


@contextlib.asynccontextmanager
async def stored(
    objects: Objects, request: Request, org_id: UUID, limit: int, idempotency_key: str | None
) -> AsyncIterator[Stored]:
    """Store the request's `file`; should the context fail, what was stored is removed.

    With an idempotency key the id follows from the key and the content, so that a repeat is the
    same upload and can never overwrite another. Raises ProblemError 400 and 422 for what is no
    such form, HTTPException 413 beyond `limit` bytes.
    """
    form = FileForm(request, limit)
    await form.open()
    upload_id = new_id()
    unfinished: str | None = upload_key(org_id, upload_id)
    try:
        await objects.put(unfinished, form.chunks())
        if idempotency_key is not None:
            upload_id = derived_id(org_id, "uploads", idempotency_key, form.sha256)
            await objects.move(unfinished, upload_key(org_id, upload_id))
            # From here on the same request, repeated, may have registered the same file.
            unfinished = None
        yield Stored(upload_id, form.filename, form.size, form.sha256)
    except BaseException as error:
        if isinstance(error, ProblemError) and error.problem.status == 409:
            # Refused, so no repeat has registered it either.
            unfinished = upload_key(org_id, upload_id)
        if unfinished is not None:
            await asyncio.shield(objects.delete(unfinished))
        raise


class FileForm:
    """A multipart body of one part, `file`, read piece by piece (RFC 7578)."""

    def __init__(self, request: Request, limit: int) -> None:
        self.filename = ""
        self.size = 0
        self._request = request
        self._limit = limit
        self._hash = hashlib.sha256()
        self._pieces: list[bytes] = []
        self._header = (b"", b"")
        self._headers: dict[bytes, bytes] = {}
        self._parts = 0
        self._has_ended = False

    @property
    def sha256(self) -> str:
        """Of the bytes seen so far, in hex."""
        return self._hash.hexdigest()

    async def open(self) -> None:
        """Read up to the file's first bytes, so that a wrong form is refused before it is stored."""
        kind, options = parse_options_header(self._request.headers.get("content-type"))
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise problem(
                422,
                "not_a_form",
                "Send the file as multipart/form-data, in a part called 'file'.",
            )
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_end": self._on_end,
            },
        )
        self._stream = self._request.stream()
        while not self.filename and await self._read():
            pass
        if not self.filename:
            raise _no_file()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The file's bytes as they arrive; ends with the form, raises when it breaks off."""
        while True:
            for piece in self._pieces:
                self.size += len(piece)
                if self.size > self._limit:
                    raise too_large(self._limit)
                self._hash.update(piece)
                yield piece
            self._pieces.clear()
            if not await self._read():
                break
        if not self._has_ended:
            raise _broken()

    async def _read(self) -> bool:
        """Parse the next piece of the body; False when there is none."""
        try:
            async for data in self._stream:
                if data:
                    self._parser.write(data)
                    return True
        except (MultipartParseError, ClientDisconnect) as error:
            raise _broken() from error
        return False

    def _on_part_begin(self) -> None:
        self._parts += 1
        self._headers = {}
        if self._parts > 1:
            raise _no_file()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0] + data[start:end], self._header[1])

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0], self._header[1] + data[start:end])

    def _on_header_end(self) -> None:
        self._headers[self._header[0].lower()] = self._header[1]
        self._header = (b"", b"")

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        if options.get(b"name") != b"file" or not options.get(b"filename"):
            raise _no_file()
        self.filename = _shown(options[b"filename"])

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._pieces.append(data[start:end])

    def _on_end(self) -> None:
        self._has_ended = True


def _shown(filename: bytes) -> str:
    """A name for people to see: never used as a path, without directories and control characters."""
    name = filename.decode(errors="replace").replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in name if c.isprintable())[:_MAX_NAME] or "upload"


def _no_file() -> ProblemError:
    return problem(422, "no_file", "The form must have exactly one part: 'file', with a file name.")


def _broken() -> ProblemError:
    return problem(400, "upload_broken_off", "The upload broke off before its end. Try again.")
