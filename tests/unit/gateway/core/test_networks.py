"""Sets of networks against the standard library's own answer."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.networks import NetworkSet, client_of, packed

V4 = st.tuples(st.ip_addresses(v=4), st.integers(0, 32)).map(
    lambda pair: ipaddress.ip_network((int(pair[0]), pair[1]), strict=False)
)
V6 = st.tuples(st.ip_addresses(v=6), st.integers(0, 128)).map(
    lambda pair: ipaddress.ip_network((int(pair[0]), pair[1]), strict=False)
)


@given(st.lists(V4 | V6, max_size=8), st.ip_addresses(), st.none() | st.tuples(st.integers(0, 7), st.integers(0)))
def test_an_address_is_in_a_set_when_it_is_in_one_of_its_networks(
    networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network],
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
    inside: tuple[int, int] | None,
) -> None:
    if networks and inside is not None:
        network = networks[inside[0] % len(networks)]
        address = network[inside[1] % network.num_addresses]
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    number = packed(str(address))
    assert number is not None
    plain = [net for net in networks if net.version == address.version]
    mapped = [net for net in networks if net.version == 6 and address.version == 4 and _covers_mapped(net, address)]
    assert NetworkSet(networks).includes(number) == (any(address in net for net in plain) or bool(mapped))


def _covers_mapped(network: ipaddress.IPv4Network | ipaddress.IPv6Network, address: ipaddress.IPv4Address) -> bool:
    return network.prefixlen >= 96 and ipaddress.IPv6Address(f"::ffff:{address}") in network


def test_an_ipv4_address_in_ipv6_spelling_is_the_same_address() -> None:
    inside = NetworkSet([ipaddress.ip_network("203.0.113.0/24")])
    number = packed("::ffff:203.0.113.9")
    assert number is not None
    assert inside.includes(number)


@pytest.mark.parametrize("text", ["", "unknown", "1.2.3", "1.2.3.4.5", "::g", "1.2.3.4\r\n"])
def test_what_is_no_address_is_none(text: str) -> None:
    assert packed(text) is None


def test_clients_are_counted_by_address_and_by_the_64_bits_that_one_client_has_of_ipv6() -> None:
    assert client_of("192.0.2.1") == client_of("::ffff:192.0.2.1") != client_of("192.0.2.2")
    assert client_of("2001:db8::1") == client_of("2001:db8::ffff:1") != client_of("2001:db8:0:1::1")
    assert client_of("unknown") == b"unknown"
