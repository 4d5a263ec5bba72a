"""Certificates that speak for a region, and for no other."""

from __future__ import annotations

import ssl
from pathlib import Path

from chaos.mesh import certificates
from chaos.mesh.plan import REGIONS, name_of
from health.peering.certificates import speaks_for


def test_each_nodes_certificate_speaks_for_its_own_region_only(tmp_path: Path) -> None:
    _, nodes = certificates.issue(tmp_path)
    for node in nodes:
        told = ssl._ssl._test_decode_cert(str(node.certificate))  # type: ignore[attr-defined]
        spoken_for = [region for region in REGIONS if speaks_for(told, region, [name_of(region)])]
        assert spoken_for == [node.region]
