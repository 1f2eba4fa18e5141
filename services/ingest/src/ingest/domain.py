"""What follows from ingest's messages alone."""

from uuid import UUID

from contracts.envelope import Meta
from contracts.ingest import CsvConfig
from contracts.problem import problem
from ingest.dialect import CsvOptions


def organization_of(meta: Meta) -> UUID:
    """The organisation that a message is about; raises a 422 problem without one."""
    if meta.org_id is None:
        raise problem(422, "no_organization", f"{meta.type} names no organisation.")
    return meta.org_id


def options_of(config: CsvConfig) -> CsvOptions:
    """How a file is read, without which file it is."""
    return CsvOptions.model_validate(config.model_dump(exclude={"upload_id"}))


def upload_key(org_id: UUID, upload_id: UUID) -> str:
    """Where the gateway stores an upload."""
    return f"org/{org_id.hex}/uploads/{upload_id}"
