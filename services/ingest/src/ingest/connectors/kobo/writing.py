"""Gathered submissions as UTF-8 CSV for PostgreSQL: names, types and rules, known at the end only."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from contracts.ingest import ColumnOption
from ingest import naming, rules
from ingest.connectors import BadSource, InferredColumn, Notice
from ingest.connectors.kobo.cells import fitting, forced, is_zoned
from ingest.connectors.kobo.shape import ID, INDEX, PARENT, Field, TableForm
from ingest.masks import Masker
from recipe.date_format import DateFormat, date_format

SHOWN = 5
LONGEST = 40
"""Characters of an answer that a message shows."""

Row = Sequence[str | None]
"""Cells by column; columns that came later are absent at the end."""


@dataclass(frozen=True)
class Written:
    """A table's rows as CSV for PostgreSQL: a header of physical names; unquoted empty is null."""

    form: TableForm
    path: Path
    columns: tuple[InferredColumn, ...]
    rows: int
    warnings: tuple[Notice, ...]


@dataclass
class Column:
    """A column with what its cells have shown so far."""

    field: Field
    extra: bool = False
    """In the data, but not in the form."""
    filled: int = 0
    unfit: int = 0
    example: str = ""
    zoned: bool = False

    def look(self, cell: str) -> None:
        """Remember whether the cell fits the question's type."""
        kind = self.field.type
        if not (cell if kind == "text" else cell.strip()):
            return
        self.filled += 1
        if kind == "text":
            return
        if fitting(kind, cell) is None:
            self.unfit += 1
            self.example = self.example or cell
        elif kind == "timestamp" and not self.zoned:
            self.zoned = is_zoned(cell)


class Ruling:
    """The rules for a form's columns, which hold in every table that has such a column."""

    def __init__(
        self,
        columns: rules.Columns,
        mask_key: SecretStr | None = None,
        known: Collection[str] | None = None,
    ) -> None:
        """`known` are the columns that readers see already, if any (see `rules.missing`).

        Raises BadSource `bad_rule`.
        """
        rules.require_sound(columns)
        for name in (ID, PARENT, INDEX):
            said = rules.rule(columns, name)
            if said.skip or said.mask is not None:
                raise BadSource(
                    "bad_rule",
                    f"The column {name!r} ties submissions to their repeats: it can be neither "
                    "masked nor left out.",
                )
        self.columns = columns
        self.masker = Masker(mask_key, columns)
        self._known = known

    def meet(self, names: Sequence[str]) -> list[Notice]:
        """Warnings for rules that meet none of the names of all tables. Raises BadSource."""
        return rules.missing(self.columns, names, self._known)


@dataclass(frozen=True)
class _Planned:
    """A column that is written, where its cells stand in a row, and how each is read."""

    place: int
    inferred: InferredColumn
    rule: ColumnOption
    dates: DateFormat | None

    def cell(self, cell: str | None, masker: Masker) -> str:
        """The cell in the file."""
        kind = self.inferred.type
        if cell is None or (kind != "text" and not cell.strip()):
            return ""
        if self.rule.mask is not None:
            cell = masker.cell(self.rule.mask, cell)
        if kind in {"text", "json"}:
            quoted = cell.replace('"', '""')
            return f'"{quoted}"'
        fits = self.read(cell)
        assert fits is not None, "looked at before"
        return fits

    def read(self, cell: str) -> str | None:
        """The cell as PostgreSQL reads it; None where it is not of the column's type."""
        kind = self.inferred.type
        return fitting(kind, cell) if self.rule.type is None else forced(kind, cell, self.dates)


class Writer:
    """Writes one table, whose names it knows."""

    def __init__(self, form: TableForm, columns: Sequence[Column], rows: int) -> None:
        self.names = naming.names([one.field.display for one in columns], len(columns))
        self._form = form
        self._columns = columns
        self._rows = rows

    def write(self, lines: Callable[[], Iterator[Row]], path: Path, ruling: Ruling) -> Written:
        """Write `path`; `lines` gives the rows, once or twice. Raises BadSource `wrong_type`."""
        plan = self._plan(ruling.columns)
        self._require_types([one for one in plan if one.rule.type is not None], lines)
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(",".join(one.inferred.physical_name for one in plan) + "\n")
            for row in lines():
                given = [*row, *(None for _ in range(len(self._columns) - len(row)))]
                cells = (one.cell(given[one.place], ruling.masker) for one in plan)
                file.write(",".join(cells) + "\n")
        warnings = (*self.names.warnings([one.place for one in plan]), *self._warnings(plan))
        inferred = tuple(one.inferred for one in plan)
        return Written(self._form, path, inferred, self._rows, warnings)

    def _plan(self, columns: Mapping[str, ColumnOption]) -> list[_Planned]:
        plan: list[_Planned] = []
        for place, one in enumerate(self._columns):
            said = rules.rule(columns, self.names.display[place])
            if said.skip:
                continue
            kind = said.type or ("text" if one.unfit or said.mask else one.field.type)
            inferred = InferredColumn(
                display_name=self.names.display[place],
                physical_name=self.names.physical[place],
                type=kind,
                nullable=one.filled < self._rows,
            )
            dates = None if said.format is None else date_format(said.format)
            plan.append(_Planned(place, inferred, said, dates))
        return plan

    def _require_types(self, plan: Sequence[_Planned], lines: Callable[[], Iterator[Row]]) -> None:
        """Raise BadSource where an answer is not of the type that a person said."""
        if not plan:
            return
        bad: dict[int, list[str]] = {one.place: [] for one in plan}
        places = list(bad)
        number = next(n for n, one in enumerate(self._columns) if one.field.path == ID)
        for row in lines():
            for one, place in zip(plan, places, strict=True):
                cell = row[place] if place < len(row) else None
                if cell is None or not cell.strip() or len(bad[place]) == SHOWN:
                    continue
                if one.read(cell) is None:
                    bad[place].append(f"{cell[:LONGEST]!r} in submission {row[number]}")
                elif one.inferred.type == "timestamp" and one.dates is None:
                    self._columns[place].zoned |= is_zoned(cell)
        for one, place in zip(plan, places, strict=True):
            if bad[place]:
                raise BadSource(
                    "wrong_type",
                    f"The column {one.inferred.display_name!r} cannot be read as "
                    f"{one.inferred.type}: {', '.join(bad[place])} do not fit. Choose another "
                    "type, or correct the answers.",
                )

    def _warnings(self, plan: Sequence[_Planned]) -> Iterator[Notice]:
        named = [(self._columns[one.place], one) for one in plan]
        for column, one in named:
            if column.unfit and one.rule.type is None and one.rule.mask is None:
                yield Notice(
                    code="kept_as_text",
                    message=f"The question {one.inferred.display_name!r} asks for "
                    f"{column.field.type}, and {column.unfit} of {column.filled} answers are not, "
                    f"for example {column.example[:LONGEST]!r}: the column was kept as text.",
                )
        if extra := [one.inferred.display_name for column, one in named if column.extra]:
            more = ", …" if len(extra) > SHOWN else ""
            yield Notice(
                code="not_in_form",
                message="Answers that the form of today does not ask for were kept as text: "
                f"{', '.join(map(repr, extra[:SHOWN]))}{more}.",
            )
        if any(column.zoned and one.inferred.type == "timestamp" for column, one in named):
            yield Notice(code="times_in_utc", message="Times that say their zone are shown in UTC.")
