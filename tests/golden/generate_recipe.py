"""Golden pairs of the recipe language: `<step>.json` beside the SQL it compiles to.

`python tests/golden/generate_recipe.py` rewrites the SQL; the JSON is written by hand.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

from recipe import Column, Context, Table, compile_recipe, parse
from recipe.statement import readable_sql

FOLDER = Path(__file__).parent / "recipe"

CONTEXT = Context(as_of=datetime(2026, 3, 18, 6, 30, tzinfo=UTC), timezone="Asia/Kolkata")

BENEFICIARIES = Table(
    table_id="11111111-1111-7111-8111-111111111111",
    display_name="beneficiaries",
    physical_name="source_11111111111171118111111111111111",
    schema_name="org_a_data",
    relation="v_beneficiaries",
    columns=(
        Column(name="id", physical="id", type="text"),
        Column(name="Full name", physical="full_name", type="text"),
        Column(name="district_id", physical="district_id", type="integer"),
        Column(name="age", physical="age", type="integer"),
        Column(name="weight", physical="weight", type="decimal"),
        Column(name="joined", physical="joined", type="date"),
        Column(name="seen_at", physical="seen_at", type="timestamp"),
        Column(name="active", physical="active", type="boolean"),
        Column(name="answers", physical="answers", type="json"),
    ),
)

DISTRICTS = Table(
    table_id="22222222-2222-7222-8222-222222222222",
    display_name="districts",
    physical_name="source_22222222222272228222222222222222",
    schema_name="org_a_data",
    relation="v_districts",
    columns=(
        Column(name="id", physical="id", type="integer"),
        Column(name="name", physical="name", type="text"),
        Column(name="state", physical="state", type="text"),
    ),
)

TABLES = {table.display_name: table for table in (BENEFICIARIES, DISTRICTS)}


def expected(recipe: Path) -> str:
    """What a golden SQL file holds: the statement as people read it."""
    content = json.loads(recipe.read_text(encoding="utf-8"))
    return f"{readable_sql(compile_recipe(parse(content), TABLES, CONTEXT))};\n"


def main() -> None:
    """Rewrite every SQL file."""
    for recipe in sorted(FOLDER.glob("*.json")):
        recipe.with_suffix(".sql").write_text(expected(recipe), encoding="utf-8")


if __name__ == "__main__":
    main()
