"""What KoboToolbox tells (API v2): forms, a form's definition, its submissions page by page.

https://support.kobotoolbox.org/api.html. Since 2026 an answer has 100 submissions unless `limit`
says more, and 1000 at most.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Self

from pydantic import SecretStr

from contracts.ingest import Form
from ingest.connectors import BadSource, Unavailable
from ingest.connectors.kobo.http import Patience, Server

PAGE = 1000
"""The most submissions that a server gives at once."""
FORMS = 100
_FORM_ID = re.compile(r"[A-Za-z0-9]{1,64}")

Submission = dict[str, Any]


class KoboClient:
    """One account on one server. Every call raises BadSource and Unavailable.

    `allowed` are origins that an operator exempts from the rule of public addresses.
    """

    def __init__(
        self,
        server_url: str,
        api_token: SecretStr,
        *,
        allowed: Collection[str] = (),
        patience: Patience | None = None,
    ) -> None:
        self._server = Server(
            server_url, api_token, allowed=allowed, patience=patience or Patience()
        )

    @property
    def origin(self) -> str:
        """The server's address, without a page."""
        return self._server.origin

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def forms(self) -> Iterator[Form]:
        """The deployed forms of the account, as the server orders them."""
        offset = 0
        while True:
            said = self._page(
                "assets/", {"q": "asset_type:survey", "limit": FORMS, "offset": offset}
            )
            for asset in said["results"]:
                if asset.get("asset_type") == "survey" and asset.get("has_deployment"):
                    yield Form(
                        form_id=asset["uid"],
                        name=asset.get("name") or asset["uid"],
                        submissions=asset.get("deployment__submission_count") or 0,
                    )
            offset += len(said["results"])
            # The link itself is not followed: behind proxies it names other schemes and hosts.
            if not said.get("next") or not said["results"]:
                return

    def definition(self, form_id: str) -> Mapping[str, Any]:
        """The form as `/assets/{uid}/` describes it; its questions are under `content`."""
        asset = self._server.get(f"assets/{_safe(form_id)}/", {}, form_id)
        if not isinstance(asset, dict) or not isinstance(asset.get("content"), dict):
            raise self._server.not_kobo()
        if asset.get("asset_type", "survey") != "survey":
            raise BadSource(
                "no_form",
                f"'{asset.get('name') or form_id}' is a {asset['asset_type']} of the library and "
                "no form. Choose a deployed form.",
            )
        return asset

    def submissions(
        self, form_id: str, after: int = 0, page_size: int = PAGE
    ) -> Iterator[list[Submission]]:
        """All submissions with an `_id` above `after`, by rising `_id`, a page at a time.

        Pages are cut by `_id`, not by position: what is added or deleted meanwhile moves nothing.
        Raises Unavailable when the server counts more than it gives.
        """
        last = after
        while True:
            said = self._data(form_id, {"_id": {"$gt": last}}, page_size)
            page, left = said["results"], said.get("count")
            for submission in page:
                number = submission.get("_id") if isinstance(submission, dict) else None
                if not isinstance(number, int) or number <= last:
                    raise BadSource(
                        "unordered",
                        f"{self._server.host} does not give submissions by rising _id. Update the "
                        "server, or upload an export as CSV.",
                    )
                last = number
            if page:
                yield page
            elif left:
                raise Unavailable(
                    "incomplete",
                    f"{self._server.host} counts {left} submissions more and gives none.",
                )
            if not page or left == len(page):
                return

    def _data(self, form_id: str, query: Mapping[str, Any], limit: int) -> dict[str, Any]:
        asked = {"query": json.dumps(query), "sort": '{"_id": 1}', "limit": limit}
        return self._page(f"assets/{_safe(form_id)}/data/", asked, form_id)

    def _page(
        self, path: str, asked: Mapping[str, str | int], form_id: str | None = None
    ) -> dict[str, Any]:
        said = self._server.get(path, asked, form_id)
        if not isinstance(said, dict) or not isinstance(said.get("results"), list):
            raise self._server.not_kobo()
        return said


def _safe(form_id: str) -> str:
    if not _FORM_ID.fullmatch(form_id):
        raise BadSource(
            "bad_form_id",
            f"{form_id[:64]!r} is no form's id: it is the part after /forms/ in the form's "
            "address, letters and digits only.",
        )
    return form_id
