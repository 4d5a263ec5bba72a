"""A file becomes a configuration, or every one of its mistakes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config import document as documents
from config.loader import load_file, load_text
from config.models import Bind, Config
from config.problems import ConfigurationError
from tests.fixtures.example import surroundings
from tests.unit.config.written import accepted, complaints, file

FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.mark.parametrize("name", ["minimal.yaml", "three_regions.yaml"])
def test_the_samples_load_without_a_word(name: str) -> None:
    loaded = load_file(FIXTURES / name, environ={})
    assert loaded.warnings == ()
    assert loaded.file == FIXTURES / name
    assert loaded.text == (FIXTURES / name).read_text()
    assert Config.model_validate_json(loaded.config.model_dump_json()) == loaded.config


def test_the_host_and_the_only_region_are_filled_in() -> None:
    node = accepted(file()).node
    assert (node.id, node.region) == ("host-1", "eu-west")
    assert accepted(file(rest="listeners: null\nnode: null")).listeners[0].bind == Bind("127.0.0.1", 8080)


def test_among_several_regions_a_node_must_say_where_it_stands() -> None:
    text = file().replace("  - id: eu-west", "  - id: eu-west\n  - id: us-east")
    assert complaints(text) == [
        "t.yaml:1:1 node.region: found nothing, expected a value for region, which is required "
        "(which of `regions` this node stands in; needed only where there are several)"
    ]


def test_all_mistakes_are_told_at_once_whoever_finds_them() -> None:
    text = file(
        region="latency: 5",
        service="health_check: {interval: 5}\ntimeouts: {connect: 1s}\ntimeouts: {connect: 2s}",
        route="data_types: [profile]\nconsistency: read_your_writes",
        rest="secrets: {signing_keys: [env:NOT_SET]}",
    )
    environ = {"TIDEGATE_NODE__WORKERS": "-1", "TIDEGATE_NOD": "x"}
    assert [one.split(": found", 1)[0] for one in complaints(text, environ=environ)] == [
        "t.yaml:3:5 regions[0].latency",
        "t.yaml:8:30 services[0].health_check.interval",
        "t.yaml:10:5 services[0].timeouts",
        "t.yaml:14:18 routes[0].data_types[0]",
        "t.yaml:15:18 routes[0].consistency",
        "t.yaml:16:26 secrets.signing_keys[0]",
        "environment variable TIDEGATE_NOD nod",
        "environment variable TIDEGATE_NODE__WORKERS node.workers",
    ]


def test_a_mistake_in_a_list_makes_no_follow_up_mistakes() -> None:
    text = file(
        region="compliance_zones: gdpr",
        route="data_types: [a]",
        rest="residency: {rules: [{data_type: a, zones: [gdpr]}]}\nadmin: {bind: 0.0.0.0:9900, tokens: some}",
    )
    assert [one.split(": found", 1)[0] for one in complaints(text)] == [
        "t.yaml:3:23 regions[0].compliance_zones",
        "t.yaml:13:37 admin.tokens",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "t.yaml:1:1 (file): found a list, expected a mapping with regions, services and routes"),
        ("5", "t.yaml:1:1 (file): found a single value, expected a mapping with regions, services and routes"),
        ("~", "t.yaml:1:1 (file): found nothing, expected a mapping with regions, services and routes"),
        ("", "t.yaml:1:1 (file): found an empty file, expected a mapping with regions, services and routes"),
        ("node: 5\n" + file(), "t.yaml:1:7 node: found 5, expected a mapping"),
    ],
)
def test_what_is_no_configuration_at_all_is_told(text: str, said: str) -> None:
    assert complaints(text) == [said]


def test_a_file_that_cannot_be_read_is_a_problem_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_file(tmp_path / "missing.yaml", environ={})
    assert str(raised.value) == (
        f"{tmp_path}/missing.yaml:1:1 (file): found a file that cannot be read (No such file or directory), "
        "expected a readable file"
    )
    with pytest.raises(ConfigurationError):
        load_file(tmp_path, environ={})


def test_a_file_in_another_encoding_is_a_problem_too(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_bytes("regions: [{id: café}]".encode("latin-1"))
    with pytest.raises(ConfigurationError) as raised:
        load_file(tmp_path / "t.yaml", environ={})
    assert str(raised.value) == f"{tmp_path}/t.yaml:1:19 (file): found the byte 0xe9, expected text in UTF-8"


def test_paths_start_at_the_file_wherever_the_program_stands(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(file(rest="node: {data_dir: state}"))
    assert load_file(tmp_path / "t.yaml", environ={}).config.node.data_dir == f"{tmp_path}/state"


def test_warnings_come_with_a_configuration_that_is_used() -> None:
    loaded = load_text(
        file(service="health_check: {interval: 1s, timeout: 2s}"), file=Path("t.yaml"), environ={}, host_name="a"
    )
    assert [(one.severity, one.line) for one in loaded.warnings] == [("warning", 7)]


def is_read_or_complained_of(text: str, where: Path) -> bool:
    """Whether the loader answers in one of its two ways; any other exception passes through."""
    try:
        return bool(load_text(text, file=where, environ={}).digest)
    except ConfigurationError as error:
        return bool(error.problems)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.text()
    | st.text("{}[]:,-*&!|>'\"#%@` \n\tab01.~?<")
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text("ab*:/5s%", max_size=6),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(Config.model_fields)), inner),
        max_leaves=20,
    ).map(json.dumps)
)
def test_no_text_makes_anything_else_happen(text: str) -> None:
    assert is_read_or_complained_of(text, Path("t.yaml"))


@settings(deadline=None)
@given(st.data())
def test_no_damage_to_a_sound_file_makes_anything_else_happen(data: st.DataObject) -> None:
    example = FIXTURES / "example" / "tidegate.yaml"
    lines = example.read_text().splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    line = lines[at]
    lines[at] = data.draw(st.sampled_from(["", "  - ", "    x: [1]", "]", line.replace(": ", ": [", 1), line[2:]]))
    assert is_read_or_complained_of("\n".join(lines), example)


@settings(deadline=None)
@given(st.data())
def test_no_value_anywhere_makes_anything_else_happen(data: st.DataObject) -> None:
    example = FIXTURES / "example" / "tidegate.yaml"
    root = documents.parse(example.read_text(), file="").root
    holder = root
    while isinstance(holder, dict | list) and holder:
        keys: list[Any] = sorted(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = data.draw(st.sampled_from(keys))
        below: Any = documents.child(holder, key)
        if not isinstance(below, dict | list) or not below or data.draw(st.booleans()):
            container: Any = holder
            container[key] = data.draw(st.sampled_from(ODD_VALUES))
            break
        holder = below
    assert is_read_or_complained_of(json.dumps(root), example)


ODD_VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    "*",
    "a b",
    "none",
    "env:X",
    "file:",
    "[",
    "\x7f",
    [],
    [[]],
    {},
    {"a": 1},
]


# --- the contract of the design --------------------------------------------------------------------------------------

CONTRACT = "336d0686e5e6dc48abb5d55b15f633afb6cbcb2cd5a720f2ff02fd276d5f291e"
"""SHA-256 of the design's example: whoever changes the copy changes the contract, and should know it."""


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The design's example in a folder with everything that it names."""
    return surroundings.build(tmp_path_factory.mktemp("example"))


def test_the_copy_of_the_contract_is_the_contract() -> None:
    assert hashlib.sha256((FIXTURES / "example" / "tidegate.yaml").read_bytes()).hexdigest() == CONTRACT


def test_the_whole_contract_can_be_read(example: Path) -> None:
    loaded = load_file(example, environ=surroundings.ENVIRONMENT)
    assert [one.path for one in loaded.warnings] == ["routes[0].rate_limit[0].scope", "routes[2]", "routes[4]"]
    assert Config.model_validate_json(loaded.config.model_dump_json()) == loaded.config
    assert loaded.config.node.data_dir == f"{example.parent}/data"


def test_without_its_surroundings_the_contract_says_what_is_missing(tmp_path: Path) -> None:
    copy = tmp_path / "tidegate.yaml"
    copy.write_bytes((FIXTURES / "example" / "tidegate.yaml").read_bytes())
    with pytest.raises(ConfigurationError) as raised:
        load_file(copy, environ={})
    missing = [one.path for one in raised.value.problems if one.severity == "error"]
    assert missing == [
        "secrets.signing_keys[0]",
        "secrets.data_keys[0]",
        "listeners[0].tls.certificates[0].certificate",
        "listeners[0].tls.certificates[0].private_key",
        "admin.tokens[0].token",
        "peer.tls.certificate",
        "peer.tls.private_key",
        "peer.tls.ca",
        "routes[1].access.authentication.keys",
        "failover.dns.tsig.secret",
        "disaster_recovery.backup.encryption_key",
        "sync.collections[3].conflict.custom",
    ]
