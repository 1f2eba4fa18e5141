"""What a spreadsheet says of itself: its tabs, their merges; and how people name one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ingest.connectors import BadSource

FIELDS = (
    "properties(title,locale,timeZone),"
    "sheets(properties(sheetId,title,index,sheetType,hidden,gridProperties(rowCount,columnCount)),"
    "merges)"
)
"""The part of `spreadsheets.get` that is asked for: no cell."""
_IN_URL = re.compile(r"/spreadsheets/(?:u/\d+/)?d/([A-Za-z0-9_-]+)")
_ID = re.compile(r"[A-Za-z0-9_-]{15,}")
_TAB = re.compile(r"[#?&]gid=(\d+)")


@dataclass(frozen=True)
class Place:
    """A spreadsheet, and the tab where the address names one."""

    spreadsheet_id: str
    sheet_id: int | None = None


@dataclass(frozen=True)
class Merge:
    """Cells that are shown as one; ends are exclusive, all count from 0."""

    first_row: int
    end_row: int
    first_column: int
    end_column: int


@dataclass(frozen=True)
class Sheet:
    """One tab. `sheet_id` stays when it is renamed or moved."""

    sheet_id: int
    title: str
    rows: int
    columns: int
    hidden: bool
    has_cells: bool
    """A chart's own tab has none."""
    merges: tuple[Merge, ...]


@dataclass(frozen=True)
class Spreadsheet:
    """The file, with its tabs as they stand from left to right."""

    title: str
    locale: str
    time_zone: str
    sheets: tuple[Sheet, ...]

    @property
    def with_cells(self) -> tuple[Sheet, ...]:
        """The tabs that can be read."""
        return tuple(sheet for sheet in self.sheets if sheet.has_cells)

    def sheet(self, sheet_id: int | None, name: str | None) -> Sheet:
        """The tab with this id, else with this name, else the first that is not hidden.

        A tab with an id may be given its name too, for the message. Raises BadSource
        `no_such_tab`, `no_cells`.
        """
        if sheet_id is not None:
            found = [sheet for sheet in self.sheets if sheet.sheet_id == sheet_id]
        elif name is not None:
            found = [sheet for sheet in self.sheets if sheet.title == name]
        else:
            found = [sheet for sheet in self.with_cells if not sheet.hidden] or [*self.with_cells]
        if not found:
            named = [] if name is None else [f"{name!r}"]
            numbered = [] if sheet_id is None else [f"with the number {sheet_id}"]
            wanted = " ".join([*named, *numbered]) or "with cells"
            titles = ", ".join(repr(sheet.title) for sheet in self.with_cells)
            raise BadSource(
                "no_such_tab",
                f"The spreadsheet {self.title!r} has no tab {wanted}. Choose one of: {titles}.",
            )
        if not found[0].has_cells:
            raise BadSource(
                "no_cells",
                f"The tab {found[0].title!r} holds a chart and no cells: choose another.",
            )
        return found[0]


def place(text: str) -> Place:
    """The spreadsheet that an id or an address names. Raises BadSource `bad_spreadsheet`."""
    text = text.strip()
    found = _IN_URL.search(text)
    if found and found[1] == "e":
        raise BadSource(
            "bad_spreadsheet",
            "That is the address of a published copy. Open the sheet itself and copy its address.",
        )
    if found:
        tab = _TAB.search(text)
        return Place(found[1], int(tab[1]) if tab else None)
    if _ID.fullmatch(text):
        return Place(text)
    raise BadSource(
        "bad_spreadsheet",
        f"{text[:80]!r} is not a Google Sheet. Copy the address of the open sheet: "
        "https://docs.google.com/spreadsheets/d/…",
    )


def parsed(answer: Mapping[str, Any]) -> Spreadsheet:
    """What `spreadsheets.get` answered; Google leaves out what is zero, false or empty."""
    properties = answer.get("properties", {})
    return Spreadsheet(
        title=properties.get("title", ""),
        locale=properties.get("locale", ""),
        time_zone=properties.get("timeZone", ""),
        sheets=tuple(map(_sheet, answer.get("sheets", ()))),
    )


def _sheet(answer: Mapping[str, Any]) -> Sheet:
    properties = answer["properties"]
    grid = properties.get("gridProperties", {})
    return Sheet(
        sheet_id=properties.get("sheetId", 0),
        title=properties["title"],
        rows=grid.get("rowCount", 0),
        columns=grid.get("columnCount", 0),
        hidden=properties.get("hidden", False),
        has_cells=properties.get("sheetType", "GRID") == "GRID",
        merges=tuple(
            Merge(
                first_row=merge.get("startRowIndex", 0),
                end_row=merge.get("endRowIndex", grid.get("rowCount", 0)),
                first_column=merge.get("startColumnIndex", 0),
                end_column=merge.get("endColumnIndex", grid.get("columnCount", 0)),
            )
            for merge in answer.get("merges", ())
        ),
    )
