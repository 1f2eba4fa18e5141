"""Many requests of one operation, each answer held against the document."""

from itertools import islice
from typing import Any

import httpx
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.generation.case import Case
from schemathesis.generation.drivers import CoverageGenerator
from schemathesis.generation.feedback import NO_FEEDBACK
from schemathesis.generation.overrides import Override

from .document import CHECKS, OPERATIONS, schema
from .good import good_requests
from .requests import Attack, attacks, send


def check(operation_id: str, response: httpx.Response) -> None:
    """Hold an answer against the document. What was refused for its rate was no test."""
    assert response.status_code != 429, response.text
    operation = OPERATIONS[operation_id]
    parameters = operation.definition.raw.get("parameters", ())
    path = {each["name"]: "-" for each in parameters if each["in"] == "path"}
    operation.Case(path_parameters=path).validate_response(response, checks=CHECKS)


def faults_of(
    operation_id: str, client: httpx.Client, known: dict[str, str], *kinds: str
) -> list[str]:
    """Send every hostile value, or those kinds, at every place; the answers that may not be."""
    found: dict[Attack, str] = {}
    checked: set[object] = set()
    for good in good_requests(operation_id):
        for attack in attacks(operation_id, good):
            if kinds and attack.kind not in kinds:
                continue
            try:
                response = send(client, operation_id, good, known, attack)
                if (form := form_of(response)) is None or form not in checked:
                    check(operation_id, response)
                    checked.add(form)
            except (Exception, FailureGroup) as error:
                said = error.exceptions if isinstance(error, FailureGroup) else [error]
                found[attack] = " ".join(str(each) for each in said)
    return [
        f"{attack.kind} in {attack.where} {'.'.join(map(str, attack.place))}: {error}"
        for attack, error in found.items()
    ]


def form_of(response: httpx.Response) -> object:
    """What two refusals have in common that the document tells apart from others; None of others."""
    if not 400 <= response.status_code < 500:
        return None
    content = response.json()
    fields = frozenset(name for entry in content["errors"] for name in entry)
    return response.status_code, frozenset(response.headers), frozenset(content), fields


def at_bounds(operation_id: str, count: int) -> list[Any]:
    """An even choice of the requests that schemathesis makes of an operation's bounds."""
    operation = OPERATIONS[operation_id]
    made = CoverageGenerator(
        operation=operation,
        generation_modes=list(GenerationMode),
        generation_config=schema.config.generation_for(operation=operation, phase="coverage"),
        auth_storage=None,
        override=Override(),
        feedback=NO_FEEDBACK,
    )
    # There are tens of thousands for a recipe.
    cases = list(islice(made, count * 10))
    return cases[:: max(1, len(cases) // count)]


def generated(operation_id: str) -> st.SearchStrategy[Case]:
    """Requests that fit the document, and such as do not."""
    operation = OPERATIONS[operation_id]
    return st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode))
