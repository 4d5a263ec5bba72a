"""Reasons are slugs, and no two mean the same."""

from __future__ import annotations

import re

from gateway.core import reasons


def test_every_reason_is_a_slug_of_its_own() -> None:
    slugs = [value for name, value in vars(reasons).items() if name.isupper()]
    assert len(slugs) > 20
    assert len(set(slugs)) == len(slugs)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", slug) for slug in slugs)
