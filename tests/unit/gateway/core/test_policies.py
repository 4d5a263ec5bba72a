"""What is written for a node, for one of its workers."""

from __future__ import annotations

import json

from config.models import Service
from gateway.core.policies import balancing_of, part, policies_of


def service(**fields: object) -> Service:
    return Service.model_validate_json(
        json.dumps({"id": "api", "endpoints": [{"region": "eu", "address": "a:80"}], **fields})
    )


def test_nothing_written_means_no_breaker_and_no_outlier_detection() -> None:
    policies = policies_of(service(), workers=4)
    assert (policies.breaker, policies.outliers) == (None, None)
    assert (policies.max_pending, policies.max_requests, policies.adaptive) == (256, 1024, False)


def test_the_limits_of_a_node_are_divided_among_its_workers_at_least_one_each() -> None:
    assert [part(3, workers) for workers in (1, 2, 4)] == [3, 1, 1]
    breaker = policies_of(
        service(circuit_breaker={"half_open_requests": 6, "statuses": ["502-503"]}), workers=2
    ).breaker
    assert breaker is not None
    assert (breaker.trials, sorted(breaker.statuses)) == (3, [502, 503])


def test_only_hashing_algorithms_hash_and_field_names_know_no_case() -> None:
    written = service(load_balancing={"algorithm": "consistent_hash", "hash_on": "header:X-User"}).load_balancing
    assert balancing_of(written).hash_on == "header:x-user"
    assert balancing_of(service(load_balancing={"algorithm": "ip_hash"}).load_balancing).hash_on == "ip"
    assert balancing_of(service().load_balancing).hash_on == ""
