"""What follows from ingest's messages alone."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from chassis.errors import Reject
from contracts.envelope import MalformedMessage, Meta
from contracts.ingest import CONFIGS, KoboConfig, Source, SourceConfig, SourceType
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
    detail = f"'{name}' is used by {listed(users)}. Change or delete that first."
    return problem(409, "in_use", detail)


def not_deleting(source: Source) -> Source:
    """The source; raises a 409 problem while it is being deleted."""
    if source.status == "deleting":
        raise problem(409, "being_deleted", f"The source '{source.name}' is being deleted.")
    return source


def listed(words: Sequence[str]) -> str:
    """Words in a sentence: `a, b and c`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def type_of(config: SourceConfig) -> SourceType:
    """The type of source that a config is for."""
    return next(name for name, kind in CONFIGS.items() if type(config) is kind)


def is_elsewhere(old: SourceConfig, new: SourceConfig) -> bool:
    """Whether a config names another server than the one for which the old one's secrets were given.

    To that server they must not go: whoever may change a source may not thereby read its token.
    """
    if isinstance(old, KoboConfig) and isinstance(new, KoboConfig):
        return old.server_url.strip() != new.server_url.strip()
    return False


def upload_key(org_id: UUID, upload_id: UUID) -> str:
    """Where the gateway stores an upload."""
    return f"org/{org_id.hex}/uploads/{upload_id}"


def rejects_key(org_id: UUID, source_id: UUID) -> str:
    """Where ingest stores what the last load of a source set aside."""
    return f"org/{org_id.hex}/rejects/{source_id}.csv"


def stamps_prefix(org_id: UUID, source_id: UUID) -> str:
    """Below which the stamps of a form's versions lie."""
    return f"org/{org_id.hex}/stamps/{source_id}"


def stamps_key(org_id: UUID, source_id: UUID, version_id: UUID) -> str:
    """Where the stamps of one version of a form lie."""
    return f"{stamps_prefix(org_id, source_id)}/{version_id}"
