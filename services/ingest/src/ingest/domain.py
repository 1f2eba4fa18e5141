"""What follows from ingest's messages alone."""

from uuid import UUID

from chassis.errors import Reject
from contracts.envelope import MalformedMessage, Meta
from contracts.ingest import CsvConfig
from ingest.dialect import CsvOptions


class NoOrganization(Reject, MalformedMessage):
    """A message that names no organisation: refused as a request, buried as a command."""


def organization_of(meta: Meta) -> UUID:
    """The organisation that a message is about; raises NoOrganization."""
    if meta.org_id is None:
        raise NoOrganization(f"{meta.type} names no organisation")
    return meta.org_id


def options_of(config: CsvConfig) -> CsvOptions:
    """How a file is read, without which file it is."""
    return CsvOptions.model_validate(config.model_dump(exclude={"upload_id"}))


def upload_key(org_id: UUID, upload_id: UUID) -> str:
    """Where the gateway stores an upload."""
    return f"org/{org_id.hex}/uploads/{upload_id}"
