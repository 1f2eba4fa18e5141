"""Addresses of the bus: one server, or several of a cluster."""

import pytest
from pydantic import ValidationError

from chassis.bus import Line, connection_options
from chassis.settings import BusSettings


def test_every_server_of_a_cluster_is_connected_to_whichever_lives():
    settings = BusSettings(nats_url="nats://one:4222, nats://two:4222,")
    options = connection_options(settings, "ingest", Line())
    assert options["servers"] == ["nats://one:4222", "nats://two:4222"]


def test_an_address_without_a_server_is_refused():
    with pytest.raises(ValidationError, match="it names no server"):
        BusSettings(nats_url=" , ")
