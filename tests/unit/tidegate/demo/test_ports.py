"""Ports for the demo are free, distinct, and out of the way of outgoing connections."""

from __future__ import annotations

import random
import socket
from pathlib import Path

import pytest

from tidegate.demo.ports import LOWEST, USUAL_EPHEMERAL_START, ephemeral_start, free_ports


def test_ports_are_distinct_and_below_the_range_of_outgoing_connections() -> None:
    ports = free_ports(12, rng=random.Random(1))
    assert len(set(ports)) == 12
    assert all(LOWEST <= port < max(ephemeral_start(), LOWEST + 24) for port in ports)


def test_a_port_in_use_is_passed_over() -> None:
    first = free_ports(1, rng=random.Random(2))[0]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first))
        assert free_ports(1, rng=random.Random(2))[0] != first


def test_too_few_free_ports_is_an_error() -> None:
    with pytest.raises(OSError, match="expected 5"):
        free_ports(5, rng=random.Random(3), host="192.0.2.1")


def test_the_start_of_the_range_is_read_from_the_system(tmp_path: Path) -> None:
    told = tmp_path / "range"
    told.write_text("40000\t60999\n")
    assert ephemeral_start(told) == 40_000


@pytest.mark.parametrize("content", [None, "", "many\t0\n"])
def test_where_the_system_does_not_say_the_usual_start_is_taken(tmp_path: Path, content: str | None) -> None:
    told = tmp_path / "range"
    if content is not None:
        told.write_text(content)
    assert ephemeral_start(told) == USUAL_EPHEMERAL_START
