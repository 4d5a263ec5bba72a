"""The backend of all proxies: nginx, from memory. It answers 500 to a request without `X-Forwarded-For`.

So a proxy that left out its work is caught by the load generator, which counts every answer that is not 200.

    /...      131 bytes, as a small JSON document has
    /big      1 MiB, streamed from the page cache
    /whoami   the address that was connected to: which endpoint it is
    /sick     500 at the first address, 200 at the others
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from bench.fetching import fetch
from bench.peers.contestant import found
from bench.peers.nginx import ENDLESS, preamble, status_accepts, status_requests, temporary
from bench.setting import Launch, Place

BODY = (
    '{"id":"profile-1","name":"Ada Lovelace","region":"eu-west","version":17,"tags":["a","b"],"note":"' + "x" * 131
)[:129] + '"}'
BIG = 1 << 20


@dataclass(frozen=True, slots=True)
class Seen:
    """What the backend has seen so far."""

    requests: int
    connections: int


def prepare(place: Place, addresses: Sequence[str]) -> Launch:
    """Write its files; it listens on all of `addresses`."""
    (place.directory / "big").write_bytes(os.urandom(BIG))
    (place.directory / "nginx.conf").write_text(configuration(place, addresses))
    return Launch((found("nginx"), "-p", str(place.directory), "-c", "nginx.conf"))


def seen(place: Place) -> Seen:
    status = fetch(place.admin_port, "/status")[1]
    return Seen(status_requests(status), status_accepts(status))


def configuration(place: Place, addresses: Sequence[str]) -> str:
    listens = "\n".join(f"    listen {address} backlog=4096;" for address in addresses)
    return f"""{preamble(place, connections=15_000)}
http {{
{temporary(place)}
  access_log off;
  sendfile on;
  default_type application/json;
  keepalive_timeout 300s;
  keepalive_requests {ENDLESS};
  open_file_cache max=10;
  server {{
{listens}
    if ($http_x_forwarded_for = "") {{ return 500; }}
    location / {{ return 200 '{BODY}'; }}
    location = /big {{ root {place.directory}; }}
    location = /whoami {{ return 200 $server_addr; }}
    location = /sick {{
      if ($server_addr = {addresses[0].rpartition(":")[0]}) {{ return 500; }}
      return 200 well;
    }}
  }}
  server {{
    listen 127.0.0.1:{place.admin_port};
    location /status {{ stub_status; }}
  }}
}}
"""
