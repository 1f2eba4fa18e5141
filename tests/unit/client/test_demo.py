"""The demo's files and recipes, and what it says; its result is checked end to end elsewhere."""

import csv
import json

import pytest
from typer.testing import CliRunner

from contracts.envelope import new_id
from dalgo.cli.app import app
from dalgo.demo import data
from recipe import Column, Table, check, parse, references

NOW = "2026-01-02T03:04:05Z"
RUN_ID, STEP_ID, PIPELINE_ID = new_id(), new_id(), new_id()
SESSION = {
    "access_token": "token",
    "expires_in": 900,
    "user": {"id": str(new_id()), "email": "demo@example.org", "name": None},
    "organization": {"id": str(new_id()), "name": "Demo", "timezone": "UTC"},
    "role": "owner",
}
BROKEN = {"title": "x", "status": 422, "code": "broken", "detail": "The file is broken."}


def rows(path, delimiter):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def run(status, **more):
    return {
        "id": str(RUN_ID),
        "kind": "pipeline",
        "pipeline_id": None,
        "status": status,
        "trigger": {"type": "manual", "actor": "me"},
        "created_at": NOW,
        "version": 3,
        **more,
    }


def block(version, type, **told):
    body = {"run_id": str(RUN_ID), "version": version, "type": type, "time": NOW, "data": told}
    return f"id: {version}\nevent: {type}\ndata: {json.dumps(body)}"


@pytest.fixture
def scripted(gateway, answer, live):
    """A server on which all goes well; gives the script to change."""

    def source(seen):
        return answer(
            201,
            {
                "id": str(new_id()),
                "name": seen.json["name"],
                "source_type": "csv",
                "config": {},
                "status": "ready",
                "warehouse_table_name": "source_1",
                "created_at": NOW,
            },
        )

    def saved(seen):
        name = seen.json["name"]
        more = {"version": 1, "columns": [], "last_run_at": None, "created_at": NOW}
        ids = {"id": str(new_id()), "output_table_id": str(new_id()), "output_table_name": name}
        return answer(201, {**seen.json, **ids, **more, "updated_at": NOW})

    def pipeline(seen):
        more = {"id": str(PIPELINE_ID), "revision": 1, "last_run_at": None, "created_at": NOW}
        return answer(201, {**seen.json, **more})

    step = {
        "id": str(STEP_ID),
        "kind": "sync",
        "name": "gapminder",
        "status": "succeeded",
        "attempt": 1,
        "rows": 1704,
    }
    ended = run("succeeded", steps=[step])
    page = {
        "columns": ["un_region", "year", "population", "life_expectancy", "gdp"],
        "types": {},
        "rows": [
            {
                "un_region": "Caribbean",
                "year": 1952,
                "population": 17150846,
                "life_expectancy": 53.04,
                "gdp": "52613415432.1234567",
            }
        ],
        "total_count": 1,
        "elapsed_ms": 1,
    }
    upload = {"upload_id": str(new_id()), "filename": "a", "size_bytes": 82097, "sha256": ""}
    gateway.on("POST /auth/signup", answer(201, SESSION))
    gateway.on("POST /uploads", answer(201, upload))
    gateway.on("POST /sources", source)
    gateway.on("POST /transformations", saved)
    gateway.on("POST /pipelines", pipeline)
    gateway.on("GET /warehouse/tables/region_years/preview", answer(json=page))
    gateway.on(f"POST /pipelines/{PIPELINE_ID}/run", answer(202, run("queued")))
    gateway.on(
        f"GET /runs/{RUN_ID}/events",
        live(block(2, "step_finished", step=step), block(3, "run_succeeded", run=ended)),
    )
    return gateway


def demo(gateway, *words):
    return CliRunner().invoke(app, ["--url", gateway.url, "demo", *words])


def table(name, **types):
    columns = tuple(Column(name=c, physical=c.lower(), type=types[c]) for c in types)
    return Table(
        table_id=name,
        display_name=name,
        physical_name=f"source_{name}",
        schema_name="data",
        relation=name,
        columns=columns,
    )


def test_the_recipes_fit_and_the_second_reads_the_first():
    first, second = (parse(data.recipe(name)) for name in ("country_years", "region_years"))
    assert references(first) == ["gapminder", "countries"]
    assert references(second) == ["country_years"]
    numbers = {"year": "integer", "lifeExp": "decimal", "pop": "integer", "gdpPercap": "decimal"}
    files = {
        "gapminder": table("gapminder", country="text", continent="text", **numbers),
        "countries": table("countries", name_short="text", ISO3="text", UNregion="text"),
    }
    checked = check(first, files)
    assert checked.errors == []
    made = table("country_years", **{column.name: column.type for column in checked.steps[-1]})
    checked = check(second, {"country_years": made})
    assert checked.errors == []
    assert [(column.name, column.type) for column in checked.steps[-1]] == [
        ("un_region", "text"),
        ("year", "integer"),
        ("population", "integer"),
        ("life_expectancy", "decimal"),
        ("gdp", "decimal"),
    ]


def test_every_country_finds_its_region_by_its_name_or_by_its_other_name():
    regions = {row["name_short"]: row["UNregion"] for row in rows(data.countries(), "\t")}
    [categorize] = [
        step for step in data.recipe("country_years")["steps"] if step["type"] == "categorize"
    ]
    other_names = {rule["value"]: rule["category"] for rule in categorize["rules"]}
    countries = {row["country"] for row in rows(data.gapminder(), ",")}
    assert {name for name in countries if not regions.get(other_names.get(name, name))} == set()
    assert other_names.keys() == {name for name in countries if name not in regions}


def test_the_demo_tells_each_thing_and_shows_the_result(scripted):
    result = demo(scripted)
    assert result.exit_code == 0, result.output
    told = result.stdout
    for part in ("signed up as demo+", "source 'gapminder': gapminder.csv", "1,704 rows"):
        assert part in told
    assert "Caribbean  1952  17,150,846             53.0  52,613,415,432" in told
    assert f"{scripted.url}/docs" in told


def test_the_demo_as_json_is_nothing_but_json(scripted):
    result = demo(scripted, "--json")
    assert json.loads(result.stdout)["rows"][0]["un_region"] == "Caribbean"
    assert "signed up as" in result.stderr


def test_a_sign_up_whose_answer_was_lost_goes_on_by_login(scripted, answer, refusal):
    taken = refusal(409, "email_taken", "There is an account already.")
    scripted.on("POST /auth/signup", answer(hang_up=True), taken)
    scripted.on("POST /auth/login", answer(json=SESSION))
    result = demo(scripted)
    assert result.exit_code == 0, result.output
    [login] = scripted.requests("POST /auth/login")
    assert login.json["email"] == scripted.requests("POST /auth/signup")[0].json["email"]


def test_a_run_that_fails_ends_the_demo_with_its_problem(scripted, live):
    failed = run("failed", error=BROKEN)
    scripted.on(f"GET /runs/{RUN_ID}/events", live(block(3, "run_failed", run=failed)))
    result = demo(scripted)
    assert result.exit_code == 1
    assert result.stderr == "Error: The file is broken.\n"
