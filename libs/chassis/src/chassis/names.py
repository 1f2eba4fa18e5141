"""Names of an installation's schemas and roles: one server may hold several, and others' things.

Roles are known to all databases of a server, and a managed one has schemas of its own (`auth` of
Supabase). So all names begin with a prefix, which is one for a process: it is read from the environment
wherever a name is made. The schemas of organisations (`org_<hex>`) carry none.
"""

import os
import re

PREFIX = "DALGO_SCHEMA_PREFIX"
DEFAULT = "dalgo"
_PATTERN = re.compile(r"[a-z][a-z0-9]{0,9}")
"""Ten characters: a loader's login with it has the 63 bytes that a name may have. Without an
underscore no name of one prefix can be read as one of another."""
_PLACE = "${prefix}"


def prefix() -> str:
    """What the names begin with; raises ValueError for what PostgreSQL would not take as it is."""
    return checked(os.environ.get(PREFIX) or DEFAULT)


def checked(prefix: str) -> str:
    """The prefix itself, or ValueError."""
    if not _PATTERN.fullmatch(prefix):
        raise ValueError(
            f"{prefix!r} is no prefix: one to ten letters and digits in lower case, a letter first"
        )
    return prefix


def schema(name: str) -> str:
    """The schema of a service or library; a service's login role is called like its schema."""
    return f"{prefix()}_{name}"


def system_role(service: str) -> str:
    """The role that sees the rows of all organisations of a service."""
    return f"{schema(service)}_system"


def filled(template: str) -> str:
    """SQL in which `${prefix}` stood."""
    return template.replace(_PLACE, prefix())
