"""The node's numbers for Prometheus."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from gateway.messages import EndpointCount, MirrorCount, Report
from tests.harness.control import House, connect, routes
from tidegate.admin.metrics import Exposition
from tidegate.node.control import Control
from tidegate.node.lifeline import ChildState, Processes

ENDPOINT = "api/eu/127.0.0.1:7001"


def samples(control: Control) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    body, content_type = Exposition(control).text("text/plain")
    assert content_type.startswith("text/plain; version=0.0.4")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


async def test_reports_of_all_data_planes_are_one_set_of_counters(house: House) -> None:
    control = house.control()
    endpoints = [EndpointCount(ENDPOINT, 5, 2, 1, 0)]
    await connect(house, control, 0, Report(1, 3, 1, [routes(4), routes(1, status=503)], endpoints))
    await connect(house, control, 1, Report(1, 2, 2, [routes(6, seconds=3.0)], endpoints))
    found = samples(control)
    answered = (("reason", ""), ("region", "eu"), ("route", "api"))
    assert found["tidegate_requests_total", (*answered, ("status", "200"))] == 10
    assert found["tidegate_requests_total", (*answered, ("status", "503"))] == 1
    where = (("region", "eu"), ("route", "api"))
    assert found["tidegate_request_duration_seconds_bucket", (("le", "0.01"), *where)] == 5
    assert found["tidegate_request_duration_seconds_bucket", (("le", "5.0"), *where)] == 11
    assert found["tidegate_request_duration_seconds_count", where] == 11
    assert found["tidegate_connections", ()] == 5
    assert found["tidegate_requests_in_flight", ()] == 3
    assert found["tidegate_workers_serving", ()] == 2
    assert found["tidegate_upstream_attempts_total", (("endpoint", ENDPOINT),)] == 10
    assert found["tidegate_upstream_failures_total", (("endpoint", ENDPOINT), ("stage", "connect"))] == 4


async def test_where_only_sums_are_wanted_no_series_is_of_one_route(house: House) -> None:
    house.document["observability"] = {"metrics": {"granularity": "summary"}}
    house.write()
    control = house.control()
    await connect(house, control, 0, Report(1, 3, 1, [routes(4), routes(1, status=503)], []))
    found = samples(control)
    assert found["tidegate_requests_total", (("reason", ""), ("status", "200"))] == 4
    assert found["tidegate_request_duration_seconds_count", ()] == 5
    assert not any("route" in dict(labels) or "endpoint" in dict(labels) for _, labels in found)


async def test_copies_are_counted_by_what_became_of_them(house: House) -> None:
    control = house.control()
    await connect(house, control, 0, Report(1, 0, 0, [], [], mirrors=[MirrorCount("r", "shadow", "5xx", 3)]))
    labels = (("outcome", "5xx"), ("route", "r"), ("service", "shadow"))
    assert samples(control)["tidegate_mirrored_requests_total", labels] == 3


async def test_what_was_lost_or_failed_quietly_is_counted_and_the_node_says_that_it_is_not_well(house: House) -> None:
    control = house.control()
    await connect(house, control, 0, Report(1, 0, 0, [], [], failed_conditions={"api/1": 3}, audit_lost=2))
    found = samples(control)
    assert found["tidegate_failed_conditions_total", (("route", "api"), ("rule", "1"))] == 3
    assert found["tidegate_audit_records_lost_total", ()] == 2
    assert any("audit records lost" in reason for reason in control.degraded())


async def test_health_is_a_number_and_what_is_untested_has_none(house: House) -> None:
    control = house.control()
    house.prober.say(ENDPOINT, "down")
    house.prober.say("api/us/127.0.0.1:7002", "untested")
    found = samples(control)
    assert {labels[0]: value for (name, labels), value in found.items() if name == "tidegate_endpoint_up"} == {
        ("endpoint", ENDPOINT): 0.0
    }
    assert found["tidegate_region_up", (("region", "eu"),)] == 1.0
    assert ("tidegate_service_up", (("service", "api"),)) not in found
    house.prober.say("api/us/127.0.0.1:7002", "up")
    assert samples(control)["tidegate_service_up", (("service", "api"),)] == 0.5
    assert found["tidegate_region_rtt_seconds", (("region", "eu"),)] == 0.01


async def test_a_refused_reload_and_a_restart_show(house: House) -> None:
    control = house.control()
    assert samples(control)["tidegate_config_last_reload_success", ()] == 1
    house.file.write_text("colour: blue")
    await control.reload("test")
    control.processes = Processes(5, [ChildState("worker", 1, 7, 3, ready=True)])
    found = samples(control)
    assert found["tidegate_config_last_reload_success", ()] == 0
    assert found["tidegate_config_reloads_total", (("outcome", "refused"),)] == 1
    assert found["tidegate_worker_restarts_total", (("role", "worker"), ("slot", "1"))] == 3
    assert found["tidegate_degraded", ()] == 1
    assert found["tidegate_ready", ()] == 0


async def test_no_series_says_when_it_was_created(house: House) -> None:
    control = house.control()
    await connect(house, control, 0, Report(1, 0, 0, [routes(1)], [], access_log_dropped=3, spans_dropped=4))
    assert samples(control)["tidegate_access_log_dropped_total", ()] == 3
    assert samples(control)["tidegate_trace_spans_dropped_total", ()] == 4
    assert not [name for name, _ in samples(control) if name.endswith("_created")]


async def test_open_metrics_is_spoken_to_who_asks_for_it(house: House) -> None:
    body, content_type = Exposition(house.control()).text("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
