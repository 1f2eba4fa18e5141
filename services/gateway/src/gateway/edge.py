"""What request handlers stand on: settings, connections, and who calls."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar, get_args

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from chassis.bus import Bus
from chassis.objects import Objects
from chassis.shares import Shares
from contracts.auth import Role
from contracts.message import Part
from contracts.message import Request as Message
from contracts.problem import problem
from gateway.auth import Caller, Verifier
from gateway.fanout import Fanout
from gateway.queue_room import QueueRoom
from gateway.quotas import Quotas
from gateway.request_rates import RequestRate
from gateway.settings import Settings
from gateway.unconfirmed import Unconfirmed

REPLY = TypeVar("REPLY", bound=Part)
Act = Literal["read", "run", "edit"]

_SCHEME = HTTPBearer(auto_error=False, description="The access token of a session.")
_NEEDED: dict[Act, Role] = {"read": "viewer", "run": "runner", "edit": "editor"}
"""The least role for each kind of act; every role includes the ones before it."""


@dataclass(frozen=True)
class Edge:
    """The gateway's settings and open connections, one for the process."""

    settings: Settings
    bus: Bus
    verifier: Verifier
    fanout: Fanout
    objects: Objects
    quotas: Quotas
    queue_room: QueueRoom
    requests: RequestRate
    """Of each organisation."""
    shares: Shares
    unconfirmed: Unconfirmed

    async def ask(self, caller: Caller, request: Message[REPLY], timeout: float = 10.0) -> REPLY:
        """Ask an owner in the caller's name; raises the owner's ProblemError, 503 or 504 (`Bus.ask`)."""
        return await self.bus.ask(
            request, org_id=caller.org_id, actor=caller.actor, timeout=timeout
        )

    async def ask_while_there(
        self, http: Request, caller: Caller, request: Message[REPLY], timeout: float
    ) -> REPLY:
        """Ask, and withdraw the question when the client goes away (then a 499 problem)."""
        asking = asyncio.create_task(self.ask(caller, request, timeout))
        leaving = asyncio.create_task(_leave(http))
        try:
            await asyncio.wait({asking, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise problem(499, "client_left", "The client closed the connection.")
            return asking.result()
        finally:
            asking.cancel()
            leaving.cancel()


async def _leave(http: Request) -> None:
    """Returns when the client has closed the connection."""
    while (await http.receive())["type"] != "http.disconnect":
        pass


def edge_of(request: Request) -> Edge:
    """The process's Edge, put there once its connections are open."""
    return request.app.state.edge


EdgeDep = Annotated[Edge, Depends(edge_of)]


async def _signed_in(
    edge: EdgeDep, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_SCHEME)]
) -> Caller:
    if given is None:
        raise problem(
            401, "not_signed_in", "Send an access token: 'Authorization: Bearer <token>'."
        )
    caller = await edge.verifier.verify(given.credentials)
    edge.requests.take(caller.org_id)
    return caller


SignedIn = Annotated[Caller, Depends(_signed_in)]


def require(caller: Caller, act: Act) -> None:
    """Raise ProblemError 403 when the caller's role does not include the act."""
    needed, roles = _NEEDED[act], get_args(Role)
    if roles.index(caller.role) < roles.index(needed):
        raise problem(
            403,
            "role_too_low",
            f"Your role '{caller.role}' may not do this: it takes '{needed}'. "
            "Ask an owner of your organisation.",
        )


def may(act: Act) -> Callable[[Caller], Awaitable[Caller]]:
    """A dependency that gives the caller whose role includes the act."""

    async def check(caller: SignedIn) -> Caller:
        require(caller, act)
        return caller

    return check


Reader = Annotated[Caller, Depends(may("read"))]
Runner = Annotated[Caller, Depends(may("run"))]
Editor = Annotated[Caller, Depends(may("edit"))]
