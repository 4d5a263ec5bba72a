from __future__ import annotations

import os

import pytest

from sync.cipher import Cipher
from sync.core.operation import Sealed
from sync.errors import StoreUnavailable

OLD, NEW = b"old data key", b"new data key"
DOT = ("notes", "eu:aaaa.bbbb", 3)


def cipher(*keys: bytes, encrypts: bool = True, residency_class: str = "note") -> Cipher:
    return Cipher(residency_class, keys, encrypts=encrypts, chance=os.urandom)


def test_a_value_comes_back_and_is_not_to_be_seen() -> None:
    stored, key_id = cipher(OLD).close(b"canary", *DOT)
    assert b"canary" not in stored
    assert cipher(OLD).open(stored, key_id, *DOT) == b"canary"
    assert cipher(OLD).close(b"canary", *DOT)[0] != stored


def test_what_need_not_be_encrypted_is_stored_as_it_is_and_read_by_either() -> None:
    stored, key_id = cipher(OLD, encrypts=False).close(b"plain", *DOT)
    assert (stored, key_id) == (b"plain", None)
    assert cipher(OLD).open(stored, key_id, *DOT) == b"plain"


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    stored, key_id = cipher(OLD).close(b"canary", *DOT)
    assert cipher(NEW, OLD).open(stored, key_id, *DOT) == b"canary"
    assert cipher(NEW, OLD).close(b"canary", *DOT)[1] != key_id
    with pytest.raises(StoreUnavailable, match="not configured"):
        cipher(NEW).open(stored, key_id, *DOT)


def test_a_class_has_a_key_of_its_own() -> None:
    stored, key_id = cipher(OLD).close(b"canary", *DOT)
    with pytest.raises(StoreUnavailable, match="not configured"):
        cipher(OLD, residency_class="profile").open(stored, key_id, *DOT)


def test_what_was_altered_or_moved_is_noticed() -> None:
    stored, key_id = cipher(OLD).close(b"canary", *DOT)
    with pytest.raises(StoreUnavailable, match="altered on disk"):
        cipher(OLD).open(stored, key_id, "notes", "eu:aaaa.bbbb", 4)
    with pytest.raises(StoreUnavailable, match="altered on disk"):
        cipher(OLD).open(stored[:-1] + bytes([stored[-1] ^ 1]), key_id, *DOT)


def test_encryption_without_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match="no data key"):
        cipher()


def test_a_value_that_was_altered_is_passed_on_as_lost_and_one_under_another_key_is_not() -> None:
    stored, key_id = cipher(OLD).close(b"canary", *DOT)
    altered = stored[:-1] + bytes([stored[-1] ^ 1])
    assert cipher(OLD).to_send(Sealed(b"head", b"salt", stored), key_id, *DOT) == Sealed(b"head", b"salt", b"canary")
    assert cipher(OLD).to_send(Sealed(b"head", b"salt", altered), key_id, *DOT) == Sealed(b"head", b"", b"")
    with pytest.raises(StoreUnavailable, match="not configured"):
        cipher(NEW).to_send(Sealed(b"head", b"salt", stored), key_id, *DOT)
