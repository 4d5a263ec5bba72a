"""How long does a request take at a fixed rate? A client that sends on time, whether or not answers have come.

    python -m bench.paced --port 8080 --rate 5000 --seconds 5 --connections 64

Requests are due at even intervals. A request that finds every connection busy waits, and its wait counts: a proxy that
stalls is charged for all that came due meanwhile (wrk, which sends when an answer has come, would hide it). What the
client itself is late, because its core was busy, is not charged; it is reported, so that a bad run can be told.
"""

from __future__ import annotations

import argparse
import gc
import json
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bench.backend import BODY
from bench.wrk import HEADERS

OK = b"HTTP/1.1 200"
END = BODY[-16:].encode()
SPIN_S = 0.0001
"""Shorter waits are not worth a sleep."""
PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds, of all requests after the warm-up."""

    requests: int
    failures: int
    p50_s: float
    p99_s: float
    p999_s: float
    client_late_p99_s: float


def quantile(ordered: Sequence[float], share: float) -> float:
    """Nearest rank: the smallest value that at least this share does not exceed."""
    rank = -(-len(ordered) * share // 1)
    return ordered[max(0, int(rank) - 1)]


def pace(latencies: Sequence[float], late: Sequence[float], failures: int) -> Pace:
    ordered = sorted(latencies)
    p50, p99, p999 = (quantile(ordered, share) for share in (0.5, 0.99, 0.999))
    return Pace(len(ordered), failures, p50, p99, p999, quantile(sorted(late), 0.99))


def request_bytes(port: int, path: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *(f"{name}: {value}" for name, value in HEADERS)]
    return "\r\n".join([*lines, "", ""]).encode()


class Client:
    """All connections and the clock of one run."""

    def __init__(self, port: int, connections: int, path: str) -> None:
        self._request = request_bytes(port, path)
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        for _ in range(connections):
            connected = socket.create_connection(("127.0.0.1", port))
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connected.settimeout(0)
            self._poll.register(connected.fileno(), select.EPOLLIN)
            self._sockets[connected.fileno()] = connected
        self._idle = deque(self._sockets)
        self._began: dict[int, float] = {}
        self._partial: dict[int, bytes] = {}
        self._waiting: deque[float] = deque()
        self.latencies: list[float] = []
        self.late: list[float] = []
        self.failures = 0

    def run(self, rate: float, seconds: float) -> None:
        """Send `rate * seconds` requests on time, and wait for what is under way."""
        gap, total, sent = 1 / rate, int(rate * seconds), 0
        began = time.perf_counter()
        while sent < total or self._began:
            now = time.perf_counter()
            while sent < total and began + sent * gap <= now:
                due = began + sent * gap
                sent += 1
                self.late.append(now - due)
                if self._idle:
                    self._send(self._idle.popleft(), now)
                else:
                    self._waiting.append(now)
            until_due = began + sent * gap - time.perf_counter() if sent < total else 0.05
            if until_due > SPIN_S:
                select.select([self._poll], [], [], until_due)  # finer than epoll's own milliseconds
            for number, _ in self._poll.poll(0):
                self._receive(number)
            if now - began > seconds + PATIENCE_S:
                self.failures += len(self._began) + len(self._waiting)
                return

    def _send(self, number: int, counted_from: float) -> None:
        self._began[number] = counted_from
        self._sockets[number].send(self._request)

    def _receive(self, number: int) -> None:
        data = self._sockets[number].recv(65536)
        if not data:
            raise ConnectionError("the proxy closed a connection in the middle of the run")
        data = self._partial.pop(number, b"") + data
        if not data.endswith(END):
            self._partial[number] = data
            return
        self.latencies.append(time.perf_counter() - self._began.pop(number))
        if not data.startswith(OK):
            self.failures += 1
        if self._waiting:
            self._send(number, self._waiting.popleft())
        else:
            self._idle.append(number)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--path", default="/v1/profile/1")
    given = parser.parse_args()
    gc.disable()
    warm_up = Client(given.port, given.connections, given.path)
    warm_up.run(given.rate, 0.3)
    client = Client(given.port, given.connections, given.path)
    client.run(given.rate, given.seconds)
    print(json.dumps(asdict(pace(client.latencies, client.late, client.failures))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
