"""Access counters, as each proxy shows them."""

from __future__ import annotations

import pytest

from bench.peers.exposition import total
from bench.peers.haproxy import frontend_requests
from bench.peers.nginx import status_accepts, status_requests


def test_nginx_counts_requests_and_connections() -> None:
    status = "Active connections: 1 \nserver accepts handled requests\n 5 5 17 \nReading: 0 Writing: 1 Waiting: 0 \n"
    assert (status_accepts(status), status_requests(status)) == (5, 17)


def test_haproxy_counts_by_frontend() -> None:
    rows = "# pxname,svname,req_tot\nstatistics,FRONTEND,3\npublic,FRONTEND,42\npublic,BACKEND,41\n"
    assert frontend_requests(rows) == 42


def test_statistics_of_something_else_are_refused() -> None:
    with pytest.raises(ValueError, match="found no frontend"):
        frontend_requests("# pxname,svname,req_tot\n")


def test_series_of_one_name_are_summed() -> None:
    text = '# HELP a_total x\na_total{r="1"} 2.0\na_total{r="2"} 3\na_total_created{r="1"} 9\nb 7\n'
    assert total(text, "a_total") == 5
    assert total(text, "a_total", 'r="2"') == 3
    assert total(text, "b") == 7
    assert total(text, "c") == 0
