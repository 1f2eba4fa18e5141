"""A form as KoboToolbox describes it: groups, two languages, choices, repeats inside repeats."""

from typing import Any

LANGUAGES = ["English (en)", "हिन्दी (hi)"]


def question(kind: str, name: str, *labels: str | None, **more: Any) -> dict[str, Any]:
    """A row of the survey; the server adds more, which nobody reads here."""
    said: dict[str, Any] = {"type": kind, "name": name, "$autoname": name, "$kuid": f"k{name}"}
    return said | ({"label": list(labels)} if labels else {}) | more


def choice(listed: str, name: str, *labels: str | None) -> dict[str, Any]:
    """A row of the choices."""
    return {"list_name": listed, "name": name, "label": list(labels)}


CONTENT: dict[str, Any] = {
    "schema": "1",
    "survey": [
        question("start", "start"),
        question("end", "end"),
        question("note", "welcome", "Welcome", "नमस्ते"),
        question("text", "village", "Village", "गाँव"),
        question("begin_group", "head", "Head of the household", "मुखिया"),
        question("text", "name", "Name", "नाम"),
        question("integer", "age", "Age", "आयु"),
        question("select_one", "sex", "Sex", "लिंग", select_from_list_name="sex"),
        question("end_group", ""),
        question(
            "select_multiple", "water", "Sources of water", None, select_from_list_name="water"
        ),
        question("decimal", "income", "Monthly income", "मासिक आय"),
        question("date", "visited", "Date of the visit", "तारीख"),
        question("geopoint", "place", "Where is it?", "कहाँ?"),
        question("calculate", "score"),
        question("begin_repeat", "members", "Members", "सदस्य", repeat_count="1 + 1"),
        question("text", "name", "Name", "नाम"),
        question("integer", "age", "Age", "आयु"),
        question("begin_repeat", "visits", "Visits to the clinic", "क्लिनिक"),
        question("date", "on", "Date", "तारीख"),
        question("end_repeat", ""),
        question("end_repeat", ""),
    ],
    "choices": [
        choice("sex", "f", "Female", "महिला"),
        choice("sex", "m", "Male", "पुरुष"),
        choice("water", "tap", "Tap in the house", "नल"),
        choice("water", "well", "Well", None),
        choice("water", "bore", "Well", "बोरवेल"),
        choice("water", "x", " ", None),
    ],
    "settings": {},
    "translated": ["label"],
    "translations": LANGUAGES,
}

ANSWERS: dict[str, Any] = {
    "start": "2026-01-05T10:00:00.123+05:30",
    "end": "2026-01-05T10:20:00.000+05:30",
    "village": "रामपुर",
    "head/name": 'Sita, of "Rampur"\nsecond line',
    "head/age": 41,
    "head/sex": "f",
    "water": "tap well",
    "income": "1200.50",
    "visited": "2026-01-05",
    "place": "25.59 85.13 53.2 4.9",
    "score": "007",
    "members": [
        {
            "members/name": "Gita",
            "members/age": 12,
            "members/visits": [
                {"members/visits/on": "2025-11-01"},
                {"members/visits/on": "2025-12-01"},
            ],
        },
        {"members/name": "Ravi"},
    ],
}
