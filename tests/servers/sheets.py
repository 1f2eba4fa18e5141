"""Spreadsheets as Google keeps them, and the v4 rules of ranges, renderings and partial answers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


class Refused(Exception):
    """A v4 error: HTTP status, gRPC status, message and details."""

    def __init__(self, code: int, status: str, message: str, *details: dict[str, Any]) -> None:
        super().__init__(message)
        error: dict[str, Any] = {"code": code, "message": message, "status": status}
        if details:
            error["details"] = list(details)
        self.code = code
        self.body = {"error": error}


@dataclass(frozen=True)
class Shown:
    """A value with the text that its number format makes of it."""

    value: float
    text: str
    is_date: bool = False
    """Its format is one of date, time or duration."""


Cell = str | float | bool | Shown | None


@dataclass
class Tab:
    """One sheet; rows may be ragged and blank cells None."""

    sheet_id: int
    title: str
    cells: list[list[Cell]]
    merges: tuple[tuple[int, int, int, int], ...] = ()
    """First row, end row, first column, end column."""
    hidden: bool = False
    chart: bool = False
    rows: int = 1000
    columns: int = 26

    def resource(self, index: int) -> dict[str, Any]:
        """The v4 Sheet; what is zero or false is left out, as protobuf's JSON does."""
        properties: dict[str, Any] = {
            "sheetId": self.sheet_id,
            "title": self.title,
            "index": index,
            "sheetType": "OBJECT" if self.chart else "GRID",
        }
        if not self.chart:
            properties["gridProperties"] = {"rowCount": self.rows, "columnCount": self.columns}
        if self.hidden:
            properties["hidden"] = True
        sheet: dict[str, Any] = {"properties": properties}
        if self.merges:
            names = ("startRowIndex", "endRowIndex", "startColumnIndex", "endColumnIndex")
            sheet["merges"] = [
                {"sheetId": self.sheet_id} | dict(zip(names, merge, strict=True))
                for merge in self.merges
            ]
        return sheet


@dataclass
class Workbook:
    """A spreadsheet file in Drive."""

    title: str
    tabs: list[Tab]
    shared_with: set[str] = field(default_factory=set)
    locale: str = "en_GB"
    time_zone: str = "Asia/Kolkata"
    is_excel: bool = False
    empty_is_refused: bool = False
    """Answer 400 for a tab without a cell, as some do."""

    def resource(self, spreadsheet_id: str) -> dict[str, Any]:
        """The v4 Spreadsheet, without grid data."""
        return {
            "spreadsheetId": spreadsheet_id,
            "properties": {
                "title": self.title,
                "locale": self.locale,
                "autoRecalc": "ON_CHANGE",
                "timeZone": self.time_zone,
            },
            "sheets": [tab.resource(index) for index, tab in enumerate(self.tabs)],
            "spreadsheetUrl": f"https://docs.google.com/spreadsheets/d/{spreadsheet_id}/edit",
        }

    def values(self, range_: str, rendering: str, dates: str, dimension: str) -> dict[str, Any]:
        """The v4 ValueRange of a range in A1 notation."""
        tab, (top, bottom, left, right), shown = self._area(range_)
        if self.empty_is_refused and not any(map(any, tab.cells)):
            raise _unparsable(range_)
        rows = [
            _trimmed([_rendered(cell, rendering, dates) for cell in row[left:right]])
            for row in tab.cells[top:bottom]
        ]
        if dimension == "COLUMNS":
            width = max(map(len, rows), default=0)
            rows = [
                _trimmed([row[column] if column < len(row) else "" for row in rows])
                for column in range(width)
            ]
        while rows and not rows[-1]:
            rows.pop()
        answer: dict[str, Any] = {"range": shown, "majorDimension": dimension}
        return answer | ({"values": rows} if rows else {})

    def _area(self, range_: str) -> tuple[Tab, tuple[int, int, int, int], str]:
        quoted = re.fullmatch(r"'((?:[^']|'')+)'(?:!(.+))?", range_)
        plain = re.fullmatch(r"([^'!]+)(?:!(.+))?", range_)
        found = quoted or plain
        if found is None:
            raise _unparsable(range_)
        title, cells = found[1].replace("''", "'"), found[2]
        tab = next((tab for tab in self.tabs if tab.title == title), None)
        if tab is None and quoted is None and cells is None:
            tab, cells = self.tabs[0], found[1]
        if tab is None or tab.chart:
            raise _unparsable(range_)
        area = (0, tab.rows, 0, tab.columns)
        if cells is not None:
            area = _bounds(cells, tab, range_)
        top, bottom, left, right = area
        name = "'" + tab.title.replace("'", "''") + "'"
        simple = tab.title if re.fullmatch(r"\w+", tab.title) else name
        return tab, area, f"{simple}!{_letters(left)}{top + 1}:{_letters(right - 1)}{bottom}"


def selected(answer: Any, mask: str | None) -> Any:
    """The part of an answer that `fields` asks for."""
    if not mask or mask == "*":
        return answer
    tree = _tree(re.findall(r"[\w*]+|[(),./]", mask))
    return _masked(answer, tree)


def _rendered(cell: Cell, rendering: str, dates: str) -> Any:
    if cell is None:
        return ""
    if rendering == "FORMATTED_VALUE":
        if isinstance(cell, Shown):
            return cell.text
        return str(cell).upper() if isinstance(cell, bool) else str(cell)
    if isinstance(cell, Shown):
        return cell.text if cell.is_date and dates == "FORMATTED_STRING" else cell.value
    return cell


def _trimmed(row: list[Any]) -> list[Any]:
    while row and row[-1] == "":
        row.pop()
    return row


def _bounds(cells: str, tab: Tab, range_: str) -> tuple[int, int, int, int]:
    found = re.fullmatch(r"([A-Z]+)?(\d+)?(?::([A-Z]+)?(\d+)?)?", cells)
    if found is None:
        raise _unparsable(range_)
    first, top, last, bottom = found.groups()
    if ":" not in cells:
        if not (first and top):
            raise _unparsable(range_)
        last, bottom = first, top
    rows = (int(top or 1) - 1, int(bottom or tab.rows))
    columns = (_number(first or "A") - 1, _number(last) if last else tab.columns)
    if rows[0] >= tab.rows or columns[0] >= tab.columns:
        raise Refused(
            400,
            "INVALID_ARGUMENT",
            f"Range ({range_}) exceeds grid limits. Max rows: {tab.rows}, max columns: "
            f"{tab.columns}",
        )
    return rows[0], min(rows[1], tab.rows), columns[0], min(columns[1], tab.columns)


def _unparsable(range_: str) -> Refused:
    return Refused(400, "INVALID_ARGUMENT", f"Unable to parse range: {range_}")


def _number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def _letters(index: int) -> str:
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _tree(tokens: list[str]) -> dict[str, Any]:
    return _group(iter([*tokens, ")"]))


def _group(tokens: Iterator[str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    at = tree
    for token in tokens:
        if token == ")":
            break
        if token == "(":
            at.update(_group(tokens))
        elif token == ",":
            at = tree
        elif token not in {".", "/"}:
            at = at.setdefault(token, {})
    return tree


def _masked(answer: Any, tree: dict[str, Any]) -> Any:
    if not tree:
        return answer
    if isinstance(answer, list):
        return [_masked(item, tree) for item in answer]
    return {name: _masked(answer[name], below) for name, below in tree.items() if name in answer}
