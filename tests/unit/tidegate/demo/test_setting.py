"""The demo's configuration says what the demo is about, and every node gets its own part."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tidegate.demo.setting import HEALTH_BOUND_S, PORTS_NEEDED, Plan, configuration, failover_order, plan


@pytest.fixture
def planned() -> Plan:
    return plan(range(20_000, 20_000 + PORTS_NEEDED), directory=Path("/somewhere"))


def test_three_regions_get_two_backends_and_one_node_each(planned: Plan) -> None:
    assert [backend.name for backend in planned.backends] == [
        *("eu-west-1", "eu-west-2"),
        *("us-east-1", "us-east-2"),
        *("ap-south-1", "ap-south-2"),
    ]
    assert [node.id for node in planned.nodes] == ["gw-eu-west", "gw-us-east", "gw-ap-south"]


def test_no_two_things_share_an_address(planned: Plan) -> None:
    addresses = [one.address for one in planned.backends]
    addresses += [address for node in planned.nodes for address in (node.public, node.admin, node.peer)]
    assert len(set(addresses)) == PORTS_NEEDED


def test_a_wrong_number_of_ports_is_refused() -> None:
    with pytest.raises(ValueError, match=f"found 3 ports, expected {PORTS_NEEDED}"):
        plan([1, 2, 3], directory=Path("/somewhere"))


def test_the_environment_makes_the_common_file_a_nodes_own(planned: Plan) -> None:
    node = planned.node("us-east")
    assert node.environment() == {
        "TIDEGATE_NODE__ID": "gw-us-east",
        "TIDEGATE_NODE__REGION": "us-east",
        "TIDEGATE_NODE__DATA_DIR": "/somewhere/gw-us-east.data",
        "TIDEGATE_LISTENERS__0__BIND": node.public,
        "TIDEGATE_ADMIN__BIND": node.admin,
        "TIDEGATE_PEER__BIND": node.peer,
    }


def test_the_file_names_every_backend_where_it_listens(planned: Plan) -> None:
    written = yaml.safe_load(configuration(planned))
    endpoints = {(one["region"], one["address"]) for one in written["services"][0]["endpoints"]}
    assert endpoints == {(backend.region, backend.address) for backend in planned.backends}


def test_profiles_may_only_be_held_in_eu_west(planned: Plan) -> None:
    written = yaml.safe_load(configuration(planned))
    assert written["residency"]["rules"][0] == {"data_type": "profile", "allowed_regions": ["eu-west"]}
    assert written["routes"][0]["data_types"] == ["profile"]


def test_an_endpoint_is_named_as_everywhere_in_tidegate(planned: Plan) -> None:
    backend = planned.backend("us-east-2")
    assert backend.endpoint == f"api/us-east/{backend.address}"


def test_the_health_bound_is_the_products_formula_with_the_files_settings(planned: Plan) -> None:
    written = yaml.safe_load(configuration(planned))["services"][0]["health_check"]
    assert (written["interval"], written["timeout"], written["jitter"]) == ("500ms", "490ms", "20%")
    assert pytest.approx(2 * 0.5 * 1.2 + 0.49 + 0.1) == HEALTH_BOUND_S


def test_the_failover_order_is_the_priority_in_the_file(planned: Plan) -> None:
    regions = yaml.safe_load(configuration(planned))["regions"]
    assert tuple(one["id"] for one in sorted(regions, key=lambda one: one["priority"])) == failover_order()
