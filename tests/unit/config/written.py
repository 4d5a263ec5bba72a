"""Configuration files as tests write them: a sound one with a line put in, and what the loader says to it.

1  regions:                      a line for a region goes after line 2
3  services:                     for a service after its endpoints, for an endpoint beside its address
7  routes:                       for a route after its service
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from config.loader import load_text
from config.models import Config
from config.problems import ConfigurationError, Problem

FILE = Path("t.yaml")


def file(
    *,
    region: str = "",
    endpoint: str = "",
    service: str = "",
    route: str = "",
    rest: str = "",
    address: str = "10.0.0.1:80",
) -> str:
    """The text of a sound file with some more lines; each argument is indented as it must be."""
    lines = ["regions:", "  - id: eu-west", *_indented(region), "services:", "  - id: api", "    endpoints:"]
    lines += [f'      - {{region: eu-west, address: "{address}"{endpoint}}}', *_indented(service)]
    lines += ["routes:", "  - id: all", "    service: api", *_indented(route), *rest.splitlines()]
    return "\n".join(lines) + "\n"


def accepted(text: str, *, environ: Mapping[str, str] | None = None) -> Config:
    return load_text(text, file=FILE, environ=environ or {}, host_name="host-1").config


def complaints(text: str, *, environ: Mapping[str, str] | None = None) -> list[str]:
    """Everything that is said about the text, errors and warnings, as a person reads it."""
    return [str(one) for one in problems(text, environ=environ)]


def problems(text: str, *, environ: Mapping[str, str] | None = None) -> tuple[Problem, ...]:
    try:
        loaded = load_text(text, file=FILE, environ=environ or {}, host_name="host-1")
    except ConfigurationError as error:
        return error.problems
    return loaded.warnings


def _indented(lines: str) -> list[str]:
    return [f"    {line}" for line in lines.splitlines()]
