"""Explanations of admission: the live functions, nothing waited for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway.admission.door import Door
from gateway.core.explain import explain
from tests.harness.routing import config, routed, snapshot


def explained(document: dict[str, Any], headers: list[tuple[str, str]], client_ip: str = "192.0.2.1") -> dict[str, Any]:
    door = Door(environ={}, now=lambda: 0.0, wall=lambda: 0.0)
    door.adopt(config(document))
    return explain(
        snapshot(document),
        method="GET",
        url="http://h/",
        headers=headers,
        client_ip=client_ip,
        country=lambda _: None,
        admission=door.explain,
    )


def test_an_explanation_says_what_each_policy_says(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("desktop: key-number-one\n")
    keys = {"kind": "api_key", "keys": f"file:{file}"}
    route = routed(access={"deny": ["203.0.113.0/24"], "authentication": keys})
    good = explained(route, [("X-Api-Key", "key-number-one")])
    assert [(one["name"], one["outcome"], one["reason"]) for one in good["policies"][:2]] == [
        ("access", "passed", "its address and country may come"),
        ("authentication api_key", "passed", "it is desktop"),
    ]
    assert good["decision"]["endpoint"]
    wrong = explained(route, [("X-Api-Key", "another")])
    assert (wrong["decision"]["status"], wrong["decision"]["reason"]) == (401, "credentials_refused")
    denied = explained(route, [], client_ip="203.0.113.9")
    assert (denied["decision"]["status"], denied["decision"]["reason"]) == (403, "address_denied")
    assert denied["policies"][0]["outcome"] == "refused"
