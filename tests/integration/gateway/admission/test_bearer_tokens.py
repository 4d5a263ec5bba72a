"""Signed tokens on a real data plane, with an issuer that rotates and goes away."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.harness.dataplane import Bench, until
from tests.harness.issuer import CLAIMS, Issuer, ec, published, token

OLD, NEW = ec("old"), ec("new")


def route(jwks: str, **more: Any) -> dict[str, Any]:
    kind = {
        "kind": "jwt",
        "jwks": jwks,
        "algorithms": ["ES256"],
        "issuer": "https://issuer/",
        "audience": "api",
        "claims_to_headers": {"sub": "X-User-Id", "tenant": "X-Tenant"},
    }
    return {"access": {"authentication": kind}, **more}


def get(shown: str | None = None, *fields: bytes) -> bytes:
    lines = [b"GET / HTTP/1.1", b"Host: h", *fields]
    if shown is not None:
        lines.append(b"Authorization: Bearer " + shown.encode())
    return b"\r\n".join((*lines, b"", b""))


async def test_claims_reach_the_endpoint_and_what_a_client_claims_itself_does_not() -> None:
    async with Issuer() as issuer, Bench(route=route(f"{issuer.url}/jwks")) as bench:
        issuer.keys = published(OLD)
        endpoint = await bench.endpoint()
        await bench.publish()
        shown = token(OLD, "ES256", {**CLAIMS, "tenant": "acme"})
        spoofed = (b"X-User-Id: root", b"x_tenant: root", b"X-Tenant: root")
        assert (await bench.ask(get(shown, *spoofed))).status == 200
        received = endpoint.received[0]
        assert b"root" not in received
        assert received.count(b"\r\nX-User-Id: alice\r\n") == received.count(b"\r\nX-Tenant: acme\r\n") == 1
        async with bench.client() as client:
            for _ in range(2):  # the second head is the first again
                await client.send(get(shown, *spoofed))
                assert (await client.reply()).status == 200
        assert all(b"root" not in one for one in endpoint.received)
        assert issuer.key_asks == 1


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (None, "credentials_missing"),
        ("a b", "credentials_malformed"),
        ("hello", "token_refused"),
        (token(OLD, "ES256", {**CLAIMS, "exp": 1}), "token_expired"),
        (token(OLD, "ES256", {**CLAIMS, "sub": "a\r\nX-Admin: 1"}), "token_refused"),
        (token(ec("old"), "ES256"), "token_refused"),
    ],
    ids=["none", "malformed", "no token", "expired", "claims another line", "forged"],
)
async def test_a_bad_token_is_told_why_and_the_next_client_is_served(shown: str | None, reason: str) -> None:
    async with Issuer() as issuer, Bench(route=route(f"{issuer.url}/jwks")) as bench:
        issuer.keys = published(OLD)
        endpoint = await bench.endpoint()
        await bench.publish()
        reply = await bench.ask(get(shown))
        assert (reply.status, reply.problem["reason"]) == (401, reason)
        challenge = reply.field(b"www-authenticate") or b""
        assert challenge.startswith(b'Bearer realm="tidegate"')
        assert (b'error="invalid_token"' in challenge) == (shown is not None)
        assert not endpoint.received
        assert (await bench.ask(get(token(OLD, "ES256")))).status == 200


async def test_a_new_key_is_fetched_once_and_made_up_ids_do_not_reach_the_issuer() -> None:
    async with Issuer() as issuer, Bench(route=route(f"{issuer.url}/jwks")) as bench:
        issuer.keys = published(OLD)
        await bench.endpoint()
        await bench.publish()
        assert (await bench.ask(get(token(OLD, "ES256")))).status == 200
        issuer.keys = published(OLD, NEW)
        made_up = [get(token(NEW, "ES256", kid=f"made-up-{number}")) for number in range(20)]
        replies = await asyncio.gather(*(bench.ask(request) for request in made_up))
        assert {reply.status for reply in replies} == {401}
        assert issuer.key_asks == 1, "the last fetch is not ten seconds ago"


async def test_with_the_issuer_away_what_was_known_is_still_believed_and_nothing_else() -> None:
    async with Bench(keys_again_after_s=0.0) as bench, Issuer() as issuer:
        bench.settings["route"] = route(f"{issuer.url}/jwks")
        issuer.status = 500
        await bench.endpoint()
        await bench.publish()
        reply = await bench.ask(get(token(OLD, "ES256")))
        assert (reply.status, reply.problem["reason"]) == (503, "credentials_unavailable")
        issuer.status, issuer.keys = 200, published(OLD)
        async with asyncio.timeout(5):
            while (await bench.ask(get(token(OLD, "ES256")))).status != 200:  # noqa: ASYNC110 - as a client would
                await asyncio.sleep(0.1)
        issuer.keys = published(NEW, OLD)
        assert (await bench.ask(get(token(NEW, "ES256")))).status == 200, "an issuer that rotates is followed"
        issuer.status = 500
        assert (await bench.ask(get(token(NEW, "ES256", {**CLAIMS, "sub": "bob"})))).status == 200
        assert (await bench.ask(get(token(ec("newest"), "ES256")))).status == 401
        await bench.publish()
        asked = issuer.key_asks
        assert (await bench.ask(get(token(NEW, "ES256")))).status == 200
        assert issuer.key_asks == asked, "a reload forgets no key"


async def test_keys_in_a_file_are_followed(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(published(OLD))
    async with Bench(route=route(f"file:{file}")) as bench:
        await bench.endpoint()
        await bench.publish()
        old, new = get(token(OLD, "ES256")), get(token(NEW, "ES256"))
        assert [(await bench.ask(one)).status for one in (old, new)] == [200, 401]
        await asyncio.to_thread(file.write_bytes, published(NEW))
        async with asyncio.timeout(10):
            while (await bench.ask(new)).status != 200:  # noqa: ASYNC110 - as a client would
                await asyncio.sleep(0.1)
        assert (await bench.ask(old)).status == 401, "what a key that is gone has signed is forgotten"


async def test_a_tenant_by_claim_is_limited_by_its_own_quota() -> None:
    tenants = {"default": {"rate": "1/m", "burst": 1}}
    async with Issuer() as issuer, Bench(document={"tenants": tenants}) as bench:
        bench.settings["route"] = route(f"{issuer.url}/jwks", tenant="jwt:tenant")
        issuer.keys = published(OLD)
        await bench.endpoint()
        await bench.publish()
        shown = {name: get(token(OLD, "ES256", {**CLAIMS, "tenant": name})) for name in ("a", "b")}
        statuses = [(await bench.ask(shown[name])).status for name in ("a", "a", "b")]
        assert statuses == [200, 429, 200]
        await until(lambda: len(bench.log) == 3, "all are logged")
