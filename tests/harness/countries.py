"""Small country databases, as their makers write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet


def write_database(path: Path, networks: dict[str, Any], *, ip_version: int = 6) -> Path:
    """`networks`: a record for each CIDR. Put in place by a rename, as tools do."""
    writer = MMDBWriter(ip_version=ip_version, ipv4_compatible=ip_version == 6, database_type="Test-Country")
    for network, record in networks.items():
        writer.insert_network(IPSet([network]), record)
    fresh = path.with_suffix(".new")
    writer.to_db_file(str(fresh))
    fresh.replace(path)
    return path


def countries(**codes: str) -> dict[str, Any]:
    """By country code, its network: `countries(DE="81.2.69.0/24")`."""
    return {network: {"country": {"iso_code": code}} for code, network in codes.items()}
