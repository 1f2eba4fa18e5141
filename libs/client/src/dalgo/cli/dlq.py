"""`dalgo dlq`: messages that a service gave up, for the operator of the machine."""

import base64
import json
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from contracts.streams import SERVICES
from dalgo.cli import output
from dalgo.cli.machine import local_stack
from dalgo.cli.options import DataDir, Json

if TYPE_CHECKING:
    from dalgo.local import LocalStack
    from stack.operator import Letter

app = typer.Typer(no_args_is_help=True, help="Messages that a service gave up (dead letters).")


def _known(service: str | None) -> str | None:
    names = [entry.name for entry in SERVICES]
    if service is not None and service not in names:
        raise typer.BadParameter(f"There is no service '{service}'. Choose: {', '.join(names)}.")
    return service


Service = Annotated[str | None, typer.Option(help="Only those of this service.", callback=_known)]
Ids = Annotated[list[UUID] | None, typer.Argument(metavar="ID", show_default=False)]


@app.command("list")
def list_(
    service: Service = None,
    replayed: Annotated[
        bool, typer.Option("--replayed", help="Also those that were sent again.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The newest ones.")] = 100,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """List dead letters, the oldest first."""
    here = local_stack(data_dir)
    found = here.operate(lambda operator: operator.letters(service, replayed=replayed))
    shown = found[-limit:]
    if as_json:
        output.as_json(shown)
        return
    if not found:
        typer.echo("There are no dead letters.")
        return
    output.table(
        ("id", "service", "subject", "died", "deliveries", "organization", "replayed", "reason"),
        [
            (
                letter.id,
                letter.service,
                letter.subject,
                letter.died_at,
                letter.deliveries,
                letter.org_id,
                letter.replayed_at,
                letter.reason,
            )
            for letter in shown
        ],
    )
    if len(shown) < len(found):
        output.console(err=True).print(f"{len(shown):,} of {len(found):,} letters", style="dim")


@app.command()
def show(
    letter: Annotated[UUID, typer.Argument(metavar="ID")],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Show a dead letter with its headers and its body."""
    found, body = _one(local_stack(data_dir), letter)
    said = _readable(body)
    if as_json:
        output.as_json(found.model_dump(mode="json") | said)
        return
    facts = {
        "letter": found.id,
        "service": found.service,
        "stream": found.stream,
        "subject": found.subject,
        "reason": found.reason,
        "died": found.died_at,
        "deliveries": found.deliveries,
        "replayed": found.replayed_at,
    }
    for name, fact in facts.items():
        typer.echo(f"{name:<11} {output.cell(fact)}")
    typer.echo()
    output.table(("header", "value"), sorted(found.headers.items()))
    typer.echo()
    for content in said.values():
        whole = isinstance(content, str)
        typer.echo(content if whole else json.dumps(content, indent=2, ensure_ascii=False))


@app.command()
def replay(
    letters: Ids = None,
    every: Annotated[bool, typer.Option("--all", help="All that were not sent again yet.")] = False,
    service: Service = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also what was sent again before.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Send dead letters to their service again, once what killed them is mended."""
    here = local_stack(data_dir)
    chosen = _chosen(here, letters, every, service)

    def sent(letter: "Letter") -> None:
        typer.echo(f"{letter.id} sent to {letter.subject}")

    skipped = here.operate(lambda operator: operator.replay(chosen, sent, again=again))
    if skipped:
        raise output.Failure(
            f"{output.some(skipped, 'letter')} not sent: that was done before (what then died anew "
            "is a letter of its own). --again sends them all the same."
        )


@app.command()
def drop(
    letters: Ids = None,
    every: Annotated[bool, typer.Option("--all", help="All that were not sent again.")] = False,
    replayed: Annotated[bool, typer.Option("--replayed", help="All that were sent again.")] = False,
    service: Service = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Delete dead letters for good."""
    here = local_stack(data_dir)
    chosen = _chosen(here, letters, every, service, replayed=replayed)
    if not chosen:
        return
    what = output.some(len(chosen), "dead letter")
    if not yes:
        typer.confirm(f"Delete {what} for good?", abort=True, err=True)
    here.operate(lambda operator: operator.drop(chosen))
    typer.echo(f"{what} deleted.")


def _chosen(
    here: "LocalStack",
    ids: list[UUID] | None,
    every: bool,
    service: str | None,
    *,
    replayed: bool = False,
) -> "list[Letter]":
    """The letters named, or all of a kind; raises Failure for an id that is nobody's."""
    if ids and not (every or replayed or service):
        return [_one(here, letter)[0] for letter in dict.fromkeys(ids)]
    if ids or not (every or replayed):
        raise typer.BadParameter("Name letters by their ids, or say which: see --help.")
    found = here.operate(lambda operator: operator.letters(service, replayed=replayed))
    chosen = [letter for letter in found if every or letter.replayed_at]
    if not chosen:
        typer.echo("There are no such dead letters.")
    return chosen


def _one(here: "LocalStack", letter: UUID) -> "tuple[Letter, bytes]":
    found = here.operate(lambda operator: operator.letter(letter))
    if found is None:
        raise output.Failure(f"There is no dead letter {letter}. `dalgo dlq list` shows them.")
    return found


def _readable(body: bytes) -> dict[str, Any]:
    """The body as JSON, else as text, else in base64."""
    try:
        return {"body": json.loads(body)}
    except ValueError:
        pass
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}
