"""Answering `req.*`: FastStream subscribers that turn problems into answers."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import asyncpg
from faststream.nats import NatsBroker, NatsMessage, NatsResponse
from faststream.nats.security import (
    NatsCredentials,
    NatsNKey,
    NatsSecurity,
    NatsUserPassword,
)
from opentelemetry.trace import SpanKind

from chassis.bus import Line, connection_options, settle
from chassis.bus_login import BusLogin
from chassis.coalescing import Coalescing
from chassis.database import AWAY
from chassis.disk import full
from chassis.health import REQUEST_SECONDS
from chassis.settings import BusSettings
from chassis.shares import Share, Shares
from chassis.signs_of_life import AtWork
from chassis.telemetry import about, log, received, trace_id
from chassis.withdrawals import Withdrawals
from contracts.envelope import MalformedMessage, Meta, from_body, from_headers, to_body
from contracts.message import Answer, Part, Request
from contracts.problem import DATABASE_AWAY, Problem, ProblemError
from contracts.shares import REQUESTS

REQUEST = TypeVar("REQUEST", bound=Request[Any])

_TAKEN = 4096
"""Requests of one class that a replica has taken at once; how many it works on is their share's."""

MAX_REPLY = 900_000
"""Bytes; the server refuses messages of more than 1 MB."""


class Answers:
    """The requests that one service answers, over its own connection."""

    def __init__(self, settings: BusSettings, service: str, shares: Shares | None = None) -> None:
        self._shares = shares or Shares()
        self._at_work = AtWork()
        self._line = Line(on_reconnect=self._at_work.forget)
        options = connection_options(settings, service, self._line)
        self._service = service
        self._withdrawals = Withdrawals()
        self._coalescing = Coalescing()
        self._telling: asyncio.Task[None] | None = None
        # A message is passed on as it is: solving dependencies would take a thread for each.
        self.broker = NatsBroker(
            **options,
            security=_security(settings.nats_login),
            logger=None,
            apply_types=False,
            decoder=_as_it_is,
        )

    async def start(self) -> None:
        """Answer from now on; returns once the server knows, so that the next request is heard."""
        await self.broker.start()
        connection = await self.broker.connect()
        await connection.subscribe(f"stop.{self._service}.>", cb=self._withdrawals.hear)
        await settle(connection)
        telling = self._at_work.tell(connection, f"alive.{self._service}")
        self._telling = asyncio.create_task(telling)

    async def stop(self) -> None:
        """Finish the answers that were begun, then leave."""
        self._line.leaving = True
        self._shares.close()
        await self.broker.stop()
        if self._telling:
            self._telling.cancel()

    def answer(
        self, kind: type[REQUEST], handler: Callable[[REQUEST, Meta], Awaitable[Part]]
    ) -> None:
        """Answer a class of request; each goes to one replica."""
        own = kind.type_name() if kind.share is REQUESTS else None
        share = self._shares.of(kind.share, own)

        async def respond(message: NatsMessage) -> NatsResponse:
            with received(kind.type_name(), message.headers, SpanKind.SERVER):
                started = time.perf_counter()
                answer = await self._answer(kind, handler, share, message)
                outcome = answer.problem.code if answer.problem else "ok"
                seconds = time.perf_counter() - started
                REQUEST_SECONDS.labels(kind.type_name(), outcome).observe(seconds)
                return NatsResponse(_encode(answer))

        respond.__name__ = kind.__name__
        respond.__doc__ = kind.__doc__
        self.broker.subscriber(
            kind.subject(),
            queue=self._service,
            max_workers=_TAKEN,
            title=kind.__name__,
            description=kind.__doc__,
        )(respond)

    async def _coalesced(
        self,
        request: Request[Any],
        meta: Meta,
        body: bytes,
        begin: Callable[[], Awaitable[Part]],
    ) -> Part:
        asker = (request.type_name(), meta.org_id, meta.actor)
        view = getattr(request, "view", None)
        content = (*asker, hashlib.sha256(body).digest())
        return await self._coalescing.run(content, None if view is None else (*asker, view), begin)

    async def _answer(
        self,
        kind: type[REQUEST],
        handler: Callable[[REQUEST, Meta], Awaitable[Part]],
        share: Share,
        message: NatsMessage,
    ) -> Answer:
        try:
            meta = from_headers(message.headers, kind.subject())
            request = from_body(kind, message.body)
            begin = partial(_in_turn, share, handler, request, meta)
            if kind.coalesces:
                begin = partial(self._coalesced, request, meta, message.body, begin)
            with about(meta.org_id, request), self._at_work.on(str(meta.id)):
                if kind.withdrawable:
                    result = await self._withdrawals.watch(meta.id, begin)
                else:
                    result = await begin()
            return Answer(result=result)
        except ProblemError as error:
            return Answer(problem=error.problem)
        except MalformedMessage as error:
            return Answer(problem=_problem(422, "malformed_request", str(error)))
        except AWAY as error:
            log.warning("request_failed", request=kind.type_name(), error=str(error) or repr(error))
            if isinstance(error, asyncpg.DiskFullError):
                return Answer(problem=full().problem)
            return Answer(
                problem=_problem(
                    503, DATABASE_AWAY, "The database does not answer. Try again shortly."
                )
            )
        except Exception:
            log.exception("request_failed", request=kind.type_name())
            return Answer(
                problem=_problem(
                    500,
                    "internal",
                    f"Something went wrong on our side. Please report the trace id {trace_id()}.",
                )
            )


def _security(login: BusLogin) -> NatsSecurity | None:
    """The login of every other connection, in FastStream's words."""
    tls = login.tls()
    if login.user:
        return NatsUserPassword(login.user, login.password or "", ssl_context=tls)
    if login.creds_file:
        return NatsCredentials.from_file(login.creds_file, ssl_context=tls)
    if login.nkey_seed_file:
        return NatsNKey.from_file(login.nkey_seed_file, ssl_context=tls)
    return NatsSecurity(ssl_context=tls) if tls else None


async def _in_turn(
    share: Share,
    handler: Callable[[REQUEST, Meta], Awaitable[Part]],
    request: REQUEST,
    meta: Meta,
) -> Part:
    async with share.slot(request.holder(meta.org_id)):
        return await handler(request, meta)


async def _as_it_is(message: NatsMessage) -> NatsMessage:
    return message


def _problem(status: int, code: str, detail: str) -> Problem:
    titles = {422: "Does not fit", 503: "Not available", 500: "Internal error"}
    return Problem(
        title=titles[status], status=status, code=code, detail=detail, trace_id=trace_id()
    )


def _encode(answer: Answer) -> bytes:
    body = to_body(answer)
    if len(body) <= MAX_REPLY:
        return body
    return to_body(
        Answer(
            problem=_problem(
                422,
                "answer_too_large",
                f"The answer would be {len(body):,} bytes. Ask for fewer rows or columns.",
            )
        )
    )
