"""Fetching an issuer's keys: once at a time, kept when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from gateway.admission.fetching import Fetcher
from gateway.admission.published_keys import AGAIN_AFTER_S, FIRST_AGAIN_AFTER_S, REFRESH_EVERY_S, PublishedKeys
from tests.harness.issuer import Issuer, ec, published


class Clock:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def spawn(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(work, name=name)


async def test_keys_are_asked_for_no_more_often_than_stated_and_kept_when_the_issuer_fails() -> None:
    clock, fetcher = Clock(), Fetcher()
    async with Issuer() as issuer:
        keys = PublishedKeys(f"{issuer.url}/jwks", fetcher=fetcher, spawn=spawn, now=clock)
        issuer.status = 404
        await asyncio.gather(keys.refreshed(), keys.refreshed())
        assert issuer.key_asks == 1
        assert (keys.value, keys.problem) == (None, "found status 404, expected 200")
        assert not keys.may_ask()
        clock.at += FIRST_AGAIN_AFTER_S
        assert keys.may_ask()
        issuer.status, issuer.keys = 200, published(ec("a"))
        await keys.refreshed()
        known = keys.value
        assert known is not None
        assert not keys.may_ask()
        clock.at += AGAIN_AFTER_S
        assert keys.may_ask()
        issuer.keys = b"nonsense"
        await keys.refreshed()
        assert keys.value is known
        assert "no JSON" in keys.problem
        assert not keys.is_stale()
        clock.at += REFRESH_EVERY_S
        assert keys.is_stale()
    await fetcher.close()
