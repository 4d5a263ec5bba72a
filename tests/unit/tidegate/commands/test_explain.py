"""`tidegate explain`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests.harness.configuration import document
from tests.harness.node import ports
from tidegate.commands.explain import offline, online


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tidegate.yaml"
    path.write_text(json.dumps(document()))
    return path


def run(
    file: Path,
    url: str = "http://a.example/x",
    *,
    method: str = "GET",
    as_json: bool = False,
    headers: tuple[tuple[str, str], ...] = (("Accept", "*/*"),),
) -> tuple[int, str]:
    out = io.StringIO()
    err = io.StringIO()
    code = offline(
        file,
        method=method,
        url=url,
        headers=headers,
        client_ip="81.2.69.142",
        as_json=as_json,
        environ={},
        out=out,
        err=err,
    )
    return code, out.getvalue() + err.getvalue()


def test_offline_every_candidate_has_its_reason_and_health_is_assumed(file: Path) -> None:
    code, told = run(file, as_json=True)
    explanation = json.loads(told)
    assert code == 0
    assert len(explanation["candidates"]) == 2
    assert all(candidate["reason"] for candidate in explanation["candidates"])
    assert "assumed" in explanation
    assert explanation["client"]["country"] == "GB"


def test_a_trusted_proxy_names_the_country(file: Path) -> None:
    changed = document()
    changed["listeners"][0]["trusted_proxies"] = ["81.2.69.0/24"]
    changed["geo"] = {"country_header": "CF-IPCountry"}
    file.write_text(json.dumps(changed))
    _, told = run(file, headers=(("CF-IPCountry", "DE"),))
    assert "client 81.2.69.142 (DE by CF-IPCountry)" in told
    changed["listeners"][0]["trusted_proxies"] = []
    file.write_text(json.dumps(changed))
    _, told = run(file, headers=(("CF-IPCountry", "DE"),))
    assert "client 81.2.69.142 (GB)" in told


def test_for_people_it_is_a_table(file: Path) -> None:
    code, told = run(file)
    assert code == 0
    assert told.startswith("api/eu/127.0.0.1:7001 in region eu: ")
    assert "api/us/127.0.0.1:7002" in told
    assert "assumed healthy" in told


def test_a_request_that_the_gateway_answers_itself_says_so(file: Path) -> None:
    changed = document()
    changed["routes"][0]["match"]["path"] = "/only"
    file.write_text(json.dumps(changed))
    code, told = run(file)
    assert code == 0
    assert told.startswith("answered by the gateway with 404: ")
    assert "skipped api" in told


@pytest.mark.parametrize(("method", "url"), [("GE T", "http://a/"), ("GET", "http://[/"), ("GET", "")])
def test_a_request_that_nobody_could_send_is_misuse(file: Path, method: str, url: str) -> None:
    code, told = run(file, url, method=method)
    assert code == 2
    assert told.startswith("such a request is refused: ")


def test_a_bad_file_is_misuse_with_its_mistakes(file: Path) -> None:
    file.write_text("colour: blue\n")
    code, told = run(file)
    assert code == 2
    assert "colour" in told


def test_a_node_that_is_not_there_is_unreachable() -> None:
    out, err = io.StringIO(), io.StringIO()
    code = online(
        f"http://127.0.0.1:{ports(1)[0]}",
        method="GET",
        url="/",
        headers=[],
        client_ip="127.0.0.1",
        as_json=False,
        token=None,
        out=out,
        err=err,
    )
    assert code == 3
    assert "no node answers" in err.getvalue()
