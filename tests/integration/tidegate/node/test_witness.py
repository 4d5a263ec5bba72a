"""Two regions and a witness, real processes: a dead region loses its role by two votes; one alone decides nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from tests.harness.mesh_of_nodes import ENVIRON, Mesh, told
from tests.harness.node import ports


@contextmanager
def witness(folder: Path, config: dict[str, Any], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Its process, by the nodes' own file with another name, folder and address."""
    folder.mkdir()
    own = {**config, "peer": {**config["peer"], "bind": f"127.0.0.1:{port}"}}
    own["node"] = {**config["node"], "id": "witness-1", "data_dir": str(folder / "data")}
    (folder / "tidegate.yaml").write_text(json.dumps(own))
    with (folder / "err.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tidegate", "witness", "--config", str(folder / "tidegate.yaml")],
            env={**os.environ, **ENVIRON},
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    except BaseException as error:
        error.add_note((folder / "err.log").read_text()[-4000:])
        raise
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def two_and_a_witness(tmp_path: Path) -> AsyncIterator[tuple[Mesh, subprocess.Popen[bytes]]]:
    (port,) = ports(1)
    url = f"http://127.0.0.1:{port}"

    def edit(config: dict[str, Any]) -> None:
        config["failover"]["quorum"] = {"kind": "witness", "witness": url}
        acceptors = [{"url": peer} for region in config["regions"] for peer in region["peers"]]
        config["election"]["acceptors"] = [*acceptors, {"url": url, "witness": True}]

    async with Mesh(tmp_path, edit=edit, regions=("eu", "us")) as mesh:
        with witness(tmp_path / "witness", mesh.nodes["eu"].config, port) as process:
            await mesh.start()
            yield mesh, process


async def test_with_a_witness_the_last_of_two_regions_takes_over_and_without_it_nobody_does(tmp_path: Path) -> None:
    async with two_and_a_witness(tmp_path) as (mesh, process):
        us = mesh.nodes["us"]

        async def hears_the_witness() -> bool:
            nodes = (await told(us, "/v1/nodes")).get("nodes", ())
            return any(
                (one["node"], one["region"], one["same_config"]) == ("witness-1", "witness", True) for one in nodes
            )

        await us.until(hears_the_witness, "the witness is listed", within_s=30)
        await mesh.kill("eu")

        async def has_moved() -> bool:
            return bool((await told(us, "/v1/failover")).get("primary") == "us")

        await us.until(has_moved, "us leads instead of eu", within_s=60)
        votes = (await told(us, "/v1/failover"))["votes"]["eu"]
        assert votes["is_down"]
        assert {one["voter"] for one in votes["votes"]} == {"us", "witness"}

        process.send_signal(signal.SIGSTOP)

        async def is_undecided() -> bool:
            found = (await told(us, "/v1/failover")).get("votes", {}).get("eu", {"is_down": True})
            frozen = (await told(us, "/v1/status")).get("leadership", {}).get("frozen")
            return not found["is_down"] and frozen is not None

        await us.until(is_undecided, "alone it is neither a majority nor sure of anything", within_s=60)
        assert (await us.get("/alone")).status == 200
        process.send_signal(signal.SIGCONT)

        async def decides_again() -> bool:
            found = (await told(us, "/v1/failover")).get("votes", {}).get("eu", {"is_down": False})
            return bool(found["is_down"])

        await us.until(decides_again, "with the witness back, it is sure again", within_s=60)


def test_a_file_without_a_peer_section_starts_no_witness(tmp_path: Path) -> None:
    (tmp_path / "tidegate.yaml").write_text(
        json.dumps(
            {
                "node": {"data_dir": str(tmp_path / "data")},
                "regions": [{"id": "eu"}],
                "services": [{"id": "api", "endpoints": [{"region": "eu", "address": "127.0.0.1:1"}]}],
                "routes": [{"id": "all", "service": "api"}],
            }
        )
    )
    done = subprocess.run(
        [sys.executable, "-m", "tidegate", "witness", "--config", str(tmp_path / "tidegate.yaml")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "found no `peer`" in done.stderr
