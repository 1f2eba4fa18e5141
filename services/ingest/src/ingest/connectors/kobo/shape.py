"""Tables of a KoboToolbox form: columns with their types, labels of choices, repeats inside."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID, uuid5

import pydantic

from contracts.ingest import ColumnOption
from ingest.connectors import ColumnType, Found

Values = Literal["codes", "labels"]
ID, PARENT, INDEX = "_id", "_parent_id", "_index"
LEFT_OUT = frozenset(
    {
        "formhub/uuid",
        "meta/instanceID",
        "meta/rootUuid",
        "meta/deprecatedID",
        "_xform_id_string",
        "_bamboo_dataset_id",
        "_geolocation",
    }
)
"""What a server adds that says the same as other columns, or the same in every row."""


class KoboOptions(Found):
    """How a form is read."""

    form_id: str
    values: Values = "codes"
    language: str | None = None
    """Of labels; None is the form's first."""
    columns: dict[str, ColumnOption] = pydantic.Field(default_factory=dict)
    """By display name, in every table of the form that has such a column."""


@dataclass(frozen=True)
class Choices:
    """The labels of a list of choices, by code; all different."""

    labels: Mapping[str, str]

    def one(self, code: str) -> str:
        """The label of one choice; a code that the form does not know stays."""
        return self.labels.get(code.strip(), code)

    def many(self, codes: str) -> str:
        """The labels of several choices with `; ` between them."""
        return "; ".join(self.labels.get(code, code) for code in codes.split())


@dataclass(frozen=True)
class Field:
    """One column as the form describes it; `path` is the key in a submission."""

    path: str
    display: str
    type: ColumnType
    choices: Choices | None = None
    several: bool = False
    """More than one choice in an answer."""

    def shown(self, cell: str) -> str:
        """A text answer with labels in the place of codes, where the form has them."""
        if self.choices is None:
            return cell
        return self.choices.many(cell) if self.several else self.choices.one(cell)


@dataclass(frozen=True)
class TableForm:
    """The submissions (`path` is empty) or a repeat; `name` is shown after the source's name."""

    path: str
    name: str
    fields: tuple[Field, ...]
    repeats: tuple["TableForm", ...] = ()

    def all(self) -> Iterator["TableForm"]:
        """This table and those inside it, from the outside in."""
        yield self
        for repeat in self.repeats:
            yield from repeat.all()

    def display_name(self, source: str) -> str:
        """What people see."""
        return f"{source} / {self.name}" if self.path else source

    def table_id(self, source_id: UUID) -> UUID:
        """The same for the same repeat of the same source."""
        return uuid5(source_id, self.path) if self.path else source_id

    def fingerprint(self) -> str:
        """Equal for equal columns, types and labels."""
        said = [
            (
                table.path,
                table.name,
                [
                    (
                        one.path,
                        one.display,
                        one.type,
                        dict(one.choices.labels) if one.choices else 0,
                    )
                    for one in table.fields
                ],
            )
            for table in self.all()
        ]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
