"""Countries of clients through a real data plane: an operator's database, its changes, and a CDN's header."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import PublicationRefused
from gateway.locator import Locator
from tests.harness.countries import countries, write_database
from tests.harness.dataplane import Bench, until

CLIENT = "81.2.69.142"
ONLY_DE = {"access": {"countries": {"allow": ["DE"], "unknown": "deny"}}}
TRUSTED = {"trusted_proxies": ["127.0.0.0/8"]}


def asking(client: str, *lines: bytes) -> bytes:
    fields = b"".join(line + b"\r\n" for line in (b"X-Forwarded-For: " + client.encode(), *lines))
    return b"GET / HTTP/1.1\r\nHost: h\r\n" + fields + b"\r\n"


def bench(geo: dict[str, Any], **settings: Any) -> Bench:
    return Bench(route=ONLY_DE, document={"geo": geo}, **{"listener": TRUSTED, **settings})


async def test_the_operators_database_decides_and_reserved_addresses_are_unknown(tmp_path: Path) -> None:
    path = write_database(tmp_path / "c.mmdb", countries(DE="81.2.69.0/24") | {"10.0.0.0/8": {"country_code": "DE"}})
    async with bench({"database": str(path)}) as here:
        await here.endpoint()
        await here.publish()
        assert (await here.ask(asking(CLIENT))).status == 200  # by the registries it would be GB
        for other in ("8.8.8.8", "10.0.0.1", "127.0.0.1"):
            assert (await here.ask(asking(other))).problem["reason"] == "country_denied"
        assert here.plane.report().countries_built_at is not None


async def test_a_changed_file_is_read_anew_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    path = write_database(tmp_path / "c.mmdb", countries(FR="81.2.69.0/24"))
    locator = Locator(look_every_s=0.02)
    locator.adopt(locator.load(str(path)))
    assert locator.country_of(CLIENT) == "FR"
    running = asyncio.get_running_loop().create_task(locator.run(), name="locator")
    try:
        write_database(path, countries(DE="81.2.69.0/24"))
        await until(lambda: locator.country_of(CLIENT) == "DE", "the new file counts")
        path.write_bytes(b"nonsense")
        good = locator.source
        await until(lambda: locator.refused == 1, "the broken file was looked at")
        assert (locator.source, locator.country_of(CLIENT)) == (good, "DE")
        write_database(path, countries(IE="81.2.69.0/24"))
        await until(lambda: locator.country_of(CLIENT) == "IE", "the repaired file counts")
    finally:
        running.cancel()


async def test_a_configuration_with_a_broken_database_is_refused_and_the_old_one_serves_on(tmp_path: Path) -> None:
    broken = tmp_path / "b.mmdb"
    broken.write_bytes(b"nonsense")
    path = write_database(tmp_path / "c.mmdb", countries(DE="81.2.69.0/24"))
    async with bench({"database": str(path)}) as here:
        await here.endpoint()
        await here.publish()
        here.settings["document"] = {"geo": {"database": str(broken)}}
        with pytest.raises(PublicationRefused, match="no MaxMind database"):
            await here.publish()
        assert (await here.ask(asking(CLIENT))).status == 200


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ((b"CF-IPCountry: DE",), 200),
        ((b"cf-ipcountry: de",), 200),
        ((b"CF-IPCountry: FR",), 403),
        ((b"CF-IPCountry: XX",), 403),
        ((b"CF-IPCountry: T1",), 403),
        ((b"CF-IPCountry: DE", b"CF-IPCountry: DE"), 403),
        ((b"CF-IPCountry: " + b"D" * 5000,), 403),
        ((b"CF-IPCountry: \xff\xfe",), 403),
        ((), 403),
    ],
)
async def test_a_trusted_proxys_header_names_the_country(lines: tuple[bytes, ...], status: int) -> None:
    async with bench({"country_header": "CF-IPCountry"}) as here:
        await here.endpoint()
        await here.publish()
        client = await here.connect()
        await client.send(asking(CLIENT, *lines))
        assert (await client.reply()).status == status
        # On the same connection each request is judged by its own header.
        await client.send(asking(CLIENT, b"CF-IPCountry: DE"))
        assert (await client.reply()).status == 200
        await client.send(asking(CLIENT))
        assert (await client.reply()).status == 403


async def test_nobody_else_names_a_country_or_passes_one_on() -> None:
    settings: dict[str, Any] = {"listener": {}, "route": {"access": {"countries": {"deny": ["KP"]}}}}
    async with Bench(document={"geo": {"country_header": "CF-IPCountry"}}, **settings) as here:
        endpoint = await here.endpoint()
        await here.publish()
        client = await here.connect()
        for _ in range(2):
            await client.send(asking(CLIENT, b"CF-IPCountry: KP", b"X-Kept: 1"))
            assert (await client.reply()).status == 200
        for sent in endpoint.received:
            assert b"IPCountry" not in sent
            assert b"X-Kept: 1" in sent


EAST, WEST, NOWHERE = "81.2.69.142", "81.2.70.1", "81.2.71.1"
COASTS: list[dict[str, Any]] = [
    {"id": "eu", "location": {"country": "IE", "latitude": 53.35, "longitude": -6.26}},
    {"id": "east", "location": {"country": "US", "latitude": 38.95, "longitude": -77.45}},
    {"id": "west", "location": {"country": "US", "latitude": 45.6, "longitude": -121.2}},
]


def city(latitude: object, longitude: object) -> dict[str, Any]:
    return {"country": {"iso_code": "US"}, "location": {"latitude": latitude, "longitude": longitude}}


@pytest.mark.parametrize("strategy", ["geo_proximity", "multi_criteria"])
@pytest.mark.parametrize("extra", [{}, {"preference_header": "X-Wish"}])
async def test_a_client_goes_to_the_region_nearest_to_its_own_place(
    tmp_path: Path, strategy: str, extra: dict[str, Any]
) -> None:
    records = {
        "81.2.69.0/24": city(38.9, -77.0),
        "81.2.70.0/24": city(37.7, -122.4),
        "81.2.71.0/24": city(1000.0, "nonsense"),
    }
    path = write_database(tmp_path / "c.mmdb", records)
    routing = {"strategy": strategy, "prefer_local": False, **extra}
    if strategy == "multi_criteria":
        routing["weights"] = {"latency": 0, "user_location": 1, "capacity": 0, "cost": 0, "user_preference": 0}
    geo = {"database": str(path), "country_header": "CF-IPCountry"}
    async with Bench(
        regions=COASTS, route={"region_routing": routing}, listener=TRUSTED, document={"geo": geo}
    ) as here:
        endpoints = {str(one["id"]): await here.endpoint(region=one["id"]) for one in COASTS}
        await here.publish()

        async def reached(client: str, *lines: bytes) -> str:
            before = {region: len(each.received) for region, each in endpoints.items()}
            assert (await here.ask(asking(client, *lines))).status == 200
            return next(region for region, each in endpoints.items() if len(each.received) > before[region])

        assert [await reached(client) for client in (EAST, WEST, EAST, WEST)] == ["east", "west", "east", "west"]
        assert await reached(NOWHERE) == await reached("81.2.71.2"), "the middle of its country"
        assert await reached(WEST, b"CF-IPCountry: IE") == "eu", "where it was told to be"
