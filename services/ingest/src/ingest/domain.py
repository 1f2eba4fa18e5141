"""What follows from ingest's messages alone."""

from collections.abc import Iterable
from uuid import UUID

from chassis.errors import Reject
from contracts.envelope import MalformedMessage, Meta
from contracts.ingest import CONFIGS, SourceConfig, SourceType
from contracts.problem import ProblemError, problem


class NoOrganization(Reject, MalformedMessage):
    """A message that names no organisation: refused as a request, buried as a command."""


def organization_of(meta: Meta) -> UUID:
    """The organisation that a message is about; raises NoOrganization."""
    if meta.org_id is None:
        raise NoOrganization(f"{meta.type} names no organisation")
    return meta.org_id


def source_in_use(name: str, readers: Iterable[str], pipelines: Iterable[str]) -> ProblemError:
    """409: transformations read the source's table, or pipelines sync it; all are named."""
    users = [f"the transformation '{reader}'" for reader in readers]
    users += [f"the pipeline '{pipeline}'" for pipeline in pipelines]
    listed = " and ".join(filter(None, (", ".join(users[:-1]), users[-1])))
    detail = f"'{name}' is used by {listed}. Change or delete that first."
    return problem(409, "in_use", detail)


def type_of(config: SourceConfig) -> SourceType:
    """The type of source that a config is for."""
    return next(name for name, kind in CONFIGS.items() if type(config) is kind)


def upload_key(org_id: UUID, upload_id: UUID) -> str:
    """Where the gateway stores an upload."""
    return f"org/{org_id.hex}/uploads/{upload_id}"


def rejects_key(org_id: UUID, source_id: UUID) -> str:
    """Where ingest stores what the last load of a source set aside."""
    return f"org/{org_id.hex}/rejects/{source_id}.csv"
