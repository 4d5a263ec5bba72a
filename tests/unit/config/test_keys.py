"""The keys that may stand somewhere are read from the models."""

from __future__ import annotations

import pytest

from config.document import Data
from config.keys import description_at, holds_secret, is_free_mapping, is_single, keys_at, types_at
from config.models import Config
from config.problems import KeyPath


def test_the_root_takes_the_fields_of_the_configuration() -> None:
    assert keys_at((), {}) == tuple(Config.model_fields)


@pytest.mark.parametrize(
    ("path", "data", "keys"),
    [
        (("discovery",), {}, ("resolvers", "min_ttl", "max_ttl")),
        (("regions", 0, "location"), {}, ("continent", "country", "city", "latitude", "longitude")),
        (("tenants", "acme"), {}, ("rate", "burst", "importance")),
        (("tenants",), {}, ()),
        (("stores", "limits"), {"stores": {"limits": {"kind": "redis"}}}, ("kind", "region", "global")),
        (("stores", "limits"), {"stores": {"limits": {"kind": "local"}}}, ("kind",)),
        (("stores", "limits"), {}, ("kind", "region", "global")),
        (("node", "id"), {}, ()),
        (("nowhere",), {}, ()),
        (("regions", "eu-west"), {}, ()),
    ],
)
def test_what_is_written_decides_which_keys_may_stand_beside_it(
    path: KeyPath, data: Data, keys: tuple[str, ...]
) -> None:
    assert keys_at(path, data) == keys


def test_a_path_that_leads_nowhere_has_no_types() -> None:
    assert types_at(("node", "id", "deeper"), {}) == ()
    assert types_at(("node", "id"), {}) != ()


def test_only_some_mappings_have_keys_of_the_operators_choice() -> None:
    assert is_free_mapping(("tenants",), {})
    assert is_free_mapping(("routes", 0, "match", "headers"), {})
    assert not is_free_mapping(("node",), {})


def test_a_field_says_what_it_is_for() -> None:
    assert description_at(("listeners", 0, "bind"), {}) == "Address and port to listen on."
    assert description_at(("nowhere",), {}) is None


def test_secrets_are_known_by_where_they_stand() -> None:
    assert holds_secret(("secrets", "signing_keys"), {})
    assert holds_secret(("secrets", "signing_keys", 0), {})
    assert holds_secret(("admin", "tokens", 0, "token"), {})
    assert not holds_secret(("admin", "tokens", 0, "name"), {})


def test_single_values_are_told_from_lists_and_mappings() -> None:
    assert is_single(("node", "workers"), {})
    assert is_single(("nowhere",), {})
    assert not is_single(("regions", 0, "compliance_zones"), {})
    assert not is_single(("residency", "rules", 0, "allowed_regions"), {})
    assert not is_single(("sync", "collections", 0, "conflict"), {})
    assert not is_single(("tenants",), {})
