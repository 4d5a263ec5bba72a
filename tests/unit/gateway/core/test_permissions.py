"""What may be done to which collection."""

from __future__ import annotations

import pytest

from gateway.core.permissions import Permissions

GRANTED = {"notes": ["read", "write"], "catalog": ["read"]}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", b"/data/v1/notes/k", True),
        ("PUT", b"/data/v1/notes/k", True),
        ("GET", b"/data/v1/catalog", True),
        ("HEAD", b"/data/v1/catalog/k", True),
        ("DELETE", b"/data/v1/catalog/k", False),
        ("POST", b"/data/v1/catalog/k/conflict", False),
        ("GET", b"/data/v1/secret/k", False),
        ("GET", b"/data/v1/", False),
        ("GET", b"/data/v2/notes/k", False),
        ("GET", b"/data/v1/\xff", False),
        ("POST", b"/data/v1/batch", False),
    ],
)
def test_a_method_needs_its_right_to_the_collection(method: str, path: bytes, allowed: bool) -> None:
    refusal = Permissions("r", GRANTED, ["notes", "catalog"]).refuses(method, path)
    assert (refusal is None) == allowed
    assert refusal is None or (refusal.status, refusal.reason) == (403, "permission_denied")


def test_a_batch_needs_every_right_to_every_collection() -> None:
    assert Permissions("r", GRANTED, ["notes"]).refuses("POST", b"/data/v1/batch") is None
    assert Permissions("r", {}, ["notes"]).refuses("POST", b"/data/v1/batch") is not None
