"""What operators ask of the data, described as it is."""

from __future__ import annotations

from tidegate.admin.data import ConflictResolution, QuarantineRetry
from tidegate.admin.openapi_data import SCHEMAS, operations


def test_bodies_are_described_by_the_names_that_are_read() -> None:
    assert set(SCHEMAS["ConflictResolution"]["properties"]) == set(ConflictResolution.__struct_fields__)
    assert set(SCHEMAS["QuarantineRetry"]["properties"]) == set(QuarantineRetry.__struct_fields__)


def test_every_reference_is_there() -> None:
    text = repr(operations())
    for name in ("SyncStatus", "ConflictResolution", "QuarantineRetry"):
        assert f"#/components/schemas/{name}" in text
        assert name in SCHEMAS
