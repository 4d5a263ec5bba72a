"""Who may have requests explained, how often, and what is kept."""

from __future__ import annotations

import pytest

from config.core.signing import Signer
from gateway.core.debugging import MAX_KEPT, MAX_VALID_S, PER_SECOND, PURPOSE, DebugLedger, sealed

SIGNER = Signer([b"k" * 32])
NOW = 1_700_000_000.0
GOOD = sealed(SIGNER, until=NOW + 60, author="ann").encode()


def test_an_operators_field_is_good_until_its_end() -> None:
    ledger = DebugLedger()
    assert ledger.takes(SIGNER, [GOOD], now=NOW)
    assert ledger.takes(SIGNER, [GOOD], now=NOW + 59)
    assert not ledger.takes(SIGNER, [GOOD], now=NOW + 60)
    assert ledger.take() == ([], 1)
    assert ledger.take() == ([], 0)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [GOOD, GOOD],
        [b""],
        [b"\xff\xfe"],
        [GOOD[:-1]],
        [b"A" * 100_000],
        [sealed(Signer([b"x" * 32]), until=NOW + 60, author="ann").encode()],
        [sealed(SIGNER, until=NOW + MAX_VALID_S + 1, author="ann").encode()],
        [SIGNER.seal("hop", b"[1]").encode()],
        [SIGNER.seal(PURPOSE, b"not json").encode()],
    ],
)
def test_everything_else_is_counted_and_ignored(values: list[bytes]) -> None:
    ledger = DebugLedger()
    assert not ledger.takes(SIGNER, values, now=NOW)
    assert ledger.take() == ([], 1)


def test_explanations_are_few_a_second_and_bounded() -> None:
    ledger = DebugLedger()
    assert sum(ledger.takes(SIGNER, [GOOD], now=NOW + 0.5) for _ in range(2 * PER_SECOND)) == PER_SECOND
    assert ledger.takes(SIGNER, [GOOD], now=NOW + 1.5)
    for number in range(MAX_KEPT + 5):
        ledger.keep({"id": number})
    assert not ledger.takes(SIGNER, [GOOD], now=NOW + 2.5)
    assert len(ledger.take()[0]) == MAX_KEPT
