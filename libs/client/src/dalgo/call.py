"""A call to the gateway as data: what is sent, and how the answer is read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar
from uuid import uuid4

import httpx
from pydantic import BaseModel, TypeAdapter

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

Progress = Callable[[int, int], None]
"""Told while a file is sent: bytes sent so far, bytes in all."""

Parameter = str | int | Sequence[str]
"""What a query may hold; a sequence repeats its name."""


@dataclass(frozen=True)
class FileToSend:
    """A file that goes as the multipart field `file`, read while it is sent."""

    path: Path
    progress: Progress | None = None

    @contextmanager
    def opened(self) -> "Iterator[_Watched]":
        """The open file; raises OSError when there is none, or it may not be read."""
        with self.path.open("rb") as file:
            yield _Watched(file, self.path.stat().st_size, self.progress)


class _Watched:
    """A file whose reading is told to a progress callback; what httpx needs of a file."""

    def __init__(self, file: BinaryIO, size: int, progress: Progress | None) -> None:
        self._file = file
        self._size = size
        self._progress = progress
        self._sent = 0

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self._sent += len(chunk)
        if self._progress:
            self._progress(self._sent, self._size)
        return chunk

    def seek(self, offset: int, whence: int = 0) -> int:
        self._sent = self._file.seek(offset, whence)
        return self._sent

    def tell(self) -> int:
        return self._file.tell()

    def fileno(self) -> int:
        return self._file.fileno()


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request below `/api/v1`, and how its answer becomes a T."""

    method: str
    path: str
    parse: Callable[[httpx.Response], T]
    json: object = None
    params: Mapping[str, Parameter] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    file: FileToSend | None = None
    repeatable: bool = True
    """May be sent again when the answer was lost: by its method, or by its idempotency key."""
    is_signed: bool = True
    """Goes with the session's token or key."""
    opens_session: bool = False
    """The answer is a session, which the client keeps."""

    @contextmanager
    def body(self) -> Iterator[dict[str, object]]:
        """The arguments of the request that carry its content."""
        if self.file is not None:
            with self.file.opened() as file:
                yield {"files": {"file": (self.file.path.name, file)}}
        elif self.json is not None:
            yield {"json": self.json}
        else:
            yield {}


@dataclass(frozen=True)
class Page(Generic[T]):
    """A page of a list; `next` is None on the last."""

    items: Sequence[T]
    next: "Call[Page[T]] | None"


class Listing(Call[Page[T]]):
    """A call whose answer is the first page of a list."""


def model(kind: type[M]) -> Callable[[httpx.Response], M]:
    """Reads the body as one model."""
    return lambda response: kind.model_validate_json(response.content)


def models(kind: type[M]) -> Callable[[httpx.Response], tuple[M, ...]]:
    """Reads the body as a list of models that has no pages."""
    items = TypeAdapter(tuple[kind, ...])  # pyright: ignore[reportInvalidTypeForm]
    return lambda response: items.validate_json(response.content)


def nothing(_: httpx.Response) -> None:
    """Reads an answer that has no body."""


def listing(
    path: str, kind: type[M], *, params: Mapping[str, Parameter] | None = None
) -> Listing[M]:
    """A list of models, followed page by page through `Link: <...>; rel="next"` (RFC 8288)."""
    items = TypeAdapter(tuple[kind, ...])  # pyright: ignore[reportInvalidTypeForm]

    def parse(response: httpx.Response) -> Page[M]:
        link = response.links.get("next", {}).get("url")
        following = None
        if link:
            # Only its query is taken: a foreign host in the header never receives the token.
            query = response.url.join(link).params
            following = replace(first, params={name: query.get_list(name) for name in query})
        return Page(items.validate_json(response.content), following)

    first = Listing(method="GET", path=path, parse=parse, params=params or {})
    return first


def once(key: str | None = None) -> dict[str, str]:
    """The header that makes a repeated creation the same creation."""
    return {"Idempotency-Key": key or str(uuid4())}


def present(**values: T | None) -> dict[str, T]:
    """The values that are not None: absent fields are left out of bodies and queries."""
    return {name: value for name, value in values.items() if value is not None}
