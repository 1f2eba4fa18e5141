"""A KoboToolbox form's definition as tables: what every question's column is called and holds."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingest import naming
from ingest.connectors import BadSource, ColumnType
from ingest.connectors.kobo.shape import ID, INDEX, PARENT, Choices, Field, TableForm, Values

_TYPES: Mapping[str, ColumnType] = {
    "integer": "integer",
    "decimal": "decimal",
    "range": "decimal",
    "date": "date",
    "today": "date",
    "datetime": "timestamp",
    "start": "timestamp",
    "end": "timestamp",
}
"""By question type, in lower case; all others are text."""
_REFERENCE = re.compile(r"\$\{[^}]*\}")
TITLE = 80
"""Characters of a repeat's name, those around it included."""
_SILENT = frozenset({"note", "csv-external", "xml-external"})
"""What never has an answer."""
_METADATA: tuple[tuple[str, ColumnType], ...] = (
    ("_uuid", "text"),
    ("_submission_time", "timestamp"),
    ("_submitted_by", "text"),
    ("_status", "text"),
    ("_validation_status", "text"),
    ("__version__", "text"),
    ("_tags", "json"),
    ("_notes", "json"),
    ("_attachments", "json"),
)


def tables(asset: Mapping[str, Any], values: Values, language: str | None = None) -> TableForm:
    """The table of submissions, with its repeats. Raises BadSource `unknown_language`, `no_form`.

    With `codes`, columns are called by their path in the form and answers are as stored. With
    `labels`, columns and chosen answers have their labels in `language`, or in the form's first.
    """
    content = asset["content"]
    reader = _Reader(content, values, _language(content, language) if values == "labels" else 0)
    return reader.read()


@dataclass
class _Open:
    """A group or repeat whose end has not come; groups share the table of what is around them."""

    path: str
    table: "_Draft"
    expanded: bool = False
    """The server deploys other questions than stand here, as for `begin_kobomatrix`."""


@dataclass
class _Draft:
    path: str
    name: str
    fields: list[Field] = field(default_factory=list)
    repeats: list["_Draft"] = field(default_factory=list)

    def done(self, above: ColumnType) -> TableForm:
        """The table of a repeat; `above` is the type of the ids that its rows point to."""
        head = (
            Field(ID, ID, "text"),
            Field(PARENT, PARENT, above),
            Field(INDEX, INDEX, "integer"),
        )
        inside = tuple(one.done("text") for one in self.repeats)
        return TableForm(self.path, self.name, (*head, *self.fields), inside)


class _Reader:
    """Walks the survey's rows, which open and close groups and repeats."""

    def __init__(self, content: Mapping[str, Any], values: Values, language: int) -> None:
        self._survey: Sequence[Mapping[str, Any]] = content.get("survey") or ()
        self._labelled = values == "labels"
        self._language = language
        self._lists = self._choices(content.get("choices") or ())

    def read(self) -> TableForm:
        root = _Draft("", "")
        stack = [_Open("", root)]
        drafts: list[_Draft] = []
        seen: set[str] = {ID, *(name for name, _ in _METADATA)}
        for row in self._survey:
            kind, _, rest = str(row.get("type") or "").strip().partition(" ")
            kind = kind.lower().replace("begin-", "begin_").replace("end-", "end_")
            if kind in {"begin", "end"} and rest:  # A question may be of the type `end` too.
                kind, rest = f"{kind}_{rest.strip().lower()}", ""
            here = stack[-1]
            if kind.startswith("end_"):
                if len(stack) > 1:
                    stack.pop()
                continue
            name = str(row.get("name") or row.get("$autoname") or "").strip()
            if not name or kind in _SILENT:
                continue
            path = str(row.get("$xpath") or (f"{here.path}/{name}" if here.path else name))
            if kind == "begin_repeat":
                called = (self._label(row) or name) if self._labelled else name
                above = f"{here.table.name} / " if here.table.path else ""
                draft = _Draft(path, f"{above}{called}")
                count, times = f"{path}_count", str(row.get("repeat_count") or "").strip()
                if times and not _REFERENCE.fullmatch(times) and count not in seen:
                    # pyxform deploys a question of its own for how often, if that is computed.
                    seen.add(count)
                    here.table.fields.append(Field(count, count, "integer"))
                here.table.repeats.append(draft)
                drafts.append(draft)
                stack.append(_Open(path, draft))
            elif kind.startswith("begin_"):
                matrix = kind == "begin_kobomatrix"
                stack.append(_Open(path, here.table, expanded=here.expanded or matrix))
            elif path not in seen and not here.expanded:
                seen.add(path)
                here.table.fields.append(self._field(row, kind, rest.strip(), path))
        if drafts:
            told = naming.names([_title(one.name) for one in drafts], len(drafts)).display
            for draft, name in zip(drafts, told, strict=True):
                draft.name = name
        head = Field(ID, ID, "integer")
        tail = (Field(name, name, kind) for name, kind in _METADATA)
        inside = tuple(one.done("integer") for one in root.repeats)
        return TableForm("", "", (head, *root.fields, *tail), inside)

    def _field(self, row: Mapping[str, Any], kind: str, rest: str, path: str) -> Field:
        display = (self._label(row) or path) if self._labelled else path
        listed = str(row.get("select_from_list_name") or rest.partition(" ")[0])
        choices = None
        if self._labelled and kind in {"select_one", "select_multiple", "rank"}:
            choices = self._lists.get(listed)
        several = kind in {"select_multiple", "rank"}
        return Field(path, display, _TYPES.get(kind, "text"), choices, several)

    def _choices(self, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Choices]:
        """By list: a blank label is the code, one that is shared gets the code beside it."""
        lists: dict[str, dict[str, str]] = {}
        for row in rows:
            code = str(row.get("name") or row.get("$autovalue") or "").strip()
            if code:
                of = lists.setdefault(str(row.get("list_name")), {})
                of.setdefault(code, self._label(row) or code)
        return {name: Choices(_distinct(labels)) for name, labels in lists.items()}

    def _label(self, row: Mapping[str, Any]) -> str:
        """In the language, else in the form's first that has one; empty when there is none."""
        given = row.get("label")
        labels = given if isinstance(given, list) else [given]
        asked = labels[self._language : self._language + 1]
        return next((str(one) for one in (*asked, *labels) if one and str(one).strip()), "")


def _title(name: str) -> str:
    """On one line and short enough to stand behind a source's name."""
    line = " ".join(name.split())
    return line if len(line) <= TITLE else f"{line[: TITLE - 1].rstrip()}…"


def _distinct(labels: Mapping[str, str]) -> dict[str, str]:
    shared = Counter(labels.values())
    return {
        code: label if shared[label] == 1 else f"{label} ({code})" for code, label in labels.items()
    }


def _language(content: Mapping[str, Any], language: str | None) -> int:
    """Which of the form's translations: by its whole name or by the code in its brackets."""
    names = [str(one or "") for one in content.get("translations") or ()]
    if language is None:
        return 0
    asked = language.strip().casefold()
    for index, name in enumerate(names):
        code = name.rpartition("(")[2].rstrip(") ") if "(" in name else name
        if asked in {name.strip().casefold(), code.casefold()}:
            return index
    known = ", ".join(filter(None, names)) or "none with a name"
    raise BadSource(
        "unknown_language",
        f"The form has no language {language!r}. It has: {known}.",
    )
