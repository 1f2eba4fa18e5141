"""A table of a million rows with ten typed columns, made inside the database."""

from contracts.tables import Column

ROWS = 1_000_000

COLUMNS = tuple(
    Column.model_validate({"name": name.replace("_", " "), "physical": name, "type": kind})
    for name, kind in {
        "id": "integer",
        "full_name": "text",
        "district": "text",
        "status": "text",
        "age": "integer",
        "amount": "decimal",
        "joined": "date",
        "seen_at": "timestamp",
        "active": "boolean",
        "note": "text",
    }.items()
)

DEFINITION = f"""AS
SELECT n::bigint AS id, 'Person ' || md5(n::text) AS full_name, 'District ' || n % 50 AS district,
       CASE n % 3 WHEN 0 THEN 'Active' WHEN 1 THEN 'Closed' END AS status,
       (n % 7919 % 90)::bigint AS age, round(n % 100000 / 7.0, 2) AS amount,
       date '2020-01-01' + n % 2000 AS joined,
       timestamptz '2020-01-01' + make_interval(secs => n) AS seen_at,
       n % 2 = 0 AS active, 'a note about number ' || n AS note
FROM generate_series(1, {ROWS}) AS n"""
"""What follows CREATE TABLE."""

TEN_STEPS: list[dict[str, object]] = [
    {"type": "source", "table": "people"},
    {"type": "filter", "column": "status", "operator": "not_equals", "value": "Closed"},
    {"type": "clean", "columns": ["full name", "note"], "operations": ["trim", "upper"]},
    {
        "type": "add_column",
        "name": "double",
        "expression_type": "math",
        "left": "amount",
        "operator": "*",
        "right": 2,
    },
    {
        "type": "categorize",
        "new_column": "group",
        "source_column": "age",
        "rules": [
            {"operator": "less_than", "value": 18, "category": "child"},
            {"operator": "less_than", "value": 65, "category": "adult"},
        ],
    },
    {"type": "join", "with": "districts", "left_on": "district", "right_on": "district"},
    {"type": "rename", "columns": {"districts_region": "region"}},
    {
        "type": "filter",
        "where": {
            "any": [
                {"column": "age", "operator": "greater_than", "value": 3},
                {"column": "full name", "operator": "contains", "value": "x"},
            ]
        },
    },
    {"type": "drop", "columns": ["active"]},
    {"type": "sort", "columns": ["region", {"column": "double", "descending": True}]},
]
"""A recipe over it and `districts`, of the kinds of step that recipes mostly have."""

DISTRICTS = tuple(
    Column.model_validate({"name": name, "physical": name, "type": "text"})
    for name in ("district", "region")
)
DISTRICTS_DEFINITION = """AS
SELECT 'District ' || n AS district, 'Region ' || n % 5 AS region
FROM generate_series(0, 49) AS n"""
