from __future__ import annotations

import pytest

from bench.wrk import HEADERS, LoadFailed, Ran, parse, script

GOOD = """Running 2s test @ http://127.0.0.1:1/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.80ms    0.53ms   8.23ms   83.57%
  37231 requests in 2.10s, 11.72MB read
Requests/sec:  17729.05
"""


def test_requests_and_time_are_read() -> None:
    assert parse(GOOD) == Ran(37231, 2.1)


def test_time_may_be_given_in_minutes() -> None:
    assert parse("  10 requests in 1.50m, 1MB read").seconds == 90


@pytest.mark.parametrize(
    "line",
    [
        "  Non-2xx or 3xx responses: 3",
        "  Socket errors: connect 0, read 1, write 0, timeout 0",
    ],
)
def test_one_wrong_answer_spoils_the_run(line: str) -> None:
    with pytest.raises(LoadFailed, match=line.strip()[:12]):
        parse(GOOD + line)


def test_no_answer_at_all_is_a_failure() -> None:
    with pytest.raises(LoadFailed, match="not one"):
        parse("0 requests in 2.00s, 0.00B read")


def test_output_without_numbers_is_a_failure() -> None:
    with pytest.raises(LoadFailed, match="unable to connect"):
        parse("unable to connect to 127.0.0.1:1")


def test_with_host_a_request_has_thirteen_fields() -> None:
    assert script(["/"]).count("wrk.headers[") + 1 == len(HEADERS) + 1 == 13


def test_several_paths_are_formatted_once_and_sent_in_turn() -> None:
    lua = script(["/a", "/b"], [("Connection", "close")])
    assert '{"/a", "/b"}' in lua
    assert 'wrk.headers["Connection"] = "close"' in lua
    assert lua.count("wrk.format") == 1


def test_varied_requests_keep_all_their_fields_and_change_one() -> None:
    lua = script(["/a", "/a"], is_varied=True)
    assert "wrk.format(nil, path, with(i))" in lua
    assert "pairs(wrk.headers)" in lua
