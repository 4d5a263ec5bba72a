"""An offline client's queue, and what the answer to its upload means for each operation."""

from __future__ import annotations

import base64
import json
from typing import Any

from chaos.traffic import offline
from chaos.traffic.history import History
from chaos.traffic.offline import Offline


def client() -> Offline:
    return Offline(None, History(), run="r", clock=lambda: 5.0)  # type: ignore[arg-type]


def test_every_operation_of_the_queue_is_uploaded_under_its_own_id() -> None:
    queue = client().queue
    told = json.loads(offline._encoded(queue))["operations"]
    assert [one["op_id"] for one in told] == [f"r-offline:{n}" for n in range(1, offline.QUEUED + 1)]
    assert base64.b64decode(told[0]["value_base64"]).decode() == queue[0].value


def test_each_item_is_judged_alone() -> None:
    uploading = client()
    results: list[dict[str, Any]] = [{"op_id": one.op_id, "status": 201} for one in uploading.queue]
    results[1] = {"op_id": "r-offline:2", "status": 409, "problem": {"reason": "too_many_siblings"}}
    results[2] = {"op_id": "r-offline:3", "status": 503, "problem": {"reason": "store_unavailable"}}
    uploading._read("eu-west", 4.0, {"results": results})
    first, second, third = uploading.queue[:3]
    assert (first.acknowledged_at, first.refused) == (5.0, None)
    assert (second.acknowledged_at, second.refused) == (None, "409 too_many_siblings")
    assert (third.acknowledged_at, third.refused) == (None, None)
