"""nginx: one worker process, `stub_status` counting."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from bench.fetching import fetch
from bench.peers.contestant import absent, found
from bench.setting import IDLE_S, MAX_CLIENTS, MAX_UPSTREAM, Launch, Place, Setting, route_paths

ENDLESS = 1_000_000_000


class Nginx:
    name = "nginx"

    def missing(self) -> str | None:
        return absent("nginx")

    def version(self) -> str:
        shown = subprocess.run([found("nginx"), "-v"], capture_output=True, text=True, check=True)
        return shown.stderr.strip().rpartition("/")[2]

    def refuses(self, setting: Setting, place: Place) -> str | None:
        if setting.policies:
            return "sticky cookies and outlier detection are not in the open-source nginx"
        return None

    def prepare(self, setting: Setting, place: Place) -> Launch:
        (place.directory / "nginx.conf").write_text(configuration(setting, place))
        return Launch((found("nginx"), "-p", str(place.directory), "-c", "nginx.conf"))

    def measured(self, place: Place, pids: Sequence[int]) -> Sequence[int]:
        return pids

    def counted(self, place: Place) -> int | None:
        return status_requests(fetch(place.admin_port, "/status")[1])


def status_requests(status: str) -> int:
    """The third number of `stub_status`: requests, since the start."""
    return int(status.splitlines()[2].split()[2])


def status_accepts(status: str) -> int:
    """The first: connections accepted."""
    return int(status.splitlines()[2].split()[0])


def preamble(place: Place, *, connections: int) -> str:
    """What every nginx here has in common, whether it is a proxy or the backend."""
    return f"""{"user root;" if os.geteuid() == 0 else ""}
daemon off;
worker_processes 1;
worker_rlimit_nofile {connections + 500};
pid {place.path("nginx.pid")};
error_log stderr crit;
events {{ worker_connections {connections}; }}
"""


def temporary(place: Place) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "\n".join(f"  {kind}_temp_path {place.path('temp')};" for kind in kinds)


def configuration(setting: Setting, place: Place) -> str:
    servers = "\n".join(f"    server {address};" for address in place.backends)
    upgrade = (
        'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'
        if setting.tunnel
        else 'proxy_set_header Connection "";'
    )
    locations = "\n".join(
        f"""    location {path} {{
      proxy_pass http://backend;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      {upgrade}
    }}"""
        for path in route_paths(setting)
    )
    tls = (
        f"ssl_certificate {setting.tls.certificate};\n  ssl_certificate_key {setting.tls.private_key};\n"
        "  ssl_protocols TLSv1.2 TLSv1.3;"
        if setting.tls
        else ""
    )
    return f"""{preamble(place, connections=MAX_CLIENTS + MAX_UPSTREAM)}
http {{
{temporary(place)}
  access_log {f"{place.path('access.log')} combined buffer=64k" if setting.access_log else "off"};
  keepalive_timeout {IDLE_S}s;
  keepalive_requests {ENDLESS};
  proxy_http_version 1.1;
  proxy_buffers 16 32k;
  proxy_buffer_size 16k;
  proxy_max_temp_file_size 0;
  {tls}
  upstream backend {{
{servers}
    keepalive {MAX_UPSTREAM};
    keepalive_requests {ENDLESS};
  }}
  server {{
    listen 127.0.0.1:{place.port} {"ssl" if setting.tls else ""} backlog=4096;
{locations}
  }}
  server {{
    listen 127.0.0.1:{place.admin_port};
    location /status {{ stub_status; }}
  }}
}}
"""
