"""One HTTP GET on the loopback, past any proxy of the environment."""

import http.client
from dataclasses import dataclass

from stack.ports import LOOPBACK


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 when nothing did, the reason is in `body`."""

    status: int
    body: str


def get(port: int, path: str, *, timeout: float) -> Answer:
    """Ask `http://127.0.0.1:<port><path>`; never raises for a server that is not there."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return Answer(response.status, response.read(65_536).decode(errors="replace"))
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, str(error) or repr(error))
    finally:
        connection.close()
