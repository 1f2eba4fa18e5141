"""Alive and ready; no part of the API that people program against."""

from functools import partial

from chassis.health import Health
from chassis.pulse import Pulse
from contracts.streams import READINESS
from gateway.edge import Edge
from gateway.owners import Owners


def checks(edge: Edge) -> Health:
    """What must stand for requests to be answered: the bus, keys that verify tokens, the owners."""
    health = Health()

    async def bus() -> None:
        if not edge.bus.is_connected:
            raise RuntimeError("not connected to NATS")

    health.add("bus", bus)
    health.add("store", Pulse(edge.bus).check)
    health.add("keys", edge.verifier.check)
    owners = Owners(edge.bus)
    for name in READINESS:
        health.add(name, partial(owners.check, name))
    return health
