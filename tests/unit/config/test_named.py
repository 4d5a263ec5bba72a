"""Every mistake in what is named outside the file is told by its place, what was found and what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from config.loader import load_text
from config.problems import ConfigurationError
from tests.unit.config.written import complaints, file


@pytest.mark.parametrize(
    ("text", "said", "environ"),
    [
        pytest.param(
            file(rest="secrets: {signing_keys: [env:NOT_SET]}"),
            [
                (
                    "t.yaml:10:26 secrets.signing_keys[0]: found env:NOT_SET with no such environment "
                    "variable, expected NOT_SET to be set where the node is started"
                ),
            ],
            {},
            id="a variable that is not set",
        ),
        pytest.param(
            file(rest="secrets: {signing_keys: [env:EMPTY]}"),
            [
                (
                    "t.yaml:10:26 secrets.signing_keys[0]: found env:EMPTY with an empty secret, expected "
                    "one that is not empty"
                ),
            ],
            {"EMPTY": ""},
            id="a variable that is empty",
        ),
        pytest.param(
            file(rest="secrets: {signing_keys: ['file:/nowhere/key']}"),
            [
                ("t.yaml:10:26 secrets.signing_keys[0]: found file:/nowhere/key with no such file, expected a file"),
            ],
            {},
            id="a file that is not there",
        ),
        pytest.param(
            file(service="upstream_tls: {ca: /nowhere/ca.pem}"),
            [
                (
                    't.yaml:7:24 services[0].upstream_tls.ca: found "/nowhere/ca.pem", which does not exist, '
                    "expected a file"
                ),
            ],
            {},
            id="a certificate that is not there",
        ),
        pytest.param(
            file(service="upstream_tls: {ca: /tmp}"),
            [
                ('t.yaml:7:24 services[0].upstream_tls.ca: found "/tmp", which is no regular file, expected a file'),
            ],
            {},
            id="a certificate that is a folder",
        ),
        pytest.param(
            file(
                rest=(
                    "residency: {rules: [{data_type: b, allowed_regions: '*'}]}\n"
                    "sync: {collections: [{name: a, data_type: b, conflict: {custom: 'no_such_module:merge'}}]}"
                )
            ),
            [
                (
                    "t.yaml:11:65 sync.collections[0].conflict.custom: found the module no_such_module, "
                    "which is not found, expected a module beside this file or installed"
                ),
            ],
            {},
            id="a module that is not there",
        ),
        pytest.param(
            file(
                rest=(
                    "residency: {rules: [{data_type: b, allowed_regions: '*'}]}\n"
                    "sync: {collections: [{name: a, data_type: b, conflict: {custom: 'json:merge'}}]}"
                )
            ),
            [
                (
                    "t.yaml:11:65 sync.collections[0].conflict.custom: found no function merge in json, "
                    "expected one of dump, dumps, detect_encoding, load, loads"
                ),
            ],
            {},
            id="a function that is not there",
        ),
        pytest.param(
            file(rest="geo: {database: /nowhere/geo.mmdb}"),
            [
                't.yaml:10:17 geo.database: found "/nowhere/geo.mmdb", which does not exist, expected a file',
            ],
            {},
            id="a database that is not there",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: list[str], environ: dict[str, str]) -> None:
    assert complaints(text, environ=environ) == said


def test_what_is_there_is_not_complained_of(tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text("raise RuntimeError('a check must not run what it checks')")
    (tmp_path / "mine" / "merging.py").write_text("def merge(siblings): ...")
    text = file(
        service="upstream_tls: {ca: ./ca.pem}",
        rest="residency: {default: allow}\n"
        "sync: {collections: [{name: a, data_type: b, conflict: {custom: 'mine.merging:merge'}}]}",
    )
    loaded = load_text(text, file=tmp_path / "t.yaml", environ={})
    assert [one.severity for one in loaded.warnings] == ["warning"]
    tls = loaded.config.services[0].upstream_tls
    assert tls is not None
    assert tls.ca == f"{tmp_path}/ca.pem"


def test_a_module_that_is_no_python_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def merge(:")
    text = file(
        rest="residency: {default: allow}\n"
        "sync: {collections: [{name: a, data_type: b, conflict: {custom: 'broken:merge'}}]}"
    )
    (tmp_path / "t.yaml").write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        load_text(text, file=tmp_path / "t.yaml", environ={})
    errors = [one for one in raised.value.problems if one.severity == "error"]
    assert [(one.path, one.expected) for one in errors] == [("sync.collections[0].conflict.custom", "a Python module")]
