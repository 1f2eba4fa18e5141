"""Whether a further file fits its source: the key is there, and columns that it knows."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches

from contracts.ingest import ColumnOption, CsvConfig, Upload
from contracts.problem import FieldProblem, ProblemError, problem
from contracts.tables import Column, Notice
from ingest.connectors.csv import MAX_COLUMNS
from ingest.shape import wider

_SHOWN = 20
"""Columns that a sentence lists."""


def require_key(config: CsvConfig, columns: Sequence[Column]) -> None:
    """Raise the 422 problems of an `upsert` without a key, or with one that the file lacks."""
    if config.mode != "upsert":
        return
    names = [column.name for column in columns]
    if not config.key:
        raise _bad_key(
            "key_missing",
            "To replace rows, a file needs a key: the columns that tell its rows apart. Choose "
            f"among {listed(names)}.",
            names,
        )
    for name in config.key:
        rule = config.columns.get(name, ColumnOption())
        if rule.skip or rule.mask in ("redact", "partial"):
            raise _bad_key(
                "hidden_key",
                f"The column '{name}' is part of the key, but it is left out or masked, so that it "
                "tells no rows apart. Mask it by 'hash', or choose another key.",
                names,
            )
        if name not in names:
            near = get_close_matches(name, names, n=3, cutoff=0.6) or names
            raise _bad_key(
                "unknown_key",
                f"The file has no column '{name}', which is part of the key. It has "
                f"{listed(names)}.",
                near,
            )


def fitted(
    source_name: str, known: Sequence[Column], found: Sequence[Column]
) -> tuple[tuple[Column, ...], tuple[Notice, ...]]:
    """The columns of the source once it has the file's rows too, and what a person should know.

    Raises 422 problems `other_columns` and `too_many_columns`.
    """
    own = {column.name: column for column in found}
    names = {column.name for column in known}
    missing = [column.name for column in known if column.name not in own]
    added = [column for column in found if column.name not in names]
    if known and len(missing) == len(known):
        raise problem(
            422,
            "other_columns",
            f"The file has none of the columns of '{source_name}'. They are "
            f"{listed([column.name for column in known])}; the file has {listed(list(own))}. "
            "Make another source of it, or choose its header's row.",
        )
    if len(known) + len(added) > MAX_COLUMNS:
        raise problem(
            422,
            "too_many_columns",
            f"With this file '{source_name}' would have {len(known) + len(added)} columns; a "
            f"table holds {MAX_COLUMNS} at most.",
        )
    warnings = ()
    if missing:
        told = f"The file has no {listed(missing)}: these cells of its rows will be empty."
        warnings = (Notice(code="columns_missing", message=told),)
    kept = (
        column.model_copy(update={"type": wider(column.type, own.get(column.name, column).type)})
        for column in known
    )
    return (*kept, *added), warnings


def repeated(added: Upload, earlier: Iterable[Upload]) -> Iterator[Notice]:
    """What a person should know of a file whose content was added before."""
    for upload in earlier:
        if upload.sha256 == added.sha256:
            yield Notice(
                code="same_file",
                message=f"{added.filename} holds the same as {upload.filename}, which was added "
                "before.",
            )
            return


def listed(names: Sequence[str]) -> str:
    """Names in a sentence, not too many."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(f"'{name}'" for name in names[:_SHOWN]) + more


def _bad_key(code: str, message: str, alternatives: Sequence[str]) -> ProblemError:
    found = FieldProblem(
        field="config.key", code=code, message=message, alternatives=tuple(alternatives)
    )
    return problem(422, code, message, (found,))
