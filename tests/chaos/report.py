"""What a session came to, in words and as one line of JSON."""

import json
from collections.abc import Iterable

from .session import Outcome


def numbers(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """The last line: how much was asked, what went wrong, how often something was killed."""
    each = list(outcomes)
    return {
        "acknowledged": sum(len(one.history.acknowledged) for one in each),
        "lost": sum(len(one.verdict.lost) for one in each),
        "doubled": sum(len(one.verdict.doubled) for one in each),
        "mixed": sum(len(one.verdict.mixed) + len(one.seen.anomalies) for one in each),
        "stuck": sum(len(one.verdict.stuck) for one in each),
        "kills": sum(one.kills for one in each),
    }


def wrong(outcome: Outcome) -> list[str]:
    """Everything that should not be, one line each."""
    verdict, history = outcome.verdict, outcome.history
    said = [
        ("lost", verdict.lost),
        ("doubled", verdict.doubled),
        ("mixed", [*verdict.mixed, *outcome.seen.anomalies]),
        ("stuck", verdict.stuck),
        ("besides", verdict.other),
        ("failed", history.failures),
        ("not answered", history.unanswered),
        ("slow", history.slow),
        ("ended by itself", outcome.ground.deaths.by_themselves),
    ]
    return [f"{what}: {line}" for what, lines in said for line in lines]


def text(outcome: Outcome) -> str:
    """For people: what was done, and what came of it."""
    history, verdict, seen, plan = outcome.history, outcome.verdict, outcome.seen, outcome.plan
    deaths = outcome.ground.deaths
    told = ", ".join(f"{number} {what}" for what, number in sorted(history.told.items()))
    ended = ", ".join(f"{number} {what}" for what, number in sorted(verdict.ended.items()))
    server = "server" if plan.servers == 1 else "servers, streams of three replicas"
    lines = [
        (
            f"Seed {plan.seed}; {plan.organizations} organisations; {plan.servers} NATS {server}; "
            f"{outcome.seconds:.0f} s."
        ),
        (
            f"{len(history.acknowledged)} runs acknowledged in {verdict.attempts} attempts, of which ended: "
            f"{ended}. {told}."
        ),
        (
            f"{outcome.asked_again} requests had to be made again; runs that were silent for 30 s were "
            f"asked after {outcome.reminded} times."
        ),
        (
            f"Readers looked {seen.looks} times at all tables of a pipeline, and lost their connection "
            f"{seen.lost_connections} times."
        ),
        "",
        "| fault | times |",
        "|---|---|",
        *(f"| {kind} | {number} |" for kind, number in sorted(outcome.nemesis.done.items())),
        "",
    ]
    if deaths.points:
        lines += ["| a process died at | of | times |", "|---|---|---|"]
        lines += [
            f"| `{point}` | {service} | {number} |"
            for (service, point), number in sorted(deaths.points.items())
        ]
        lines.append("")
    if outcome.wanted and plan.servers == 1:
        missing = ", ".join(f"{point} of {service}" for service, point in outcome.wanted)
        lines += [f"No process died at {missing}.", ""]
    found = wrong(outcome)
    lines += [f"{len(found)} things are wrong:", *found] if found else ["Nothing is wrong."]
    return "\n".join(lines)


def last_line(outcomes: Iterable[Outcome]) -> str:
    """As JSON."""
    return json.dumps(numbers(outcomes))
