"""Logs as JSON lines and traces that cross the bus: one trace id from HTTP to SQL."""

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import orjson
import structlog
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    ParentBased,
    Sampler,
    SamplingResult,
)
from structlog.typing import EventDict, Processor, WrappedLogger

from chassis.settings import BusSettings

log: structlog.stdlib.BoundLogger = structlog.get_logger()
tracer = trace.get_tracer("dalgo")

_QUIET = {
    "uvicorn.error": logging.WARNING,  # the name of all that uvicorn says, its greetings included
    "faststream": logging.WARNING,
    "nats": logging.ERROR,
    "httpx": logging.WARNING,  # addresses of every call
}


class _Roots(Sampler):
    """Which spans begin a trace: those of work, not a statement or question of a loop that polls."""

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: trace.SpanKind | None = None,
        *given: Any,
        **named: Any,
    ) -> SamplingResult:
        """Drop a root span that only asks another process."""
        asks = kind in (trace.SpanKind.CLIENT, trace.SpanKind.PRODUCER)
        sampler = ALWAYS_OFF if asks else ALWAYS_ON
        return sampler.should_sample(parent_context, trace_id, name, kind, *given, **named)

    def get_description(self) -> str:
        """For the exporter."""
        return "DalgoRoots"


def _add_service(service: str) -> Processor:
    """Name the service in every line: not bound to a context, for requests begin in empty ones."""

    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault("service", service)
        return event

    return add


def _add_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = format(span.trace_id, "032x")
    return event


def _encode(_logger: WrappedLogger, _method: str, line: Any) -> bytes:
    """What the renderer of coloured text made, as the file takes it."""
    return line.encode()


def _decode(_logger: WrappedLogger, _method: str, line: Any) -> str:
    """What a renderer made, as the standard library's handlers take it."""
    return line.decode()


def configure(service: str, settings: BusSettings) -> None:
    """Set up logging and tracing of this process.

    Lines are JSON, but coloured text where a person looks on (stderr is a terminal). Spans go to
    OTEL_EXPORTER_OTLP_ENDPOINT when it is set; ids are made and passed on without it too.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_service(service),
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: Sequence[Processor] = (
        [structlog.dev.ConsoleRenderer(), _encode]
        if sys.stderr.isatty()
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(orjson.dumps)]
    )
    # Our own lines are written as they are: on their way through `logging` they take thrice as long.
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelName(settings.log_level)
        ),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *renderer,
                _decode,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)

    exports = settings.otel_exporter_otlp_endpoint is not None
    provider = TracerProvider(
        # Spans that nobody collects are ids and no more: a twentieth of a service's time.
        sampler=ParentBased(_Roots()) if exports else ALWAYS_OFF,
        resource=Resource.create({"service.name": service}),
    )
    if exports:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        # A span for every statement costs a tenth of a service's time, for nobody to see.
        AsyncPGInstrumentor().instrument()
    trace.set_tracer_provider(provider)


def carry() -> dict[str, str]:
    """Headers (`traceparent`) that carry the current span to whoever receives them."""
    headers: dict[str, str] = {}
    propagate.inject(headers)
    return headers


@contextmanager
def received(name: str, headers: Mapping[str, str] | None, kind: trace.SpanKind) -> Iterator[None]:
    """Run as part of the trace that the headers carry, in a span of the given name."""
    # In an empty context: what has no headers begins a trace, whatever trace is current.
    context = propagate.extract(dict(headers or {}), Context())
    with tracer.start_as_current_span(name, context=context, kind=kind):
        yield


@contextmanager
def continued(traceparent: str | None, name: str) -> Iterator[None]:
    """Go on with a trace that was kept as `traceparent`; without one, begin a trace."""
    headers = {"traceparent": traceparent} if traceparent else None
    with received(name, headers, trace.SpanKind.INTERNAL):
        yield


_NAMED = ("run_id", "step_id")
"""Fields of messages that their handlers' log lines bear."""


@contextmanager
def about(org_id: UUID | None, message: object = None, **fields: UUID) -> Iterator[None]:
    """Name in every log line of the block whose work it is, and what the message is about."""
    ids = {name: getattr(message, name, None) for name in _NAMED}
    named = {"org_id": org_id, **ids, **fields}
    said = {name: str(value) for name, value in named.items() if value is not None}
    with structlog.contextvars.bound_contextvars(**said):
        yield


def trace_id() -> str | None:
    """Id of the current trace, 32 hex digits; None outside any."""
    span = trace.get_current_span().get_span_context()
    return format(span.trace_id, "032x") if span.is_valid else None
