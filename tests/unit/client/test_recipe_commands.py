"""`dalgo recipe`: files in JSON and YAML, versions, SQL and lineage, as people see them."""

import json
import re

import pytest
from typer.testing import CliRunner

from contracts.envelope import new_id
from dalgo.cli.app import app

ID = new_id()
NOW = "2026-01-02T03:04:05Z"
STEPS = [
    {"type": "source", "table": "people"},
    {"type": "filter", "column": "age", "operator": "greater_than", "value": 17, "note": "grown"},
    {"type": "limit", "count": 5, "enabled": False},
]
SAVED = {
    "id": str(ID),
    "name": "Adults",
    "description": None,
    "recipe": {"version": 1, "steps": STEPS},
    "version": 3,
    "output_table_id": str(ID),
    "output_table_name": "grown_ups",
    "columns": [],
    "last_run_at": None,
    "created_at": NOW,
    "updated_at": NOW,
}
VERSION = {
    "version": 3,
    "saved_at": NOW,
    "saved_by": "ada",
    "step_count": 3,
    "is_current": True,
    "restored_from": 1,
}
PAGE = {"columns": ["a"], "types": {"a": "text"}, "rows": [], "total_count": 0, "elapsed_ms": 1}
PATH = f"/transformations/{ID}"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch, gateway, answer):
    """A user of the test's own, whose server is the test's and knows one recipe."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DALGO_URL", gateway.url)
    monkeypatch.setenv("DALGO_API_KEY", "key")
    gateway.on("GET /transformations", answer(json=[SAVED]))
    return tmp_path


@pytest.fixture
def dalgo():
    """`dalgo("recipe", "ls")`: the command's result."""
    return lambda *words, **options: CliRunner().invoke(app, list(words), **options)


@pytest.fixture
def sent(gateway, answer, dalgo, home):
    """The recipe that arrives when a file of this name and content is previewed."""

    def send(name: str, text: str) -> object:
        gateway.on("POST /transformations/preview", answer(json=PAGE))
        (home / name).write_text(text)
        result = dalgo("recipe", "preview", str(home / name))
        assert result.exit_code == 0, result.output
        return gateway.requests("POST /transformations/preview")[-1].json["recipe"]

    return send


def rows(result) -> list[list[str]]:
    return [re.split(r"\s{2,}", line) for line in result.stdout.splitlines()]


def test_a_recipe_in_yaml_is_the_same_recipe(sent):
    text = """
        steps:
          - {type: source, table: people}
          - type: filter
            column: age
            operator: greater_than
            value: 17
    """
    assert sent("recipe.yml", text) == {
        "steps": [
            {"type": "source", "table": "people"},
            {"type": "filter", "column": "age", "operator": "greater_than", "value": 17},
        ]
    }


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("2024-01-31", "2024-01-31"),
        ("no", "no"),
        ("NO", "NO"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("007", "007"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        (".inf", ".inf"),
        ("-5", -5),
        ("2.50", 2.5),
        ("1e3", 1000.0),
        ("true", True),
        ("null", None),
        ("~", None),
        ('"5"', "5"),
        ("<<", "<<"),
    ],
)
def test_a_value_in_yaml_is_a_number_only_where_json_has_one(sent, written, value):
    assert sent("recipe.yaml", f"steps:\n- value: {written}\n") == {"steps": [{"value": value}]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps: [", "is not YAML: expected the node content, but found '<stream end>' in line 1"),
        ("steps:\n- type: a\n  type: b\n", "'type' stands twice in line 3, column 3."),
        ("- type: source\n", "is not a recipe"),
        ("steps: !!timestamp 2024-01-31\n", "something that JSON has no word for"),
        ("steps: !!python/object:os.system []\n", "is not YAML: could not determine a constructor"),
        ("steps: &a [*a]\n", "something that JSON has no word for"),
    ],
)
def test_a_file_that_is_no_yaml_recipe_is_told_where(dalgo, home, text, message):
    (home / "recipe.yaml").write_text(text)
    result = dalgo("recipe", "preview", str(home / "recipe.yaml"))
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_yaml_is_known_on_the_input_too(gateway, answer, dalgo):
    gateway.on("POST /transformations/sql", answer(json={"sql": "SELECT 1"}))
    assert dalgo("recipe", "sql", "-", input="steps:\n- type: source\n").exit_code == 0
    assert dalgo("recipe", "sql", "-", input='{"steps": []}').exit_code == 0
    asked = [seen.json["recipe"] for seen in gateway.requests("POST /transformations/sql")]
    assert asked == [{"steps": [{"type": "source"}]}, {"steps": []}]


def test_sql_is_shown_of_a_file_or_of_a_saved_recipe(gateway, answer, dalgo, home):
    gateway.on("POST /transformations/sql", answer(json={"sql": "SELECT 1"}))
    gateway.on(f"GET {PATH}/sql", answer(json={"sql": "SELECT 2"}))
    (home / "recipe.json").write_text('{"steps": []}')
    assert dalgo("recipe", "sql", str(home / "recipe.json")).stdout == "SELECT 1\n"
    assert dalgo("recipe", "sql", "Adults").stdout == "SELECT 2\n"
    assert json.loads(dalgo("recipe", "sql", "Adults", "--json").stdout) == {"sql": "SELECT 2"}


def test_a_missing_file_is_a_missing_file_and_not_a_name(dalgo):
    result = dalgo("recipe", "sql", "missing.yaml")
    assert result.exit_code == 1
    assert result.stderr == "Error: missing.yaml: No such file or directory\n"


def test_every_step_that_does_not_fit_is_told(gateway, refusal, dalgo, home):
    errors = [
        {"field": "column", "code": "unknown_column", "message": "No 'aeg' here.", "step": 1},
        {"field": "", "code": "unknown_step", "message": "No such step.", "step": 2},
    ]
    detail = "Step 1: No 'aeg' here. (1 more)"
    gateway.on("POST /transformations/sql", refusal(422, "invalid_recipe", detail, errors=errors))
    (home / "recipe.json").write_text('{"steps": []}')
    result = dalgo("recipe", "sql", str(home / "recipe.json"))
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "Error: The recipe does not fit.",
        "  step 1, column: No 'aeg' here.",
        "  step 2: No such step.",
    ]


def test_a_saved_recipe_is_shown_step_by_step(dalgo):
    result = dalgo("recipe", "show", "adults")
    assert result.exit_code == 0, result.output
    assert [re.sub(r"\s{2,}", "  ", line.strip()) for line in result.stdout.splitlines()] == [
        "'Adults' version 3, which makes the table 'grown_ups'.",
        "step  type  says  note",
        "0  source  table people  -",
        "1  filter  column age, operator greater_than, value 17  grown",
        "2  limit  count 5  disabled",
    ]
    assert json.loads(dalgo("recipe", "show", "Adults", "--json").stdout)["version"] == 3


def test_an_old_version_is_shown(gateway, answer, dalgo):
    old = {**VERSION, "version": 1, "recipe": {"version": 1, "steps": STEPS[:1]}}
    gateway.on(f"GET {PATH}/versions/1", answer(json=old))
    result = dalgo("recipe", "show", "Adults", "--version", "1")
    assert "'Adults' version 1, which" in result.stdout
    assert "limit" not in result.stdout


def test_versions_are_a_plain_table(gateway, answer, dalgo):
    older = {**VERSION, "version": 2, "is_current": False, "restored_from": None}
    gateway.on(f"GET {PATH}/versions", answer(json=[VERSION, older]))
    result = dalgo("recipe", "versions", "Adults")
    header, first, second = result.stdout.splitlines()
    assert header.split() == ["version", "saved", "by", "steps", "note"]
    assert first.endswith("current, version 1 again")
    assert second.split()[-1] == "-"
    printed = json.loads(dalgo("recipe", "versions", "Adults", "--json").stdout)
    assert [one["version"] for one in printed] == [3, 2]


def test_a_diff_names_steps_and_fields(gateway, answer, dalgo):
    steps = [
        {
            "kind": "changed",
            "type": "filter",
            "old_step": 1,
            "new_step": 2,
            "old": STEPS[1],
            "new": STEPS[1],
            "fields": [{"field": "value", "old": 17, "new": None}],
        },
        {"kind": "added", "type": "limit", "new_step": 3, "new": STEPS[2]},
        {"kind": "removed", "type": "source", "old_step": 4, "old": STEPS[0]},
    ]
    found = {"version": 3, "with_version": 2, "steps": steps}
    gateway.on(f"GET {PATH}/versions/3/diff", answer(json=found))
    result = dalgo("recipe", "diff", "Adults")
    assert result.stdout.splitlines() == [
        "Version 3 of 'Adults', compared with 2:",
        "~ step 2 (was 1) filter",
        "    value: 17 -> (not set)",
        "+ step 3 limit: count 5",
        "- step 4 source: table people",
    ]
    dalgo("recipe", "diff", "Adults", "3", "--with", "1")
    assert gateway.requests(f"GET {PATH}/versions/3/diff")[-1].query == {"with": "1"}
    printed = json.loads(dalgo("recipe", "diff", "Adults", "--json").stdout)
    assert printed["steps"][1]["kind"] == "added"


@pytest.mark.parametrize(
    ("other", "said"),
    [(3, "Version 3 of 'Adults' is the first."), (2, "Version 3 of 'Adults' says what 2 says.")],
)
def test_a_diff_without_differences_says_so(gateway, answer, dalgo, other, said):
    found = {"version": 3, "with_version": other, "steps": []}
    gateway.on(f"GET {PATH}/versions/3/diff", answer(json=found))
    assert dalgo("recipe", "diff", "Adults").stdout == f"{said}\n"


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (4, "Version 1 of 'Adults' is back, as version 4."),
        (3, "Version 3 of 'Adults' says what 1 says already."),
    ],
)
def test_restoring_says_what_came_of_it(gateway, answer, dalgo, version, said):
    gateway.on(f"POST {PATH}/versions/1/restore", answer(json={**SAVED, "version": version}))
    assert dalgo("recipe", "restore", "Adults", "1").stdout == f"{said}\n"


def test_a_version_that_fits_no_more_exits_1_at_its_step(gateway, refusal, dalgo):
    error = {"field": "table", "code": "unknown_table", "message": "No table 'x'.", "step": 0}
    answer = refusal(422, "invalid_recipe", "Step 0: No table 'x'.", errors=[error])
    gateway.on(f"POST {PATH}/versions/1/restore", answer)
    result = dalgo("recipe", "restore", "Adults", "1")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[1] == "  step 0, table: No table 'x'."


def test_lineage_names_columns_and_rows(gateway, answer, dalgo):
    def origin(table, column):
        return {"table": table, "table_id": str(ID), "kind": "source", "column": column}

    columns = [
        {"name": "n", "type": "integer", "from": [origin("people", None)], "read": []},
        {
            "name": "label",
            "type": "text",
            "from": [origin("people", "name"), origin("places", "region")],
            "read": [],
        },
        {"name": "form", "type": "text", "from": [], "read": []},
    ]
    traced = {
        "transformation_id": str(ID),
        "version": 3,
        "columns": columns,
        "upstream": [],
        "downstream": [],
    }
    gateway.on(f"GET {PATH}/lineage", answer(json=traced))
    assert rows(dalgo("recipe", "lineage", "Adults")) == [
        ["column", "type", "from"],
        ["n", "integer", "rows of people"],
        ["label", "text", "people.name, places.region"],
        ["form", "text", "-"],
    ]
    printed = json.loads(dalgo("recipe", "lineage", "Adults", "--json").stdout)
    assert printed["columns"][0]["from"][0]["table"] == "people"
