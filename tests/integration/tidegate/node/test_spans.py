"""Spans on their way out: bounded, counted, never in the way of a request, and flushed at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from config.models import Config
from tests.harness.collector import Collector, some_span
from tests.harness.configuration import load
from tests.harness.dataplane import free_port, until
from tests.harness.node import Backend, Node, Traffic
from tidegate.node.logs import Log
from tidegate.node.spans import FLUSH_S, MAX_WAITING, Spans


def tracing(exporter: str, *, enabled: bool = True) -> Config:
    told = {"tracing": {"enabled": enabled, "exporter": exporter}}
    return load(edit=lambda it: it.update(observability=told)).config


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with Collector() as made:
        yield made


@pytest.fixture
def said() -> list[dict[str, Any]]:
    return []


@pytest.fixture
async def spans(said: list[dict[str, Any]]) -> Spans:
    return Spans(node_id="gw1", slot=3, log=Log(said.append), loop=asyncio.get_running_loop())


async def test_spans_arrive_while_it_starts_and_at_the_end(spans: Spans, collector: Collector) -> None:
    spans.adopt(tracing(collector.url))
    spans.add([some_span("first")])
    await until(lambda: len(collector.spans) == 1, "the first one has arrived")
    spans.add([some_span("last"), some_span("last of all")])
    await spans.close()
    assert [span.name for span in collector.spans] == ["first", "last", "last of all"]
    assert {span.resource["service.instance.id"] for span in collector.spans} == {"gw1/3"}
    assert spans.take_dropped() == 0


async def test_where_tracing_is_off_nothing_starts_and_what_comes_is_dropped(spans: Spans) -> None:
    spans.adopt(tracing("http://127.0.0.1:9", enabled=False))
    spans.add([some_span(), some_span()])
    assert (spans.take_dropped(), spans.take_dropped()) == (2, 0)
    await spans.close()


async def test_the_same_configuration_again_changes_nothing_and_another_collector_gets_what_follows(
    spans: Spans, collector: Collector
) -> None:
    async with Collector() as other:
        for _ in range(2):
            spans.adopt(tracing(collector.url))
            spans.add([some_span("before")])
        spans.adopt(tracing(other.url))
        spans.add([some_span("after")])
        await until(lambda: len(collector.spans) == 2, "what was on its way arrives")
        await spans.close()
        assert [span.name for span in other.spans] == ["after"]
    assert [span.name for span in collector.spans] == ["before", "before"]
    assert spans.take_dropped() == 0


async def test_what_a_hanging_collector_does_not_take_is_bounded_counted_and_given_up(
    spans: Spans, collector: Collector
) -> None:
    collector.is_hanging = True
    spans.adopt(tracing(collector.url))
    spans.add([some_span()])
    await collector.asked.wait()
    for _ in range(MAX_WAITING):
        spans.add([some_span(), some_span()])
    dropped = spans.take_dropped()
    assert MAX_WAITING * 2 + 1 - dropped == MAX_WAITING - 1  # pairs stay together, and one was there first
    loop = asyncio.get_running_loop()
    started = loop.time()
    await spans.close()
    assert loop.time() - started < FLUSH_S + 1.0
    assert dropped + spans.take_dropped() == MAX_WAITING * 2 + 1
    assert collector.spans == []


async def test_a_collector_that_is_away_is_told_of_once_and_its_spans_are_counted(
    spans: Spans, said: list[dict[str, Any]]
) -> None:
    spans.adopt(tracing(f"http://127.0.0.1:{free_port()}"))
    spans.add([some_span()] * 3)
    await spans.close()
    assert spans.take_dropped() == 3
    (line,) = said
    assert line["event"] == "traces do not arrive, and are dropped"
    assert "refused" in line["reason"]


# -- whole nodes


def traced(node: Node, exporter: str, sample: str = "100%") -> None:
    node.config["observability"] = {"tracing": {"enabled": True, "sample": sample, "exporter": exporter}}


@pytest.mark.parametrize("workers", [0, 1])
async def test_a_node_tells_the_collector_of_each_request(tmp_path: Path, collector: Collector, workers: int) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address, workers=workers) as node:
        traced(node, collector.url)
        await node.start()
        assert (await node.get("/first")).status == 200
        await node.until(lambda: len(collector.spans) >= 2, "its spans have arrived")
        server, client = collector.spans
        assert (server.name, server.attributes["url.path"]) == ("GET /*", "/first")
        assert client.parent_id == server.span_id
        assert server.resource["service.instance.id"] == "gw1/0"
        async with Traffic(node.url, clients=4) as traffic:
            await traffic.more(50)
        assert await node.stop() == 0
    assert len(collector.spans) == 2 * (traffic.total + 1)  # the last of them at the drain


@pytest.mark.parametrize("is_there", [True, False])
async def test_a_collector_that_hangs_or_is_away_costs_requests_nothing(
    tmp_path: Path, collector: Collector, is_there: bool
) -> None:
    collector.is_hanging = True
    async with Backend() as backend, Node(tmp_path, backend.address, workers=1) as node:
        traced(node, collector.url if is_there else f"http://127.0.0.1:{free_port()}")
        await node.start()
        async with Traffic(node.url, clients=4) as traffic:
            await traffic.more(200)
            if is_there:
                await node.until(lambda: collector.requests > 0, "the collector has a batch, and sits on it")
            await traffic.more(200)
        assert traffic.failures == []
        assert traffic.statuses == {200: traffic.total}
        if not is_there:

            async def are_counted() -> bool:
                return await node.metric("tidegate_trace_spans_dropped_total") > 0

            await node.until(are_counted, "what nobody took is counted")
        loop = asyncio.get_running_loop()
        started = loop.time()
        assert await node.stop() == 0
        assert loop.time() - started < FLUSH_S + 5.0
    assert collector.spans == []
