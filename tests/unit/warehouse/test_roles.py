"""Who may change the role of a connection: a lint over the source of every package."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
SET_ROLE = re.compile(
    r"\bSET\s+(?:LOCAL\s+|SESSION\s+)?(?:ROLE|SESSION\s+AUTHORIZATION)\b", re.IGNORECASE
)
ALLOWED = {
    "libs/chassis/src/chassis/database.py",  # <service>_system, for work across organisations
    "libs/warehouse/src/warehouse/access.py",  # an organisation's role
    # The migrator, to grant what the watch owns.
    "libs/warehouse/src/warehouse/migrations/0002_loaders.sql",
}


def test_roles_are_set_in_these_places_only():
    found = {
        str(path.relative_to(ROOT))
        for folder in ("libs", "services", "infra")
        for path in (ROOT / folder).rglob("src/**/*")
        if path.suffix in {".py", ".sql"} and SET_ROLE.search(_code(path))
    }
    assert found == ALLOWED


def _code(path: Path) -> str:
    """The statements of a file: docstrings and comments may speak of roles."""
    text = path.read_text()
    if path.suffix == ".sql":
        return re.sub(r"--.*", "", text)
    without_docstrings = re.sub(r'""".*?"""', "", text, flags=re.DOTALL)
    return re.sub(r"#.*", "", without_docstrings)
