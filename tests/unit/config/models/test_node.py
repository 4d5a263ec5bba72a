"""Every mistake in who a node may be is told by its place, what was found and what was expected."""

from __future__ import annotations

import pytest

from tests.unit.config.written import accepted, complaints, file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            file(rest="node: {region: EU West}"),
            [
                (
                    't.yaml:10:16 node.region: found "EU West", expected an id of at most 63 lower-case '
                    "letters, digits, '-', '_' and '.', such as eu-west"
                ),
            ],
            id="a region that is no slug",
        ),
        pytest.param(
            file(rest="node: {id: gw 1}"),
            [
                (
                    "t.yaml:10:12 node.id: found \"gw 1\", expected a name of letters, digits, '-', '_' and "
                    "'.', such as gw-eu-west-1"
                ),
            ],
            id="a node id with a space",
        ),
        pytest.param(
            file(rest="node: {workers: 257}"),
            [
                "t.yaml:10:17 node.workers: found 257, expected auto or a number from 0 to 256",
            ],
            id="too many workers",
        ),
        pytest.param(
            file(rest="node: {workers: many}"),
            [
                't.yaml:10:17 node.workers: found "many", expected auto or a number from 0 to 256',
            ],
            id="workers in words",
        ),
        pytest.param(
            file(rest="node: {workers: true}"),
            [
                "t.yaml:10:17 node.workers: found true, expected auto or a number from 0 to 256",
            ],
            id="workers as true",
        ),
        pytest.param(
            file(rest="node: {shutdown_grace: 30}"),
            [
                (
                    "t.yaml:10:24 node.shutdown_grace: found 30 without a unit, expected a duration with its "
                    "unit, such as 250ms, 5s, 10m, 1h or 1d"
                ),
            ],
            id="a grace without a unit",
        ),
        pytest.param(
            file(rest="node: {shutdown_grace: 2h}"),
            [
                "t.yaml:10:24 node.shutdown_grace: found 2h, expected 0s to 1h",
            ],
            id="a grace beyond an hour",
        ),
        pytest.param(
            file(rest='node: {data_dir: ""}'),
            [
                't.yaml:10:18 node.data_dir: found "", expected the path of a file',
            ],
            id="an empty data dir",
        ),
        pytest.param(
            file(rest="node: []"),
            [
                "t.yaml:10:7 node: found an empty list, expected a mapping",
            ],
            id="a node that is a list",
        ),
        pytest.param(
            file(rest="secrets: {signing_keys: [hunter2]}"),
            [
                (
                    "t.yaml:10:26 secrets.signing_keys[0]: found a literal value, expected a reference, "
                    "env:NAME or file:path, because a secret must not stand in the file itself"
                ),
            ],
            id="a literal signing key",
        ),
        pytest.param(
            file(rest="secrets: {signing_keys: hunter2}"),
            [
                "t.yaml:10:25 secrets.signing_keys: found a literal value, expected a list",
            ],
            id="a literal instead of a list of keys",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: list[str]) -> None:
    assert complaints(text) == said


def test_a_node_may_be_described_by_nothing() -> None:
    node = accepted(file()).node
    assert (node.id, node.region, node.workers, node.shutdown_grace) == ("host-1", "eu-west", "auto", 30.0)


def test_the_data_folder_lies_beside_the_file() -> None:
    assert accepted(file()).node.data_dir.endswith("/data")
    assert accepted(file(rest="node: {data_dir: /var/lib/tidegate}")).node.data_dir == "/var/lib/tidegate"


def test_no_workers_is_a_choice() -> None:
    assert accepted(file(rest="node: {workers: 0}")).node.workers == 0
