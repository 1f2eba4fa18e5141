"""Python SDK and command line of Dalgo Lite."""

from dalgo.client import AsyncDalgo, Dalgo
from dalgo.errors import DalgoError, Unreachable
from dalgo.session import Session

__all__ = ["AsyncDalgo", "Dalgo", "DalgoError", "Session", "Unreachable"]
