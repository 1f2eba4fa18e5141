"""A tab of a Google Sheet as a UTF-8 CSV file, which is then typed and loaded like any other."""

import asyncio
import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from contracts.ingest import ColumnOption
from ingest.connectors import BadSource, Notice, Unavailable
from ingest.connectors.google.grid import (
    Grid,
    Table,
    disagree,
    may_hold_dates,
    outline,
    table,
)
from ingest.connectors.google.spreadsheet import Sheet, Spreadsheet, place
from ingest.dialect import CsvOptions

if TYPE_CHECKING:
    from ingest.connectors.google.client import SheetsClient

CONNECTOR_VERSION = "google-sheets-1"
READINGS = 3


class SheetOptions(BaseModel):
    """Which tab is read, and what the user said about it; what is absent is detected."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    spreadsheet: str
    """Its id, or its address; an address may name the tab (`#gid=`)."""
    sheet_id: int | None = Field(default=None, ge=0)
    sheet_name: str | None = None
    """Looked at only without an id."""
    header_row: int | None = Field(default=None, ge=0)
    """Rows before the header, blank ones included."""
    types: str = "infer"
    columns: dict[str, ColumnOption] = Field(default_factory=dict)


@dataclass(frozen=True)
class Fetched:
    """A tab on this machine: the file, how the CSV connector reads it, and where it came from."""

    path: Path
    options: CsvOptions
    sha256: str
    """Of the file, so of the values."""
    rows: int
    spreadsheet: Spreadsheet
    sheet: Sheet
    warnings: tuple[Notice, ...]


async def fetch(client: "SheetsClient", options: SheetOptions, target: Path) -> Fetched:
    """Read one tab and write it to `target`: three reads of the quota, four where dates may be.

    Raises BadSource and Unavailable.
    """
    where = place(options.spreadsheet)
    spreadsheet = await client.spreadsheet(where.spreadsheet_id)
    sheet_id = options.sheet_id
    if sheet_id is None and options.sheet_name is None:
        sheet_id = where.sheet_id
    sheet = spreadsheet.sheet(sheet_id, options.sheet_name)
    grid = await _grid(client, where.spreadsheet_id, sheet)
    found = await asyncio.to_thread(table, grid, sheet.merges, options.header_row)
    return Fetched(
        path=target,
        options=CsvOptions(
            delimiter=",",
            quote='"',
            encoding="utf-8",
            header_row=0,
            types=options.types,
            columns=options.columns,
        ),
        sha256=await asyncio.to_thread(_write, found, target),
        rows=len(found.rows),
        spreadsheet=spreadsheet,
        sheet=sheet,
        warnings=found.warnings,
    )


async def _grid(client: "SheetsClient", spreadsheet_id: str, sheet: Sheet) -> Grid:
    """The readings of one state of the tab; again while somebody edits it."""
    try:
        raw = await client.values(spreadsheet_id, sheet.title, "UNFORMATTED_VALUE")
        for _ in range(READINGS):
            seen = await client.values(spreadsheet_id, sheet.title, "FORMATTED_VALUE")
            dated = None
            if await asyncio.to_thread(may_hold_dates, seen, raw):
                dated = await client.values(
                    spreadsheet_id, sheet.title, "UNFORMATTED_VALUE", "FORMATTED_STRING"
                )
            if not await asyncio.to_thread(disagree, seen, raw, dated):
                return Grid(seen, raw, dated)
            # Edited meanwhile, or a text with a format of its own: the same values again tell.
            before, raw = raw, await client.values(spreadsheet_id, sheet.title, "UNFORMATTED_VALUE")
            if outline(before) == outline(raw):
                return Grid(seen, before, dated)
    except BadSource as error:
        if error.code != "bad_range":
            raise
        return await _absent(client, spreadsheet_id, sheet, error)
    raise Unavailable(
        "sheet_changing", f"The tab {sheet.title!r} is being edited. Try again in a few minutes."
    )


async def _absent(
    client: "SheetsClient", spreadsheet_id: str, sheet: Sheet, refused: BadSource
) -> Grid:
    """Google answers 400 for a tab without cells, and for one renamed since it was listed."""
    now = (await client.spreadsheet(spreadsheet_id)).sheet(sheet.sheet_id, None)
    if now.title != sheet.title:
        raise Unavailable(
            "sheet_changing", f"The tab {sheet.title!r} was renamed while it was read. Try again."
        ) from refused
    return Grid([], [])


def _write(found: Table, target: Path) -> str:
    """UTF-8, commas, a header; gives the file's SHA-256."""
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(found.header)
        writer.writerows(found.rows)
    with target.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
