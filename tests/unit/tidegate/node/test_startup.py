"""Which configuration a process starts with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from config.problems import ConfigurationError
from gateway.messages import EndpointState
from health.core.verdict import EndpointVerdict, to_saved
from tests.harness.configuration import document, load
from tidegate.node.disk import Disk, LastGood, SavedVerdicts
from tidegate.node.logs import Log, silent
from tidegate.node.startup import (
    UnfitConfiguration,
    choose,
    last_publication,
    likely_data_dir,
    make_plan,
    settled_differently,
    usable_processors,
)

BAD = '{"version": 1, "colour": "blue"}'


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    (tmp_path / "data").mkdir()
    return Disk(tmp_path / "data", silent())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tidegate.yaml"
    path.write_text(json.dumps(document()))
    return path


def remember(disk: Disk, file: Path, text: str) -> None:
    disk.save_last_good(LastGood(str(file), text, "digest", 0.0))


def test_a_good_file_is_chosen(disk: Disk, file: Path) -> None:
    remember(disk, file, "older")
    chosen = choose(file, disk=disk, environ={})
    assert chosen.degraded is None
    assert chosen.loaded.text == file.read_text()


def test_a_bad_file_gives_way_to_the_last_good_text(disk: Disk, file: Path) -> None:
    remember(disk, file, file.read_text())
    file.write_text(BAD)
    chosen = choose(file, disk=disk, environ={})
    assert chosen.degraded is not None
    assert "colour: found" in chosen.degraded
    assert chosen.loaded.config.node.id == "gw1"


def test_a_missing_file_does_too(disk: Disk, file: Path) -> None:
    remember(disk, file, file.read_text())
    file.unlink()
    assert "cannot be read" in str(choose(file, disk=disk, environ={}).degraded)


def test_without_a_last_good_text_all_mistakes_are_raised(disk: Disk, file: Path) -> None:
    file.write_text(BAD)
    with pytest.raises(ConfigurationError) as refused:
        choose(file, disk=disk, environ={})
    assert len(refused.value.problems) > 1


def test_a_last_good_text_that_is_good_no_more_raises_the_files_mistakes(disk: Disk, file: Path) -> None:
    remember(disk, file, "also: bad")
    file.write_text(BAD)
    with pytest.raises(ConfigurationError, match="colour"):
        choose(file, disk=disk, environ={})


def test_a_good_file_that_does_not_fit_gives_way_too(disk: Disk, file: Path) -> None:
    remember(disk, file, file.read_text())
    changed = document()
    changed["node"]["id"] = "other"
    file.write_text(json.dumps(changed))
    chosen = choose(
        file, disk=disk, environ={}, fits=lambda config: None if config.node.id == "gw1" else "other sockets"
    )
    assert chosen.loaded.config.node.id == "gw1"
    assert str(chosen.degraded).endswith("other sockets")


def test_a_good_file_that_does_not_fit_and_nothing_else_is_said(disk: Disk, file: Path) -> None:
    with pytest.raises(UnfitConfiguration, match="other sockets"):
        choose(file, disk=disk, environ={}, fits=lambda config: "other sockets")


def test_the_plan_says_what_is_settled(file: Path) -> None:
    plan = make_plan(load(file=file))
    assert plan.config_file == str(file)
    assert plan.data_dir == str(file.parent / "data")
    assert plan.workers == usable_processors() >= 1
    assert [(each.name, each.host, each.port, each.option) for each in plan.listeners] == [
        ("public", "127.0.0.1", 8080, "listeners[0].bind")
    ]
    assert (plan.admin.port, plan.shutdown_grace_s, plan.descriptors_must_fit) == (9900, 30.0, False)


def test_what_a_plan_contradicts_is_named() -> None:
    plan = make_plan(load())
    assert settled_differently(plan, load().config) == ()

    def edit(changed: dict[str, Any]) -> None:
        changed["node"]["id"] = "other"
        changed["listeners"][0]["bind"] = "127.0.0.1:8081"
        changed["admin"]["bind"] = "127.0.0.1:9901"

    assert settled_differently(plan, load(edit=edit).config) == ("node", "listeners", "admin.bind")


@pytest.mark.parametrize(
    ("text", "environ", "expected"),
    [
        ("node:\n  id: a\n  data_dir: ./state # here\n: broken", {}, "state"),
        ('node: {data_dir: "/var/lib/tg"}\n: broken', {}, "/var/lib/tg"),
        ("node: {id: a}", {}, "data"),
        (None, {}, "data"),
        ("node: {data_dir: x}", {"TIDEGATE_NODE__DATA_DIR": "y"}, "y"),
    ],
)
def test_the_data_dir_of_an_unreadable_file_is_guessed(
    file: Path, text: str | None, environ: dict[str, str], expected: str
) -> None:
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    assert likely_data_dir(file, environ=environ) == file.parent / expected


def test_a_worker_without_control_publishes_what_the_disk_says(disk: Disk, file: Path) -> None:
    remember(disk, file, file.read_text())
    verdict = EndpointVerdict("api/eu/127.0.0.1:7001", "api", "eu", "down", "refused", 1.0)
    disk.save_verdicts(SavedVerdicts(9, "digest", to_saved({verdict.endpoint: verdict}), {"eu": 0.01}))
    publication = last_publication(file, disk=disk, environ={}, log=silent())
    assert publication is not None
    assert publication.version == 9
    assert publication.endpoints == {verdict.endpoint: EndpointState("down", "refused")}
    assert publication.region_rtts == {"eu": 0.01}
    assert publication.config is not None
    assert publication.config_digest == load(file=file).digest


def test_a_worker_without_control_and_disk_has_nothing(disk: Disk, file: Path) -> None:
    assert last_publication(file, disk=disk, environ={}, log=silent()) is None


def test_a_last_good_text_that_is_good_no_more_is_said(disk: Disk, file: Path) -> None:
    remember(disk, file, BAD)
    lines: list[dict[str, Any]] = []
    assert last_publication(file, disk=disk, environ={}, log=Log(lines.append)) is None
    assert [line["level"] for line in lines] == ["error"]
