"""Settings that no probe can be made of are refused; the others know their own limits."""

from __future__ import annotations

from typing import Any

import pytest

from health.core.probe import ProbeSettings, spell_seconds


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ({"interval_s": 0.0}, "interval 0.0"),
        ({"timeout_s": -1.0}, "timeout -1.0"),
        ({"jitter": 1.5}, "jitter 1.5"),
        ({"jitter": -0.1}, "jitter -0.1"),
        ({"healthy_threshold": 0}, "thresholds 0 and 3"),
        ({"unhealthy_threshold": 0}, "thresholds 2 and 0"),
        ({"path": "healthz"}, "path 'healthz'"),
        ({"path": "/a b"}, "path holds ' '"),
        ({"path": "/\r\nX: y"}, r"path holds '\\r'"),
        ({"path": "/ä"}, "path holds 'ä'"),
        ({"host": "a\nb"}, r"host holds '\\n'"),
    ],
)
def test_settings_that_cannot_be_sent_or_kept_are_refused_with_what_was_found(wrong: Any, found: str) -> None:
    with pytest.raises(ValueError, match=found):
        ProbeSettings(**wrong)


def test_a_timeout_within_the_longest_gap_is_what_an_attempt_gets() -> None:
    assert ProbeSettings(interval_s=1, jitter=0.2, timeout_s=1.2).attempt_timeout_s == 1.2


def test_a_timeout_beyond_the_longest_gap_is_cut_to_it() -> None:
    assert ProbeSettings(interval_s=0.2, jitter=0.2, timeout_s=1).attempt_timeout_s == pytest.approx(0.24)


@pytest.mark.parametrize(("seconds", "text"), [(1.0, "1s"), (1.5, "1.5s"), (0.25, "250ms"), (0.6000000001, "600ms")])
def test_seconds_are_spelt_as_in_the_configuration(seconds: float, text: str) -> None:
    assert spell_seconds(seconds) == text
