"""The address of a KoboToolbox server, out of what people paste."""

from urllib.parse import urlsplit

from ingest.connectors import BadSource


def server_of(url: str) -> str:
    """The origin of an address as people paste it, with or without a page; raises BadSource."""
    given = url.strip()
    try:
        parts = urlsplit(given if "://" in given else f"https://{given}")
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        # What stands before an @ may be a password: it is not said again.
        shown = "The address" if "@" in given else repr(given[:200])
        raise BadSource(
            "bad_address",
            f"{shown} is no server's address. Write it like https://kf.kobotoolbox.org.",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")
