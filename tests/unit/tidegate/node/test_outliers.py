"""All data planes' counts together show who is worse than the others."""

from __future__ import annotations

import json

from config.models import Config
from gateway.messages import EndpointCount, Report
from tests.harness.routing import config
from tidegate.node.outliers import SuccessRates

NAMES = [f"api/eu/eu-{number}:80" for number in range(6)]


def configured(**fields: object) -> Config:
    endpoints = [{"region": "eu", "address": name.rpartition("/")[2]} for name in NAMES]
    written = config(services=[{"id": "api", "endpoints": endpoints, **fields}])
    return Config.model_validate_json(json.dumps(written.model_dump(mode="json")))


def report(bad: str, *, errors: int = 60) -> Report:
    counts = [EndpointCount(name, 100, 0, 0, 0, answers=100, errors=errors if name == bad else 0) for name in NAMES]
    return Report(version=1, connections=0, in_flight=0, routes=[], endpoints=counts)


def test_the_worst_is_out_once_an_interval_is_over_and_comes_back() -> None:
    rates = SuccessRates()
    rates.adopt(configured(outlier_detection={"interval": "10s"}), now=0.0)
    rates.add(report(NAMES[2]))
    assert not rates.look(9.9)
    assert rates.look(10.0)
    assert rates.until(10.0) == {NAMES[2]: 40.0}
    assert rates.until(40.0) == {}


def test_without_outlier_detection_nobody_is_compared() -> None:
    rates = SuccessRates()
    rates.adopt(configured(), now=0.0)
    rates.add(report(NAMES[2]))
    assert not rates.look(100.0)


def test_a_reload_keeps_who_is_out_and_forgets_a_service_without_detection() -> None:
    rates = SuccessRates()
    rates.adopt(configured(outlier_detection={}), now=0.0)
    rates.add(report(NAMES[0]))
    rates.look(10.0)
    rates.adopt(configured(outlier_detection={"base_ejection": "1s"}), now=11.0)
    assert set(rates.until(11.0)) == {NAMES[0]}
    rates.adopt(configured(), now=12.0)
    assert rates.until(12.0) == {}


def test_whom_a_name_stands_for_is_compared_as_well() -> None:
    rates = SuccessRates()
    rates.adopt(config(services=[NAMED]), now=0.0)
    rates.add(report(NAMES[1]))
    assert rates.look(10.0)
    assert set(rates.until(10.0)) == {NAMES[1]}


NAMED = {
    "id": "api",
    "endpoints": [{"region": "eu", "dns": "api.test", "port": 80}],
    "outlier_detection": {},
}
