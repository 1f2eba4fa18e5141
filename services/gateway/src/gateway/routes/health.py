"""Alive and ready; no part of the API that people program against."""

from chassis.health import Health
from chassis.pulse import Pulse
from gateway.edge import Edge


def checks(edge: Edge) -> Health:
    """What must stand for requests to be answered: the bus, and keys that verify tokens."""
    health = Health()

    async def bus() -> None:
        if not edge.bus.is_connected:
            raise RuntimeError("not connected to NATS")

    health.add("bus", bus)
    health.add("store", Pulse(edge.bus).check)
    health.add("keys", edge.verifier.check)
    return health
