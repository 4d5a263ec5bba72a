"""An operator has a real request explained by a real node: field, answer, explanation."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

from tests.harness.node import Asked, Backend, Node, fetch, ports
from tidegate.commands.debug import by_id, make_header

TOKENS = {"OPERATOR": "o" * 20, "VIEWER": "v" * 20}


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[name]}"}


def sent(asked: Asked) -> dict[str, str]:
    return {name.lower(): value for name, value in asked.headers.items()}


async def field(node: Node) -> tuple[str, str]:
    """As `tidegate debug-header` prints it."""
    out, err = io.StringIO(), io.StringIO()
    code = await asyncio.to_thread(
        make_header, node.admin, valid_s=60, as_json=False, token=TOKENS["OPERATOR"], out=out, err=err
    )
    assert code == 0, err.getvalue()
    name, _, value = out.getvalue().strip().partition(": ")
    return name, value


async def test_an_operators_field_gets_the_explanation_of_the_very_request(tmp_path: Path) -> None:
    async with Backend() as backend, Node(tmp_path, backend.address, environ=TOKENS) as node:
        dead = f"127.0.0.1:{ports(1)[0]}"
        node.config["services"][0]["endpoints"].append({"region": "eu", "address": dead, "weight": 1})
        node.config["services"][0]["health_check"]["interval"] = "60s"  # that one is dead is found by the request
        node.config["services"][0]["load_balancing"] = {"algorithm": "round_robin"}
        node.config["admin"]["tokens"] = [
            {"name": "ann", "role": "operator", "token": "env:OPERATOR"},
            {"name": "bob", "role": "viewer", "token": "env:VIEWER"},
        ]
        node.write()
        node.launch()

        async def serves() -> bool:
            try:
                return (await node.get("/")).status == 200
            except OSError:
                return False

        await node.until(serves, "the node serves", within_s=60)
        name, value = await field(node)
        answer = await node.get("/v1/profile/7", headers={name: value, "X-Secret": "hush"})
        assert answer.status == 200
        explanation_id = answer.headers["Tidegate-Explanation"]
        assert not any("tidegate-debug" in sent(asked) for asked in backend.requests())

        found: dict[str, Any] = {}

        async def is_told() -> bool:
            told = await fetch("GET", f"{node.admin}/v1/explanations/{explanation_id}", headers=bearer("VIEWER"))
            if told.status == 200:
                found.update(told.json())
            return told.status == 200

        await node.until(is_told, "the explanation is with control")
        assert found["route"] == "api"
        assert found["request_id"] == sent(backend.requests()[-1])["x-request-id"]
        assert {candidate["endpoint"] for candidate in found["candidates"]} == {
            f"api/eu/{backend.address}",
            f"api/eu/{dead}",
        }
        assert found["outcome"]["status"] == 200
        assert found["outcome"]["endpoint"] == f"api/eu/{backend.address}"
        assert "hush" not in json.dumps(found)

        out, err = io.StringIO(), io.StringIO()
        shown = await asyncio.to_thread(
            by_id, node.admin, explanation_id, as_json=False, token=TOKENS["VIEWER"], out=out, err=err
        )
        assert (shown, err.getvalue()) == (0, "")
        assert f"answered with 200 by api/eu/{backend.address}" in out.getvalue()

        # Nobody else is explained anything, and nobody else makes such a field.
        forged = await node.get("/x", headers={name: value[:-2] + ("AA" if not value.endswith("AA") else "BB")})
        assert (forged.status, "Tidegate-Explanation" in forged.headers) == (200, False)
        refused = await fetch("POST", f"{node.admin}/v1/explanations", headers=bearer("VIEWER"), body=b"{}")
        assert refused.status == 403
