"""Requests as they are sent: good ones, with one value replaced by a hostile one."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

import httpx

from . import hostile
from .document import OPERATIONS
from .good import Good

Where = Literal["path", "query", "header", "body"]
Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Attack:
    """A value that stands where another one belongs; `value` is as it is sent."""

    where: Where
    place: Place
    kind: str
    value: str | bytes


def attacks(operation_id: str, good: Good) -> Iterator[Attack]:
    """Each hostile value at each place of the path, the query, the headers and the body."""
    parameters = OPERATIONS[operation_id].definition.raw.get("parameters", ())
    names: dict[str, set[str]] = {"path": set(), "query": set(good.query), "header": set()}
    names["header"] |= {name.lower() for name in good.headers}
    for parameter in parameters:
        name = parameter["name"]
        names[parameter["in"]].add(name.lower() if parameter["in"] == "header" else name)
    for name in sorted(names["path"]):
        # Without it the address is another one.
        values = {kind: value for kind, value in hostile.ADDRESS.items() if value}
        yield from (Attack("path", (name,), *entry) for entry in values.items())
    for name in sorted(names["query"]):
        values = hostile.ADDRESS | (hostile.CURSORS if name == "cursor" else {})
        values |= hostile.FILTERS if name == "filter" else {}
        yield from (Attack("query", (name,), *entry) for entry in values.items())
    for name in sorted(names["header"]):
        before = b"dalgo_refresh=" if name == "cookie" else b""
        for kind, value in hostile.HEADERS.items():
            yield Attack("header", (name,), kind, before + value)
    if isinstance(good.body, str):
        yield from (Attack("body", ("people.csv",), *entry) for entry in hostile.FILENAMES.items())
    elif good.body is not None:
        for place in _places(good.body):
            yield from (Attack("body", place, *entry) for entry in hostile.JSON.items())


def _places(value: Any, place: Place = ()) -> Iterator[Place]:
    yield place
    if isinstance(value, dict | list):
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for key, entry in entries:
            yield from _places(entry, (*place, key))


def send(
    client: httpx.Client,
    operation_id: str,
    good: Good,
    known: Mapping[str, str],
    attack: Attack | None = None,
) -> httpx.Response:
    """Send the good request, with one value of it replaced."""
    operation = OPERATIONS[operation_id]
    known = {**known, "unique": os.urandom(6).hex()}
    path = {
        parameter["name"]: quote(
            _filled(good.path.get(parameter["name"], f"{{{parameter['name']}}}"), known), safe=""
        )
        for parameter in operation.definition.raw.get("parameters", ())
        if parameter["in"] == "path"
    }
    query = {name: quote(_filled(value, known), safe="") for name, value in good.query.items()}
    headers = {name.lower(): _filled(value, known).encode() for name, value in good.headers.items()}
    content = None if good.body is None else _text(good.body, known).encode()
    if attack is not None:
        where = {"path": path, "query": query, "header": headers}.get(attack.where)
        if where is not None:
            where[str(attack.place[0])] = attack.value
        else:
            content = _attacked(good, attack, known)
    if content is not None:
        headers["content-type"] = good.media_type.encode()
    url = operation.path.format(**path)
    if query:
        url += "?" + "&".join(f"{name}={value}" for name, value in query.items())
    return client.request(
        operation.method.upper(),
        url,
        headers=[(name.encode(), value) for name, value in headers.items()],
        content=content,
    )


_MARK = "here stands the attack"
_NAME = re.compile(r"\{([a-z_]+)\}")


def _filled(text: str, known: Mapping[str, str]) -> str:
    return _NAME.sub(lambda found: known[found.group(1)], text)


def _text(body: Any, known: Mapping[str, str]) -> str:
    return _filled(body if isinstance(body, str) else json.dumps(body), known)


def _attacked(good: Good, attack: Attack, known: Mapping[str, str]) -> bytes:
    if isinstance(attack.value, bytes):
        return _text(good.body, known).encode().replace(b"people.csv", attack.value)
    text = _text(_put(good.body, attack.place), known)
    return text.replace(f'"{_MARK}"', attack.value).encode()


def _put(value: Any, place: Place) -> Any:
    if not place:
        return _MARK
    first, *rest = place
    copied = value.copy()
    copied[first] = _put(value[first], tuple(rest))
    return copied
