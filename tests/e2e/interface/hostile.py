"""Values that broke something once, for every place of a request."""

import base64
from urllib.parse import quote

HUGE = str(2**70)
DIGITS = "9" * 5_000
BRACKETS = "[" * 9_000
EARLIEST = "0001-01-01T00:00:00+14:00"
LATEST = "9999-12-31T23:59:59-14:00"

TEXTS = ["\x00", "a\x00b", "\x1b[2J", "\u2028", DIGITS, BRACKETS, EARLIEST, LATEST, HUGE, "-1"]
"""What generated strings are replaced by now and then. Half surrogates are no value of their own
in the tools that generate; they stand in what follows."""

JSON = {
    "NUL": '"a\\u0000b"',
    "half a surrogate pair": '"\\ud800"',
    "control character": '"\\u001b[2J"',
    "NUL in a name": '{"a\\u0000b": 1}',
    "9,000 brackets": BRACKETS + "]" * 9_000,
    "9,000 braces": '{"a":' * 9_000 + "1" + "}" * 9_000,
    "2^70": HUGE,
    "5,000 digits": DIGITS,
    "2^63": str(2**63),
    "-(2^70)": "-" + HUGE,
    "infinite": "1e400",
    "no number": "NaN",
    "long text": '"' + "x" * 100_000 + '"',
    "the earliest time": f'"{EARLIEST}"',
    "the latest time": f'"{LATEST}"',
    "null": "null",
    "a list": "[null]",
}
"""In place of any value of a JSON body, as it is sent."""

ADDRESS = {
    "NUL": "%00",
    "NUL within": "a%00b",
    "half a surrogate pair": "%ED%A0%80",
    "no UTF-8": "%FF",
    "a slash in two bytes": "%C0%AF",
    "another folder": "..%2F..",
    "right to left": "%E2%80%AE",
    "control character": "%1B%5B2J",
    "9,000 brackets": "%5B" * 9_000,
    "2^70": HUGE,
    "5,000 digits": DIGITS,
    "negative": "-1",
    "the earliest time": quote(EARLIEST, safe=""),
    "the latest time": quote(LATEST, safe=""),
    "empty": "",
}
"""In place of a part of the path or a parameter of the query, percent-encoded."""

FILTERS = {
    "brackets within": quote('{"all":' + BRACKETS + "]" * 9_000 + "}", safe=""),
    "NUL within": quote('{"column":"a\\u0000","operator":"is_null"}', safe=""),
    "surrogate within": quote('{"column":"name","operator":"equals","value":"\\ud800"}', safe=""),
    "2^70 within": quote('{"column":"age","operator":"equals","value":' + HUGE + "}", safe=""),
    "infinite within": quote('{"column":"age","operator":"equals","value":1e400}', safe=""),
}
"""In place of a parameter that holds JSON."""

_ID = "018f3c1e-0000-7000-8000-000000000000"
CURSORS = {
    key: base64.urlsafe_b64encode(key.encode()).rstrip(b"=").decode()
    for key in (
        "null",
        "[]",
        "{}",
        "[1]",
        "[null]",
        '["a\\u0000b"]',
        f'["a\\u0000b","{_ID}"]',
        f'["\\ud800","{_ID}"]',
        '["name","no id"]',
        f'["{EARLIEST}","{_ID}"]',
        f'["{LATEST}","{_ID}"]',
        f'["99999999999","{_ID}"]',
        '["99999999999"]',
        f'["name",["{_ID}"]]',
        "[" * 700,
    )
}
"""In place of a cursor."""

HEADERS: dict[str, bytes] = {
    "tag of 2^70": f'"{HUGE}"'.encode(),
    "weak tag of 2^70": f'W/"{HUGE}"'.encode(),
    "tag of 5,000 digits": f'"{DIGITS}"'.encode(),
    "wait of 5,000 digits": b"wait=" + DIGITS.encode(),
    "negative wait": b"wait=-1",
    "9,000 brackets": BRACKETS.encode(),
    "2^70": HUGE.encode(),
    "half a surrogate pair": b"\xed\xa0\x80",
    "no UTF-8": b"\xff\xfe",
    "percent-encoded NUL": b"%00",
    "negative": b"-1",
    "empty": b"",
}
"""In place of a header's value; a server of HTTP refuses NUL and line ends in it by itself."""

FILENAMES: dict[str, bytes] = {
    "NUL": b"a\x00b.csv",
    "half a surrogate pair": b"\xed\xa0\x80.csv",
    "no UTF-8": b"\xff\xfe.csv",
    "control character": b"\x1b[2J.csv",
    "9,000 brackets": BRACKETS.encode(),
    "another folder": b"../../people.csv",
    "empty": b"",
}
"""In place of the name of an uploaded file."""

TOKENS = (
    None,
    b"Bearer",
    b"Bearer \xff\xfe",
    b"Bearer a.b.c",
    b"Bearer " + BRACKETS[:4_000].encode(),
    b"Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.",
    b"Basic b3duZXI6b3duZXI=",
)
"""In place of an access token: none of them opens anything."""
