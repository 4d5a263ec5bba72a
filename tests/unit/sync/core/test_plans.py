from __future__ import annotations

import json

from config.models import Config
from sync.core.plans import LAST_IN_LINE, compile_plans
from tests.harness.routing import REGIONS

DOCUMENT = {
    "version": 1,
    "node": {"id": "n", "region": "eu"},
    "regions": REGIONS,
    "services": [{"id": "api", "endpoints": [{"region": "eu", "address": "10.0.0.1:80"}]}],
    "routes": [{"id": "all", "match": {"path": "/*"}, "service": "api"}],
    "residency": {
        "rules": [
            {"data_type": "profile", "zones": ["gdpr"], "encryption": "required"},
            {"data_type": "settings", "allowed_regions": "*"},
        ]
    },
    "sync": {
        "mode": "hybrid",
        "importance": {"profile": 1},
        "collections": [
            {"name": "profiles", "data_type": "profile", "conflict": "vector_clock"},
            {"name": "settings", "data_type": "settings", "conflict": "last_write_wins", "regions": ["us", "ap"]},
            {"name": "merged", "data_type": "settings", "conflict": {"custom": "a.b:c"}, "mode": "sync"},
            {"name": "orphans", "data_type": "nobody", "conflict": "manual"},
        ],
    },
}


def test_a_plan_says_where_a_collection_may_be() -> None:
    plans = compile_plans(Config.model_validate_json(json.dumps(DOCUMENT)), now=0.0)
    assert plans["profiles"].regions == ("eu",)
    assert plans["profiles"].is_here
    assert plans["profiles"].is_encrypted
    assert plans["profiles"].importance == 1
    assert plans["settings"].regions == ("us", "ap")
    assert not plans["settings"].is_here
    assert plans["settings"].importance == LAST_IN_LINE
    assert plans["orphans"].regions == ()


def test_a_plan_says_how_it_is_written_and_merged() -> None:
    plans = compile_plans(Config.model_validate_json(json.dumps(DOCUMENT)), now=0.0)
    assert (plans["merged"].conflict, plans["merged"].resolver, plans["merged"].mode) == ("custom", "a.b:c", "sync")
    assert (plans["profiles"].conflict, plans["profiles"].resolver, plans["profiles"].mode) == (
        "vector_clock",
        None,
        "hybrid",
    )


def test_without_sync_there_is_nothing_to_plan() -> None:
    document = {key: value for key, value in DOCUMENT.items() if key != "sync"}
    assert compile_plans(Config.model_validate_json(json.dumps(document)), now=0.0) == {}
