"""Paths with ids that have slashes in them."""

from __future__ import annotations

import pytest

from tidegate.admin.paths import template_of

TEMPLATES = ("/v1/status", "/v1/endpoints/{id}/drain", "/v1/endpoints/{id}/override", "/v1/services/{id}/endpoints")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/v1/status", ("/v1/status", "")),
        ("/v1/endpoints/api/eu/10.0.0.1:80/drain", ("/v1/endpoints/{id}/drain", "api/eu/10.0.0.1:80")),
        ("/v1/endpoints/api/eu/[::1]:80/override", ("/v1/endpoints/{id}/override", "api/eu/[::1]:80")),
        ("/v1/services/api/endpoints", ("/v1/services/{id}/endpoints", "api")),
        ("/v1/services//endpoints", None),
        ("/v1/endpoints/a\nb/drain", None),
        ("/v1/endpoints/" + "a" * 201 + "/drain", None),
        ("/v1/nothing", None),
        ("/v1/endpoints/{id}/drain/", None),
    ],
)
def test_an_id_is_what_stands_between_the_fixed_parts(path: str, found: tuple[str, str] | None) -> None:
    assert template_of(path, TEMPLATES) == found
