"""Why? One slug a reason, the same in problem document, log line, metric label, admin API and `explain`.

A slug answers at one of three levels: why a request ended as it did, why a region was passed over, why an endpoint was.
"""

from __future__ import annotations

from typing import Final

# Why a request was answered by us, or where it was sent.
NO_ROUTE: Final = "no_route"
METHOD_NOT_ALLOWED: Final = "method_not_allowed"
STARTING: Final = "starting"
NO_REGION_ALLOWED: Final = "no_region_allowed"
NO_HEALTHY_ENDPOINT: Final = "no_healthy_endpoint"
REGION_MAY_NOT_HOLD: Final = "region_may_not_hold"
PROXY_LOOP: Final = "proxy_loop"
UPSTREAM_CONNECTION_LIMIT: Final = "upstream_connection_limit"
CONNECTION_LIMIT: Final = "connection_limit"
UPGRADE_NOT_SUPPORTED: Final = "upgrade_not_supported"
BODY_TOO_LARGE: Final = "body_too_large"
HEADER_TIMEOUT: Final = "header_timeout"
TOTAL_TIMEOUT: Final = "total_timeout"
STREAM_LIMIT: Final = "stream_limit"
TUNNEL_IDLE: Final = "tunnel_idle"
BODY_TIMEOUT: Final = "body_timeout"
CLIENT_LEFT: Final = "client_left"
PLAIN_HTTP: Final = "plain_http"
TLS_HANDSHAKE_FAILED: Final = "tls_handshake_failed"
TLS_HANDSHAKE_TIMEOUT: Final = "tls_handshake_timeout"
INTERNAL_ERROR: Final = "internal_error"

# Why a region stands where it stands, or is passed over.
FAILOVER_ORDER: Final = "failover_order"
NEAREST: Final = "nearest"
NEAREST_TO_NODE: Final = "nearest_to_node"
LOWEST_LATENCY: Final = "lowest_latency"
LATENCY_UNKNOWN: Final = "latency_unknown"
LOCATION_UNKNOWN: Final = "location_unknown"
LOCAL_REGION: Final = "local_region"
REGION_INACTIVE: Final = "region_inactive"
NO_ENDPOINT_IN_REGION: Final = "no_endpoint_in_region"
LATER_IN_ORDER: Final = "later_in_order"

# Why an endpoint serves, or is passed over.
CHOSEN: Final = "chosen"
ELIGIBLE: Final = "eligible"
PROBE_DOWN: Final = "probe_down"
TRIAL: Final = "trial_of_stale_verdict"
LOWER_PRIORITY: Final = "lower_priority"
BACKUP: Final = "backup_not_needed"
ALREADY_TRIED: Final = "already_tried"
