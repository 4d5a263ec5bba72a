"""A container without an engine: namespaces for network, mounts and processes, made with the system's own tools.

    a switch      one namespace with a bridge; each container hangs on it by a veth pair, nothing touches the host's own
                  network, so that two runs on one machine do not meet
    a root        the host's directories grafted into a new root, except the paths that a volume, a tmpfs or the image
                  covers, and `/etc`, `/run` and `/proc`, which are the container's own
    process 1     is what the service says, so that signals and orphans reach it as they would in an engine

Everything ends with the test process, however that ends: each container is killed when its parent dies.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.architecture.tree import REPOSITORY
from tests.integration.compose.project import Service

PREFIX_BITS = 16
SHARED_STATE = frozenset({"/proc", "/etc", "/run"})
"""What every container has for itself."""
LENT = (REPOSITORY, Path(sys.prefix), Path(sys.base_prefix))
"""What our programs are run from, and is not in an image."""
CANNOT = (
    "this machine does not let the test create namespaces ({}): run it as root with CAP_SYS_ADMIN and CAP_NET_ADMIN"
)

ASK = """
import http.client, json, sys
address, method, path, headers = json.loads(sys.argv[1])
connection = http.client.HTTPConnection(address, timeout=10)
connection.request(method, path, headers=headers)
answer = connection.getresponse()
print(json.dumps([answer.status, dict(answer.getheaders()), answer.read().decode()]))
"""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(slots=True)
class Container:
    service: Service
    namespace: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def first_process(self) -> int:
        """Process 1, by the number that the host knows it by; 0 while there is none."""
        with contextlib.suppress(FileNotFoundError):
            pid = self.process.pid
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
            return int(children[0]) if children else 0
        return 0

    def run(self, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """A command beside process 1, as `docker exec` would run it."""
        inside = ("nsenter", "--target", str(self.first_process), "--net", "--mount", "--pid", "--root")
        environment = [f"{name}={value}" for name, value in self.service.environment.items()]
        command = (*inside, "env", "--ignore-environment", f"--chdir={self.service.working_dir}", *environment, *argv)
        return subprocess.run(command, capture_output=True, text=True, timeout=15, check=False)

    def is_healthy(self) -> bool:
        kind, *test = self.service.health_test
        argv = ["sh", "-c", test[0]] if kind == "CMD-SHELL" else test
        return self.first_process != 0 and self.run(argv).returncode == 0

    def is_running(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> int | None:
        """As `docker stop`: SIGTERM to process 1. Its exit status, or None when it outlived the grace."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.first_process, signal.SIGTERM)
        try:
            return self.process.wait(self.service.stop_grace_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def tail(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        return "\n".join([f"-- {self.service.name}: {shlex.join(self.service.argv)}", *lines])


@dataclass(slots=True)
class Mesh:
    """The network that containers hang on, and the containers."""

    directory: Path
    services: Mapping[str, Service]
    covers: Mapping[str, Path]
    """Path in the image -> what stands for it on this machine."""
    containers: dict[str, Container] = field(default_factory=dict)
    _namespaces: list[str] = field(default_factory=list)

    def open(self) -> None:
        try:
            switch = self._namespace()
            _ip("-n", switch, "link", "add", "br0", "type", "bridge")
            _ip("-n", switch, "link", "set", "br0", "up")
            base = next(iter(self.services.values())).address.split(".")[:2]
            self._attach(self._namespace(), ".".join((*base, "255", "254")))
        except (OSError, subprocess.CalledProcessError) as error:
            self.close()
            said = getattr(error, "stderr", None) or error
            pytest.fail(CANNOT.format(str(said).strip()), pytrace=False)

    def start(self, name: str) -> Container:
        service = self.services[name]
        namespace = self._namespace()
        self._attach(namespace, service.address)
        script = self.directory / f"{name}.sh"
        script.write_text(self._script(service), encoding="utf-8")
        log = self.directory / f"{name}.log"
        enter = ("setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec", namespace)
        isolate = ("unshare", "--pid", "--fork", "--kill-child")
        with log.open("wb") as out:
            process = subprocess.Popen(
                (*enter, *isolate, "sh", "-eu", str(script)),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self.containers[name] = Container(service, namespace, process, log)
        return self.containers[name]

    def up(self, *, within_s: float) -> None:
        """Start everything, each after what it depends on is healthy, and wait until all that can say so is."""
        for name, service in self.services.items():
            for needed in service.needs:
                self.wait(self.containers[needed].is_healthy, within_s=within_s, what=f"{needed} to be healthy")
            self.start(name)
        for container in self.containers.values():
            if container.service.health_test:
                self.wait(container.is_healthy, within_s=within_s, what=f"{container.service.name} to be healthy")

    def ask(self, address: str, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
        """One request from a client on the same network."""
        question = json.dumps([address, method, path, dict(headers or {})])
        command = ("ip", "netns", "exec", self._namespaces[1], sys.executable, "-c", ASK, question)
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode:
            pytest.fail(f"no answer from {address}{path}: {done.stderr.strip().splitlines()[-1]}\n{self.tails()}")
        return Answer(*json.loads(done.stdout))

    def wait(self, condition: Callable[[], bool], *, within_s: float, what: str) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"waited {within_s} s for {what}\n{self.tails()}", pytrace=False)
            time.sleep(0.1)

    def tails(self) -> str:
        return "\n".join(container.tail() for container in self.containers.values())

    def close(self) -> None:
        for container in self.containers.values():
            container.kill()
        for namespace in self._namespaces:
            subprocess.run(("ip", "netns", "delete", namespace), check=False, capture_output=True)

    def _namespace(self) -> str:
        name = f"tidegate-{os.getpid()}-{len(self._namespaces)}"
        _ip("netns", "add", name)
        self._namespaces.append(name)
        _ip("-n", name, "link", "set", "lo", "up")
        return name

    def _attach(self, namespace: str, address: str) -> None:
        switch, port = self._namespaces[0], f"port{len(self._namespaces)}"
        _ip("-n", switch, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        _ip("-n", switch, "link", "set", port, "master", "br0", "up")
        _ip("-n", namespace, "address", "add", f"{address}/{PREFIX_BITS}", "dev", "eth0")
        _ip("-n", namespace, "link", "set", "eth0", "up")

    def _script(self, service: Service) -> str:
        """Shell that builds the container's root and becomes its process 1."""
        root = self.directory / f"{service.name}.root"
        root.mkdir()
        names = [f"{other.address} {other.name}" for other in self.services.values()]
        binds = {target: (source, False) for target, source in self.covers.items()}
        for mount in service.mounts:
            source = mount.source or self.directory / "volumes" / mount.volume
            if mount.source is None:
                source.mkdir(parents=True, exist_ok=True)
            binds[mount.target] = (source, mount.read_only)
        lines = [f"root={shlex.quote(str(root))}", 'mount -t tmpfs -o mode=0755 tmpfs "$root"']
        lines += _graft({*binds, *service.tmpfs, service.working_dir})
        lines += [
            'cp -a /etc/. "$root/etc"',
            f'printf "%s\\n" {shlex.join(["127.0.0.1 localhost", *names])} > "$root/etc/hosts"',
            'mount -t proc proc "$root/proc"',
            'mount -t tmpfs tmpfs "$root/run"',
            f'mkdir -p "$root"{shlex.quote(service.working_dir)}',
        ]
        for target, (source, read_only) in sorted(binds.items()):
            make = (
                f'mkdir -p "$root"{target}'
                if source.is_dir()
                else f'mkdir -p "$root"{Path(target).parent}; touch "$root"{target}'
            )
            lines += [make, f'mount --bind {shlex.quote(str(source))} "$root"{target}']
            if read_only:
                lines.append(f'mount -o remount,bind,ro "$root"{target}')
        lines += [f'mkdir -p "$root"{target}; mount -t tmpfs tmpfs "$root"{target}' for target in service.tmpfs]
        for path in LENT:  # a clone may stand below a path that the service has for itself
            if any(path.is_relative_to(target) for target in service.tmpfs):
                into = f'"$root"{shlex.quote(str(path))}'
                lines += [f"mkdir -p {into}", f"mount --bind {shlex.quote(str(path))} {into}"]
        if service.read_only:
            lines.append('mount -o remount,ro "$root"')
        if service.max_files is not None:
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # an engine may raise it; a test may not everywhere
            lines.append(f"ulimit -n {service.max_files if hard == -1 else min(service.max_files, hard)}")
        environment = [f"{name}={value}" for name, value in service.environment.items()]
        first = ["env", "--ignore-environment", f"--chdir={service.working_dir}", *environment, *service.argv]
        lines.append(f'exec chroot "$root" {shlex.join(first)}')
        return "\n".join(lines) + "\n"


def _graft(covered: set[str]) -> Iterator[str]:
    """Lines that put the host's directories into the new root, down to those in which something is covered."""
    split = {"/"} | {str(parent) for path in covered for parent in Path(path).parents}
    for directory in sorted(split - SHARED_STATE):
        if not Path(directory).is_dir():
            continue
        for entry in sorted(Path(directory).iterdir()):
            into = f'"$root"{shlex.quote(str(entry))}'
            if entry.is_symlink():
                yield f"ln -s {shlex.quote(str(entry.readlink()))} {into}"
            elif entry.is_dir():
                yield f"mkdir -p {into}"
                if str(entry) not in split | SHARED_STATE | covered:
                    yield f"mount --rbind {shlex.quote(str(entry))} {into}"


def _ip(*arguments: str) -> None:
    subprocess.run(("ip", *arguments), check=True, capture_output=True, text=True, timeout=10)


def sweep() -> None:
    """Remove what a run left that was killed before it could clean up."""
    if shutil.which("ip") is None:
        pytest.fail(CANNOT.format("there is no `ip`: install iproute2"), pytrace=False)
    listed = subprocess.run(("ip", "netns", "list"), capture_output=True, text=True, check=False).stdout
    for name in (line.split()[0] for line in listed.splitlines() if line.startswith("tidegate-")):
        if not Path(f"/proc/{name.split('-')[1]}").exists():
            subprocess.run(("ip", "netns", "delete", name), check=False, capture_output=True)
