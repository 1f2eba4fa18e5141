"""Whether a service is ready, as its owner answers the gateway."""

from contracts.message import Part


class Readiness(Part):
    """What each check of the replica that answers found: `ok`, or what is missing."""

    checks: dict[str, str]
