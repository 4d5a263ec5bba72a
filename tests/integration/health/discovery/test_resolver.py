"""Asked of a real name server on loopback, which also answers badly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from health.core.discovery import Answer, LookupFailed, Name
from health.discovery.resolver import Resolver
from tests.harness.name_server import NameServer


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    async with NameServer() as made:
        yield made


async def dns(server: NameServer, host: str = "api.test", *, lifetime_s: float = 2.0) -> Answer:
    return await Resolver((server.address,), lifetime_s=lifetime_s).lookup(Name("k", "dns", host, 8000))


async def srv(server: NameServer, *, lifetime_s: float = 2.0) -> Answer:
    resolver = Resolver((server.address,), lifetime_s=lifetime_s)
    return await resolver.lookup(Name("k", "dns_srv", "_http._tcp.api.test", None))


def places(answer: Answer) -> set[tuple[str, int]]:
    return {(found.host, found.port) for found in answer.found}


async def test_both_families_are_found_at_the_configured_port_with_the_shorter_ttl(server: NameServer) -> None:
    server.ttl = 17
    server.records = {("api.test.", "A"): ["10.0.0.1", "10.0.0.2"], ("api.test.", "AAAA"): ["2001:db8::1"]}
    answer = await dns(server)
    assert places(answer) == {("10.0.0.1", 8000), ("10.0.0.2", 8000), ("2001:db8::1", 8000)}
    assert (answer.ttl_s, answer.unanswered, answer.denial) == (17, frozenset(), "")
    assert {found.name for found in answer.found} == {"api.test"}


async def test_aliases_are_followed(server: NameServer) -> None:
    server.records = {("api.test.", "CNAME"): ["www.test."], ("www.test.", "A"): ["10.0.0.1"]}
    assert places(await dns(server)) == {("10.0.0.1", 8000)}


async def test_aliases_in_a_circle_are_a_failure_that_ends_at_once(server: NameServer) -> None:
    server.records = {("api.test.", "CNAME"): ["www.test."], ("www.test.", "CNAME"): ["api.test."]}
    async with asyncio.timeout(1.5):
        with pytest.raises(LookupFailed):
            await dns(server, lifetime_s=10.0)


async def test_a_name_that_does_not_exist_is_denied_for_as_long_as_its_zone_says(server: NameServer) -> None:
    server.negative_ttl = 33
    answer = await dns(server)
    assert (answer.found, answer.denial, answer.ttl_s) == ((), "no such name", 33)


async def test_a_name_without_addresses_is_denied(server: NameServer) -> None:
    server.records = {("api.test.", "TXT"): ['"hello"']}
    answer = await dns(server)
    assert (answer.found, answer.denial) == ((), "no addresses")


async def test_addresses_that_nobody_can_connect_to_are_none(server: NameServer) -> None:
    server.records = {("api.test.", "A"): ["0.0.0.0", "224.0.0.1"], ("api.test.", "AAAA"): ["::"]}
    answer = await dns(server)
    assert answer.found == ()


async def test_a_thousand_addresses_come_by_tcp(server: NameServer) -> None:
    server.records = {("api.test.", "A"): [f"10.0.{number // 250}.{number % 250}" for number in range(1000)]}
    answer = await dns(server)
    assert len(answer.found) == 1000
    assert server.by_tcp >= 1


@pytest.mark.parametrize("behaviour", ["servfail", "refused"])
async def test_a_server_that_refuses_is_a_failure_that_names_it(server: NameServer, behaviour: str) -> None:
    server.behaviour["api.test."] = behaviour  # type: ignore[assignment]
    with pytest.raises(LookupFailed, match=f"(?i){behaviour}.*127.0.0.1"):
        await dns(server)


@pytest.mark.parametrize("behaviour", ["silent", "garbage"])
async def test_silence_and_nonsense_end_in_time(server: NameServer, behaviour: str) -> None:
    server.behaviour["api.test."] = behaviour  # type: ignore[assignment]
    async with asyncio.timeout(3.0):
        with pytest.raises(LookupFailed):
            await dns(server, lifetime_s=0.5)


async def test_one_family_that_is_not_answered_does_not_hide_the_other(server: NameServer) -> None:
    server.records = {("api.test.", "A"): ["10.0.0.1"]}
    server.behaviour["api.test./AAAA"] = "servfail"
    answer = await dns(server)
    assert places(answer) == {("10.0.0.1", 8000)}
    assert answer.unanswered == {("api.test", 6)}


async def test_nobody_at_the_resolvers_address_is_a_failure() -> None:
    with pytest.raises(LookupFailed):
        await Resolver(("127.0.0.1:1",), lifetime_s=0.5).lookup(Name("k", "dns", "api.test", 80))


async def test_records_of_services_carry_port_priority_and_weight(server: NameServer) -> None:
    server.records = {
        ("_http._tcp.api.test.", "SRV"): ["10 60 8001 a.test.", "10 0 8002 a.test.", "20 5 8003 b.test."],
        ("a.test.", "A"): ["10.0.0.1"],
        ("b.test.", "A"): ["10.0.0.2", "10.0.0.3"],
    }
    answer = await srv(server)
    assert {(found.host, found.port, found.priority, found.weight, found.name) for found in answer.found} == {
        ("10.0.0.1", 8001, 10, 60, "a.test"),
        ("10.0.0.1", 8002, 10, 1, "a.test"),
        ("10.0.0.2", 8003, 20, 5, "b.test"),
        ("10.0.0.3", 8003, 20, 5, "b.test"),
    }


async def test_a_target_that_cannot_be_looked_up_does_not_hide_the_others(server: NameServer) -> None:
    server.records = {
        ("_http._tcp.api.test.", "SRV"): ["0 1 80 a.test.", "0 1 80 b.test."],
        ("a.test.", "A"): ["10.0.0.1"],
    }
    server.behaviour["b.test."] = "servfail"
    answer = await srv(server)
    assert places(answer) == {("10.0.0.1", 80)}
    assert answer.unanswered == {("b.test", 4), ("b.test", 6)}


async def test_a_service_whose_targets_all_fail_has_failed(server: NameServer) -> None:
    server.records = {("_http._tcp.api.test.", "SRV"): ["0 1 80 b.test."]}
    server.behaviour["b.test."] = "servfail"
    with pytest.raises(LookupFailed, match="none of 1 targets"):
        await srv(server)


async def test_a_service_that_is_decidedly_not_offered_is_denied(server: NameServer) -> None:
    server.records = {("_http._tcp.api.test.", "SRV"): ["0 0 0 ."]}
    answer = await srv(server)
    assert (answer.found, answer.denial) == ((), "no addresses")


async def test_a_thousand_records_of_services_cost_a_bounded_number_of_questions(server: NameServer) -> None:
    server.records[("_http._tcp.api.test.", "SRV")] = [f"0 1 80 t{number}.test." for number in range(1000)]
    for number in range(1000):
        server.records[(f"t{number}.test.", "A")] = [f"10.0.{number // 250}.{number % 250}"]
    answer = await srv(server, lifetime_s=5.0)
    assert len(answer.found) == 64
    assert len(server.asked) < 200
