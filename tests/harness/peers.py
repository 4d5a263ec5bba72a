"""nginx and HAProxy as reverse proxies in front of an endpoint: other opinions about the same bytes.

async with peer("nginx", endpoint.port, directory=tmp_path) as port: ...

Configured for what Tidegate does: kept-alive connections to the endpoint, no caching, nothing allowed beyond defaults.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from tests.harness.dataplane import free_port

NAMES = ("nginx", "haproxy")

_NGINX = """
daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  upstream api {{ server 127.0.0.1:{endpoint}; keepalive 8; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_request_buffering off; proxy_buffering off; proxy_next_upstream off;
    }}
  }}
}}
"""
_HAPROXY = """
global
  maxconn 512
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 2s
frontend public
  bind 127.0.0.1:{port}
  default_backend api
backend api
  server one 127.0.0.1:{endpoint}
"""


def path_of(name: str) -> str | None:
    """Where the program is; also where only root looks for it."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


@contextlib.asynccontextmanager
async def peer(name: str, endpoint_port: int, *, directory: Path) -> AsyncIterator[int]:
    """Run it; its port."""
    port = free_port()
    program = path_of(name)
    assert program is not None, f"{name} is not installed: scripts/setup --tests"
    file = directory / f"{name}.conf"
    text = _NGINX if name == "nginx" else _HAPROXY
    file.write_text(text.format(directory=directory, port=port, endpoint=endpoint_port))
    arguments = ["-e", str(directory / "error.log"), "-c", str(file)] if name == "nginx" else ["-db", "-f", str(file)]
    with (directory / f"{name}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(program, *arguments, stdout=log, stderr=log)
    try:
        await _listening(port, process)
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _listening(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(10):
        while True:
            assert process.returncode is None, "it did not start"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
