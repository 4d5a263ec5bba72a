"""The file of API keys."""

from __future__ import annotations

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.key_file import CredentialFileRefused, read_keys


def test_keys_are_found_as_they_are_and_by_their_digest() -> None:
    digest = hashlib.sha256(b"second-key").hexdigest()
    ring = read_keys(f"# keys\n\nfirst: first-key\r\nsecond: sha256:{digest}\n".encode())
    assert len(ring) == 2
    holder = ring.holder(b"second-key")
    assert holder is not None
    assert holder.name == "second"
    assert ring.holder(b"first-key") is not None
    assert ring.holder(b"third-key") is None
    assert ring.holder(digest.encode()) is None, "a digest is no key"


@pytest.mark.parametrize(
    "content",
    [
        b"no-colon-here",
        b": nameless-key",
        b"a:",
        b"a: short",
        b"a: with space in it",
        b"a: sha256:1234",
        b"a: the-same-key\nb: the-same-key",
        b"\xff\xfe: key-key-key",
        b"a b: key-key-key",
    ],
)
def test_a_file_that_cannot_be_right_is_refused_with_its_line_and_without_its_secret(content: bytes) -> None:
    with pytest.raises(CredentialFileRefused, match=r"^line \d") as raised:
        read_keys(content)
    assert "key" not in str(raised.value).replace("a key", "").replace("neither a key", "")


@given(st.binary(max_size=200))
def test_whatever_is_in_a_file_it_is_read_or_refused(content: bytes) -> None:
    with contextlib.suppress(CredentialFileRefused):
        read_keys(content)
