"""Nonces are remembered for as long as their requests could be believed, and no longer. The rest: integration tests."""

from __future__ import annotations

import pytest

from health.peering import signing
from health.peering.identity import Stranger
from health.peering.signing import MAX_SKEW_S, Nonces


def test_a_nonce_is_new_once() -> None:
    nonces = Nonces()
    assert nonces.take("a", now=0.0)
    assert not nonces.take("a", now=2 * MAX_SKEW_S)
    assert nonces.take("b", now=2 * MAX_SKEW_S)


def test_more_than_can_be_remembered_is_refused_until_the_first_are_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing, "MAX_NONCES", 2)
    nonces = Nonces()
    assert nonces.take("a", now=0.0)
    assert nonces.take("b", now=0.0)
    with pytest.raises(Stranger, match="signed requests in 120 s"):
        nonces.take("c", now=1.0)
    assert nonces.take("c", now=2 * MAX_SKEW_S + 1)
