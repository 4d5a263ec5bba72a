"""How do requests reach the data API? `builtin:data` is one more service: one endpoint, the sync process's Unix socket.

A write is never hedged, and tried again only under an operation id, which the store does once however often it comes.
Where the client gave none, one is attached before the first attempt: `~` starts the name of a client that is
remembered for minutes (sync/core/op_ids.py). While the sync process is away, the answer is 503.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from config.models import Config
from gateway.core.gate import Balancing, Endpoint
from gateway.core.head import RequestHead
from gateway.core.problems import Answer
from gateway.core.retries import RetryPolicy
from gateway.errors import UpstreamError

NAME: Final = "builtin:data"
SOCKET: Final = "sync.sock"
"""In the data directory."""
CONNECT_TIMEOUT_S: Final = 1.0
KEEP_ALIVE_S: Final = 4.0
ANSWER_TIMEOUT_S: Final = 75.0
"""Above the longest `wait` of a feed and the longest time a write waits for other regions by default."""
MAX_CONNECTIONS: Final = 10_000
"""Of the node. Feeds hold one each."""
REPLAY_BOUND: Final = 1 << 20
BALANCING: Final = Balancing(algorithm="round_robin")
RETRIES: Final = RetryPolicy(
    max_retries=3,
    on_connect_failure=True,
    on_reset=True,
    statuses=frozenset(),
    methods=frozenset(("GET", "HEAD", "PUT", "PATCH", "DELETE")),
    backoff_kind="exponential",
    backoff_initial_s=0.05,
    backoff_max_s=0.5,
    budget_share=0.2,
    min_retries_per_s=10.0,
)
ACTOR: Final = b"tidegate-actor"
"""The field that names who asks; only we send it, so what clients send under it goes."""
_NAMED: Final = re.compile(rb"(?:^|\r\n)(?:tidegate-op-id|idempotency-key):", re.IGNORECASE)
_PLAIN: Final = " !#$&'()*+,/:;=?@[]"
_WRITES: Final = frozenset(("PUT", "PATCH", "DELETE", "POST"))


def data_endpoint(config: Config, *, region: str) -> Endpoint:
    """The one endpoint: no prober asks it, so only attempts tell whether it is there."""
    return Endpoint(
        id=f"{NAME}/{region}/sync",
        service=NAME,
        region=region,
        host="sync",
        port=0,
        weight=1,
        priority=0,
        is_backup=False,
        probe_interval_s=1.0,
        health="untested",
        health_reason="a process of this node",
        path=f"{config.node.data_dir}/{SOCKET}",
    )


def operation_line(head: RequestHead, unique: bytes) -> bytes:
    """The field line to attach, which names this request; empty where none is wanted."""
    if head.method not in _WRITES or _NAMED.search(head.forwarded_fields) is not None:
        return b""
    return b"Tidegate-Op-Id: ~%b:1\r\n" % unique


def actor_line(name: str) -> bytes:
    """The field line that says who has proven to be asking; empty where nobody had to."""
    return f"Tidegate-Actor: client:{quote(name, safe=_PLAIN)}\r\n".encode() if name else b""


def with_line(head: bytes, line: bytes) -> bytes:
    """A rendered request head with one field line more."""
    if not line:
        return head
    at = head.index(b"\r\n") + 2
    return head[:at] + line + head[at:]


def unavailable(error: UpstreamError) -> Answer:
    """What is told while the sync process is away."""
    detail = f"the data of this region cannot be reached now: {error.detail}"
    return Answer(503, "data_unavailable", detail, error.proxy_status, retry_after_s=1)
