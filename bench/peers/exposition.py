"""Counters out of Prometheus's text format, which three of the proxies speak."""

from __future__ import annotations


def total(text: str, name: str, label: str = "") -> int:
    """The sum over all series of a name whose labels hold `label`; 0 when there is none yet."""
    found = 0.0
    for line in text.splitlines():
        series, _, value = line.rpartition(" ")
        if series == name or (series.startswith(name + "{") and label in series):
            found += float(value)
    return round(found)
