"""Files in the object store (`file://`, `s3://`): uploads in, exports out, never over the bus."""

import contextlib
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from urllib.parse import unquote, urlparse

import obstore
import obstore.exceptions
from obstore.store import ObjectStore, from_url

STORE_FAULTS = (OSError, obstore.exceptions.BaseError)
"""What the object store raises when it is away, or refuses."""


class Objects:
    """One store; keys are `org/<id>/...` and made by us, never from a user's file name."""

    def __init__(self, url: str) -> None:
        parsed = urlparse(url)
        self._folder: Path | None = None
        if parsed.scheme == "file":
            self._folder = Path(unquote(parsed.path))
            self._folder.mkdir(parents=True, exist_ok=True)
        self._store: ObjectStore = from_url(url)

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> None:
        """Store a stream of chunks under a key; what is there under it is replaced when it ends."""
        await obstore.put_async(self._store, key, chunks)

    async def move(self, source: str, target: str) -> None:
        """Rename an object, over one that may be there."""
        await obstore.rename_async(self._store, source, target)

    async def delete(self, key: str) -> None:
        """Remove a key; one that is not there is fine."""
        if self._folder is not None:
            # A word to the file system: shorter than the way to obstore's threads and back.
            with contextlib.suppress(FileNotFoundError):
                (self._folder / key).unlink()
            return
        with contextlib.suppress(FileNotFoundError):
            await obstore.delete_async(self._store, key)

    async def keys(self, prefix: str) -> list[str]:
        """The keys below a prefix that ends where a `/` would follow."""
        found: list[str] = []
        async for page in obstore.list(self._store, prefix):
            found += [entry["path"] for entry in page]
        return found

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """The object, piece by piece as it is wanted. Raises FileNotFoundError at once."""
        answer = await obstore.get_async(self._store, key)

        async def chunks() -> AsyncIterator[bytes]:
            async for chunk in answer.stream():
                yield bytes(chunk)

        return chunks()

    @contextlib.asynccontextmanager
    async def local(self, key: str) -> AsyncIterator[Path]:
        """The object as a file on this machine, for as long as the context lasts.

        Raises FileNotFoundError. Of a `file://` store it is the file itself: only read it.
        """
        if self._folder is not None:
            path = self._folder / key
            if not path.is_file():
                raise FileNotFoundError(key)
            yield path
            return
        answer = await obstore.get_async(self._store, key)
        with tempfile.NamedTemporaryFile(prefix="dalgo-") as file:
            async for chunk in answer.stream():
                file.write(chunk)
            file.flush()
            yield Path(file.name)
