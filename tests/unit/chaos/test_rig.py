"""What a rig is made of, as far as nothing has to run for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos.experiments import ALL
from chaos.hypothesis import Hypothesis
from chaos.rig import Placed, Setting, configuration
from config.loader import load_text
from tests.unit.chaos.rigs import SETTING, idle_rig, plan
from tidegate.demo.setting import BackendPlan, NodePlan, Plan


def test_the_configuration_says_what_the_setting_asks_for(tmp_path: Path) -> None:
    text = configuration(SETTING, plan(tmp_path))
    config = load_text(text, file=tmp_path / "tidegate.yaml", environ={}).config
    (service,) = config.services
    assert [endpoint.address for endpoint in service.endpoints] == ["127.0.0.1:8001", "127.0.0.1:8002"]
    assert service.health_check.protocol == "http"
    assert service.health_check.interval == SETTING.probe_interval_s
    assert service.timeouts.response_head == SETTING.response_head_s


@pytest.mark.parametrize("hypothesis", ALL, ids=[hypothesis.name for hypothesis in ALL])
def test_every_hypothesis_has_a_setting_that_a_node_accepts_without_a_warning_of_its_times(
    hypothesis: Hypothesis, tmp_path: Path
) -> None:
    setting = hypothesis.setting
    backends = tuple(
        BackendPlan(one.name, one.region, f"127.0.0.1:{8001 + number}") for number, one in enumerate(setting.backends)
    )
    node = NodePlan("node", setting.regions[0], "127.0.0.1:8080", "127.0.0.1:9900", tmp_path / "data")
    text = configuration(setting, Plan(backends, (node,)))
    loaded = load_text(text, file=tmp_path / "tidegate.yaml", environ={})
    assert [warning for warning in loaded.warnings if "health_check" in warning.path] == []


def test_the_health_bound_is_the_products_promise() -> None:
    setting = Setting((Placed("a"),), probe_interval_s=1.0, probe_timeout_s=0.5, probe_jitter=0.2, threshold=3)
    assert setting.health_bound_s == pytest.approx(3 * 1.0 * 1.2 + 0.5 + 0.1)


def test_regions_stand_in_the_order_of_their_first_backend() -> None:
    setting = Setting((Placed("a", "us-east"), Placed("b", "eu-west"), Placed("c", "us-east")))
    assert setting.regions == ("us-east", "eu-west")


def test_a_rig_whose_node_does_not_run_is_not_whole(tmp_path: Path) -> None:
    promise = idle_rig(tmp_path).is_whole()
    assert not promise.is_kept
    assert "the node ended" in promise.found
