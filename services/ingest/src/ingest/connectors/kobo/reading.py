"""A form read from a server into files: every table's CSV, the stamps, a fingerprint."""

import csv
import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from ingest import profile
from ingest.connectors.kobo import form as forms
from ingest.connectors.kobo.address import server_of
from ingest.connectors.kobo.client import PAGE, KoboClient
from ingest.connectors.kobo.rows import Spool
from ingest.connectors.kobo.shape import KoboOptions
from ingest.connectors.kobo.writing import Ruling, Written
from ingest.dialect import CELL_LIMIT
from ingest.masks import key_mark

CONNECTOR_VERSION = "kobo-2"


@dataclass(frozen=True)
class Reading:
    """What a form held; files lie in the folder that was given."""

    name: str
    tables: tuple[Written, ...]
    """The submissions first, then repeats from the outside in."""
    stamps: Path
    """For `changes.difference` with another reading."""
    submissions: int
    fingerprint: str
    """Equal for equal answers to equal questions, read in the same way."""


def read(
    client: KoboClient,
    options: KoboOptions,
    folder: Path,
    *,
    after: int | None = None,
    limit: int | None = None,
    seen: Callable[[int], None] = lambda _: None,
    mask_key: SecretStr | None = None,
    known: Collection[str] | None = None,
) -> Reading:
    """Read all submissions; those with an `_id` above `after`; or the first `limit` of them.

    With `after` (0 for all), the fingerprint tells only whether there were later submissions or
    another form. `seen` hears after every page how many there were. `mask_key` is needed where a
    column is hashed; `known` are the columns that readers see already, if any (see
    `rules.missing`). Memory holds one page. Raises BadSource and Unavailable.
    """
    ruling = Ruling(options.columns, mask_key, known, whole=limit is None)
    asset = client.definition(options.form_id)
    shape = forms.tables(asset, options.values, options.language)
    read, last = 0, after or 0
    with Spool(shape, folder, options.timezone) as spool:
        for page in client.submissions(options.form_id, last, min(limit or PAGE, PAGE)):
            for submission in page[: None if limit is None else limit - read]:
                last, _ = spool.add(submission)
                read += 1
            seen(read)
            if limit is not None and read >= limit:
                break
        said = spool.fingerprint() if after is None else f"{shape.fingerprint()} to {last}"
        return Reading(
            name=str(asset.get("name") or options.form_id),
            tables=spool.finish(ruling),
            stamps=spool.stamps,
            submissions=read,
            fingerprint=_fingerprint(_identity(options, client.origin, mask_key), said),
        )


def continues(
    fingerprint: str, options: KoboOptions, server_url: str, mask_key: SecretStr | None
) -> bool:
    """Whether later submissions may be added to what was read with this fingerprint."""
    identity = _identity(options, server_of(server_url), mask_key)
    return fingerprint.partition("-")[0] == identity


def sample(table: Written, limit: int) -> tuple[Mapping[str, Any], ...]:
    """The first rows of a table as they would arrive, by display name, as JSON values."""
    before = csv.field_size_limit(CELL_LIMIT)
    try:
        with table.path.open("r", encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            next(rows)
            return tuple(
                {
                    column.display_name: profile.as_json(column.type, cell or None)
                    for column, cell in zip(table.columns, row, strict=True)
                }
                for row, _ in zip(rows, range(limit), strict=False)
            )
    finally:
        csv.field_size_limit(before)


def _identity(options: KoboOptions, origin: str, mask_key: SecretStr | None) -> str:
    return options.identity(origin, key_mark(options.columns, mask_key))


def _fingerprint(identity: str, seen: str) -> str:
    return f"{identity}-{hashlib.sha256(f'{CONNECTOR_VERSION} {seen}'.encode()).hexdigest()}"
