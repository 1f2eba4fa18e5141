"""No code of ours takes advisory locks: every login of the database may take the same ones."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
APPLIED = re.compile(r"(warehouse/migrations/000[1-4]|orchestrator/migrations/000[1-8])_\w+\.sql$")
"""Migrations that stay as they are; later ones replaced what they made."""

TAKES = re.compile(r"pg_(try_)?advisory_(xact_)?lock")


def test_no_code_takes_an_advisory_lock():
    found = [
        str(path.relative_to(ROOT))
        for folder in ("libs", "services", "infra")
        for path in (ROOT / folder).rglob("src/**/*")
        if path.suffix in {".py", ".sql"}
        and not APPLIED.search(str(path))
        and TAKES.search(_code(path).lower())
    ]
    assert found == []


def _code(path: Path) -> str:
    """The statements of a file: docstrings and comments may speak of such locks."""
    text = path.read_text()
    if path.suffix == ".sql":
        return re.sub(r"--.*", "", text)
    without_docstrings = re.sub(r'^\s*""".*?"""', "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"#.*", "", without_docstrings)
