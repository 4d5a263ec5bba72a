from __future__ import annotations

import msgspec

from config.core.signing import Signer
from sync.core.contexts import PURPOSE, open_context, seal_context

SIGNER = Signer([b"k" * 32])
VECTOR = {"eu:s000.aaaa": 7}


def test_a_context_comes_back_and_fits_its_own_key_only() -> None:
    context = open_context(seal_context("notes", "k", VECTOR, 99, SIGNER), SIGNER)
    assert context is not None
    assert (context.vector, context.hlc) == (VECTOR, 99)
    assert context.fits("notes", "k")
    assert not context.fits("notes", "l")
    assert not context.fits("profiles", "k")


def test_forged_and_foreign_contexts_are_refused() -> None:
    sealed = seal_context("notes", "k", VECTOR, 99, SIGNER)
    assert open_context(sealed[:-2] + ("A" if sealed[-2] != "A" else "B") + sealed[-1], SIGNER) is None
    assert open_context(sealed, Signer([b"o" * 32])) is None
    assert open_context("", SIGNER) is None
    assert open_context(SIGNER.seal("session token", b"x"), SIGNER) is None


def test_sealed_nonsense_is_no_context() -> None:
    assert open_context(SIGNER.seal(PURPOSE, b"\xc1"), SIGNER) is None
    nonsense = msgspec.msgpack.encode(["notes", b"12345678", {"nobody": 0}, 1])
    assert open_context(SIGNER.seal(PURPOSE, nonsense), SIGNER) is None
