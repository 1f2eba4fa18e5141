"""A KoboToolbox server for tests: API v2 over real HTTP, as far as reading forms goes.

What it does is what is documented and seen: 100 submissions a page and 1000 at most
(community.kobotoolbox.org/t/74610), `query` and `sort` in MongoDB's words, `count` of what the
query finds, answers as strings under the question's path, unanswered questions absent, repeats
as lists, edits that leave `_id` and `_submission_time` alone, deletions without a trace.
"""

import asyncio
import json
import socket
import threading
import uuid
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

TOKEN = "3f1c0b7a9d5e4c2f8a6b1d0e9f7c5a3b2d4e6f80"
_OPERATORS = {
    "$gt": lambda value, other: value > other,
    "$gte": lambda value, other: value >= other,
    "$lt": lambda value, other: value < other,
    "$lte": lambda value, other: value <= other,
    "$ne": lambda value, other: value != other,
    "$in": lambda value, other: value in other,
}


@dataclass
class Asset:
    """A form with its submissions."""

    uid: str
    name: str
    content: dict[str, Any]
    asset_type: str = "survey"
    deployed: bool = True
    shared: bool = True
    submissions: dict[int, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Fault:
    """What the next call answers instead."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = '{"detail": "no"}'


class KoboServer:
    """The server; its methods do what people do in its pages."""

    def __init__(self) -> None:
        self.url = ""
        self.token = TOKEN
        self.assets: dict[str, Asset] = {}
        self.faults: deque[Fault | None] = deque()
        self.calls: list[str] = []
        """Path and query of every call, in order."""
        self.is_slow = False
        """Whether answers come as a byte now and then, and never end."""
        self.hidden: set[int] = set()
        """Submissions that are counted and not given, as when a database lags behind."""
        self._next_id = 1000
        self._clock = datetime(2026, 1, 1, 8, 0, tzinfo=UTC)
        self.app = Starlette(
            routes=[
                Route("/api/v2/assets/", self._list),
                Route("/api/v2/assets.json", self._list),
                Route("/api/v2/assets/{uid}.json", self._asset),
                Route("/api/v2/assets/{uid}/", self._asset),
                Route("/api/v2/assets/{uid}/data/", self._data),
                Route("/api/v2/assets/{uid}/data.json", self._data),
            ]
        )

    def add_form(self, name: str, content: dict[str, Any], **more: Any) -> Asset:
        """Deploy a form."""
        asset = Asset("a" + uuid.uuid4().hex[:21], name, content, **more)
        self.assets[asset.uid] = asset
        return asset

    def submit(self, asset: Asset, **answers: Any) -> int:
        """Take a submission; answers by path, with `__` for `/` where a keyword is used."""
        return self.submit_all(asset, {key.replace("__", "/"): one for key, one in answers.items()})

    def submit_all(self, asset: Asset, answers: Mapping[str, Any]) -> int:
        """Take a submission; answers by path."""
        self._next_id += 7
        self._clock += timedelta(minutes=1)
        identity = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{asset.uid}/{self._next_id}"))
        asset.submissions[self._next_id] = {
            "_id": self._next_id,
            "formhub/uuid": "f7bef041e8624f09946bff05ee5cbd4b",
            **_counted(asset, _stored(answers)),
            "__version__": "vLnrnT6Pvzgeh4DVfj6eDz",
            "meta/instanceID": f"uuid:{identity}",
            "_xform_id_string": asset.uid,
            "_uuid": identity,
            "_attachments": [],
            "_status": "submitted_via_web",
            "_geolocation": [None, None],
            "_submission_time": self._clock.strftime("%Y-%m-%dT%H:%M:%S"),
            "_tags": [],
            "_notes": [],
            "_validation_status": {},
            "_submitted_by": "asha",
        }
        return self._next_id

    def edit(self, asset: Asset, number: int, **answers: Any) -> None:
        """Change answers, None takes one away. `_id` and `_submission_time` stay."""
        kept = asset.submissions[number]
        given = {key.replace("__", "/"): one for key, one in answers.items()}
        old = kept["meta/instanceID"]
        kept["_uuid"] = str(uuid.uuid5(uuid.NAMESPACE_URL, old))
        kept |= {"meta/deprecatedID": old, "meta/instanceID": f"uuid:{kept['_uuid']}"}
        for path, answer in given.items():
            if answer is None:
                kept.pop(path, None)
        kept |= _counted(asset, _stored(given))

    def delete(self, asset: Asset, number: int) -> None:
        """Delete a submission."""
        del asset.submissions[number]

    def fail(self, status: int, times: int = 1, **headers: str) -> None:
        """Answer the next calls with an error."""
        named = {key.replace("_", "-"): one for key, one in headers.items()}
        self.faults.extend(Fault(status, named) for _ in range(times))

    def fail_after(self, calls: int, status: int, **headers: str) -> None:
        """Answer as many of the next calls as ever, and the one after them with an error."""
        self.faults.extend([None] * calls)
        self.fail(status, 1, **headers)

    def _refusal(self, request: Request) -> Response | None:
        self.calls.append(f"{request.url.path}?{request.url.query}")
        fault = self.faults.popleft() if self.faults else None
        if fault is not None:
            return Response(fault.body, fault.status, fault.headers, "application/json")
        if request.headers.get("Authorization") != f"Token {self.token}":
            return JSONResponse(
                {"detail": "Invalid token."}, 401, headers={"WWW-Authenticate": "Token"}
            )
        return None

    async def _list(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        if self.is_slow:
            return StreamingResponse(self._drip())
        found = [asset for asset in self.assets.values() if asset.shared]
        kind = request.query_params.get("q", "").partition("asset_type:")[2]
        if kind:
            found = [asset for asset in found if asset.asset_type == kind]
        limit = int(request.query_params.get("limit", 100))
        start = int(request.query_params.get("offset", 0))
        return self._paged(
            request, [self._described(asset) for asset in found], start, limit, "offset"
        )

    async def _asset(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        if self.is_slow:
            return StreamingResponse(self._drip())
        asset = self._found(request)
        if asset is None:
            return _not_found()
        return JSONResponse(self._described(asset) | {"content": asset.content})

    async def _drip(self) -> AsyncIterator[bytes]:
        while self.is_slow:
            yield b" "
            await asyncio.sleep(0.2)

    async def _data(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        if self.is_slow:
            return StreamingResponse(self._drip())
        asset = self._found(request)
        if asset is None:
            return _not_found()
        params = request.query_params
        try:
            query = json.loads(params.get("query", "{}"))
            sort = json.loads(params.get("sort", "{}"))
        except ValueError:
            return JSONResponse({"query": "Value must be valid JSON."}, 400)
        limit = min(int(params.get("limit", 100)), 1000)
        rows = [one for one in asset.submissions.values() if _matches(one, query)]
        for path, direction in reversed(sort.items()):
            rows.sort(key=lambda one, path=path: one[path], reverse=direction == -1)
        return self._paged(request, rows, int(params.get("start", 0)), limit, "start")

    def _paged(
        self, request: Request, rows: list[dict[str, Any]], start: int, limit: int, word: str
    ) -> Response:
        following = None
        if start + limit < len(rows):
            following = str(request.url.include_query_params(**{word: start + limit}))
        shown = rows[start : start + limit]
        return JSONResponse(
            {
                "count": len(rows),
                "next": following,
                "previous": None,
                "results": [one for one in shown if one.get("_id") not in self.hidden],
            }
        )

    def _found(self, request: Request) -> Asset | None:
        asset = self.assets.get(request.path_params["uid"])
        return asset if asset is not None and asset.shared else None

    def _described(self, asset: Asset) -> dict[str, Any]:
        return {
            "url": f"{self.url}/api/v2/assets/{asset.uid}.json",
            "data": f"{self.url}/api/v2/assets/{asset.uid}/data.json",
            "uid": asset.uid,
            "name": asset.name,
            "asset_type": asset.asset_type,
            "owner__username": "asha",
            "date_created": "2026-01-01T07:00:00.000000Z",
            "date_modified": "2026-01-01T07:30:00.000000Z",
            "version_id": "vLnrnT6Pvzgeh4DVfj6eDz",
            "has_deployment": asset.deployed,
            "deployment__submission_count": len(asset.submissions),
            "summary": {"geo": False},
        }


@contextmanager
def running() -> Iterator[KoboServer]:
    """The server on a free port of this machine, in a thread."""
    kobo = KoboServer()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        kobo.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = uvicorn.Config(kobo.app, log_level="critical", lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield kobo
        finally:
            kobo.is_slow = False
            server.should_exit = True
            thread.join(10)


def _stored(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Answers as the server keeps them: text from XML, the unanswered left out."""
    return {
        path: [_stored(one) for one in answer] if isinstance(answer, list) else str(answer)
        for path, answer in answers.items()
        if answer is not None
    }


def _counted(asset: Asset, answers: Mapping[str, Any]) -> dict[str, Any]:
    """With `<repeat>_count` before a repeat whose number the form computes."""
    computed = {
        row["name"]
        for row in asset.content["survey"]
        if row.get("repeat_count") and not row["repeat_count"].startswith("$")
    }
    found: dict[str, Any] = {}
    for path, answer in answers.items():
        if isinstance(answer, list) and path.rpartition("/")[2] in computed:
            found[f"{path}_count"] = str(len(answer))
        found[path] = answer
    return found


def _matches(row: Mapping[str, Any], query: Mapping[str, Any]) -> bool:
    for path, wanted in query.items():
        tests = wanted if isinstance(wanted, dict) else {"$in": [wanted]}
        for operator, other in tests.items():
            if path not in row or not _OPERATORS[operator](row[path], other):
                return False
    return True


def _not_found() -> Response:
    return JSONResponse({"detail": "Not found."}, 404)
