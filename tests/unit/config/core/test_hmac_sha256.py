from __future__ import annotations

import hmac

from hypothesis import given
from hypothesis import strategies as st

from config.core import hmac_sha256

KEYS = st.one_of(st.binary(max_size=200), st.binary(min_size=63, max_size=65))


@given(KEYS, st.lists(st.binary(max_size=300), min_size=1, max_size=3))
def test_digests_are_those_of_the_standard_library(key: bytes, messages: list[bytes]) -> None:
    prepared = hmac_sha256.Prepared(key)
    for message in messages:
        expected = hmac.digest(key, message, "sha256")
        assert prepared.digest(message) == hmac_sha256.digest(key, message) == expected
