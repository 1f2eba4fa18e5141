"""Masks of cells on their way to the warehouse: the bytes that the mask step of recipes gives.

In DuckDB and in Python, with the key as `recipe.mask_key` lets a session hold it. The key stands in
no statement: DuckDB keeps it in variables.
"""

import csv
import hashlib
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, assert_never

from pydantic import SecretStr

from contracts.ingest import ColumnMask, ColumnOption
from ingest.rules import Columns, hashed
from recipe.mask_key import DIGITS

if TYPE_CHECKING:
    import duckdb

_STARS = "***"
_SHOWN = 4
"""Characters that a partial mask leaves."""
_PADDED = 128
"""Hexadecimal digits of either padded key."""


class Masker:
    """Masks cells with an organisation's key."""

    def __init__(self, key: SecretStr | None, columns: Columns) -> None:
        """Raises ValueError where a column is hashed and there is no key."""
        self._padded = "" if key is None else key.get_secret_value()
        if hashed(columns) and len(self._padded) != 2 * _PADDED:
            raise ValueError("a hash needs the organisation's key")
        inner, outer = self._padded[:_PADDED], self._padded[_PADDED:]
        self._inner = hashlib.sha256(bytes.fromhex(inner))
        self._outer = hashlib.sha256(bytes.fromhex(outer))

    def cell(self, mask: ColumnMask, cell: str) -> str:
        """What is left of one cell."""
        match mask:
            case "hash":
                inner, outer = self._inner.copy(), self._outer.copy()
                inner.update(cell.encode())
                outer.update(inner.digest())
                return outer.hexdigest()[:DIGITS]
            case "redact":
                return _STARS
            case "partial":
                seen = cell[-_SHOWN:] if len(cell) > _SHOWN else ""
                return seen.rjust(len(cell), "*")
            case _:
                assert_never(mask)

    def line(self, cells: Sequence[str], rules: Sequence[ColumnOption]) -> str:
        """A record as a line of CSV: masked cells masked, skipped ones left out.

        Empty where it has more cells than there are columns: nobody knows which is which.
        """
        if len(cells) > len(rules):
            return ""
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(
            self.cell(rule.mask, cell) if rule.mask is not None and cell else cell
            for cell, rule in zip(cells, rules, strict=False)
            if not rule.skip
        )
        return line.getvalue()

    def into(self, connection: "duckdb.DuckDBPyConnection") -> None:
        """Let `masked_sql` hash in a connection."""
        for name, half in (("inner", slice(_PADDED)), ("outer", slice(_PADDED, None))):
            connection.execute(f"SET VARIABLE mask_{name} = unhex($1)", [self._padded[half]])


def masked_sql(mask: ColumnMask, column: str) -> str:
    """DuckDB's SQL for what is left of a text column; null stays null."""
    match mask:
        case "hash":
            inner = f"sha256(getvariable('mask_inner') || encode({column}))"
            return f"left(sha256(getvariable('mask_outer') || unhex({inner})), {DIGITS})"
        case "redact":
            return f"CASE WHEN {column} IS NOT NULL THEN '{_STARS}' END"
        case "partial":
            seen = (
                f"CASE WHEN length({column}) > {_SHOWN} THEN right({column}, {_SHOWN}) ELSE '' END"
            )
            return f"lpad({seen}, length({column})::INTEGER, '*')"
        case _:
            assert_never(mask)


def key_mark(columns: Columns, key: SecretStr | None) -> str:
    """What tells one key from another without telling it; empty where nothing is hashed."""
    if key is None or not hashed(columns):
        return ""
    return hashlib.sha256(f"mask key\n{key.get_secret_value()}".encode()).hexdigest()[:DIGITS]
