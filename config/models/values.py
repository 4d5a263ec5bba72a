"""The small values of the file: ids, addresses, networks, hosts, paths, URLs, references to secrets.

Each is parsed once, here, into something that cannot be malformed any more, and written back as it was. Text that
must not leak (a literal secret, a URL with a password in it) is never repeated in a message.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, ValidationInfo, WithJsonSchema

from config.models.model import matching, text
from config.units import Refused, shown

# --- ids ------------------------------------------------------------------------------------------------------------

Slug = Annotated[
    str,
    *matching(
        r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?",
        "an id of at most 63 lower-case letters, digits, '-', '_' and '.', such as eu-west",
    ),
]
"""An id. No slash and no colon: endpoint ids are put together with them."""

NodeId = Annotated[
    str,
    *matching(
        r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?",
        "a name of letters, digits, '-', '_' and '.', such as gw-eu-west-1",
    ),
]
"""A host name is one, so capitals are welcome. It stands in `Via` and `Proxy-Status`, where it must be a token."""

Label = Annotated[str, Field(min_length=1, max_length=200)]
"""Text for people."""

ServiceName = Annotated[
    str,
    *matching(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?|builtin:data", "the id of a service, or builtin:data"),
]

Country = Annotated[str, *matching(r"[A-Z]{2}", "a country code of two capitals (ISO 3166), such as IE")]
Continent = Literal["AF", "AN", "AS", "EU", "NA", "OC", "SA"]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
Port = Annotated[int, Field(ge=1, le=65535)]
Weight = Annotated[int, Field(ge=0, le=1_000_000)]

HeaderName = Annotated[
    str, *matching(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", "a header's name, such as X-Preferred-Region")
]
HeaderValue = Annotated[
    str,
    *matching(r"(?:[\x21-\x7e](?:[\x20-\x7e\t]{0,4094}[\x21-\x7e])?)?", "a header's value: printable ASCII, one line"),
]
"""Nothing that could end a line: a header that the gateway sets must not split a message."""

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

# --- addresses ------------------------------------------------------------------------------------------------------

_HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62}))*")
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)


def is_host_name(host: str) -> bool:
    """Letters, digits, '-' and '_' in labels; not all digits at the end, which is a mistyped address."""
    return _HOST_NAME.fullmatch(host) is not None and not host.rpartition(".")[2].isdigit()


def is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def split_host_port(value: str, expected: str) -> tuple[str, int]:
    """`host:port` with an IPv6 address in brackets. Raises Refused."""
    host, colon, port = value.rpartition(":")
    if not colon:
        raise Refused(f"{shown(value)}, which names no port", expected)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        is_host = is_ip_address(host) and ":" in host
    else:
        is_host = is_host_name(host) or (is_ip_address(host) and ":" not in host)
    if not is_host or _PORT.fullmatch(port) is None:
        raise Refused(shown(value), expected)
    if not 1 <= int(port) <= 65535:
        raise Refused(shown(value), f"{expected}, with a port from 1 to 65535")
    return host, int(port)


@dataclass(frozen=True, slots=True)
class Bind:
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Only this machine can reach it. A name other than `localhost` may mean anything, so it is not."""
        if self.host == "localhost":
            return True
        return is_ip_address(self.host) and ipaddress.ip_address(self.host).is_loopback

    @property
    def is_wildcard(self) -> bool:
        return is_ip_address(self.host) and ipaddress.ip_address(self.host).is_unspecified


_BIND_EXPECTED = "host:port to listen on, such as 127.0.0.1:8080 or [::]:8080"


def parse_bind(value: object) -> Bind:
    if isinstance(value, Bind):
        return value
    return Bind(*split_host_port(text(value, _BIND_EXPECTED), _BIND_EXPECTED))


BindAddress = Annotated[
    Bind,
    PlainValidator(parse_bind),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^.+:[0-9]{1,5}$", "examples": ["127.0.0.1:8080", "[::]:8443"]}),
]

_ADDRESS_EXPECTED = "host:port, such as 10.1.0.11:8000"


def _checked_address(value: str) -> str:
    split_host_port(value, _ADDRESS_EXPECTED)
    return value


Address = Annotated[
    str,
    AfterValidator(_checked_address),
    Field(json_schema_extra={"pattern": r"^.+:[0-9]{1,5}$", "examples": ["10.1.0.11:8000"]}),
]
"""Where a server listens; kept as written, because it is part of the endpoint's id."""


def _checked_host(value: str) -> str:
    if not is_host_name(value) and not is_ip_address(value):
        raise Refused(shown(value), "a host name or an IP address")
    return value


def _checked_host_name(value: str) -> str:
    if not is_host_name(value):
        raise Refused(shown(value), "a host name, such as api.eu-central.internal")
    return value


Host = Annotated[str, AfterValidator(_checked_host)]
HostName = Annotated[str, AfterValidator(_checked_host_name)]


def _checked_host_pattern(value: str) -> str:
    name = value.removeprefix("*.")
    bracketed = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    if not is_host_name(name) and not (name == value and is_ip_address(bracketed)):
        raise Refused(shown(value), "a host name without a port, such as api.example.com or *.example.com")
    return value.lower()


HostPattern = Annotated[
    str,
    AfterValidator(_checked_host_pattern),
    Field(json_schema_extra={"examples": ["api.example.com", "*.example.com"]}),
]
"""`*.example.com` matches every name below example.com. Lower-case, as hosts are compared."""

PathPattern = Annotated[
    str,
    *matching(
        r"/(?:[!$%&'()+,./0-9:;=@A-Z_a-z~-]*/)?\*|/[!$%&'()+,./0-9:;=@A-Z_a-z~-]*",
        "a path that starts with '/', with '*' at most as its last part, such as /v1/profile/*",
    ),
    Field(max_length=2048),
]
"""Exact, or everything below when it ends in `/*`."""

AbsolutePath = Annotated[
    str, *matching(r"/[!$%&'()*+,./0-9:;=@A-Z_a-z~-]{0,2047}", "a path that starts with '/', such as /healthz")
]

PathAndQuery = Annotated[
    str, *matching(r"/[!$%&'()*+,./0-9:;=?@A-Z_a-z~-]{0,2047}", "a path that starts with '/', such as /healthz")
]

AnyNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_network(value: object) -> AnyNetwork:
    expected = "a network or an address, such as 10.0.0.0/8 or 2001:db8::1"
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return value
    written = text(value, expected)
    try:
        return ipaddress.ip_network(written, strict=True)
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(written, strict=False)
    except ValueError:
        raise Refused(shown(value), expected) from None
    raise Refused(f"{shown(value)}, an address inside a network", str(meant))


Network = Annotated[
    AnyNetwork,
    PlainValidator(parse_network),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["10.0.0.0/8", "2001:db8::/32"]}),
]

# --- URLs -----------------------------------------------------------------------------------------------------------


def url_of(*schemes: str, is_origin: bool = False) -> Callable[[str], str]:
    """What checks a URL. One with credentials in it is refused, and not repeated in the message."""
    example = f"{schemes[-1]}://gw1.example.com"
    expected = f"a URL that starts with {' or '.join(f'{scheme}://' for scheme in schemes)}, such as {example}"

    def check(value: str) -> str:
        try:
            parts = urlsplit(value)
            is_sound = parts.hostname is not None and (parts.port is None or parts.port > 0)
        except ValueError:
            raise Refused("a malformed URL", expected) from None
        if parts.username is not None or parts.password is not None:
            raise Refused("a URL with credentials in it", f"{expected}, without credentials")
        host = parts.hostname or ""
        if parts.scheme not in schemes or not is_sound or not (is_host_name(host) or is_ip_address(host)):
            raise Refused(shown(value), expected)
        if re.search(r"[^\x21-\x7e]", value):
            raise Refused(shown(value), f"{expected}, of printable ASCII")
        if is_origin and (parts.path not in {"", "/"} or parts.query or parts.fragment):
            raise Refused(shown(value), f"{expected}, without a path")
        return value

    return check


Url = Annotated[str, AfterValidator(url_of("http", "https")), Field(json_schema_extra={"format": "uri"})]
Origin = Annotated[
    str, AfterValidator(url_of("http", "https", is_origin=True)), Field(json_schema_extra={"format": "uri"})
]
"""Scheme, host and port: where something stands, not what is asked of it."""

# --- files ----------------------------------------------------------------------------------------------------------


def resolved(path: str, info: ValidationInfo) -> str:
    """Relative paths start at the configuration file, whose folder the loader passes as `folder` in the context."""
    if not path or "\0" in path:
        raise Refused(shown(path), "the path of a file")
    folder = (info.context or {}).get("folder")
    if path.startswith("/") or folder is None:
        return path
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    return f"{str(folder).rstrip('/')}/{path}".rstrip("/")


FilePath = Annotated[str, AfterValidator(resolved)]
"""A file or folder that may come to be later. Absolute once loaded."""


class NamedFile(str):
    """A file that must exist when the configuration is loaded. Absolute once loaded."""

    __slots__ = ()


def _named(value: object, info: ValidationInfo) -> NamedFile:
    return NamedFile(resolved(text(value, "the path of a file"), info))


ExistingFile = Annotated[
    NamedFile, PlainValidator(_named), PlainSerializer(str, return_type=str), WithJsonSchema({"type": "string"})
]

# --- secrets --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SecretReference:
    """Where a secret is kept, never the secret: `env:NAME` or `file:/path`. `config.secrets` resolves it, late."""

    kind: Literal["env", "file"]
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


_REFERENCE_EXPECTED = "a reference, env:NAME or file:path, because a secret must not stand in the file itself"
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,200}", re.ASCII)


def parse_secret(value: object, info: ValidationInfo) -> SecretReference:
    """Whatever is no reference is not repeated: it is probably the secret."""
    if isinstance(value, SecretReference):
        return value
    if value is None or isinstance(value, dict | list | tuple):
        raise Refused(shown(value), _REFERENCE_EXPECTED)
    kind, _, name = value.partition(":") if isinstance(value, str) else ("", "", "")
    if kind == "env" and _ENVIRONMENT_NAME.fullmatch(name) is not None:
        return SecretReference("env", name)
    if kind == "file" and name:
        return SecretReference("file", resolved(name, info))
    raise Refused("a literal value", _REFERENCE_EXPECTED)


Secret = Annotated[
    SecretReference,
    PlainValidator(parse_secret),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": "^(env|file):.+$", "examples": ["env:TIDEGATE_KEY", "file:secrets/key"]}
    ),
]

# --- statuses -------------------------------------------------------------------------------------------------------

_STATUS_EXPECTED = "a status or a range of them from 100 to 599, such as 204 or 200-299"


def parse_statuses(value: object) -> tuple[int, int]:
    """`200-299` or `204`, as (lowest, highest), both included."""
    if isinstance(value, int) and not isinstance(value, bool):
        low = high = value
    else:
        match = re.fullmatch(r"([0-9]{3})-([0-9]{3})", text(value, _STATUS_EXPECTED), re.ASCII)
        if match is None:
            raise Refused(shown(value), _STATUS_EXPECTED)
        low, high = int(match[1]), int(match[2])
    if not 100 <= low <= high <= 599:
        raise Refused(shown(value), _STATUS_EXPECTED)
    return low, high


def _write_statuses(statuses: tuple[int, int]) -> str | int:
    low, high = statuses
    return low if low == high else f"{low}-{high}"


_STATUSES_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": "^[1-5][0-9]{2}-[1-5][0-9]{2}$"},
    ],
    "examples": [204, "200-299"],
}

Statuses = Annotated[
    tuple[int, int],
    PlainValidator(parse_statuses),
    PlainSerializer(_write_statuses),
    WithJsonSchema(_STATUSES_SCHEMA),
]
