"""The acceptor of another node, over the real peer channel."""

from __future__ import annotations

from pathlib import Path

import pytest

from health.core.acceptor import Inspect
from health.quorum.acceptors import PeerAcceptor, Silent
from tests.harness.cells import check_answers, shown_by
from tests.harness.node import ports
from tests.harness.peer_acceptors import listening_peers


async def test_a_peer_answers_as_an_acceptor_and_all_who_ask_it_meet_in_one_memory(tmp_path: Path) -> None:
    async with listening_peers(tmp_path) as (eu, us, asia):
        url = us.by_region["us"][0]
        incarnation = await check_answers(PeerAcceptor(eu.client, url))
        known = await shown_by(PeerAcceptor(asia.client, url))
        assert (known.about.incarnation, known.registers["r"].value) == (incarnation, {"v": 1})
        other = await shown_by(PeerAcceptor(asia.client, asia.by_region["asia"][0]))
        assert (other.about.incarnation != incarnation, other.registers) == (True, {})


async def test_a_peer_that_is_not_there_is_silent(tmp_path: Path) -> None:
    async with listening_peers(tmp_path) as (eu, *_):
        (nobody,) = ports(1)
        with pytest.raises(Silent, match=str(nobody)):
            await PeerAcceptor(eu.client, f"http://127.0.0.1:{nobody}").ask(Inspect(), timeout_s=2.0)
