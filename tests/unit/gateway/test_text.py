"""Everything that people can send has a type of the one rule; a new field cannot be without it."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

import annotated_types
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from pydantic import AwareDatetime, BaseModel, SecretStr
from pydantic.fields import FieldInfo

from contracts.text import ColumnName, Lines, Moment, OneLine, faults
from gateway.conventions import Body
from gateway.text import acceptable

ANY_TEXT = {
    "delimiter": "tabs and unit separators delimit files",
    "quote": "a character of a file",
    "escape": "a character of a file",
    "filter": "JSON, read by `read_json`",
    "dalgo_refresh": "a header, bounded as all are; looked up by its hash",
}
"""Text that may hold control characters, and why."""

CLOSED = (bool, type(None), UUID, SecretStr, time)
"""Types that take no free text and no number."""


def leaves(
    annotation: Any, metadata: tuple[Any, ...] = ()
) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """The types of which a type is made, each with what is annotated on its way."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner = tuple(
            one
            for each in arguments[1:]
            for one in (each.metadata if isinstance(each, FieldInfo) else [each])
        )
        yield from leaves(arguments[0], (*metadata, *inner))
    elif origin in {Union, UnionType}:
        for argument in arguments:
            yield from leaves(argument, metadata)
    elif origin is dict:
        # Names of columns, and free JSON: held against the rule as a whole, for what is in them.
        for argument in arguments[1:]:
            yield from leaves(argument)
    elif origin in {tuple, list}:
        for argument in arguments:
            if argument is not ...:
                yield from leaves(argument)
    elif origin is not Literal:
        yield annotation, metadata


def is_bounded(metadata: tuple[Any, ...]) -> bool:
    least = any(isinstance(one, annotated_types.Ge | annotated_types.Gt) for one in metadata)
    most = any(isinstance(one, annotated_types.Le | annotated_types.Lt) for one in metadata)
    return least and most


def faults_of(
    name: str, annotation: Any, metadata: tuple[Any, ...], seen: set[type]
) -> Iterator[str]:
    column = get_args(ColumnName)[1:]
    moment = get_args(Moment)[1]
    for leaf, given in leaves(annotation, tuple(metadata)):
        if leaf is object or leaf in CLOSED:
            continue
        if leaf is str:
            has_pattern = any(getattr(one, "pattern", None) for one in given)
            is_closed = any(isinstance(one, annotated_types.MaxLen) for one in given)
            is_typed = OneLine in given or Lines in given or set(column[0].metadata) <= set(given)
            is_known = name.rpartition(".")[2] in ANY_TEXT
            if not (has_pattern or is_known or (is_closed and is_typed)):
                yield f"{name}: text without a type of contracts.text"
        elif leaf in {int, float, timedelta}:
            if not is_bounded(given):
                yield f"{name}: a number without bounds"
        elif leaf in {datetime, date, AwareDatetime}:
            if moment not in given:
                yield f"{name}: a time that is no Moment"
        elif isinstance(leaf, type) and issubclass(leaf, BaseModel):
            if leaf in seen:
                continue
            seen.add(leaf)
            for field, info in leaf.model_fields.items():
                yield from faults_of(
                    f"{leaf.__name__}.{field}", info.annotation, tuple(info.metadata), seen
                )
        else:
            yield f"{name}: {leaf!r} is not known here"


def routes_of(app: FastAPI) -> list[RouteContext]:
    """The routes with what they get from the routers that include them."""
    return [one for one in iter_route_contexts(app.routes) if isinstance(one.route, APIRoute)]


def taken(route: RouteContext) -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    """Every parameter of a route and of what it depends on, and its body."""
    pending = [route.dependant]
    while pending:
        dependant = pending.pop()
        pending += dependant.dependencies
        for one in (
            *dependant.path_params,
            *dependant.query_params,
            *dependant.header_params,
            *dependant.cookie_params,
            *dependant.body_params,
        ):
            info = one.field_info
            yield one.alias, info.annotation, tuple(info.metadata)


def test_every_field_that_people_send_has_a_type_of_the_rule(app):
    seen: set[type] = set()
    found = [
        f"{','.join(route.methods or ())} {route.path} {fault}"
        for route in routes_of(app)
        for name, annotation, metadata in taken(route)
        for fault in faults_of(name, annotation, metadata, seen)
    ]
    assert len(seen) > 30
    assert sorted(found) == [], "\n".join(sorted(found))


def test_a_field_without_a_type_is_found():
    class Careless(Body):
        name: str
        many: int
        since: datetime | None = None
        tags: tuple[str, ...] = ()

    assert len(list(faults_of("body", Careless, (), set()))) == 4


def test_every_route_depends_on_the_check(app):
    routes = routes_of(app)
    assert len(routes) > 50
    for route in routes:
        assert acceptable in [one.call for one in route.dependant.dependencies], route.path


@pytest.mark.parametrize(
    ("document", "path", "code"),
    [
        ({"a": [1, {"b": "x\0"}]}, ("a", 1, "b"), "character_not_allowed"),
        ({"a": "\udfff"}, ("a",), "character_not_allowed"),
        ({"a": {"\0": 1}}, ("a",), "character_not_allowed"),
        ([2**63], (0,), "number_too_large"),
        ([-(2**63) - 1], (0,), "number_too_large"),
        ([float("inf")], (0,), "number_not_finite"),
    ],
)
def test_a_fault_is_found_wherever_it_is(document, path, code):
    (fault,) = faults(document)
    assert (fault.path, fault.code) == (path, code)


def test_what_can_be_stored_has_no_fault():
    document = {"a": ["😀", "\t\r\n\x1b\x85", 2**63 - 1, -(2**63), 1e308, None, True, {}, []]}
    assert list(faults(document)) == []


def test_depth_is_bounded_without_recursion():
    document: object = []
    for _ in range(100_000):
        document = [document]
    assert [fault.code for fault in faults(document)] == ["nested_too_deep"]
    while document:  # taken apart by hand: the interpreter would do it by recursion
        document = document[0]
