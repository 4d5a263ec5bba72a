"""How leadership moves: promotion of roles, DNS, drills and backups, and the lease by which one leader acts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field, model_validator

from config.models.model import Model, Refusal, matching
from config.models.values import FilePath, Host, HostName, Label, Origin, Port, Secret, Slug, is_host_name, url_of
from config.units import Duration, Refused, between, shown


class Quorum(Model):
    """Whose votes say that a region is down."""

    kind: Literal["majority", "witness"] = "majority"
    """Votes, one a region, that a region is down."""
    witness: Origin | None = None
    """URL of the witness."""

    @model_validator(mode="after")
    def _witness_is_named(self) -> Self:
        if self.kind == "witness" and self.witness is None:
            raise Refusal("kind: witness without witness", "the witness's URL", "kind")
        return self


class Detection(Model):
    """How a region that is down is noticed."""

    interval: Annotated[Duration, between("100ms", "10m")] = 1.0
    """From one sign of life to the next."""
    timeout: Annotated[Duration, between("100ms", "1h")] = 5.0
    """A region unheard of for this long is voted down."""


class FailoverBackoff(Model):
    """Waiting between attempts."""

    initial: Annotated[Duration, between("10ms", "1h")] = 1.0
    """After the first attempt."""
    max: Annotated[Duration, between("10ms", "1d")] = 60.0
    """At most."""
    factor: Annotated[float, Field(ge=1, le=100)] = 2.0
    """Growth from attempt to attempt."""


class Tsig(Model):
    """The key that signs DNS updates (RFC 8945)."""

    name: Label
    """Name of the key."""
    algorithm: Literal["hmac-sha256", "hmac-sha384", "hmac-sha512"] = "hmac-sha256"
    """How it signs."""
    secret: Secret
    """Reference to the key, env:NAME or file:path."""


def _checked_name(value: str) -> str:
    if value != "@" and not is_host_name(value):
        raise Refused(shown(value), "a name inside the zone, such as api, or @ for the zone itself")
    return value


class FailoverDns(Model):
    """A DNS server that takes updates (RFC 2136)."""

    server: Host
    """Name or address of the server."""
    port: Port = 53
    """Its port."""
    zone: HostName
    """Zone that is updated."""
    name: Annotated[str, AfterValidator(_checked_name)]
    """Name in the zone that points to the leading region; `@` is the zone itself."""
    ttl: Annotated[Duration, between("1s", "1d")] = 30.0
    """How long resolvers may keep the record."""
    tsig: Tsig | None = None


class Failover(Model):
    """Promotion of roles, DNS and drains; traffic itself moves by `region_routing.failover`."""

    trigger: Literal["hybrid", "automatic", "manual"] = "hybrid"
    """hybrid: automatic inside one compliance zone."""
    failback: Literal["manual", "automatic"] = "manual"
    """Whether a region that came back gets its role back by itself."""
    quorum: Quorum = Quorum()
    detection: Detection = Detection()
    min_regions: Annotated[int, Field(ge=1, le=1000)] = 1
    """Healthy regions that a drain or promotion must leave."""
    max_attempts: Annotated[int, Field(ge=1, le=1000)] = 5
    """Promotions, before a person is asked."""
    backoff: FailoverBackoff = FailoverBackoff()
    hysteresis: Annotated[Duration, between("0s", "1d")] = 30.0
    """How long a region must have been well before it counts as back."""
    dns: FailoverDns | None = None


_CRON_FIELDS = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of month", 1, 31),
    ("month", 1, 12),
    ("day of week", 0, 7),
)


def _checked_schedule(value: str) -> str:
    """Five fields of numbers, ranges, lists and steps, as cron has them."""
    fields = value.split()
    expected = 'five fields as cron has them, such as "0 4 * * 0"'
    if len(fields) != len(_CRON_FIELDS):
        raise Refused(shown(value), expected)
    number = r"[0-9]{1,2}"
    item = rf"(?:\*|{number}(?:-{number})?)(?:/[1-9][0-9]?)?"
    whole, _ = matching(rf"{item}(?:,{item})*", expected)
    for field, (name, low, high) in zip(fields, _CRON_FIELDS, strict=True):
        whole.func(field)
        spans = [part.partition("/")[0] for part in field.split(",")]
        for span in (span for span in spans if span != "*"):
            first, _, last = span.partition("-")
            if not low <= int(first) <= int(last or first) <= high:
                raise Refused(f"{shown(span)} as the {name}", f"{low} to {high}")
    try:
        CronSim(value, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise Refused(f"{shown(value)} ({str(error).lower()})", "a date that comes") from None
    return value


Schedule = Annotated[str, AfterValidator(_checked_schedule), Field(json_schema_extra={"examples": ["0 4 * * 0"]})]


class Drill(Model):
    """A rehearsal of a region's loss, to know that it can be borne."""

    schedule: Schedule
    """When, as cron has it, by UTC."""
    region: Slug
    """Which region is taken out for a while; where it leads, the next one leads meanwhile."""


class Backup(Model):
    """Encrypted copies of the data."""

    schedule: Schedule
    """When, as cron has it."""
    retention: Annotated[Duration, between("1h", "3650d")] = 30 * 86400.0
    """How long a backup is kept."""
    encryption_key: Secret
    """Reference to the key, env:NAME or file:path."""
    path: FilePath
    """Folder that backups are written to."""


class DisasterRecovery(Model):
    """What may be lost and how long it may take."""

    rto: Annotated[Duration, between("1s", "30d")] = 60.0
    """Objective: back in service within this time; reported against every drill and failover."""
    rpo: Annotated[Duration, between("0s", "30d")] = 5.0
    """Objective and limit: no automatic promotion of a region further behind than this."""
    drill: Drill | None = None
    backup: Backup | None = None


class Acceptor(Model):
    """One vote for the lease."""

    url: Annotated[str, AfterValidator(url_of("redis", "rediss", "http", "https"))]
    """Where it answers."""
    witness: bool = False
    """Votes, holds no data."""


class Election(Model):
    """The lease by which at most one leader acts in an epoch."""

    lease: Annotated[Duration, between("1s", "1h")] = 10.0
    """How long a leader may act without having renewed."""
    renew: Annotated[Duration, between("100ms", "1h")] = 3.0
    """How often it renews."""
    acceptors: Literal["auto"] | Annotated[tuple[Acceptor, ...], Field(min_length=1)] = "auto"
    """auto: the Redis servers of `stores.state`, or one peer a region."""
