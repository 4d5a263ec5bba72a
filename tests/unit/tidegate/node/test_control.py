"""The control side of a node, with a prober whose verdicts a test sets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.messages import DURATION_BUCKETS_S, EndpointCount, Hello, Publication, Report, RouteCount
from health.core.discovery import Answer, Found
from tests.harness.control import House, connect
from tidegate.demo import waiting
from tidegate.node.audit_log import MAX_BUFFERED, folder_of, segments
from tidegate.node.channel import memory_pair


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    yield made
    await made.tasks.close()


async def until(condition: Callable[[], Any]) -> None:
    await waiting.until(lambda: bool(condition()), within_s=5, what="a test's condition", every_s=0)


ENDPOINT = "api/eu/127.0.0.1:7001"


async def test_control_publishes_at_its_start_and_probes_every_endpoint(house: House) -> None:
    control = house.control()
    assert control.snapshot is not None
    assert control.snapshot.version == 1
    assert house.prober.targets == [ENDPOINT, "api/us/127.0.0.1:7002"]


async def test_a_verdict_goes_out_as_a_new_version(house: House) -> None:
    control = house.control()
    await until(lambda: control.snapshot)
    house.prober.say(ENDPOINT, "down")
    await until(lambda: control.snapshot and control.snapshot.version == 2)


async def test_a_node_on_its_last_good_configuration_is_degraded_and_does_not_call_it_the_files(house: House) -> None:
    house.control()
    await until(lambda: house.disk.last_good(house.file))
    good = house.file.read_text()
    house.file.write_text("colour: blue")
    control = house.control()
    assert any("last good configuration" in reason for reason in control.degraded())
    await asyncio.sleep(0)
    assert getattr(house.disk.last_good(house.file), "text", None) == good


async def test_a_reload_probes_what_is_new_and_forgets_what_is_gone(house: House) -> None:
    control = house.control()
    house.document["services"][0]["endpoints"].pop()
    house.write()
    attempt = await control.reload("test")
    assert attempt.changed
    assert house.prober.targets == [ENDPOINT]
    await until(lambda: control.snapshot and control.snapshot.version == 2)


async def test_a_reload_that_changes_nothing_asks_nothing_of_the_prober(house: House) -> None:
    control = house.control()
    assert (await control.reload("test")).ok
    assert house.prober.reconciled == 1
    assert control.snapshot is not None
    assert control.snapshot.version == 1


async def test_a_bad_file_is_said_in_the_log(house: House) -> None:
    control = house.control()
    house.file.write_text("colour: blue")
    assert not (await control.reload("test")).ok
    assert [line["event"] for line in house.lines if line["level"] == "error"] == [
        "configuration refused, the old one stays"
    ]


async def test_reports_are_merged_and_tell_who_serves(house: House) -> None:
    house.document["node"]["workers"] = 2
    house.write()
    control = house.control()
    ours, theirs = memory_pair()
    house.tasks.start("session", lambda: control.publisher.serve(theirs))
    await ours.send(Hello(1, 7))
    assert isinstance(await ours.receive(), Publication)
    assert control.degraded() == ["data planes not serving: 0, 1 of 2"]
    buckets = [1] + [0] * len(DURATION_BUCKETS_S)
    await ours.send(Report(1, 3, 2, [RouteCount("api", "eu", 200, "", 1, 0.1, buckets)], []))
    await until(control.serving)
    assert control.serving() == {1}
    assert sum(control.totals.requests.values()) == 1
    assert control.degraded() == ["data planes not serving: 0 of 2"]
    control.is_orphan = True
    assert any("supervisor is gone" in reason for reason in control.degraded())
    ours.close()


NAMED = {"region": "eu", "dns": "api.test", "port": 80}


def stands_for(*hosts: str) -> Answer:
    return Answer(tuple(Found(0, host, 80, "api.test") for host in hosts), 0.1)


def with_a_name(house: House) -> None:
    house.document["services"][0]["endpoints"].append(NAMED)
    house.document["discovery"] = {"min_ttl": "100ms", "max_ttl": "200ms"}
    house.write()


async def test_whom_a_name_stands_for_is_published_and_probed_and_so_is_a_change(house: House) -> None:
    with_a_name(house)
    house.resolver.answers["api.test"] = stands_for("10.0.0.1")
    control = house.control()
    await until(lambda: "api/eu/10.0.0.1:80" in house.prober.targets)
    await until(lambda: control.snapshot and control.snapshot.resolved)
    house.resolver.answers["api.test"] = stands_for("10.0.0.2")
    await until(lambda: "api/eu/10.0.0.2:80" in house.prober.targets)
    assert "api/eu/10.0.0.1:80" not in house.prober.targets
    assert ENDPOINT in house.prober.targets
    await until(
        lambda: (
            control.snapshot and [one.host for one in control.snapshot.resolved["api/eu/api.test:80"]] == ["10.0.0.2"]
        )
    )


async def test_whom_a_name_stood_for_outlives_the_process_although_no_resolver_answers(house: House) -> None:
    with_a_name(house)
    house.resolver.answers["api.test"] = stands_for("10.0.0.1")
    first = house.control()
    await until(lambda: first.snapshot and first.snapshot.resolved)
    first.saving.verdicts()
    house.resolver.answers.clear()
    second = house.control()
    assert second.snapshot is not None
    assert [one.host for one in second.snapshot.resolved["api/eu/api.test:80"]] == ["10.0.0.1"]
    assert "api/eu/10.0.0.1:80" in house.prober.targets
    await until(lambda: second.names.ledgers()[0].reason == "SERVFAIL from 192.0.2.53")
    assert second.names.found()


async def test_what_data_planes_fail_at_is_probed_at_once(house: House) -> None:
    control = house.control()
    counts = [
        EndpointCount(ENDPOINT, attempts=2, connect_failures=1, failures=0, in_flight=0),
        EndpointCount("api/us/127.0.0.1:7002", attempts=2, connect_failures=0, failures=0, in_flight=0),
    ]
    await connect(house, control, 0, Report(1, 1, 0, [], counts))
    assert house.prober.suspected == [ENDPOINT]


async def test_a_reload_is_in_the_audit_log_with_what_it_brought_or_why_it_was_refused(house: House) -> None:
    control = house.control()
    await control.reload("nothing has changed")
    house.document["residency"] = {"audit": {"retention": "2d"}}
    house.write()
    await control.reload("SIGHUP")
    assert control.audit.retention_s == 2 * 86400
    house.file.write_text("colour: blue")
    await control.reload("the file changed")
    control.audit.close()
    (found,) = segments(folder_of(str(house.data_dir))).values()
    _, done, refused = found.records
    assert (done["action"], done["author"], done["reason"], done["outcome"]) == ("reload", "file", "SIGHUP", "done")
    assert done["detail"] == control.configuration.loaded.digest
    assert (refused["reason"], refused["outcome"]) == ("the file changed", "refused")
    assert "colour" in refused["detail"]


async def test_the_audit_log_is_kept_for_a_bounded_time_where_nothing_is_said_of_it(house: House) -> None:
    assert house.control().audit.retention_s == 400 * 86400


async def test_what_its_own_part_of_the_audit_log_lost_is_told_with_the_data_planes(house: House) -> None:
    control = house.control()
    (house.data_dir / "audit").write_text("a file where the folder should be")
    for _ in range(MAX_BUFFERED + 3):
        control.audit.write({"kind": "decision"})
    assert control.audit_lost() == 3
    assert "audit records lost since the start: 3; is the disk full?" in control.degraded()
