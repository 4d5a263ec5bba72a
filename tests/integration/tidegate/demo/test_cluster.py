"""The demo's processes start, say that they are ready, and are all gone afterwards."""

from __future__ import annotations

import json
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tidegate.demo.cluster import Cluster, ClusterFailedError, answers, read_log
from tidegate.demo.distance import BY_REGION
from tidegate.demo.processes import is_gone

LINE = {"at": 5.0, "backend": "b", "method": "GET", "path": "/x", "request_id": None, "from": "gw-a", "probe": True}


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    one = Cluster(tmp_path, rng=random.Random(), environ=os.environ, workers=1)
    yield one
    one.kill_all()


async def test_everything_starts_serves_and_stops_without_a_trace(cluster: Cluster) -> None:
    told: list[str] = []
    await cluster.start(told.append)
    assert len(told) == len(cluster.backends) + len(cluster.nodes)
    running = cluster.remains()
    async with aiohttp.ClientSession() as session:
        for region in BY_REGION:
            assert await answers(session, f"http://{cluster.plan.node(region).public}/feed/{region}/1")
    logged = [arrival for name in cluster.backends for arrival in cluster.arrivals(name) if not arrival.is_probe]
    assert {arrival.path for arrival in logged if arrival.path.startswith("/feed")} == {
        f"/feed/{region}/1" for region in BY_REGION
    }
    assert await cluster.stop() == ()
    assert cluster.remains() == ()
    assert all(is_gone(pid) for pid in running)


async def test_a_program_that_does_not_start_is_named_with_its_last_words_and_its_log(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, rng=random.Random(), environ=os.environ)
    cluster.file.write_text("version: 99\n")
    try:
        with pytest.raises(ClusterFailedError, match=r"gw-eu-west ended with exit code 2\. Its log, .*gw-eu-west\.log"):
            await cluster.start(lambda _: None)
    finally:
        await cluster.stop()
    assert cluster.remains() == ()


def test_the_environment_of_the_one_who_runs_it_does_not_reach_the_nodes(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, rng=random.Random(), environ={"TIDEGATE_NODE__WORKERS": "7", "PATH": "/bin"})
    for node in cluster.nodes.values():
        assert "TIDEGATE_NODE__WORKERS" not in node.environment
        assert node.environment["PATH"] == "/bin"


def test_a_log_is_read_from_a_time_on_with_its_lines_as_they_stand(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    lines = [json.dumps({**LINE, "at": at}) for at in (1.0, 5.0, 9.0)]
    log.write_text("\n".join(lines) + "\n")
    assert [(arrival.at, arrival.line) for arrival in read_log(log, since=5.0)] == [(5.0, lines[1]), (9.0, lines[2])]
    assert (read_log(log)[0].node, read_log(log)[0].is_probe) == ("gw-a", True)


def test_a_log_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    assert read_log(tmp_path / "none") == ()
