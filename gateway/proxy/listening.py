"""What one listener's connections have in common: its limits and time-outs, and how many there are."""

from __future__ import annotations

from config.models import Listener


class ListenerSettings:
    """One listener's configuration, flat, for the hot path; and its open connections."""

    __slots__ = (
        "body_idle_timeout_s",
        "connections",
        "header_timeout_s",
        "idle_timeout_s",
        "max_body",
        "max_connections",
        "max_header_bytes",
        "max_headers",
        "max_request_line",
        "name",
        "port",
        "via_line",
        "write_timeout_s",
    )

    def __init__(self, listener: Listener, *, node_id: str, workers: int) -> None:
        limits, timeouts = listener.limits, listener.timeouts
        self.name = listener.name
        self.port = listener.bind.port
        self.connections = 0
        self.max_connections = max(1, limits.max_connections // workers)
        self.max_request_line = limits.max_request_line
        self.max_header_bytes = limits.max_header_bytes
        self.max_headers = limits.max_headers
        self.max_body = limits.max_body
        self.header_timeout_s = timeouts.header
        self.idle_timeout_s = timeouts.idle
        self.body_idle_timeout_s = timeouts.body_idle
        self.write_timeout_s = timeouts.write
        self.via_line = f"Via: 1.1 {node_id}\r\n".encode()

    def is_over_full(self) -> bool:
        """Whether the connection accepted last was one too many."""
        return self.connections > self.max_connections

    def adopt(self, fresh: ListenerSettings) -> None:
        """Take over reloaded settings; connections that are open keep to the new ones from their next deadline on."""
        connections = self.connections
        for name in self.__slots__:
            setattr(self, name, getattr(fresh, name))
        self.connections = connections
