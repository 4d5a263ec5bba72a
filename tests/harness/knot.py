"""A real Knot DNS server in a directory of its own: one zone, updates by one TSIG key.

async with Knot(tmp_path) as knot:
    ... 127.0.0.1, knot.port, knot.key ...
"""

from __future__ import annotations

import asyncio
import base64
import shutil
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from health.dns_failover import Key
from tests.harness.node import ports
from tidegate.demo.waiting import until

ZONE = """\
$ORIGIN example.test.
$TTL 3600
@    SOA ns admin 1 3600 600 86400 60
@    NS  ns
ns   A   127.0.0.1
"""

CONFIGURATION = """\
server:
    rundir: "{directory}/run"
    listen: 127.0.0.1@{port}
log:
  - target: stderr
    any: warning
database:
    storage: "{directory}/db"
key:
  - id: {key.name}
    algorithm: {key.algorithm}
    secret: {key.secret}
acl:
  - id: ours
    key: {key.name}
    action: [update, transfer, query]
template:
  - id: default
    storage: "{directory}"
    journal-content: none
    zonefile-load: whole
zone:
  - domain: example.test
    file: example.test.zone
    acl: ours
"""


class Knot:
    """Starts on entering; gone on leaving."""

    def __init__(self, directory: Path, algorithm: str = "hmac-sha256") -> None:
        program = shutil.which("knotd") or shutil.which("knotd", path="/usr/sbin")
        assert program is not None, "needs knotd: run scripts/setup --tests"
        self._program = program
        self._directory = directory
        self.port = ports(1)[0]
        secret = base64.b64encode(b"a secret of thirty-two bytes len").decode()
        self.key = Key("tidegate", algorithm, secret)  # type: ignore[arg-type]  # one of the three
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        for name in ("run", "db"):
            (self._directory / name).mkdir()
        (self._directory / "example.test.zone").write_text(ZONE)
        configuration = self._directory / "knot.conf"
        configuration.write_text(CONFIGURATION.format(directory=self._directory, port=self.port, key=self.key))
        self._launch(configuration)
        await until(self._answers, within_s=20.0, what="knotd answers")
        return self

    def _launch(self, configuration: Path) -> None:
        with (self._directory / "knot.log").open("wb") as log:
            self._process = subprocess.Popen([self._program, "-c", str(configuration)], stdout=log, stderr=log)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._directory / "knot.log").read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1.0).close()
        except OSError:
            return False
        return True
