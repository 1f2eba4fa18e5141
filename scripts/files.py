"""Writes docs/files.md: what each file is for, in one line.

A Python file's line is the first paragraph of its docstring; other files cannot speak for
themselves and have theirs here. A file without a line stops the script.
"""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "files.md"

HEAD = """\
# Every file in one line

What each file under `libs/`, `services/` and `infra/` is for; written by `just generate` from the files themselves. A file that
cannot be named in one line does too much.

In every package `pyproject.toml` names its dependencies, `__init__.py` marks the package, and `py.typed` (empty) says that it
is typed. In a service `__main__.py` is its process, `app.py` its composition root, `settings.py` its environment, `handlers.py`
what it answers, `store.py` and `queries.sql` its own tables.
"""

EVERYWHERE = {"pyproject.toml", "py.typed"}
"""Names that mean the same in every package; the head says what."""

OTHERS = {
    "libs/chassis/migrations/0001_chassis.sql": "Outbox, inbox and dead letters, in every service's"
    " schema.",
    "libs/client/demo/recipes/country_years.json": "The demo's first recipe: countries of each year"
    " with their UN region.",
    "libs/client/demo/recipes/region_years.json": "The demo's second recipe: people, life"
    " expectancy and GDP of each region and year.",
    "libs/warehouse/migrations/0001_organizations.sql": "The function that makes an organisation's two"
    " roles and two schemas.",
    "services/auth/data/common_passwords.txt": "Passwords that sign-up refuses, one a line.",
    "services/auth/migrations/0001_identities.sql": "Tables of users, organisations, sessions and"
    " signing keys.",
    "services/auth/queries.sql": "The named SQL statements of auth.",
    "services/ingest/migrations/0001_sources.sql": "Tables of uploads, sources, syncs and cancelled"
    " runs.",
    "services/ingest/queries.sql": "The named SQL statements of ingest.",
    "services/orchestrator/migrations/0001_runs.sql": "Tables of pipelines, runs, run events and the"
    " tables that admitted runs have claimed.",
    "services/orchestrator/queries.sql": "The named SQL statements of the orchestrator.",
    "services/transform/migrations/0001_warehouse.sql": "The catalogue: tables, their published"
    " versions, and how each publishing ended.",
    "services/transform/migrations/0002_transformations.sql": "Recipes with their versions, what"
    " they read, build steps with leases, cancelled runs.",
    "services/transform/migrations/0003_recipe_versions.sql": "What a recipe's version keeps beside"
    " the recipe: names of its tables, where it was restored from.",
    "services/ingest/migrations/0002_begun_versions.sql": "What a sync has begun to write, and which"
    " sources are only being made or removed.",
    "services/ingest/migrations/0003_connectors.sql": "The secrets of sources, and the tables that"
    " they fill besides their own.",
    "services/ingest/external/queries.sql": "The named SQL statements of announcements and of syncs"
    " that wait.",
    "services/ingest/migrations/0004_external.sql": "Announcements of other systems, and the syncs"
    " that wait for one.",
    "services/ingest/migrations/0005_google_quotas.sql": "When each Google credential may read again.",
    "services/ingest/migrations/0006_uploads_let_go.sql": "Which uploads are gone because a rule hid"
    " what they hold.",
    "services/ingest/migrations/0007_schema_changes.sql": "Changes of columns and rows that syncs have"
    " met, and what was decided.",
    "services/ingest/migrations/0008_source_uploads.sql": "The further uploads of a source, in order.",
    "services/ingest/migrations/0009_holders.sql": "The message by which a sync is held.",
    "libs/chassis/migrations/0004_bus.sql": "Which streams of the bus are known, and which messages were"
    " handed back.",
    "services/ingest/migrations/0013_heartbeats.sql": "When the holder of a sync last declared that it"
    " works on it.",
    "services/ingest/migrations/0014_change_leases.sql": "Who changes a source at the moment.",
    "services/transform/migrations/0012_heartbeats.sql": "When the holder of a build last declared that"
    " it works on it.",
    "services/ingest/migrations/0010_attempts.sql": "The attempt of a run that was called off.",
    "services/transform/migrations/0004_nullable_columns.sql": "Which columns of a version have empty"
    " cells.",
    "services/transform/migrations/0005_holders.sql": "The message by which a build is held.",
    "services/transform/migrations/0006_attempts.sql": "The attempt of a run that was called off;"
    " a decision on publishing for each attempt.",
    "services/transform/migrations/0008_sweeping.sql": "Indexes by which outdated versions are found.",
    "libs/warehouse/migrations/0002_loaders.sql": "The functions that make and end logins of systems"
    " that fill a source's table.",
    "libs/chassis/migrations/0002_replayed_letters.sql": "Which dead letters have been sent anew.",
    "services/orchestrator/migrations/0004_drain.sql": "Whether runs may start.",
    "services/orchestrator/migrations/0002_schedules.sql": "Tables of schedules, and of what came of"
    " each time.",
    "services/orchestrator/migrations/0005_triggers.sql": "What sets pipelines off, and what came of"
    " each cause.",
    "services/transform/migrations/0009_forgotten_runs.sql": "Finds what is kept of a run.",
    "services/transform/migrations/0011_build_limits.sql": "What limits of builds need to see; a time"
    " for every statement.",
    "services/ingest/migrations/0011_forgotten_runs.sql": "Finds what is kept of a run.",
    "services/orchestrator/migrations/0007_history.sql": "What lists of runs are filtered by.",
    "services/orchestrator/migrations/0008_alone.sql": "Whether a run may start at once.",
    "services/orchestrator/migrations/0003_watched_runs.sql": "When to look after a run next.",
    "services/orchestrator/migrations/0006_room.sql": "The slots that runs hold and wait for; claims on"
    " tables as lines in which runs stand.",
    "services/transform/queries.sql": "The named SQL statements of transform on its own schema.",
    "libs/chassis/migrations/0003_locks.sql": "Rows that a service locks, in its own schema.",
    "services/ingest/migrations/0015_stored_uploads.sql": "Which uploads' files still lie in the object"
    " store.",
    "services/ingest/migrations/0012_traces.sql": "The trace of a sync that waits.",
    "services/orchestrator/migrations/0009_lock_rows.sql": "Slots of an organisation are counted"
    " behind a lock of our own.",
}
"""Package, then the path inside it → the line."""


def main() -> None:
    """Rewrite the page; with `--check`, only say whether it is what it should be."""
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page())
    elif PAGE.read_text() != page():
        raise SystemExit("docs/files.md is out of date: run `just generate`")


def page() -> str:
    """The page as it should be."""
    packages: dict[str, list[str]] = {}
    unsaid: list[str] = []
    for path in _tracked():
        package = "/".join(path.parts[:2])
        if path.name in EVERYWHERE:
            continue
        inner = path.parts[4:] if "src" in path.parts else path.parts[2:]
        line = _line(path, f"{package}/{'/'.join(inner)}")
        if not line:
            unsaid.append(str(path))
        shown = "/".join(path.parts[3:] if "src" in path.parts else path.parts[2:])
        packages.setdefault(package, []).append(f"| `{shown}` | {line} |\n")
    if unsaid:
        listed = ", ".join(unsaid)
        raise SystemExit(f"No line says what these files are for: {listed} (scripts/files.py)")
    tables = [
        f"\n## {package}\n| file | what |\n|---|---|\n{''.join(rows)}"
        for package, rows in packages.items()
    ]
    return HEAD + "".join(tables)


def _tracked() -> list[Path]:
    # New files count before they are committed; ignored ones never do.
    asked = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(
        [*asked, "infra", "libs", "services"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    paths = {Path(line) for line in listed.stdout.splitlines()}
    return sorted(path for path in paths if (ROOT / path).exists())


def _line(path: Path, key: str) -> str:
    if path.suffix != ".py":
        return OTHERS.get(key, "")
    told = ast.get_docstring(ast.parse((ROOT / path).read_text())) or ""
    return " ".join(told.partition("\n\n")[0].split())


if __name__ == "__main__":
    main()
