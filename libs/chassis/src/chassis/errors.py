"""The two ways a message handler may end other than well. A business failure is an event."""


class Retry(Exception):
    """Try this message again, `after` so many seconds, or each time later when there is none."""

    def __init__(self, reason: str, *, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Reject(Exception):
    """This message can never be handled: it goes to the dead letters with the reason."""
