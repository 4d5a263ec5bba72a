"""Published keys, usable and not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.key_file import CredentialFileRefused
from gateway.core.key_set import read_key_set
from tests.harness.issuer import ec, published, rsa

BAD: list[Any] = [
    5,
    {},
    {"kty": "RSA"},
    {"kty": "RSA", "n": "!!", "e": "AQAB"},
    {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
    {"kty": "oct", "k": "c2VjcmV0"},
    {"kty": 5},
    {"kty": "OKP", "crv": "X", "x": "a"},
]


def test_usable_keys_are_found_by_id_kind_and_algorithm_and_others_passed_over() -> None:
    first, second = rsa("a"), ec("b")
    document = json.loads(published(first, second))
    document["keys"][0]["alg"] = "RS256"
    document["keys"] += [*BAD, {**document["keys"][1], "kid": "c", "use": "enc"}]
    keys = read_key_set(json.dumps(document).encode())
    assert [key.kid for key in keys.keys] == ["a", "b"]
    assert [key.kid for key in keys.candidates(None, "RS256")] == ["a"]
    assert keys.candidates("a", "PS256") == [], "its issuer says RS256"
    assert keys.candidates("a", "ES256") == []
    assert [key.kid for key in keys.candidates("b", "ES256")] == ["b"]
    assert keys.candidates("c", "ES256") == []


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"keys": 5}', json.dumps({"keys": BAD}).encode(), b"[" * 9999]
)
def test_what_holds_no_usable_key_is_refused(content: bytes) -> None:
    with pytest.raises(CredentialFileRefused, match="expected"):
        read_key_set(content)


def test_a_private_key_that_was_published_by_mistake_is_used_as_public() -> None:
    keys = read_key_set(json.dumps({"keys": [ec("a").as_dict(private=True)]}).encode())
    assert not keys.keys[0].key.is_private


@given(
    st.binary(max_size=60) | st.dictionaries(st.text(max_size=4), st.integers()).map(lambda d: json.dumps(d).encode())
)
def test_whatever_a_server_says_it_is_read_or_refused(content: bytes) -> None:
    with pytest.raises(CredentialFileRefused):
        read_key_set(content)
