from __future__ import annotations

import json

from tidegate.node.peer_refusals import refusal


def test_a_refusal_is_a_problem_document_with_its_reason() -> None:
    answer = refusal(413, "too_large", "above 9 bytes")
    assert (answer.status, answer.content_type) == (413, "application/problem+json")
    assert isinstance(answer.body, bytes)
    assert json.loads(answer.body) == {
        "type": "tidegate:too_large",
        "status": 413,
        "reason": "too_large",
        "detail": "above 9 bytes",
    }
