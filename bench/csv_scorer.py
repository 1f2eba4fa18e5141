"""Scores of what a loader made of CSV cases, by the rules that the cases' own README documents."""

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Case = Mapping[str, Any]
Rows = list[tuple[str, ...]]

csv.field_size_limit(1 << 26)


def score(cases: str, results: str) -> dict[str, Any]:
    """Every case of a folder out of ten, and the means of all and of the required ones."""
    listed = json.loads((Path(cases) / "manifest.json").read_text(encoding="utf-8"))["cases"]
    scored = [
        {
            "file": case["file"],
            "optional": bool(case.get("optional")),
            "exact": round(_score(case, Path(cases), Path(results)), 4),
        }
        for case in listed
    ]
    required = [one for one in scored if not one["optional"]]
    return {"all": _summary(scored), "required": _summary(required), "cases": scored}


def _summary(scored: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    marks = [one["exact"] for one in scored]
    return {
        "cases": len(marks),
        "exact": round(sum(marks) / len(marks), 3) if marks else None,
        "exact_matches": sum(mark >= 10 for mark in marks),
    }


def _score(case: Case, cases: Path, results: Path) -> float:
    """Ten times the mean of how well names, records and cells agree."""
    expected, got = _read(cases / case["expected"]), _read(results / case["file"])
    if expected is None:
        return 0.0 if got and len(got) > 1 else 10.0
    if got is None:
        return 0.0
    width = max(len(expected[0]), _width(got, len(expected[0])))
    names, *wanted = _shaped(expected, width)
    heads, *found = _shaped(got, width)
    wanted, found = _forgiven(wanted, found, case.get("damaged_records") or ())
    if case.get("header") == "synthesised":
        same = min(len(expected[0]), width)
    else:
        same = _same_names(names[: len(expected[0])], heads)
    marks = (
        _f1(same, len(expected[0]), width),
        _overlap(Counter(wanted), Counter(found)),
        _overlap(_cells(wanted), _cells(found)),
    )
    return 10 * sum(marks) / len(marks)


def _read(path: Path) -> Rows | None:
    """The header and the records that are not blank; None where there is nothing."""
    if not path.exists():
        return None
    text = path.read_bytes().decode("utf-8-sig")
    rows = [tuple(row) for row in csv.reader(io.StringIO(text, newline=""))]
    rows = rows[:1] + [row for row in rows[1:] if any(row)]
    return rows if rows and rows[0] else None


def _width(rows: Rows, expected: int) -> int:
    """Columns without the surplus at the right in which no record has a value."""
    filled = [index + 1 for row in rows[1:] for index, cell in enumerate(row) if cell]
    return max([min(len(rows[0]), expected), *filled])


def _shaped(rows: Rows, width: int) -> Rows:
    return [(row + ("",) * width)[:width] for row in rows]


def _forgiven(wanted: Rows, found: Rows, damaged: Sequence[int]) -> tuple[Rows, Rows]:
    """Set damaged records aside, each with its repair or one record that fits nothing else."""
    lost = [wanted[index] for index in damaged if index < len(wanted)]
    kept = [row for index, row in enumerate(wanted) if index not in set(damaged)]
    spare = Counter(found) - Counter(kept)
    for row in lost:
        free = row if spare[row] else next((one for one in found if spare[one]), None)
        if free is not None:
            spare[free] -= 1
            found = found.copy()
            found.remove(free)
    return kept, found


def _same_names(names: Sequence[str], heads: Sequence[str]) -> int:
    """An empty name admits any; a repeated one, any that begins with it."""
    same, seen = 0, set[str]()
    for name, head in zip(names, heads, strict=False):
        same += name in ("", head) or (name in seen and head.startswith(name))
        seen.add(name)
    return same


def _cells(rows: Rows) -> Counter[Any]:
    return Counter((index, cell) for row in rows for index, cell in enumerate(row) if cell)


def _overlap(expected: Counter[Any], got: Counter[Any]) -> float:
    return _f1((expected & got).total(), expected.total(), got.total())


def _f1(matched: int, expected: int, got: int) -> float:
    return 2 * matched / (expected + got) if expected or got else 1.0
