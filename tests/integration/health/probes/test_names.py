"""Names and addresses, with the system's resolver."""

from __future__ import annotations

import asyncio
import socket

import pytest

from health.probes.names import Names, literal_address


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", (socket.AF_INET, ("127.0.0.1", 80))),
        ("::1", (socket.AF_INET6, ("::1", 80, 0, 0))),
        ("fe80::1%1", (socket.AF_INET6, ("fe80::1", 80, 0, 1))),
        ("localhost", None),
        ("10.0.0", None),
    ],
)
def test_an_address_is_taken_as_it_is_and_a_name_is_none(host: str, address: object) -> None:
    assert literal_address(host, 80) == address


async def test_localhost_is_this_machine() -> None:
    names = Names(asyncio.get_running_loop())
    found = await names.lookup("localhost", 8080)
    names.close()
    assert found
    assert {address[0] for _, address in found} <= {"127.0.0.1", "::1"}
    assert {address[1] for _, address in found} == {8080}


async def test_a_name_that_does_not_exist_is_an_error() -> None:
    names = Names(asyncio.get_running_loop())
    with pytest.raises(socket.gaierror):
        await names.lookup("nowhere.invalid", 80)
    names.close()
