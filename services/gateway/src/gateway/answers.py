"""Headers of answers, as the OpenAPI document describes them."""

from typing import Any

_HEADERS: dict[str, dict[str, Any]] = {
    "ETag": {
        "description": "The revision, to be sent back in `If-Match`.",
        "required": True,
        "schema": {"type": "string", "pattern": r'^"[0-9]+"$'},
    },
    "Link": {
        "description": 'The next page, `rel="next"` (RFC 8288); absent on the last one.',
        "schema": {"type": "string", "pattern": r'^</api/v1/[^>]+>; rel="next"$'},
    },
    "Location": {
        "description": "The path of the new resource.",
        "required": True,
        "schema": {"type": "string", "pattern": "^/api/v1/"},
    },
    "Preference-Applied": {
        "description": "The part of `Prefer` that was honoured (RFC 7240).",
        "schema": {"type": "string", "pattern": "^wait=[0-9]+$"},
    },
    "Cache-Control": {
        "description": "How long the answer may be reused.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Content-Disposition": {
        "description": "The name of the file, where the answer is one.",
        "schema": {"type": "string", "pattern": "^attachment;"},
    },
    "Set-Cookie": {
        "description": "The refresh token, out of reach of scripts; empty when it is taken back.",
        "required": True,
        "schema": {"type": "string", "pattern": "^dalgo_refresh="},
    },
}


def sends(status: int, *names: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route whose answers with `status` have these headers."""
    return {status: {"headers": {name: _HEADERS[name] for name in names}}}
