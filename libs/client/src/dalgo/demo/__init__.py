"""The main job from sign-up to result: two files, two recipes, one pipeline, one run."""

import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from rich.console import Console
from rich.text import Text

from contracts.orchestrator import Run
from contracts.transform import PreviewPage
from dalgo.cli.follow import show
from dalgo.client import Dalgo
from dalgo.demo import data
from dalgo.errors import DalgoError
from dalgo.models import Source

RESULT = "region_years"
"""Name of the table that the demo makes."""


@dataclass(frozen=True)
class DemoResult:
    """What the demo made, and who owns it."""

    run: Run
    page: PreviewPage
    """All rows of the result: un_region, year, population, life_expectancy, gdp."""
    email: str
    password: str


def run(dalgo: Dalgo, console: Console) -> DemoResult:
    """Do the main job as a new user, telling each thing as it is done.

    Raises DalgoError with the problem of what failed: a call, or the run.
    """
    steps = _Steps(console)
    email, password = f"demo+{secrets.token_hex(4)}@example.org", secrets.token_urlsafe(12)
    _sign_up(dalgo, email, password)
    steps.done(f"signed up as {email}")
    sources = [
        _source(dalgo, steps, "gapminder", data.gapminder()),
        _source(dalgo, steps, "countries", data.countries()),
    ]
    recipes = [
        _recipe(dalgo, steps, "country_years", "countries of each year with their UN region"),
        _recipe(dalgo, steps, RESULT, "people, life expectancy and GDP of each region and year"),
    ]
    pipeline = dalgo.pipelines.create("regions", [source.id for source in sources], recipes)
    steps.done(f"pipeline '{pipeline.name}' of {len(sources)} sources and {len(recipes)} recipes")
    started = dalgo.pipelines.run(pipeline.id)
    steps.done(f"run {started.id} started")
    ended = show(dalgo, started, console)
    if ended.status != "succeeded":
        raise DalgoError(ended.error) if ended.error else AssertionError(ended)
    steps.done("run succeeded")
    return DemoResult(ended, _rows(dalgo), email, password)


def _rows(dalgo: Dalgo) -> PreviewPage:
    return dalgo.tables.preview(RESULT, limit=1000, sort=("un_region", "year"))


class _Steps:
    """Prints what was done, and how long it took since the thing before."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = time.monotonic()

    def done(self, what: str) -> None:
        now = time.monotonic()
        self._console.print(Text(f"{now - self._last:7.2f} s  {what}"))
        self._last = now


def _sign_up(dalgo: Dalgo, email: str, password: str) -> None:
    try:
        dalgo.signup(email, password, "Demo")
    except DalgoError as error:
        # The answer to a first attempt was lost: the address, new a moment ago, is already ours.
        if error.status != 409:
            raise
        dalgo.login(email, password)


def _source(dalgo: Dalgo, steps: _Steps, name: str, file: Path) -> Source:
    upload = dalgo.uploads.create(file)
    source = dalgo.sources.create(name, {"upload_id": upload.upload_id})
    steps.done(f"source '{name}': {file.name}, {upload.size_bytes:,} bytes")
    return source


def _recipe(dalgo: Dalgo, steps: _Steps, name: str, description: str) -> UUID:
    saved = dalgo.transformations.create(name, data.recipe(name), description=description)
    steps.done(f"recipe '{name}': {description}")
    return saved.id
