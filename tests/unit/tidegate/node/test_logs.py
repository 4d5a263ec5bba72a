"""Log lines."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from tidegate.node import logs
from tidegate.node.logs import Log, silent, to_json, to_text


@pytest.fixture
def lines() -> list[dict[str, Any]]:
    return []


def test_a_line_has_its_time_level_event_and_fields(lines: list[dict[str, Any]]) -> None:
    Log(lines.append, process="worker").bind(slot=1).warning("it happened", how="twice")
    [line] = lines
    assert line.pop("ts").endswith("Z")
    assert line == {"level": "warning", "event": "it happened", "process": "worker", "slot": 1, "how": "twice"}


def test_every_level_has_its_name(lines: list[dict[str, Any]]) -> None:
    log = Log(lines.append)
    for say in (log.debug, log.info, log.warning, log.problem):
        say("x")
    assert [line["level"] for line in lines] == ["debug", "info", "warning", "error"]


def test_json_is_one_line_whatever_is_in_it() -> None:
    data = to_json({"event": "a\nb", "odd": object, "set": {1}})
    assert data.count(b"\n") == 1
    assert json.loads(data)["event"] == "a\nb"


def test_text_is_for_people() -> None:
    text = to_text({"ts": "2026-11-24T02:55:29.123Z", "level": "error", "event": "it broke", "process": "w", "slot": 1})
    assert b"02:55:29.123" in text
    assert b"it broke" in text


def test_text_shows_a_traceback_whole(lines: list[dict[str, Any]]) -> None:
    try:
        raise ValueError("deep")
    except ValueError as error:
        Log(lines.append).problem("failed", exc_info=error)
    assert b"Traceback" in to_text(lines[0])
    assert lines[0]["error"] == "ValueError: deep"


def test_what_libraries_log_comes_out_in_the_same_shape(capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        logs.setup("worker", node="gw1")
        logging.getLogger("asyncio").error("something %s", "odd", exc_info=ValueError("x"))
        logging.getLogger("asyncio").warning("hm")
        logging.getLogger("asyncio").info("not said")
        logging.getLogger("health.prober").info("api is down")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    told = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [(line["level"], line["event"], line["process"], line["logger"]) for line in told] == [
        ("error", "something odd", "worker", "asyncio"),
        ("warning", "hm", "worker", "asyncio"),
        ("info", "api is down", "worker", "health.prober"),
    ]


def test_a_silent_log_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    silent().problem("x")
    assert capfd.readouterr().err == ""
