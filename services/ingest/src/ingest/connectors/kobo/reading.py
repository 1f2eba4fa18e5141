"""A form read from a server into files: every table's CSV, the stamps, a fingerprint."""

import csv
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from ingest import profile
from ingest.connectors.kobo import form as forms
from ingest.connectors.kobo.client import KoboClient
from ingest.connectors.kobo.rows import Spool
from ingest.connectors.kobo.shape import KoboOptions
from ingest.connectors.kobo.writing import Ruling, Written
from ingest.dialect import CELL_LIMIT
from ingest.masks import key_mark

CONNECTOR_VERSION = "kobo-1"


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
    after: int = 0,
    limit: int | None = None,
    mask_key: SecretStr | None = None,
    known: Collection[str] | None = None,
) -> Reading:
    """Read all submissions with an `_id` above `after`, or the first `limit` of them.

    `mask_key` is needed where a column is hashed; `known` are the columns that readers see
    already, if any (see `rules.missing`).
    Memory holds one page. Raises BadSource and Unavailable.
    """
    ruling = Ruling(options.columns, mask_key, known)
    asset = client.definition(options.form_id)
    shape = forms.tables(asset, options.values, options.language)
    read = 0
    with Spool(shape, folder) as spool:
        for page in client.submissions(options.form_id, after):
            for submission in page[: None if limit is None else limit - read]:
                spool.add(submission)
                read += 1
            if limit is not None and read >= limit:
                break
        return Reading(
            name=str(asset.get("name") or options.form_id),
            tables=spool.finish(ruling),
            stamps=spool.stamps,
            submissions=read,
            fingerprint=_fingerprint(options, spool.fingerprint(), mask_key),
        )


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


def _fingerprint(options: KoboOptions, read: str, mask_key: SecretStr | None) -> str:
    said = json.dumps(options.model_dump(mode="json"), sort_keys=True)
    said += key_mark(options.columns, mask_key)
    return hashlib.sha256(f"{CONNECTOR_VERSION}\n{said}\n{read}".encode()).hexdigest()
