"""Names fit PostgreSQL and dlt as they are."""

from uuid import UUID, uuid4

import pytest
from dlt.common.normalizers.naming.snake_case import NamingConvention
from hypothesis import given
from hypothesis import strategies as st

from chassis.names import PREFIX
from contracts.envelope import new_id
from warehouse import names

LOW, HIGH = UUID(int=0), UUID(int=2**128 - 1)


def every_name(id: UUID) -> list[str]:
    return [
        names.org_role(id),
        names.reader_role(id),
        names.live_schema(id),
        names.data_schema(id),
        names.landing_schema(id),
        names.loader_role(id, id),
        names.live_name("source", id),
        names.live_name("transform", id),
        names.version_relation(id),
    ]


@pytest.mark.parametrize("prefix", ["dalgo", "abcdefghij"])
@given(id=st.uuids())
def test_every_name_is_short_enough_and_left_alone_by_dlt(id: UUID, prefix: str):
    dlt = NamingConvention(max_length=63)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PREFIX, prefix)
        found = every_name(id)
    for name in found:
        assert len(name.encode()) <= 63
        assert dlt.normalize_identifier(name) == name
        assert dlt.normalize_table_identifier(name) == name


@pytest.mark.parametrize("id", [LOW, HIGH, new_id()])
def test_the_names_of_one_thing_differ(id: UUID):
    assert len(set(every_name(id))) == len(every_name(id))


def test_the_relations_of_versions_sort_by_age():
    ids = sorted(new_id() for _ in range(50))
    relations = [names.version_relation(version_id) for version_id in ids]
    assert relations == sorted(relations)
    assert {len(relation) for relation in relations} == {28}


def test_a_live_name_tells_its_table():
    table_id = uuid4()
    assert names.table_id_of(names.live_name("source", table_id)) == table_id
    assert names.table_id_of("beneficiaries") is None
    assert names.table_id_of(f"source_{table_id.hex}_more") is None


def test_a_quoted_name_cannot_end_early():
    assert names.qualified('a"b', "c; DROP TABLE d") == '"a""b"."c; DROP TABLE d"'
