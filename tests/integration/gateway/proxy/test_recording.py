"""What is recorded of requests' ends by a real data plane."""

from __future__ import annotations

from gateway.messages import EndpointState
from tests.harness.dataplane import Bench

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"


async def test_no_healthy_endpoint_is_a_503_whose_log_line_says_why_each_was_passed_over() -> None:
    async with Bench() as bench:
        ill = bench.add_address("127.0.0.1:9")
        bench.states[ill] = EndpointState("down", "http 503")
        await bench.publish()
        reply = await bench.ask(GET)
        assert reply.status == 503
        assert reply.problem["reason"] == "no_healthy_endpoint"
        assert reply.field(b"retry-after") == b"5"
        assert reply.field(b"proxy-status") == b"gw-test; error=destination_unavailable"
        assert {"region": "eu", "endpoint": ill, "reason": "probe_down: http 503"} in bench.log[0]["passed_over"]
        assert {"region": "us", "endpoint": "", "reason": "no_endpoint_in_region"} in bench.log[0]["passed_over"]


async def test_a_forwarded_request_is_recorded_with_all_that_is_known_of_it() -> None:
    async with Bench() as bench:
        endpoint = await bench.endpoint()
        await bench.publish()
        await bench.ask(b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
        (line,) = bench.log
        assert (line["listener"], line["client"]) == ("public", "127.0.0.1")
        assert (line["method"], line["host"], line["path"], line["status"]) == ("PUT", "h", "/a", 200)
        assert (line["route"], line["region"], line["endpoint"]) == ("all", "eu", f"api/eu/127.0.0.1:{endpoint.port}")
        assert (line["attempts"], line["bytes_in"], line["bytes_out"]) == (1, 3, 2)
        assert line["request_id"].encode() in endpoint.received[0]
        assert not {"reason", "detail", "failures", "passed_over", "mirror", "session", "waited_ms"} & line.keys()


async def test_what_is_answered_here_is_recorded_as_far_as_it_was_understood() -> None:
    async with Bench(route={"match": {"path": "/only/*"}}) as bench:
        await bench.endpoint()
        await bench.publish()
        unknown = await bench.ask(GET)
        broken = await bench.ask(b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n")
        understood, nothing = bench.log
        assert (unknown.status, broken.status) == (understood["status"], nothing["status"]) == (404, 400)
        assert (understood["method"], understood["host"], understood["path"]) == ("GET", "h", "/a")
        assert (nothing["method"], nothing["host"], nothing["path"]) == ("", "", "")
        assert [line["client"] for line in bench.log] == ["127.0.0.1"] * 2
        assert all(line["reason"] and line["detail"] and line["request_id"] for line in bench.log)
