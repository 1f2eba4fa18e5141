"""HTTP as a careful client speaks it: asked again, with the same key, until there is an answer."""

import asyncio
import random
from typing import Any, Self

import httpx


class NotAnswered(Exception):
    """Nobody answered for too long: whether it was done is not known."""


class Client:
    """One organisation's owner, who asks any of the gateways."""

    def __init__(self, gateways: list[str], chance: random.Random) -> None:
        self._gateways = gateways
        self._chance = chance
        self._http = httpx.AsyncClient(timeout=20)
        self.asked_again = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def sign_up(self, name: str) -> str:
        """A new organisation; its id."""
        body = {
            "email": f"{name}@example.org",
            "password": "a long and quiet sentence",
            "organization_name": name,
        }
        session = (await self.ask("POST", "/auth/signup", json=body)).json()
        self._http.headers["Authorization"] = f"Bearer {session['access_token']}"
        return session["organization"]["id"]

    async def ask(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        accept: tuple[int, ...] = (),
        within: float = 180.0,
        **more: Any,
    ) -> httpx.Response:
        """The answer, whatever it takes; raises NotAnswered after `within` seconds.

        Statuses besides those of success are taken as an answer when `accept` says so, else raised.
        """
        headers = {"Idempotency-Key": key} if key else {}
        clock = asyncio.get_running_loop().time
        deadline = clock() + within
        while True:
            url = f"{self._chance.choice(self._gateways)}/api/v1{path}"
            try:
                answer = await self._http.request(method, url, headers=headers, **more)
            except httpx.TransportError as error:
                what = repr(error)
            else:
                if answer.status_code < 500:
                    if answer.status_code not in accept:
                        answer.raise_for_status()
                    return answer
                what = answer.text
            if clock() > deadline:
                raise NotAnswered(f"{method} {path}: {what}")
            self.asked_again += 1
            await asyncio.sleep(self._chance.uniform(0.1, 0.6))
