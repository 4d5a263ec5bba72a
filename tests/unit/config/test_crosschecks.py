"""All checks of the whole run, each finding at its place."""

from __future__ import annotations

from pathlib import Path

from config.crosschecks import check
from config.document import parse
from tests.unit.config.written import accepted, complaints, file


def test_findings_of_every_kind_come_together() -> None:
    text = file(
        endpoint=", weight: 0",
        route="match: {listeners: [other]}",
        rest="admin: {bind: 0.0.0.0:8080}\nsecrets: {signing_keys: [env:NOT_SET]}",
    )
    assert [one.split(": found", 1)[0] for one in complaints(text)] == [
        "t.yaml:6:7 services[0].endpoints",
        "t.yaml:10:25 routes[0].match.listeners[0]",
        "t.yaml:11:15 admin.bind",
        "t.yaml:11:15 admin.bind",
        "t.yaml:12:26 secrets.signing_keys[0]",
    ]


def test_what_was_left_out_is_not_complained_of_twice() -> None:
    text = file(service="health_check: {interval: 1s, timeout: 2s}")
    config, document = accepted(text), parse(text, file="t.yaml")
    path = ("services", 0, "health_check", "timeout")
    folder = Path()
    assert len(list(check(config, document, folder=folder, environ={}))) == 1
    assert list(check(config, document, folder=folder, environ={}, ignoring=[path])) == []
    assert list(check(config, document, folder=folder, environ={}, ignoring=[path[:2]])) == []
