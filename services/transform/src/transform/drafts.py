"""What goes to compile workers and comes back."""

from dataclasses import dataclass, field

from recipe import Table
from recipe.checks import DataCheck
from recipe.tables import Column


@dataclass(frozen=True)
class Draft:
    """A recipe with the tables that it may read."""

    recipe: str
    """JSON, as it was written or kept."""
    tables: tuple[tuple[str, Table], ...]
    """Those that the recipe mentions, by key; others too where a text of it equals their names."""
    names: tuple[str, ...] = field(default=(), compare=False)
    """Display names of all tables, as alternatives to a name that is unknown."""
    until_step: int | None = None


@dataclass(frozen=True)
class Mention:
    """A place of a recipe that names a table."""

    step: int
    step_id: str | None
    type: str
    field: str
    table: str


@dataclass(frozen=True)
class Fitting:
    """A recipe that fits its tables, ready to be kept."""

    recipe: dict[str, object]
    """Names tables by their live names."""
    mentions: tuple[Mention, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Statement:
    """A recipe as one SELECT that passed the guard."""

    sql: str
    columns: tuple[Column, ...]
    reads: tuple[str, ...]
    """Ids of tables."""
    checks: tuple[DataCheck, ...]
    depends_on_now: bool
    readable: str | None = None
    """The same for people, where it was asked for."""


@dataclass(frozen=True)
class Page:
    """The statements of a preview."""

    rows: str
    """Takes a limit ($1) and an offset ($2)."""
    count: str
    columns: tuple[Column, ...]
    reads: tuple[str, ...]
    depends_on_now: bool


@dataclass(frozen=True)
class Profile:
    """The statements of a profile."""

    count: str
    looks: tuple[str, ...]
    """One for every `columns_each` columns; none until it is known how many rows are skipped."""
    columns_each: int
    buckets: int
    """Of a histogram, at most."""
    columns: tuple[Column, ...]
    reads: tuple[str, ...]
    depends_on_now: bool
