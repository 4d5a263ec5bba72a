"""A run as a picture that any reader of SVG can open."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

from chaos.timeline import BAD, GOOD, SHADE, svg
from tests.unit.chaos.results_of_runs import result

SVG = "{http://www.w3.org/2000/svg}"


def test_it_shows_what_was_answered_what_failed_and_when_the_fault_was() -> None:
    root = ET.fromstring(svg(result()))  # noqa: S314 - our own
    fills = [one.get("fill") for one in root.iter(f"{SVG}rect")]
    assert fills.count(GOOD) == 1 + 2  # the legend's, and two seconds
    assert fills.count(BAD) == 1 + 1
    assert fills.count(SHADE) == 1
    assert any("leader gw" in (one.text or "") for one in root.iter(f"{SVG}text"))


def test_a_run_that_never_began_has_a_picture_too() -> None:
    root = ET.fromstring(svg(replace(result(), seconds={}, notes=[])))  # noqa: S314 - our own
    assert root.tag == f"{SVG}svg"
