"""One spelling for every path."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.paths import normalise_path
from gateway.errors import RequestRefused


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        (b"/a/./b", b"/a/b"),
        (b"/a/../b", b"/b"),
        (b"//a//b", b"/a/b"),
        (b"/%61%2D%7e", b"/a-~"),
        (b"/%c3%a9", b"/%C3%A9"),
        (b"/a/..", b"/"),
        (b"/a/b/.", b"/a/b/"),
        (b"/%2e/a", b"/a"),
        (b"/a/", b"/a/"),
        (b"/.well-known/x", b"/.well-known/x"),
    ],
)
def test_paths_are_normalised(path: bytes, normal: bytes) -> None:
    assert normalise_path(path) == normal


@given(st.lists(st.sampled_from([b"a", b"%61", b".", b"..", b"", b"%2e", b"%2E%2e", b"%41%3a", b"b;x"]), max_size=8))
def test_normalising_twice_changes_nothing(segments: list[bytes]) -> None:
    path = b"/" + b"/".join(segments)
    try:
        once = normalise_path(path)
    except RequestRefused:
        return
    assert normalise_path(once) == once
    assert b"//" not in once
    assert b"/../" not in once + b"/"


@pytest.mark.parametrize(
    "path", [b"/a%2fb", b"/a%5Cb", b"/a%00", b"/a%1f", b"/a%7f", b"/a\\b", b"/%", b"/%2", b"/%zz", b"/../a"]
)
def test_what_an_upstream_may_read_as_another_path_is_refused(path: bytes) -> None:
    with pytest.raises(RequestRefused):
        normalise_path(path)
