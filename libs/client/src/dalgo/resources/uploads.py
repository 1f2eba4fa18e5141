"""Files on their way in."""

from os import PathLike
from pathlib import Path

from contracts.ingest import Upload
from dalgo.call import Call, FileToSend, Progress, model, once
from dalgo.resource import D, Resource, endpoint


class Uploads(Resource[D]):
    """Files that sources are made of."""

    @endpoint
    @staticmethod
    def create(
        path: str | PathLike[str],
        progress: Progress | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> Call[Upload]:
        """Send a file, read from the disk as it goes; `progress(bytes_sent, bytes_in_all)`.

        Raises OSError when the file cannot be read.
        """
        return Call(
            "POST",
            "/uploads",
            model(Upload),
            headers=once(idempotency_key),
            file=FileToSend(Path(path), progress),
        )
