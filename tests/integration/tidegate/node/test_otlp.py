"""The exporter against a collector that takes, refuses, asks for patience, hangs or is not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult

from tests.harness.collector import Collector, some_span
from tests.harness.dataplane import free_port
from tidegate.node.otlp import OtlpExporter, readable, resource, scope

OF = resource(node_id="gw1", instance="gw1/0", region="eu")


def batch(*changes: dict[str, Any]) -> list[Any]:
    return [readable(some_span(**each), OF, scope()) for each in changes or ({},)]


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with Collector() as made:
        yield made


async def test_a_span_arrives_as_the_protocol_has_it(collector: Collector) -> None:
    exporter = OtlpExporter(collector.url)
    spans = batch(
        {"state": b"a=1,b=2", "parent_id": 0xC3, "is_parent_remote": True},
        {"name": "GET", "kind": "client", "span_id": 0xD4, "parent_id": 0xB2, "fault": "it broke: \u2603"},
    )
    assert await asyncio.to_thread(exporter.export, spans) is SpanExportResult.SUCCESS
    assert (exporter.done, exporter.lost, collector.paths) == (2, 0, {"/v1/traces"})
    server, client = collector.spans
    assert (server.trace_id, server.span_id, server.parent_id) == ("0" * 30 + "a1", "0" * 14 + "b2", "0" * 14 + "c3")
    assert (server.name, server.kind, server.state) == ("GET /*", 2, "a=1,b=2")
    assert (server.flags, client.flags) == (0x301, 0x101)
    assert (server.started_ns, server.ended_ns) == (1_700_000_000_000_000_001, 1_700_000_000_250_000_001)
    assert server.attributes == {"url.path": "/a", "http.response.status_code": 200}
    assert server.status == {}
    assert (client.kind, client.parent_id) == (3, "0" * 14 + "b2")
    assert client.status == {"code": 2, "message": "it broke: \u2603"}
    told = server.resource
    assert (told["service.name"], told["service.instance.id"]) == ("tidegate", "gw1/0")
    assert (told["tidegate.node"], told["tidegate.node.region"]) == ("gw1", "eu")


async def test_a_malformed_tracestate_is_left_out(collector: Collector) -> None:
    assert await asyncio.to_thread(OtlpExporter(collector.url).export, batch({"state": b"\xff=,,"}))
    assert collector.spans[0].state == ""


@pytest.mark.parametrize(
    ("path", "arrives_at"),
    [("/", "/v1/traces"), ("/otlp/", "/otlp/v1/traces"), ("/otlp/v1/traces", "/otlp/v1/traces")],
)
async def test_the_path_is_added_to_what_is_configured(collector: Collector, path: str, arrives_at: str) -> None:
    await asyncio.to_thread(OtlpExporter(collector.url + path).export, batch())
    assert collector.paths == {arrives_at}


async def test_a_collector_that_is_busy_is_asked_again(collector: Collector) -> None:
    collector.statuses = [503]
    exporter = OtlpExporter(collector.url)
    assert await asyncio.to_thread(exporter.export, batch()) is SpanExportResult.SUCCESS
    assert (collector.requests, len(collector.spans), exporter.lost) == (2, 1, 0)


async def test_one_that_refuses_for_good_is_not_asked_again_and_it_is_said_once(collector: Collector) -> None:
    collector.statuses = [400, 400]
    said: list[str] = []
    exporter = OtlpExporter(collector.url, on_change=said.append)
    for _ in range(2):
        assert await asyncio.to_thread(exporter.export, batch({}, {})) is SpanExportResult.FAILURE
    assert (collector.requests, exporter.done, exporter.lost, said) == (2, 4, 4, ["status 400"])
    await asyncio.to_thread(exporter.export, batch())
    assert said == ["status 400", ""]


async def test_what_a_collector_rejects_of_a_batch_is_lost(collector: Collector) -> None:
    collector.answer = {"partialSuccess": {"rejectedSpans": "2", "errorMessage": "too old"}}
    said: list[str] = []
    exporter = OtlpExporter(collector.url, on_change=said.append)
    await asyncio.to_thread(exporter.export, batch({}, {}, {}))
    assert (exporter.done, exporter.lost, said) == (3, 2, ["it rejected 2 spans: too old"])


@pytest.mark.parametrize("answer", [{"partialSuccess": {}}, {"partialSuccess": None}, [], {"partialSuccess": [1]}])
async def test_what_a_collector_says_besides_does_not_matter(collector: Collector, answer: Any) -> None:
    collector.answer = answer
    exporter = OtlpExporter(collector.url)
    assert await asyncio.to_thread(exporter.export, batch()) is SpanExportResult.SUCCESS
    assert exporter.lost == 0


async def test_a_collector_that_is_not_there_loses_what_is_sent() -> None:
    exporter = OtlpExporter(f"http://127.0.0.1:{free_port()}")
    exporter.hurry()
    assert await asyncio.to_thread(exporter.export, batch()) is SpanExportResult.FAILURE
    assert (exporter.done, exporter.lost) == (1, 1)


async def test_who_waits_for_patience_is_hurried_on(collector: Collector) -> None:
    collector.statuses, collector.fields = [503], {"Retry-After": "5"}
    exporter = OtlpExporter(collector.url)
    export = asyncio.get_running_loop().run_in_executor(None, exporter.export, batch())
    await collector.asked.wait()
    exporter.hurry()
    async with asyncio.timeout(3):
        assert await export is SpanExportResult.FAILURE
    assert collector.requests == 1


async def test_what_hangs_is_cut_and_nothing_is_sent_after_that(collector: Collector) -> None:
    collector.is_hanging = True
    exporter = OtlpExporter(collector.url)
    export = asyncio.get_running_loop().run_in_executor(None, exporter.export, batch())
    await collector.asked.wait()
    exporter.cut()
    async with asyncio.timeout(3):
        assert await export is SpanExportResult.FAILURE
    assert await asyncio.to_thread(exporter.export, batch()) is SpanExportResult.FAILURE
    assert (collector.requests, exporter.done, exporter.lost) == (1, 2, 2)
