"""Certificates of the mesh's nodes: one authority for one run, and for each region what speaks for it."""

from __future__ import annotations

from pathlib import Path

import trustme

from chaos.mesh.plan import REGIONS, NodePlan, name_of


def issue(directory: Path) -> tuple[Path, tuple[NodePlan, ...]]:
    """The authority's file, and the nodes with theirs."""
    directory.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA(organization_name="chaos", key_type=trustme.KeyType.ECDSA)
    file = directory / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    nodes = []
    for region in REGIONS:
        leaf = authority.issue_cert(name_of(region), common_name=region, key_type=trustme.KeyType.ECDSA)
        certificate, key = directory / f"{region}.crt", directory / f"{region}.key"
        certificate.write_bytes(b"".join(part.bytes() for part in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(str(key))
        nodes.append(NodePlan(region, directory.parent / f"data-{region}", certificate, key))
    return file, tuple(nodes)
