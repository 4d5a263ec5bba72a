"""What the environment says goes before the file, and is refused when it leads nowhere."""

from __future__ import annotations

import pytest

from config.models import Bind
from tests.unit.config.written import accepted, complaints, file


def test_a_variable_goes_before_the_file() -> None:
    text = file(rest="node: {id: from-file, workers: 2}")
    node = accepted(text, environ={"TIDEGATE_NODE__ID": "from-env"}).node
    assert (node.id, node.workers) == ("from-env", 2)


def test_a_variable_makes_the_blocks_that_it_needs() -> None:
    environ = {"TIDEGATE_OBSERVABILITY__ACCESS_LOG__SAMPLE": "10%", "TIDEGATE_TENANTS__ACME__RATE": "5/s"}
    config = accepted(file(), environ=environ)
    assert config.observability.access_log.sample == 0.1
    assert config.tenants["acme"].rate == 5.0


def test_a_list_is_counted_from_nought() -> None:
    environ = {"TIDEGATE_SERVICES__0__ENDPOINTS__0__WEIGHT": "7"}
    assert accepted(file(), environ=environ).services[0].endpoints[0].weight == 7


def test_the_listener_that_a_file_does_not_name_can_be_moved() -> None:
    assert accepted(file(), environ={"TIDEGATE_LISTENERS__0__BIND": "0.0.0.0:80"}).listeners[0].bind == Bind(
        "0.0.0.0", 80
    )


def test_an_item_may_be_added_at_the_end_of_a_list() -> None:
    environ = {"TIDEGATE_LISTENERS__1": "{name: second, bind: 127.0.0.1:81}"}
    assert [one.name for one in accepted(file(), environ=environ).listeners] == ["public", "second"]
    environ = {"TIDEGATE_ADMIN__TOKENS__0": "{name: a, role: admin, token: env:T}", "T": "x"}
    assert [one.name for one in accepted(file(), environ=environ).admin.tokens] == ["a"]


def test_a_value_may_be_a_whole_block() -> None:
    assert accepted(file(), environ={"TIDEGATE_NODE": "{id: a, workers: 0}"}).node.workers == 0


def test_an_ipv6_address_needs_no_quotes() -> None:
    assert accepted(file(), environ={"TIDEGATE_ADMIN__BIND": "[::1]:9900"}).admin.bind == Bind("::1", 9900)


def test_names_of_the_operators_choice_are_found_whatever_their_case() -> None:
    text = file(rest="tenants: {acme-corp: {rate: 1/s}}")
    assert accepted(text, environ={"TIDEGATE_TENANTS__ACME_CORP__RATE": "2/s"}).tenants["acme-corp"].rate == 2.0


@pytest.mark.parametrize(
    "name",
    [
        "TIDEGATE_ADMIN",
        "TIDEGATE_TOKEN",
        "TIDEGATE_CONFIG",
        "TIDEGATE_KEY",
        "TIDEGATE_DATA_KEY",
        "TIDEGATE_SERVICE_HOST",
        "TIDEGATE_SERVICE_PORT_HTTP",
        "TIDEGATE_PORT",
        "TIDEGATE_PORT_9900_TCP_ADDR",
        "TIDEGATE_ADMIN_PORT_9900_TCP",
        "HOME",
        "XTIDEGATE_NODE__ID",
    ],
)
def test_what_is_no_override_is_left_alone(name: str) -> None:
    assert complaints(file(), environ={name: "anything: at: all"}) == []


def test_a_variable_that_the_file_refers_to_is_no_override() -> None:
    rest = "admin: {tokens: [{name: a, role: admin, token: env:TIDEGATE_OPS}]}"
    assert complaints(file(rest=rest), environ={"TIDEGATE_OPS": "hunter2"}) == []


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            {"TIDEGATE_NODE__REGOIN": "eu-west"},
            "environment variable TIDEGATE_NODE__REGOIN node.regoin: found no such option, "
            "expected TIDEGATE_NODE__REGION",
        ),
        (
            {"TIDEGATE_NODE_REGION": "eu-west"},
            "environment variable TIDEGATE_NODE_REGION node_region: found no such option, "
            "expected TIDEGATE_NODE__REGION",
        ),
        (
            {"TIDEGATE_NODE__ID__X": "a"},
            "environment variable TIDEGATE_NODE__ID__X node.id: found X in its name below a single value, "
            "expected no further part",
        ),
        (
            {"TIDEGATE_LISTENERS__FIRST__BIND": "a"},
            "environment variable TIDEGATE_LISTENERS__FIRST__BIND listeners: found FIRST in its name, "
            "expected a position in the list, counted from 0",
        ),
        (
            {"TIDEGATE_LISTENERS__2__BIND": "a"},
            "environment variable TIDEGATE_LISTENERS__2__BIND listeners: found position 2 of a list of 1, "
            "expected 0 to 1",
        ),
        (
            {"TIDEGATE_NODE__WORKERS": "many"},
            'environment variable TIDEGATE_NODE__WORKERS node.workers: found "many", '
            "expected auto or a number from 0 to 256",
        ),
        (
            {"TIDEGATE_NODE__REGION": "us-east"},
            'environment variable TIDEGATE_NODE__REGION node.region: found the unknown region "us-east", '
            "expected eu-west",
        ),
        (
            {"TIDEGATE_REGIONS__0__CAPACITY": "5"},
            "environment variable TIDEGATE_REGIONS__0__CAPACITY regions[0].capacity: found 5 without a unit, "
            "expected a rate with its unit, such as 100/s or 6000/m",
        ),
    ],
)
def test_a_mistake_in_a_variable_names_the_variable(environ: dict[str, str], said: str) -> None:
    assert complaints(file(rest="node: {id: a}"), environ=environ) == [said]
