from __future__ import annotations

import xml.etree.ElementTree as ET

from bench.picture import OURS, svg
from bench.results import Results


def rectangles(text: str) -> list[ET.Element]:
    return ET.fromstring(text).findall("{http://www.w3.org/2000/svg}rect")[1:]  # noqa: S314  # our own picture


def test_bars_are_as_long_as_their_values_and_ours_has_the_colour() -> None:
    results = Results()
    results.add("request.cpu_us", "Tidegate", 0, 10.0)
    results.add("request.cpu_us", "nginx", 0, 5.0)
    ours, theirs = rectangles(svg(results, ["Tidegate", "nginx", "Envoy"]))
    assert float(ours.attrib["width"]) == 2 * float(theirs.attrib["width"])
    assert ours.attrib["fill"] == OURS != theirs.attrib["fill"]


def test_without_numbers_it_is_still_a_picture() -> None:
    assert rectangles(svg(Results(), ["Tidegate"])) == []
