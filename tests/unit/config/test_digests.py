"""Is this the configuration that was in force before, and is it the one that the other nodes have?"""

from __future__ import annotations

from pathlib import Path

from config.digests import digest, shared_digest
from config.loader import load_text
from tests.unit.config.written import accepted, file

OWN = """
node: {{id: gw-{number}, data_dir: data-{number}, workers: {number}}}
listeners: [{{name: public, bind: "127.0.0.1:808{number}"}}]
admin: {{bind: "127.0.0.1:990{number}"}}
peer: {{bind: "127.0.0.1:944{number}", secret: env:PEER}}
observability: {{access_log: {{path: {number}.log}}, tracing: {{exporter: "http://collector-{number}:4318"}}}}
"""


def test_the_digest_is_of_what_is_in_force_not_of_how_it_is_written() -> None:
    one = accepted(file(service="timeouts: {connect: 1000ms}"))
    same = accepted("# a word\n" + file(service="timeouts: {connect: 1s}"))
    other = accepted(file(service="timeouts: {connect: 2s}"))
    assert digest(one) == digest(same)
    assert digest(one) != digest(other)
    assert len(digest(one)) == 64


def shared(text: str, folder: str = "/etc/tidegate") -> str:
    loaded = load_text(text, file=Path(folder) / "t.yaml", environ={"PEER": "a secret", "KEY": "k"}, host_name="gw")
    assert loaded.shared_digest == shared_digest(loaded.config, folder=Path(folder))
    return loaded.shared_digest


def test_nodes_with_other_names_ports_and_files_of_their_own_share_a_configuration() -> None:
    assert shared(file(rest=OWN.format(number=1))) == shared(file(rest=OWN.format(number=2)))
    assert len(shared(file())) == 64


def test_nodes_that_treat_a_service_otherwise_do_not() -> None:
    assert shared(file(service="timeouts: {connect: 1s}")) != shared(file(service="timeouts: {connect: 2s}"))


def test_paths_count_from_the_folder_of_the_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key").write_text("a secret of the mesh")
    text = file(rest="secrets: {signing_keys: [file:key]}")
    assert shared(text, f"{tmp_path}/one") == shared(text, f"{tmp_path}/two")
    assert shared(text, f"{tmp_path}/one") != shared(file(), f"{tmp_path}/one")
