"""What this mesh signed verifies, for its purpose alone, by any of its keys; nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.core.signing import MAX_SEALED, Signer

OLD, NEW = b"an old key", b"a new key"


@given(payload=st.binary(max_size=200))
def test_what_was_sealed_opens_and_is_safe_in_a_cookie_and_a_url(payload: bytes) -> None:
    sealed = Signer([NEW]).seal("sticky", payload)
    assert Signer([NEW]).open("sticky", sealed) == payload
    assert all(character.isalnum() or character in "-_" for character in sealed)


@given(payload=st.binary(max_size=40), at=st.integers(min_value=0), bit=st.integers(0, 7))
def test_one_changed_bit_anywhere_is_refused(payload: bytes, at: int, bit: int) -> None:
    signer = Signer([NEW])
    signature = bytearray(signer.sign("sticky", payload))
    signature[at % len(signature)] ^= 1 << bit
    assert not signer.verify("sticky", payload, bytes(signature))
    if payload:
        changed = bytearray(payload)
        changed[at % len(changed)] ^= 1 << bit
        assert not signer.verify("sticky", bytes(changed), signer.sign("sticky", payload))


def test_one_purpose_never_passes_for_another() -> None:
    signer = Signer([NEW])
    assert signer.open("session", signer.seal("sticky", b"x")) is None


def test_a_rotated_key_still_opens_until_it_is_dropped_and_the_first_signs() -> None:
    before = Signer([OLD]).seal("sticky", b"x")
    assert Signer([NEW, OLD]).open("sticky", before) == b"x"
    assert Signer([NEW]).open("sticky", before) is None
    assert Signer([NEW, OLD]).seal("sticky", b"x") == Signer([NEW]).seal("sticky", b"x")


@pytest.mark.parametrize("text", ["", "a", "====", "ä", "a b", "." * 40, "A" * (MAX_SEALED + 1)])
def test_what_is_no_seal_at_all_is_refused_without_an_error(text: str) -> None:
    assert Signer([NEW]).open("sticky", text) is None


def test_a_mesh_without_keys_cannot_sign() -> None:
    with pytest.raises(ValueError, match="no signing key"):
        Signer([])


def test_what_is_opened_tells_which_key_signed_it_and_every_key_has_its_own_signature() -> None:
    signer = Signer([NEW, OLD])
    assert signer.opened("sticky", Signer([OLD]).seal("sticky", b"x")) == (b"x", 1)
    assert signer.opened("sticky", signer.seal("sticky", b"x")) == (b"x", 0)
    assert signer.opened("sticky", Signer([b"third"]).seal("sticky", b"x")) is None
    assert signer.every("sticky", b"x") == (Signer([NEW]).sign("sticky", b"x"), Signer([OLD]).sign("sticky", b"x"))
