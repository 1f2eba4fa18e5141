"""What things are called in the warehouse: roles, schemas, live names and versions.

Every name is at most 63 bytes and in dlt's snake_case normal form, so that neither PostgreSQL nor
dlt ever changes one.
"""

import base64
import re
from datetime import datetime
from typing import Literal
from uuid import UUID

from chassis.names import prefix

TableKind = Literal["source", "transform"]

LOAD_ID = "_dlt_load_id"
"""The column of every ingested row that names its load; people do not see it."""

_LIVE_NAME = re.compile(r"(?:source|transform)_([0-9a-f]{32})")


def org_role(org_id: UUID) -> str:
    """The role that owns an organisation's schemas."""
    return f"{prefix()}_org_{org_id.hex}"


def reader_role(org_id: UUID) -> str:
    """The role that may read an organisation's live views, and nothing else."""
    return f"{org_role(org_id)}_reader"


def live_schema(org_id: UUID) -> str:
    """The schema of the live names: views over the published versions."""
    return f"org_{org_id.hex}"


def data_schema(org_id: UUID) -> str:
    """The schema of the versions: immutable tables."""
    return f"org_{org_id.hex}_data"


def landing_schema(org_id: UUID) -> str:
    """The schema that other systems fill through logins of their own."""
    return f"org_{org_id.hex}_landing"


def loader_role(org_id: UUID, source_id: UUID) -> str:
    """The login of the system that fills a source's table; the source's last 12 digits name it.

    They are random in every id that we make; all 32 would be more than a name may have.
    """
    return f"{prefix()}_loader_{org_id.hex}_{source_id.hex[-12:]}"


def live_name(kind: TableKind, table_id: UUID) -> str:
    """The name under which readers find a table, whatever its display name."""
    return f"{kind}_{table_id.hex}"


def table_id_of(name: str) -> UUID | None:
    """The table that a live name stands for; None when it is not a live name."""
    found = _LIVE_NAME.fullmatch(name)
    return UUID(hex=found.group(1)) if found else None


def version_relation(version_id: UUID) -> str:
    """The table of a version: `v_` and 26 characters.

    Base32 with the extended hex alphabet (RFC 4648 section 7) keeps the order of the bytes, so the
    tables of UUIDv7 versions sort by age.
    """
    text = base64.b32hexencode(version_id.bytes).decode()
    return f"v_{text.rstrip('=').lower()}"


def first_relation_of(moment: datetime) -> str:
    """A name before that of every version begun at this moment or later."""
    milliseconds = int(moment.timestamp() * 1000)
    return version_relation(UUID(int=milliseconds << 80))


def quoted(name: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def qualified(schema: str, relation: str) -> str:
    """A relation with its schema, both quoted."""
    return f"{quoted(schema)}.{quoted(relation)}"
