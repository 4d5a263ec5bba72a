"""HAProxy: one thread, its statistics page counting. Idle upstream connections are shared (`http-reuse always`)."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Sequence

from bench.fetching import fetch
from bench.peers.contestant import absent, found
from bench.setting import IDLE_S, MAX_CLIENTS, MAX_UPSTREAM, Launch, Place, Setting, route_paths


class Haproxy:
    name = "HAProxy"

    def missing(self) -> str | None:
        return absent("haproxy")

    def version(self) -> str:
        shown = subprocess.run([found("haproxy"), "-v"], capture_output=True, text=True, check=True)
        return shown.stdout.split()[2]

    def refuses(self, setting: Setting, place: Place) -> str | None:
        return None

    def prepare(self, setting: Setting, place: Place) -> Launch:
        if setting.tls:
            both = setting.tls.certificate.read_text() + setting.tls.private_key.read_text()
            (place.directory / "server.pem").write_text(both)
        (place.directory / "routes.map").write_text("".join(f"{path} service\n" for path in route_paths(setting)))
        (place.directory / "haproxy.cfg").write_text(configuration(setting, place))
        return Launch((found("haproxy"), "-db", "-f", place.path("haproxy.cfg")))

    def measured(self, place: Place, pids: Sequence[int]) -> Sequence[int]:
        return pids

    def counted(self, place: Place) -> int | None:
        return frontend_requests(fetch(place.admin_port, "/;csv")[1])


def frontend_requests(statistics: str) -> int:
    """`req_tot` of the frontend that clients use."""
    for row in csv.DictReader(statistics.lstrip("# ").splitlines()):
        if row["pxname"] == "public" and row["svname"] == "FRONTEND":
            return int(row["req_tot"])
    raise ValueError("found no frontend `public` in the statistics, expected one")


def configuration(setting: Setting, place: Place) -> str:
    watch = "check inter 10s observe layer7 error-limit 5 on-error mark-down" if setting.policies else ""
    servers = "\n".join(
        f"  server s{number} {address} {watch} {f'cookie s{number}' if setting.policies else ''}"
        for number, address in enumerate(place.backends)
    )
    limit = (
        f"""  stick-table type ip size 100k expire 60s store http_req_rate(1s)
  http-request track-sc0 src
  http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt {setting.limit_per_s} }}
"""
        if setting.policies
        else ""
    )
    return f"""global
  nbthread 1
  maxconn {MAX_CLIENTS}
  no strict-limits
  {"log stdout format raw local0 info" if setting.access_log else ""}
defaults
  mode http
  timeout connect 5s
  timeout client {IDLE_S}s
  timeout server {IDLE_S}s
  timeout http-keep-alive {IDLE_S}s
  timeout tunnel 1h
  option forwardfor
  {"option httplog" if setting.access_log else ""}
  {"log global" if setting.access_log else ""}
  http-reuse always
frontend public
  bind 127.0.0.1:{place.port} backlog 4096 {f"ssl crt {place.path('server.pem')}" if setting.tls else ""}
{limit}  use_backend %[path,map_beg({place.path("routes.map")})]
backend service
  balance {"roundrobin" if setting.endpoints == 1 else "leastconn"}
  {"cookie tidegate_session insert indirect nocache" if setting.policies else ""}
{servers}
  default-server pool-max-conn {MAX_UPSTREAM}
listen statistics
  bind 127.0.0.1:{place.admin_port}
  stats enable
  stats uri /
"""
