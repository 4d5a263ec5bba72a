"""What every region holds in the end: the last word of every run.

feed      all that stands, in one go, with deletes and siblings        changes?since=nothing
reading   keys that were raced for, one by one, with what the store has seen of them
losers    what the conflict log of each region names
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable, Mapping
from typing import Any

import aiohttp

from chaos.mesh.plan import COLLECTIONS, PUBLIC, address
from chaos.traffic.history import Kept
from chaos.traffic.records import vector_of
from chaos.traffic.sending import Got, send

AT_ONCE = 16
PAGE = 1000


class NotReadable(Exception):
    """A region does not say what it holds."""


async def holdings(session: aiohttp.ClientSession, run: str) -> dict[str, dict[str, dict[str, Kept]]]:
    """By region, collection and key, of this run. Raises NotReadable."""
    places = [(region, collection) for collection, regions in COLLECTIONS.items() for region in regions]
    told = await asyncio.gather(*(_feed(session, region, collection, run) for region, collection in places))
    found: dict[str, dict[str, dict[str, Kept]]] = {}
    for (region, collection), kept in zip(places, told, strict=True):
        found.setdefault(region, {})[collection] = kept
    return found


async def _feed(session: aiohttp.ClientSession, region: str, collection: str, run: str) -> dict[str, Kept]:
    """Asked past the links: how the data stands is not to depend on how far the way there is healed."""
    url = f"http://{address(region)}:{PUBLIC}/data/v1/{collection}/changes"
    since, is_last = "", False
    standing: dict[str, dict[str, str | None]] = {}
    while not is_last:
        got = await send(session, "GET", f"{url}?limit={PAGE}" + (f"&since={since}" if since else ""))
        page = _page(got, f"{collection} in {region}")
        for change in page["changes"]:
            if change["key"].startswith(f"{run}/"):
                standing.setdefault(change["key"], {})[change["version"]] = _value(change)
        is_last = not page["changes"] and page["next"] == since
        since = page["next"]
    return {key: kept(versions) for key, versions in standing.items()}


def kept(versions: Mapping[str, str | None]) -> Kept:
    """In the order of the values: two regions that hold the same are equal."""
    ordered = sorted(versions.items(), key=lambda one: (one[1] or "", one[0]))
    return Kept(tuple(value for _, value in ordered), tuple(version for version, _ in ordered))


async def readings(
    session: aiohttp.ClientSession, region: str, collection: str, keys: Iterable[str]
) -> dict[str, Kept]:
    """What a region answers to who reads these keys, one by one. Raises NotReadable."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(key: str) -> Kept:
        async with limit:
            got = await send(session, "GET", f"http://{address(region)}:{PUBLIC}/data/v1/{collection}/{key}")
            return reading(got, f"{collection}/{key} in {region}")

    wanted = list(keys)
    return dict(zip(wanted, await asyncio.gather(*(one(key) for key in wanted)), strict=True))


def reading(got: Got, what: str) -> Kept:
    """An answer to a GET: one value, several, none. Raises NotReadable."""
    versions: dict[str, str | None] = {}
    if got.status == 300:
        for sibling in got.json()["siblings"]:
            versions[sibling["version"]] = base64.b64decode(sibling["value_base64"]).decode(errors="replace")
    elif got.status == 200:
        versions[got.headers.get("ETag", "").strip('"')] = got.body.decode(errors="replace")
    elif got.status != 404:
        raise NotReadable(f"{what}: {got.status} {got.reason}")
    found = kept(versions)
    return Kept(found.values, found.versions, vector_of(got.headers))


async def losers(session: aiohttp.ClientSession, region: str, run: str) -> dict[str, set[str]]:
    """Values by key that lost a race, as this region's conflict log says. Raises NotReadable."""
    found: dict[str, set[str]] = {}
    after: str | None = ""
    while after is not None:
        url = f"http://{address(region)}:{PUBLIC}/data/v1/settings/conflicts?limit={PAGE}"
        got = await send(session, "GET", url + (f"&after={after}" if after else ""))
        page = _page(got, f"conflicts in {region}")
        for item in page["items"]:
            if item["key"].startswith(f"{run}/") and item["value_base64"] is not None:
                found.setdefault(item["key"], set()).add(base64.b64decode(item["value_base64"]).decode())
        after = page["next"]
    return found


def _page(got: Got, what: str) -> Any:
    if got.status != 200:
        raise NotReadable(f"{what}: {got.status} {got.reason}")
    return got.json()


def _value(change: Mapping[str, Any]) -> str | None:
    if change["deleted"]:
        return None
    return base64.b64decode(change["value_base64"]).decode(errors="replace")
