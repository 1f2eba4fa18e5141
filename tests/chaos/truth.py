"""What tables must hold, worked out by hand from the generation of their sources.

Every row of a source says in `gen` of which generation its file is; a table that is made of
several carries the generation of each. So a reader sees by itself what was put together.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

Row = tuple[object, ...]
REGIONS = 3
PLACES = 5


@dataclass(frozen=True)
class Table:
    """A table: its columns in order, and its rows in a generation."""

    columns: tuple[str, ...]
    rows: Callable[[int], list[Row]]
    reads: tuple[str, ...] = ()
    """What its recipe reads; a source reads nothing."""
    recipe: tuple[dict[str, object], ...] = ()

    @property
    def generations(self) -> tuple[str, ...]:
        """The columns that say of which generation the parts are."""
        return tuple(name for name in self.columns if name == "gen" or name.endswith("_gen"))

    def digest(self, generation: int) -> str:
        """Of all rows, as `DIGEST` of a reader gives it."""
        lines = ("|".join(map(str, row)) for row in self.rows(generation))
        return hashlib.md5("\n".join(sorted(lines)).encode()).hexdigest()

    def file(self, generation: int, *, broken: bool = False) -> bytes:
        """A source's file; a broken one has a column too many."""
        header = ",".join((*self.columns, "surplus") if broken else self.columns)
        lines = (",".join(map(str, (*row, 0) if broken else row)) for row in self.rows(generation))
        return "\n".join((header, *lines, "")).encode()


def _people(gen: int) -> list[Row]:
    return [(gen, n, n % PLACES, (n * 7 + gen * 13) % 101) for n in range(40 + gen % 7)]


def _places(gen: int) -> list[Row]:
    return [(gen, place, (place + gen) % REGIONS) for place in range(PLACES)]


def _visits(gen: int) -> list[Row]:
    return [(gen, n, n % PLACES, (n * 11 + gen * 17) % 97) for n in range(30 + gen % 5)]


def _stock(gen: int) -> list[Row]:
    return [(gen, n, (n + gen) % 50) for n in range(20)]


def _prices(gen: int) -> list[Row]:
    return [(gen, n, (n * gen) % 30) for n in range(20)]


def _homes(gen: int) -> list[Row]:
    where = {place: (g, region) for g, place, region in _places(gen)}
    return [(*person, *where[person[2]]) for person in _people(gen)]  # pyright: ignore[reportArgumentType]


def _totals(gen: int) -> list[Row]:
    sums: dict[int, list[int]] = {}
    for *_, amount, _, region in _homes(gen):
        sums.setdefault(int(str(region)), []).append(int(str(amount)))
    return [(gen, gen, region, len(found), sum(found)) for region, found in sums.items()]


def _kept(gen: int) -> list[Row]:
    return [row for row in _visits(gen) if int(str(row[3])) >= 20]


def _matched(gen: int) -> list[Row]:
    where = {place: (g, region) for g, place, region in _places(gen)}
    return [(*visit, *where[visit[2]]) for visit in _kept(gen)]  # pyright: ignore[reportArgumentType]


def _values(gen: int) -> list[Row]:
    price = {item: (g, cost) for g, item, cost in _prices(gen)}
    return [(*row, *price[row[1]]) for row in _stock(gen)]  # pyright: ignore[reportArgumentType]


def _joined(
    table: str, with_: str, key: str, prefix: str, column: str
) -> tuple[dict[str, object], ...]:
    join: dict[str, object] = {
        "type": "join",
        "with": with_,
        "left_on": key,
        "right_on": key,
        "join_type": "left",
        "columns": ["gen", column],
        "prefix": prefix,
    }
    return {"type": "source", "table": table}, join


_GROUP: dict[str, object] = {
    "type": "group",
    "by": ["gen", "place_gen", "place_region"],
    "aggregates": [
        {"function": "count_rows", "alias": "people"},
        {"function": "sum", "column": "amount", "alias": "amounts"},
    ],
}
_FILTER: dict[str, object] = {
    "type": "filter",
    "column": "value",
    "operator": "greater_or_equal",
    "value": 20,
}

TABLES: dict[str, Table] = {
    "people": Table(("gen", "id", "place", "amount"), _people),
    "places": Table(("gen", "place", "region"), _places),
    "visits": Table(("gen", "id", "place", "value"), _visits),
    "stock": Table(("gen", "item", "number"), _stock),
    "prices": Table(("gen", "item", "cost"), _prices),
    "homes": Table(
        ("gen", "id", "place", "amount", "place_gen", "place_region"),
        _homes,
        ("people", "places"),
        _joined("people", "places", "place", "place_", "region"),
    ),
    "totals": Table(
        ("gen", "place_gen", "place_region", "people", "amounts"),
        _totals,
        ("homes",),
        ({"type": "source", "table": "homes"}, _GROUP),
    ),
    "kept": Table(
        ("gen", "id", "place", "value"),
        _kept,
        ("visits",),
        ({"type": "source", "table": "visits"}, _FILTER),
    ),
    "matched": Table(
        ("gen", "id", "place", "value", "place_gen", "place_region"),
        _matched,
        ("kept", "places"),
        _joined("kept", "places", "place", "place_", "region"),
    ),
    "values": Table(
        ("gen", "item", "number", "price_gen", "price_cost"),
        _values,
        ("stock", "prices"),
        _joined("stock", "prices", "item", "price_", "cost"),
    ),
}

PIPELINES: dict[str, tuple[str, ...]] = {
    "homes": ("people", "places", "homes", "totals"),
    "visits": ("places", "visits", "kept", "matched"),
    "values": ("stock", "prices", "values"),
    "visits alone": ("visits",),
}
"""What each writes; the last is the sync of one source. Some tables are written by two."""

STRICT = "stock"
"""The source that fails when its columns change: a broken file of it fails its run."""


def own(pipeline: str) -> tuple[str, ...]:
    """The tables that no other pipeline writes: at any moment they are of one generation."""
    others = {name for key, names in PIPELINES.items() if key != pipeline for name in names}
    return tuple(name for name in PIPELINES[pipeline] if name not in others)
