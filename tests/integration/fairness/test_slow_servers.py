"""An organisation whose servers give a byte now and then, beside one that looks into its own data."""

import itertools
from collections.abc import Iterator
from copy import deepcopy

import pytest
from pydantic import SecretStr

from contracts.envelope import new_id
from contracts.ingest import CreateSource, CsvConfig, KoboConfig, ListForms, PreviewSource

from ...servers import kobo
from ...servers.dripping import DrippingServer, dripping
from ...servers.households import CONTENT
from ...servers.kobo import KoboServer
from ..ingest.conftest import (  # noqa: F401  fixtures
    RunIngest,
    connect_bus,
    other,
    run_ingest,
    stand,
    transform,
)
from ..ingest.stand import PEOPLE, Stand, creation
from .measure import Flood, assert_undisturbed


@pytest.fixture
def slow() -> Iterator[DrippingServer]:
    with dripping("body") as server:
        yield server


@pytest.fixture
def quick() -> Iterator[KoboServer]:
    with kobo.running() as server:
        yield server


def _config(url: str) -> KoboConfig:
    return KoboConfig(server_url=url, form_id="aHouseholds", api_token=SecretStr("0" * 40))


async def test_previews_at_a_slow_server_block_no_other_organisation(
    stand: Stand,  # noqa: F811
    other: Stand,  # noqa: F811
    transform: None,  # noqa: F811
    run_ingest: RunIngest,  # noqa: F811
    slow: DrippingServer,
    quick: KoboServer,
) -> None:
    form = quick.add_form("Households", deepcopy(CONTENT))
    config = KoboConfig(
        server_url=quick.url, form_id=form.uid, api_token=SecretStr(quick.token), mode="append"
    )
    forms = ListForms(server_url=quick.url, api_token=SecretStr(quick.token))
    names = iter(range(1000))

    async def ordinary() -> None:
        file = CsvConfig(upload_id=upload.upload_id)
        await other.ask(PreviewSource(source_type="csv", config=file))
        await other.ask(PreviewSource(source_type="kobo", config=config))
        await other.ask(forms)
        await other.ask(creation(upload, f"people {next(names)}"))

    asked = itertools.cycle(
        (
            lambda: PreviewSource(source_type="kobo", config=_config(slow.url)),
            lambda: ListForms(server_url=slow.url, api_token=SecretStr("0" * 40)),
            lambda: CreateSource(
                source_id=new_id(), name="slow", source_type="kobo", config=_config(slow.url)
            ),
        )
    )

    async def greedy() -> None:
        await stand.ask(next(asked)(), timeout=60)

    flood = Flood(greedy, width=30, lead=2)
    async with run_ingest(kobo_allowed_origins=(slow.url, quick.url)):
        upload = await other.upload(PEOPLE)
        await assert_undisturbed(ordinary, flood, times=3)
    assert flood.problems["share_used_up"]
    assert set(flood.problems) <= {"share_used_up", "kobo_too_slow", "all_places_taken"}
