"""`dalgo migrate`: the database alone, from the environment, for a job that runs before the services."""

from collections.abc import Mapping

from stack import addresses
from stack.access import migrator_url
from stack.errors import StackError
from stack.layout import Layout
from stack.prepare import PrepareDatabase, prepare_database
from stack.secrets import load
from stack.services import SPECS

PASSWORD = "DATABASE_PASSWORD_{}"  # noqa: S105 - the name of a variable
"""The variable with the password of a service's login, for its name in capitals."""


def passwords(layout: Layout, environ: Mapping[str, str]) -> dict[str, str]:
    """The password of each service's login: from the environment, else those of `dalgo up` here.

    Raises StackError with the variables that are not set where `dalgo up` has never run.
    """
    names = [spec.name for spec in SPECS if spec.database]
    found = {
        name: password for name in names if (password := environ.get(PASSWORD.format(name.upper())))
    }
    missing = [name for name in names if name not in found]
    if missing and layout.secrets.exists():
        kept = load(layout.secrets, [spec.name for spec in SPECS]).database
        found |= {name: kept[name] for name in missing}
    elif missing:
        variables = ", ".join(PASSWORD.format(name.upper()) for name in missing)
        raise StackError(
            f"{variables} not set: the passwords with which the services log in to the database. "
            "Set them to those in the services' DATABASE_URL, or give the --data-dir of a "
            "`dalgo up` that made them."
        )
    return found


async def migrate(
    layout: Layout, environ: Mapping[str, str], prepare: PrepareDatabase = prepare_database
) -> None:
    """Bring every schema to this program's version and set the logins; nothing when they are.

    Raises StackError when the database cannot be reached, or refuses.
    """
    given = addresses.given(environ)
    url = given.database_direct or given.database or migrator_url(layout)
    own = passwords(layout, environ)
    try:
        await prepare(url, own)
    except Exception as error:
        raise StackError(f"The database could not be prepared: {error or repr(error)}") from error
