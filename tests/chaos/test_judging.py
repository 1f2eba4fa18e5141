"""The judges of chaos: they see what is wrong, and nothing in what is right."""

from .reader import Look, judge
from .truth import PIPELINES, TABLES, own


def shown(pipeline: str, generation: int, **other: int) -> dict[str, Look]:
    """What a reader sees when tables are of a generation, some of another."""
    found: dict[str, Look] = {}
    for name in PIPELINES[pipeline]:
        gen = other.get(name, generation)
        found[name] = Look(len(TABLES[name].rows(gen)), (gen,), TABLES[name].digest(gen))
    return found


def test_tables_of_one_generation_are_right():
    for pipeline in PIPELINES:
        assert judge(pipeline, shown(pipeline, 3)) == []


def test_a_table_that_another_pipeline_publishes_too_may_be_newer_and_not_older():
    assert "places" not in own("homes")
    assert judge("homes", shown("homes", 3, places=4)) == []
    assert [kind for kind, _ in judge("homes", shown("homes", 3, places=2))] == ["mixed"]


def test_two_generations_of_a_pipelines_own_tables_are_mixed():
    assert "mixed" in {kind for kind, _ in judge("homes", shown("homes", 3, totals=2))}
    assert "mixed" in {kind for kind, _ in judge("values", shown("values", 3, stock=4))}


def test_a_table_of_two_generations_an_empty_one_and_a_wrong_one_are_seen():
    right = shown("homes", 3)
    homes = right["homes"]
    for look, kind in (
        (Look(homes.rows, (2, 3), homes.digest), "mixed"),
        (Look(0, (), ""), "empty"),
        (Look(homes.rows, (3,), TABLES["people"].digest(3)), "wrong"),
    ):
        assert [found for found, _ in judge("homes", right | {"homes": look})] == [kind]


def test_every_generation_of_every_table_differs_from_the_next():
    for table in TABLES.values():
        assert table.rows(1)
        assert table.digest(1) != table.digest(2)
