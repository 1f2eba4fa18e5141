"""Which modules touch schemas that outsiders fill: a lint over the source of every package."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
LANDING = re.compile(r"landing_schema\(|(?<!self\.)_landing\b")
ALLOWED = {
    "libs/warehouse/src/warehouse/names.py",  # what the schema is called
    "libs/warehouse/src/warehouse/migrations/0002_loaders.sql",  # makes it, and drops what is in it
    "services/ingest/src/ingest/external/landing.py",  # reads it, contained
    "services/transform/src/transform/loaders.py",  # tells its name
}
READS = re.compile(r"\.(?:fetch|fetchrow|fetchval|cursor|prepare|copy_from_query)\(([^)]*)")


def test_one_module_makes_statements_over_what_outsiders_own():
    found = {
        str(path.relative_to(ROOT))
        for folder in ("libs", "services", "infra")
        for path in (ROOT / folder).rglob("src/**/*")
        if path.suffix in {".py", ".sql"} and LANDING.search(_code(path))
    }
    assert found == ALLOWED


def test_that_module_reads_rows_through_contained_sessions_alone():
    code = _code(ROOT / "services/ingest/src/ingest/external/landing.py")
    (only,) = READS.findall(code)
    assert "to_regnamespace" in only
    assert "session.rows(" in code
    assert "session.copy(" in code


def _code(path: Path) -> str:
    """The statements of a file: docstrings and comments may speak of the schema."""
    text = path.read_text()
    if path.suffix == ".sql":
        return re.sub(r"--.*", "", text)
    without_docstrings = re.sub(r'^\s*""".*?"""$', "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"#.*", "", without_docstrings)
