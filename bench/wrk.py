"""As fast as it goes: wrk, which keeps a number of connections busy, and what it reports."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.peers.contestant import found
from bench.program import pinned

HEADERS = (
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    ),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"),
    ("Accept-Encoding", "gzip, deflate, br"),
    ("Accept-Language", "en-US,en;q=0.9"),
    ("Cache-Control", "no-cache"),
    ("Cookie", "session=abcdefghijklmnop; theme=dark"),
    ("Referer", "https://app.example.com/"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Upgrade-Insecure-Requests", "1"),
    ("X-Client", "desktop"),
)
"""What a browser sends; with `Host`, which every client adds, 13."""
REQUESTS = re.compile(r"(\d+) requests in ([\d.]+)(ms|s|m)")
ONE_CIPHER = """openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = client
[client]
MinProtocol = TLSv1.3
Ciphersuites = TLS_AES_256_GCM_SHA384
"""
"""OpenSSL's configuration for wrk: otherwise each proxy would choose the cipher that it likes best."""
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}


class LoadFailed(Exception):
    """Something was not answered with 200: whatever was measured is not what it claims to be."""


@dataclass(frozen=True, slots=True)
class Ran:
    requests: int
    seconds: float


def script(paths: Sequence[str], headers: Sequence[tuple[str, str]] = (), *, is_varied: bool = False) -> str:
    """Lua for wrk. One path is sent as it stands; several in turn, each formatted once.

    `is_varied`: with another value of one field each, so that nothing learnt from the last request fits the next.
    """
    lines = [f'wrk.headers["{name}"] = "{value}"' for name, value in (*HEADERS, *headers)]
    if len(paths) > 1:
        quoted = ", ".join(f'"{path}"' for path in paths)
        fields = ", with(i)" if is_varied else ""
        lines += [
            "function with(i) local all = {} for k, v in pairs(wrk.headers) do all[k] = v end",
            "all['X-Client'] = 'desktop-' .. i; return all end",
            f"local paths, made, at = {{{quoted}}}, {{}}, 0",
            f"function init() for i, path in ipairs(paths) do made[i] = wrk.format(nil, path{fields}) end end",
            "function request() at = at % #made + 1; return made[at] end",
        ]
    return "\n".join(lines) + "\n"


def parse(output: str) -> Ran:
    """Raises `LoadFailed` unless every answer was a 200 and no connection failed."""
    for line in output.splitlines():
        if "Socket errors" in line or "Non-2xx" in line:
            raise LoadFailed(f"wrk: {line.strip()}")
    if (ran := REQUESTS.search(output)) is None:
        raise LoadFailed(f"wrk said nothing of requests: {output.strip()[-500:]}")
    requests = int(ran[1])
    if not requests:
        raise LoadFailed("wrk: not one request was answered")
    return Ran(requests, float(ran[2]) * SECONDS[ran[3]])


def command(url: str, script_file: Path, *, connections: int, seconds: float) -> list[str]:
    whole = max(1, round(seconds))
    return [found("wrk"), "-t1", f"-c{connections}", f"-d{whole}s", "--timeout", "10s", "-s", str(script_file), url]


def run(arguments: Sequence[str], *, core: int | None, directory: Path) -> Ran:
    """`directory`: for the files that it needs."""
    tls = directory / "openssl.cnf"
    tls.write_text(ONE_CIPHER)
    done = subprocess.run(
        arguments,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=pinned(core),
        env={**os.environ, "LC_ALL": "C", "OPENSSL_CONF": str(tls)},
    )
    if done.returncode:
        raise LoadFailed(f"wrk ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-500:]}")
    return parse(done.stdout)
