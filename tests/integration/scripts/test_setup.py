"""`scripts/setup` on machines that lack something: each time one sentence that says what to do."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import REPOSITORY

TOOLS = (
    "bash",
    "cat",
    "chmod",
    "cut",
    "dirname",
    "env",
    "grep",
    "id",
    "mkdir",
    "mv",
    "pwd",
    "rm",
    "sed",
    "sha256sum",
    "tr",
)
PINS = ("requirements-dev.lock", "pyproject.toml")
FILES = ("scripts/setup", "scripts/compile.py", *PINS)


class Machine:
    """A clone, on a machine that has only the programs it is given."""

    def __init__(self, directory: Path) -> None:
        self.clone = directory / "clone"
        self.programs = directory / "bin"
        self.programs.mkdir()
        for name in FILES:
            (self.clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, self.clone / name)
        for tool in TOOLS:
            self.has(tool, Path(str(shutil.which(tool))))

    def has(self, name: str, program: Path) -> None:
        (self.programs / name).symlink_to(program)

    def has_script(self, name: str, text: str) -> None:
        (self.programs / name).write_text(f"#!{shutil.which('bash')}\n{text}\n", encoding="utf-8")
        (self.programs / name).chmod(0o755)

    def has_environment(self) -> None:
        """What a first `scripts/setup` leaves behind."""
        (self.clone / ".venv/bin").mkdir(parents=True)
        (self.clone / ".venv/bin/python").symlink_to(sys.executable)
        made_from = b"".join((self.clone / name).read_bytes() for name in PINS)
        version = f"Python {sys.version.split()[0]}\n{self.clone}\n".encode()
        key = hashlib.sha256(made_from + version).hexdigest()
        (self.clone / ".venv/.tidegate-setup").write_text(f"{key}\n", encoding="utf-8")

    def setup(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            (self.clone / "scripts/setup", *arguments),
            env={"PATH": str(self.programs), "HOME": str(self.clone), **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.strip().splitlines()[-1]


def test_a_machine_without_python_and_without_apt_is_told_what_to_install(machine: Machine) -> None:
    done = machine.setup()
    assert done.returncode == 1
    assert (
        last_line(done) == "setup: install these with your package manager, then run this again: python3 python3-venv"
    )


def test_a_python_that_is_too_old_counts_as_none(machine: Machine) -> None:
    machine.has_script("python3", "exit 1")
    assert "python3-venv" in last_line(machine.setup())


def test_someone_who_is_not_root_is_told_the_command(machine: Machine) -> None:
    (machine.programs / "id").unlink()
    machine.has_script("id", "echo 1000")
    machine.has_script("apt-get", "exit 99")
    assert last_line(machine.setup()) == "setup: run this, then try again: sudo apt-get install -y python3 python3-venv"


def test_an_index_that_cannot_be_reached_ends_in_a_sentence_and_the_next_run_starts_again(machine: Machine) -> None:
    machine.has("python3", Path(sys.executable))
    done = machine.setup(PIP_NO_INDEX="1", PIP_CONFIG_FILE="/dev/null")
    assert done.returncode == 1
    assert last_line(done).startswith("setup: pip could not install the packages: see its message above")
    assert not (machine.clone / ".venv/.tidegate-setup").exists()


def test_a_second_run_does_nothing(machine: Machine) -> None:
    machine.has("python3", Path(sys.executable))
    machine.has_environment()
    done = machine.setup()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_machine_without_go_is_told_what_it_is_needed_for(machine: Machine) -> None:
    machine.has("python3", Path(sys.executable))
    machine.has_environment()
    servers = ("git", "ip", "redis-server", "postgres", "nginx", "haproxy")
    for program in (*servers, "curl", "node", "slowhttptest", "chromium-headless-shell"):
        machine.has_script(program, "exit 0")
    done = machine.setup("--tests", GO="")
    assert done.returncode == 1
    assert last_line(done).startswith("setup: needs Go 1.23 or newer to build the Toxiproxy server: install Go, or put")
