"""What a database and a bus need before the services start: migrations and streams."""

from collections.abc import Awaitable, Callable, Mapping

PrepareDatabase = Callable[[str, Mapping[str, str]], Awaitable[None]]
"""Given the migrator's URL and the password of each service's login role."""
PrepareBus = Callable[[str, str | None, str | None, int], Awaitable[None]]
"""Given the servers' URLs, user and password of who may create streams, and how many keep each."""

# Imported where they are needed: meanwhile the servers start.


async def prepare_database(migrator_url: str, passwords: Mapping[str, str]) -> None:
    """Bring every schema to its newest version and set the services' passwords."""
    from chassis.migrations import Target, migrate

    owners = [Target(name, password) for name, password in passwords.items()]
    await migrate(migrator_url, [*owners, Target("warehouse", None)])


async def prepare_bus(url: str, user: str | None, password: str | None, replicas: int = 1) -> None:
    """Make streams and consumers what the contracts say."""
    import nats

    from chassis.settings import servers_of
    from chassis.streams import apply

    connection = await nats.connect(servers_of(url), user=user, password=password)
    try:
        await apply(connection.jetstream(), replicas=replicas)
    finally:
        await connection.close()
