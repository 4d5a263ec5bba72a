"""The same attacks on nginx and HAProxy: a mark to beat, and a check that the table asks nothing that is impossible.

An attack counts as refused when the proxy itself answers it with an error, or closes, and no endpoint gets a byte.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import peers
from tests.harness.dataplane import Bench
from tests.harness.recording import RecordingEndpoint, converse
from tests.integration.attacks.hostile_requests import REFUSED, SMUGGLED, Attack

PATIENCE_S = 0.15
"""A proxy that waits for more has not refused."""


async def is_refused(attack: Attack, port: int, endpoint: RecordingEndpoint, *, patience_s: float) -> bool:
    endpoint.forget()
    received, closed = await converse(port, [attack.data + (SMUGGLED if attack.followed else b"")], within_s=patience_s)
    is_error = not received or received.startswith(
        (b"HTTP/1.1 4", b"HTTP/1.1 5", b"HTTP/1.0 4", b"HTTP/1.0 5", b"<html")
    )
    return closed and is_error and not endpoint.received


@pytest.mark.parametrize("name", peers.NAMES)
async def test_a_well_known_proxy_lets_some_of_the_attacks_pass(
    name: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    if peers.path_of(name) is None:
        pytest.fail(f"{name} is not installed: scripts/setup --tests")
    async with RecordingEndpoint() as endpoint, peers.peer(name, endpoint.port, directory=tmp_path) as port:
        received, _ = await converse(port, [b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"])
        assert received.startswith(b"HTTP/1.1 200 "), "it serves what is right"
        refused = [attack.name for attack in REFUSED if await is_refused(attack, port, endpoint, patience_s=PATIENCE_S)]
    passed = sorted({attack.name for attack in REFUSED} - set(refused))
    print(f"{name} refuses {len(refused)} of {len(REFUSED)}; not: {', '.join(passed)}")  # noqa: T201 - it is a scoreboard
    record_property(f"{name}_refuses", f"{len(refused)} of {len(REFUSED)}")
    assert len(REFUSED) / 2 < len(refused) < len(REFUSED)


async def test_tidegate_refuses_all_of_them() -> None:
    async with RecordingEndpoint() as endpoint, Bench() as bench:
        bench.add_address(endpoint.address)
        await bench.publish()
        passed = [a.name for a in REFUSED if not await is_refused(a, bench.port, endpoint, patience_s=10)]
    assert passed == []
