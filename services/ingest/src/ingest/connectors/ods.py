"""How far the tables of an ODS reach, from its XML: calamine makes every cell of all of them at once."""

import zipfile

from ingest.connectors.xlsx import parser
from ingest.encoding import CHUNK

_CELLS = frozenset({"table-cell", "covered-table-cell"})


def cells(archive: zipfile.ZipFile, most: int) -> int:
    """Cells between the first and the last that are filled, over all tables; more than `most` ends it.

    Raises KeyError, ValueError and expat.ExpatError where the file is damaged.
    """
    total = rows = filled_rows = width = column = filled = 0
    repeated = 1

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal total, rows, filled_rows, width, column, filled, repeated
        name = name.rpartition(":")[2]
        if name in _CELLS:
            column += _repeats(attributes, "number-columns-repeated")
            if any(key.endswith((":value-type", ":formula")) for key in attributes):
                filled = column
        elif name == "table-row":
            end_row()
            column, repeated = 0, _repeats(attributes, "number-rows-repeated")
        elif name == "table":
            end_table()

    def end_row() -> None:
        nonlocal rows, filled_rows, width, filled
        rows += repeated
        if filled:
            filled_rows, width, filled = rows, max(width, filled), 0

    def end_table() -> None:
        nonlocal total, rows, filled_rows, width, repeated
        end_row()
        total += filled_rows * width
        rows = filled_rows = width = repeated = 0

    reading = parser(start)
    with archive.open("content.xml") as source:
        while chunk := source.read(CHUNK):
            reading.Parse(chunk, False)
            if total + filled_rows * width > most:
                break
        else:
            reading.Parse(b"", True)
    end_table()
    return total


def _repeats(attributes: dict[str, str], name: str) -> int:
    found = next((value for key, value in attributes.items() if key.endswith(f":{name}")), "1")
    return max(1, int(found))
