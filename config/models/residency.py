"""Which data may be where."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from config.models.model import Model, Refusal, as_list, text
from config.models.values import Country, Slug
from config.units import Duration, Refused, between, shown


class Zone(Model):
    """A compliance zone, as far as clients are concerned: the countries whose people it protects."""

    countries: Annotated[tuple[Country, ...], Field(min_length=1)]
    """Whose clients belong to it."""


_REGIONS_EXPECTED = '"*" for every region, or a list of region ids'


def _regions(value: object) -> str | tuple[str, ...]:
    if value == "*":
        return "*"
    if not isinstance(value, list | tuple) or not value:
        raise Refused(shown(value), _REGIONS_EXPECTED)
    return tuple(text(region, _REGIONS_EXPECTED) for region in value)


_REGIONS_SCHEMA: dict[str, Any] = {
    "anyOf": [{"const": "*"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
}


class ResidencyRule(Model):
    """Where one data type may be. `allowed_regions` and `zones` must both hold; at least one of them is given."""

    data_type: Slug
    """What routes and collections call it."""
    allowed_regions: (
        Annotated[
            str | tuple[str, ...], PlainValidator(_regions), PlainSerializer(as_list), WithJsonSchema(_REGIONS_SCHEMA)
        ]
        | None
    ) = None
    """Every region, by an asterisk, or their ids."""
    zones: tuple[Slug, ...] = ()
    """A region must list at least one of these among its `compliance_zones`."""
    encryption: Literal["none", "required"] = "none"
    """required: TLS on the wire and encrypted at rest."""

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if self.allowed_regions is None and not self.zones:
            raise Refusal(
                "neither allowed_regions nor zones", 'at least one of them; allowed_regions: "*" for everywhere'
            )
        return self


class TransferAgreement(Model):
    """An exception that somebody signed."""

    id: Slug
    """What verdicts and the audit log call it."""
    source: Slug
    """Region that the data may leave."""
    destination: Slug
    """Region that it may reach."""
    data_types: Annotated[tuple[Slug, ...], Field(min_length=1)]
    """What may go."""
    expires: dt.date
    """Last day on which it holds."""


class Audit(Model):
    """The log of refused and excepted transfers."""

    enabled: bool = True
    """Whether transfers are logged."""
    retention: Annotated[Duration, between("1d", "3650d")] = 400 * 86400.0
    """How long entries are kept."""


class Residency(Model):
    """Which data may be where."""

    zones: Mapping[Slug, Zone] = {}
    """For the strategy compliance: which zone a client belongs to."""
    rules: tuple[ResidencyRule, ...] = ()
    default: Literal["deny", "allow"] = "deny"
    """For a data type that no rule names."""
    transfer_agreements: tuple[TransferAgreement, ...] = ()
    audit: Audit | None = None
    """The log of refused and excepted transfers."""
