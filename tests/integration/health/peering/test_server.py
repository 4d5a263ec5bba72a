"""Two ends over real sockets: who is let in, who is not, and what is said about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from config.core.signing import Signer
from config.models import PeerTls
from health.peering.certificates import client_context, server_context
from health.peering.client import PeerRefused, PeerUnreachable
from health.peering.identity import Identity
from health.peering.signing import MAX_SKEW_S
from tests.harness.certificates import Authority
from tests.harness.peering import MESH, REGIONS, SECRET, asking, headers, identity, raw, serving
from tidegate.node.wall import wall


async def test_a_peer_with_the_secret_is_heard_by_the_name_that_it_signed() -> None:
    async with serving() as url, asking(identity("gw-2", "us")) as client:
        peer, body = await client.call(url, "POST", "/peer/v1/echo", b"hello", timeout_s=5)
    assert (peer.node, peer.region) == ("gw-1", "eu")
    assert json.loads(body) == ["gw-2", "us", "hello"]


@pytest.mark.parametrize(
    ("who", "signer", "reason"),
    [
        (identity("gw-2", "us"), Signer((b"other",)), "bad_signature"),
        (identity("gw-2", "us", Signer((b"other mesh",))), SECRET, "different_cluster"),
        (Identity(node="gw-2", region="asia", regions=(*REGIONS, "asia"), signer=MESH), SECRET, "unknown_region"),
    ],
)
async def test_whoever_differs_is_told_in_what(who: Identity, signer: Signer, reason: str) -> None:
    async with serving() as url, asking(who, signer=signer) as client:
        with pytest.raises((PeerRefused, PeerUnreachable)) as refused:
            await client.call(url, "POST", "/peer/v1/echo", b"", timeout_s=5)
    if reason == "different_cluster":
        assert "another cluster" in str(refused.value)
    else:
        assert isinstance(refused.value, PeerRefused)
        assert refused.value.reason == reason


async def test_a_recorded_request_is_worth_nothing() -> None:
    async with serving() as url:
        once = headers()
        assert (await raw(url, once))[0] == 200
        status, problem = await raw(url, once)
    assert (status, problem["reason"]) == (401, "replayed")


async def test_a_request_that_was_touched_on_its_way_is_refused() -> None:
    async with serving() as url:
        for status, problem in (
            await raw(url, headers(), b"y"),
            await raw(url, headers() | {"Tidegate-Region": "eu"}),
            await raw(url, headers(), path="/peer/v1/echo?x=1"),
            await raw(url, headers() | {"Tidegate-Signature": "zz"}),
        ):
            assert (status, problem["reason"]) == (401, "bad_signature")


async def test_clocks_too_far_apart_are_named_with_the_distance() -> None:
    async with serving() as url:
        status, problem = await raw(url, headers(at=wall() - MAX_SKEW_S - 5))
        assert (status, problem["reason"]) == (401, "clock_skew")
        assert "s old, expected clocks within 60 s" in problem["detail"]


async def test_a_newer_protocol_without_ours_is_named() -> None:
    async with serving() as url:
        status, problem = await raw(url, headers() | {"Tidegate-Protocol": "2-3"})
    assert (status, problem["reason"]) == (400, "protocol_mismatch")
    assert "speaking peer protocol 2 to 3, expected one of 1 to 1" in problem["detail"]


async def test_what_is_no_peer_at_all_gets_a_problem_and_unknown_paths_too() -> None:
    async with serving() as url:
        assert (await raw(url, {}))[1]["reason"] == "not_a_peer"
        other = headers(path="/peer/v1/none")
        assert (await raw(url, other, path="/peer/v1/none"))[0] == 404


def peer_tls(authority: Authority, *names: str, common_name: str | None = None) -> PeerTls:
    pair = authority.issue(*names, common_name=common_name)
    return PeerTls.model_validate({**pair, "ca": str(authority.file)}, context={"folder": "/"})


async def test_over_tls_a_certificate_speaks_for_its_region_only(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    ours = server_context(peer_tls(authority, "127.0.0.1", "eu"))
    async with serving(signer=None, tls=ours) as url:
        named = client_context(peer_tls(authority, "anything.test", common_name="us"))
        async with asking(identity("gw-2", "us"), signer=None, tls=named) as client:
            assert json.loads((await client.call(url, "POST", "/peer/v1/echo", b"x", timeout_s=5))[1])[1] == "us"
        by_host = client_context(peer_tls(authority, "us.test"))
        async with asking(identity("gw-2", "us"), signer=None, tls=by_host) as client:
            await client.call(url, "POST", "/peer/v1/echo", b"x", timeout_s=5)
        async with asking(identity("gw-2", "eu"), signer=None, tls=by_host) as client:
            with pytest.raises(PeerRefused) as refused:
                await client.call(url, "POST", "/peer/v1/echo", b"x", timeout_s=5)
            assert refused.value.reason == "region_mismatch"


async def test_without_a_certificate_of_the_mesh_nobody_gets_past_the_handshake(tmp_path: Path) -> None:
    authority, foreign = Authority(tmp_path), Authority(tmp_path, "foreign")
    async with serving(signer=None, tls=server_context(peer_tls(authority, "127.0.0.1", "eu"))) as url:
        strange = PeerTls.model_validate({**foreign.issue("us"), "ca": str(authority.file)}, context={"folder": "/"})
        for tls in (authority.client(), client_context(strange)):
            async with asking(identity("gw-2", "us"), signer=None, tls=tls) as client:
                with pytest.raises(PeerUnreachable):
                    await client.call(url, "POST", "/peer/v1/echo", b"x", timeout_s=5)
