"""A message is a class: kind, owner and subject follow from its base, module and name."""

import hashlib
import re
from collections.abc import Hashable, Iterator
from typing import Annotated, ClassVar, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, PlainSerializer, SecretStr, SerializationInfo

from contracts.problem import Problem
from contracts.shares import ANONYMOUS, REQUESTS, Slots

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_VERSION = re.compile(r"V(\d+)$")

REVEAL = {"reveal": True}
"""Serialisation context under which a Secret is written in clear: `req.*` and nothing else."""


def _conceal(secret: SecretStr, info: SerializationInfo) -> str:
    context = info.context
    revealed = isinstance(context, dict) and context.get("reveal") is True
    return secret.get_secret_value() if revealed else str(secret)


Secret = Annotated[SecretStr, PlainSerializer(_conceal, return_type=str)]
"""Text that logs, traces and golden files show as stars."""


class Part(BaseModel):
    """A piece of a message. Fields that a newer sender added are ignored (additive changes)."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Message(Part):
    """Base of commands, events and requests; the registry is filled as classes are defined."""

    kind: ClassVar[str] = ""
    owner: ClassVar[str] = ""
    """The service whose module defines the message."""
    token: ClassVar[str] = ""
    """Name and version as they stand in the subject: `source_synced.v1`."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: object) -> None:
        super().__pydantic_init_subclass__()
        generic = cls.__pydantic_generic_metadata__
        if generic["origin"] is not None or cls.__module__ == __name__:
            return
        version = _VERSION.search(cls.__name__)
        bare = _VERSION.sub("", cls.__name__)
        cls.owner = cls.__module__.rpartition(".")[2]
        cls.token = f"{_WORD.sub('_', bare).lower()}.v{version.group(1) if version else 1}"
        known = _REGISTRY.setdefault(cls.type_name(), cls)
        if known is not cls:
            raise TypeError(f"{cls.type_name()} is defined twice: {known!r} and {cls!r}")

    @classmethod
    def type_name(cls) -> str:
        """The CloudEvents type: `cmd.ingest.sync_source.v1`."""
        return f"{cls.kind}.{cls.owner}.{cls.token}"

    def digest(self, *, without: frozenset[str] = frozenset()) -> str:
        """SHA-256 (hex) of the message's content, secrets concealed: is a repeat the same?"""
        content = self.model_dump_json(exclude=set(without))
        return hashlib.sha256(content.encode()).hexdigest()


_REGISTRY: dict[str, type[Message]] = {}


class Command(Message):
    """Do this, durably. One owner handles it; sent to the work-queue stream CMD."""

    kind: ClassVar[str] = "cmd"

    @classmethod
    def subject(cls) -> str:
        """Where the command is published: `cmd.<owner>.<name>.v1`."""
        return cls.type_name()


class Event(Message):
    """This happened. Published by its owner for whoever cares, kept in the stream EVT."""

    kind: ClassVar[str] = "evt"

    @classmethod
    def subject(cls, org_id: UUID | None) -> str:
        """Where the event is published; events of no organisation say `system`."""
        return f"evt.{org_id.hex if org_id else 'system'}.{cls.owner}.{cls.token}"

    @classmethod
    def pattern(cls) -> str:
        """The subject with a wildcard for the organisation, to subscribe."""
        return f"evt.*.{cls.owner}.{cls.token}"


class Outside(Event):
    """Told from outside, to nobody in particular: type and subject are the class's words with dots.

    `SourceSynced` is the CloudEvents type `source.synced`, on `ext.<org>.source.synced` in the stream
    EXT. Its sender makes no promise of versions, so none stands there.
    """

    kind: ClassVar[str] = "ext"

    @classmethod
    def type_name(cls) -> str:
        """The type under which the message is kept on the bus: `ext.source.synced`."""
        return f"{cls.kind}.{cls.outside_type()}"

    @classmethod
    def outside_type(cls) -> str:
        """The CloudEvents type that other systems give: `source.synced`."""
        return cls.token.rpartition(".v")[0].replace("_", ".")

    @classmethod
    def subject(cls, org_id: UUID | None) -> str:
        """Where the gateway publishes it; nothing from outside is of no organisation."""
        if org_id is None:
            raise ValueError(f"{cls.type_name()} names no organisation")
        return cls.subject_of(org_id, cls.outside_type())

    @staticmethod
    def subject_of(org_id: UUID, outside_type: str) -> str:
        """Where a type is published, one that no class stands for too."""
        return f"ext.{org_id.hex}.{outside_type}"

    @classmethod
    def pattern(cls) -> str:
        """The subject with a wildcard for the organisation, to subscribe."""
        return f"ext.*.{cls.outside_type()}"


R = TypeVar("R", bound=Part)


class Request(Message, Generic[R]):
    """Ask, answered now, never stored. `Request[Reply]` names the type of the answer."""

    kind: ClassVar[str] = "req"
    withdrawable: ClassVar[bool] = False
    """Whether the work ends at once when nobody waits for the answer any more: for long reads."""
    coalesces: ClassVar[bool] = False
    """Whether equal requests of one actor that are under way together share one answer: for reads.

    Where such a class has a field `view`, a newer request of the actor for the same view ends an
    older one with 409 `superseded`."""
    share: ClassVar[Slots] = REQUESTS
    """Slots in which the owner's replicas answer; of REQUESTS every class has a set of its own."""

    @classmethod
    def subject(cls) -> str:
        """Where the request is sent: `req.<owner>.<name>.v1`."""
        return cls.type_name()

    @classmethod
    def withdrawal(cls) -> str:
        """Where who asked says to every replica, by the message's id, that nobody waits for it."""
        return f"stop.{cls.owner}.{cls.token}"

    @classmethod
    def sign_of_life(cls) -> str:
        """Where the owner's replicas say, by their ids, which requests they still work on."""
        return f"alive.{cls.owner}"

    @classmethod
    def reply_type(cls) -> type[Part]:
        """The class between the brackets of `Request[...]`."""
        for base in cls.__mro__:
            arguments = getattr(base, "__pydantic_generic_metadata__", {}).get("args", ())
            if arguments:
                return arguments[0]
        raise TypeError(f"{cls.__name__} does not say what answers it: Request[Reply]")

    def holder(self, org_id: UUID | None, /) -> Hashable | None:
        """What the slots are shared by: the organisation of the envelope."""
        return org_id


class Anonymous(Request[R], Generic[R]):
    """A request that needs no session; its slots are shared by network addresses."""

    share: ClassVar[Slots] = ANONYMOUS
    address: str | None = None
    """The client's network address, of IPv6 its /64, as the gateway sees it."""

    def holder(self, _: UUID | None, /) -> Hashable | None:
        """The address; what comes from none is bounded by the total alone."""
        return self.address


class Done(Part):
    """The answer that says no more than: it is done."""


class Answer(Part):
    """What goes back over the wire: either the result's JSON or a problem."""

    result: object = None
    problem: Problem | None = None
    truncated: bool = False


def registered() -> Iterator[type[Message]]:
    """Every message class that has been imported, by type name."""
    yield from (_REGISTRY[name] for name in sorted(_REGISTRY))


def lookup(type_name: str) -> type[Message] | None:
    """The class of a CloudEvents type, None when this version does not know it."""
    return _REGISTRY.get(type_name)
