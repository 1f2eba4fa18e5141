"""Ports: preferred when free, never one that is taken."""

import socket

from stack import ports


def test_the_preferred_port_is_chosen_when_it_is_free():
    free = ports.choose()
    assert ports.choose(free) == free


def test_a_taken_port_is_found_out_and_another_is_chosen():
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        assert not ports.is_free(taken)
        assert ports.choose(taken) != taken


def test_a_port_taken_on_all_addresses_is_taken_on_the_loopback():
    with socket.create_server(("0.0.0.0", 0)) as server:
        assert not ports.is_free(server.getsockname()[1])


def test_the_first_free_of_several_wishes_wins():
    first, second = ports.choose(), ports.choose()
    with socket.create_server(("127.0.0.1", first)):
        assert ports.choose(None, first, second) == second


def test_a_port_chosen_for_another_part_is_not_chosen_twice():
    free = ports.choose()
    assert ports.choose(free, taken=[free]) != free
