from __future__ import annotations

import json
from pathlib import Path

from bench.backend import BODY, configuration
from bench.setting import Place


def test_the_answer_is_a_json_document_of_131_bytes() -> None:
    assert len(BODY) == 131
    assert json.loads(BODY)["id"] == "profile-1"
    assert "'" not in BODY


def test_a_request_that_did_not_pass_through_a_working_proxy_is_answered_500() -> None:
    text = configuration(Place(Path("run"), 1, 2, ()), ["127.0.1.1:80"])
    assert 'if ($http_x_forwarded_for = "") { return 500; }' in text
    assert "listen 127.0.1.1:80 " in text
