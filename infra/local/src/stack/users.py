"""Users of the bus and their rights, as the contracts say."""

from collections.abc import Mapping

from contracts.streams import SERVICES, rights
from stack.nats import User

MIGRATOR = "migrator"


def bus_users(passwords: Mapping[str, str]) -> list[User]:
    """One user for each service with its rights, and the migrator, who makes the streams."""
    users = [
        User(
            entry.name,
            passwords[entry.name],
            rights(entry).publish,
            rights(entry).subscribe,
            allow_responses=True,
        )
        for entry in SERVICES
    ]
    return [*users, User(MIGRATOR, passwords[MIGRATOR], (">",), (">",))]
