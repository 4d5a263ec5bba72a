"""The files are what an engine would accept, and the reading of them that the other tests rely on is right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import REPOSITORY
from tests.integration.compose.images import images
from tests.integration.compose.project import ComposeError, Image, interpolate, read_image, read_project

FILES = ("compose.yaml", "compose.minimal.yaml")
ENVIRON = {"TIDEGATE_OPERATOR_TOKEN": "a-token-of-this-test"}
PROGRAMS = Path(sys.executable).parent


@pytest.mark.parametrize("name", FILES)
def test_the_compose_schema_accepts_the_file(name: str) -> None:
    schema = ("--builtin-schema", "vendor.compose-spec")
    command = (PROGRAMS / "check-jsonschema", *schema, REPOSITORY / "compose" / name)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_dockerfile_has_no_fault_that_the_linter_knows() -> None:
    done = subprocess.run(
        (PROGRAMS / "hadolint", REPOSITORY / "Dockerfile"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "environ"), [("tidegate.yaml", ENVIRON), ("tidegate.minimal.yaml", {})], ids=["regions", "minimal"]
)
def test_tidegate_check_accepts_the_configuration_beside_it(name: str, environ: dict[str, str]) -> None:
    command = (PROGRAMS / "tidegate", "check", REPOSITORY / "compose" / name)
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin", **environ}
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", FILES)
def test_only_gateways_are_published_and_only_on_loopback(name: str) -> None:
    services = read_project(REPOSITORY / "compose" / name, images=images(), environ=ENVIRON)
    published = {service.name: service.published for service in services.values() if service.published}
    assert {port.host_address for ports in published.values() for port in ports} == {"127.0.0.1"}
    assert {port.port for ports in published.values() for port in ports} <= {8080, 9900}
    assert all("serve" in services[service].argv for service in published)


def test_the_image_starts_tidegate_itself_without_a_shell() -> None:
    image = read_image((REPOSITORY / "Dockerfile").read_text(encoding="utf-8"))
    assert image.entrypoint == ("tidegate",)
    assert image.command == ("serve", "--config", "/etc/tidegate/tidegate.yaml")
    assert image.health_test[:3] == ("CMD", "python", "-c")


def test_a_secret_that_is_not_set_stops_the_start_with_what_to_do() -> None:
    with pytest.raises(ComposeError, match=r"TIDEGATE_OPERATOR_TOKEN is not set: set it to a secret"):
        read_project(REPOSITORY / "compose" / "compose.yaml", images=images(), environ={})


def test_variables_are_interpolated_as_compose_does() -> None:
    document = {"a": ["${A}-${B:-b}-$$C"], "n": 1}
    assert interpolate(document, {"A": "a"}) == {"a": ["a-b-$C"], "n": 1}


def test_a_replaced_entrypoint_drops_the_images_command_and_order_follows_needs(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(
        "x-common: &common {image: app, networks: {n: {ipv4_address: 10.0.0.1}}}\n"
        "services:\n"
        "  a: {<<: *common, depends_on: {b: {condition: service_healthy}}}\n"
        "  b: {<<: *common, entrypoint: [other]}\n",
        encoding="utf-8",
    )
    services = read_project(file, images={"app": Image(entrypoint=("app",), command=("serve",))}, environ={})
    assert [(service.name, service.argv) for service in services.values()] == [
        ("b", ("other",)),
        ("a", ("app", "serve")),
    ]


def test_a_key_that_is_not_imitated_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("services: {a: {image: app, privileged: true}}\n", encoding="utf-8")
    with pytest.raises(ComposeError, match="service a uses privileged, which is not imitated here"):
        read_project(file, images={"app": Image()}, environ={})


def test_an_entrypoint_in_shell_form_is_refused() -> None:
    with pytest.raises(ComposeError, match="shell form"):
        read_image("FROM x\nENTRYPOINT tidegate serve\n")
