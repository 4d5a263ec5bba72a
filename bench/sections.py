"""What is measured, one function a section. Each leaves samples, or a sentence that says why there are none."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, TypeVar

import trustme

from bench import metrics
from bench.backend import BIG
from bench.fetching import answers, fetch, fetch_as
from bench.instance import Instance, NotMeasured, spread_paths
from bench.lab import Cost, Lab
from bench.paced import END, OK, request_bytes
from bench.program import Program, pinned
from bench.setting import Identity, Setting
from bench.wrk import LoadFailed

FAILURES = (NotMeasured, LoadFailed, OSError)
GROWING = ("nginx", "HAProxy", "Envoy", "Tidegate")
"""Of whom the cost of growth is measured; when there is little time, of Tidegate alone."""
STREAMS = 8
TUNNELS = 32
VARIANTS = 17
"""No divisor of the number of connections: each gets them all."""
PACED_CONNECTIONS = 64
PACED_AT_MOST = 12_000
"""Requests a second that client and backend bear on their core with room to spare; nobody is asked for more."""
PATH = "/v1/profile/1"

T = TypeVar("T")


HeadersOf = Callable[[Instance], Sequence[tuple[str, str]]]


def _no_headers(instance: Instance) -> Sequence[tuple[str, str]]:
    return ()


def requests(lab: Lab) -> None:
    """Everything that the plainest setting shows."""
    with lab.instances("request", Setting()) as instances:
        _costs(lab, "request", instances)
        _varied(lab, instances)
        _latencies(lab, instances)
        _streams(lab, instances)
        _connections(lab, instances)


def idle(lab: Lab) -> None:
    """Memory of connections that have been used once and are kept."""
    wanted = lab.effort.idle_connections
    with lab.instances("idle", Setting()) as instances:
        for instance in instances:
            _warm_up(lab, "idle", instance)
            _attempt(lab, "idle", instance, partial(_hold_idle, lab, instance, wanted))


def logged(lab: Lab) -> None:
    with lab.instances("logged", Setting(access_log=True)) as instances:
        _costs(lab, "logged", instances)
        for instance in instances:
            _attempt(lab, "logged", instance, partial(_has_logged, instance))


def policies(lab: Lab) -> None:
    """With a limit that is never reached, and a client whose session sticks. That each policy acts is seen before."""
    with lab.instances("policies", Setting(policies=True, limit_per_s=1)) as limited:
        for instance in limited:
            _attempt(lab, "policies", instance, partial(_limits, instance))
    with lab.instances("policies", Setting(policies=True, endpoints=2)) as pairs:
        for instance in pairs:
            _attempt(lab, "policies", instance, partial(_sticks, instance))
            _attempt(lab, "policies", instance, partial(_ejects, instance))
    with lab.instances("policies", Setting(policies=True)) as instances:
        cookies = {each: _attempt(lab, "policies", each, partial(_session, each)) or "" for each in instances}
        _costs(lab, "policies", instances, lambda instance: (("Cookie", cookies[instance]),))


def tls(lab: Lab) -> None:
    """Requests over kept connections, all with the same cipher; connections with one request each."""
    with lab.instances("tls", Setting(tls=_identity(lab))) as instances:
        _costs(lab, "tls", instances)
        for section, more in (("handshake", ()), ("resumed", ("--resume",))):
            for number, instance in lab.rounds(instances):
                cpu_us = _attempt(lab, section, instance, partial(_connection_us, lab, instance, *more))
                if cpu_us is not None:
                    lab.results.add(f"{section}.cpu_us", instance.name, number, cpu_us)


def websocket(lab: Lab) -> None:
    """Messages there and back over tunnels."""
    place = lab.place("echo", ())
    command = (sys.executable, "-m", "bench.websocket", "serve", "--port", str(place.port))
    with Program("echo", command, directory=place.directory, core=lab.load_core) as echo:
        echo.wait_until(lambda: answers(place.port, "/"), "answering")
        with lab.instances("socket", Setting(tunnel=True), backends=[f"127.0.0.1:{place.port}"]) as instances:
            for number, instance in lab.rounds(instances):
                cpu_us = _attempt(lab, "socket", instance, partial(_message_us, lab, instance))
                if cpu_us is not None:
                    lab.results.add("socket.cpu_us", instance.name, number, cpu_us)


def routes(lab: Lab) -> None:
    _growth(lab, "routes", [Setting(routes=count) for count in metrics.ROUTES], spread_paths(metrics.ROUTES[-1]))


def endpoints(lab: Lab) -> None:
    _growth(lab, "endpoints", [Setting(endpoints=count) for count in metrics.ENDPOINTS], (PATH,))


SECTIONS: dict[str, Callable[[Lab], None]] = {
    "requests": requests,
    "idle": idle,
    "logged": logged,
    "policies": policies,
    "tls": tls,
    "websocket": websocket,
    "routes": routes,
    "endpoints": endpoints,
}


# -- loads


def _costs(lab: Lab, section: str, instances: Sequence[Instance], headers_of: HeadersOf = _no_headers) -> None:
    """CPU a request of everyone, in turns."""
    for instance in instances:
        _warm_up(lab, section, instance, headers=headers_of(instance))
    for number, instance in lab.rounds(instances):
        cost = _attempt(lab, section, instance, _load(lab, section, instance, headers=headers_of(instance)))
        if cost is None:
            continue
        lab.results.add(f"{section}.cpu_us", instance.name, number, cost.cpu_us)
        if section == "request":
            lab.results.add("request.rate", instance.name, number, cost.rate)
            if cost.beside_us:
                lab.results.add("request.beside_us", instance.name, number, cost.beside_us)


def _varied(lab: Lab, instances: Sequence[Instance]) -> None:
    """Fields that change from request to request: whoever remembers the last ones gains nothing by it."""
    for number, instance in lab.rounds(instances):
        cost = _attempt(lab, "varied", instance, _load(lab, "varied", instance, (PATH,) * VARIANTS, is_varied=True))
        if cost is not None:
            lab.results.add("varied.cpu_us", instance.name, number, cost.cpu_us)


def _latencies(lab: Lab, instances: Sequence[Instance]) -> None:
    """Everyone at a third of what it was seen to do."""
    for number, instance in lab.rounds(instances):
        capacity = lab.results.median("request.rate", instance.name)
        if capacity is None:
            continue
        rate = min(round(capacity / 3), PACED_AT_MOST)
        options = ("bench.paced", "--connections", str(PACED_CONNECTIONS), "--rate", str(rate), "--path", PATH)
        pace = _attempt(lab, "latency", instance, partial(_run, lab, instance, *options))
        if pace is None:
            continue
        if pace["failures"]:
            lab.results.refuse("latency", instance.name, f"failed: {pace['failures']} requests were not answered")
            continue
        lab.results.add("latency.rate", instance.name, number, rate)
        for name in ("p50", "p99", "p999", "client_late_p99"):
            key = "client_late" if name == "client_late_p99" else name
            lab.results.add(f"latency.{key}_us", instance.name, number, 1e6 * pace[f"{name}_s"])


def _streams(lab: Lab, instances: Sequence[Instance]) -> None:
    for number, instance in lab.rounds(instances):
        cost = _attempt(lab, "stream", instance, _load(lab, "stream", instance, ("/big",), connections=STREAMS))
        if cost is not None:
            lab.results.add("stream.cpu_us", instance.name, number, cost.cpu_us * (1 << 20) / BIG)


def _connections(lab: Lab, instances: Sequence[Instance]) -> None:
    growing = [instance for instance in instances if _may_grow(lab, instance.name)]
    for number, instance in lab.rounds(growing):
        for count in metrics.CONNECTIONS:
            load = _load(lab, "connections", instance, connections=count, must_keep=False)
            cost = _attempt(lab, "connections", instance, load)
            if cost is not None:
                lab.results.add(f"connections.{count}", instance.name, number, cost.cpu_us)
                lab.results.add(f"connections.{count}_opened", instance.name, number, cost.opened)


def _growth(lab: Lab, section: str, settings: Sequence[Setting], paths: Sequence[str]) -> None:
    """The same load on little and on much of something, both running, in turns."""
    growing = [contestant for contestant in lab.contestants if _may_grow(lab, contestant.name)]
    with ExitStack() as stack:
        instances = [
            instance
            for setting in settings
            for instance in stack.enter_context(lab.instances(section, setting, growing))
        ]
        for instance in instances:
            _warm_up(lab, section, instance, paths, must_keep=False)
        for number, instance in lab.rounds(instances):
            cost = _attempt(lab, section, instance, _load(lab, section, instance, paths, must_keep=False))
            if cost is not None:
                count = getattr(instance.setting, section)
                lab.results.add(f"{section}.{count}", instance.name, number, cost.cpu_us)


def _may_grow(lab: Lab, name: str) -> bool:
    return name.startswith("Tidegate") or (lab.effort.everyone_flat and name in GROWING)


def _load(
    lab: Lab, section: str, instance: Instance, paths: Sequence[str] = (PATH,), **options: Any
) -> Callable[[], Cost]:
    return partial(lab.measure, section, instance, paths, **options)


def _warm_up(lab: Lab, section: str, instance: Instance, paths: Sequence[str] = (PATH,), **options: Any) -> None:
    """Connections opened, caches filled, code paths taken once."""
    if lab.effort.warm_up_s:
        _attempt(lab, section, instance, _load(lab, section, instance, paths, seconds=lab.effort.warm_up_s, **options))


def _run(lab: Lab, instance: Instance, module: str, *options: str) -> dict[str, Any]:
    """One of our own clients, on the load's core."""
    command = [sys.executable, "-m", module, *options, "--port", str(instance.place.port)]
    command += ["--seconds", str(lab.effort.seconds)]
    lab.commands[module] = " ".join(["python", *command[1:]])
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=pinned(lab.load_core))
    if done.returncode:
        raise LoadFailed(f"{module}: {done.stderr.strip()[-300:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _connection_us(lab: Lab, instance: Instance, *options: str) -> float:
    before = instance.usage()
    done = _run(lab, instance, "bench.handshakes", *options)
    after = instance.usage()
    if before.counted is not None:
        lab.wait_for_count(instance, before.counted + int(done["connections"]))
    return 1e6 * (after.cpu_s - before.cpu_s) / int(done["connections"])


def _message_us(lab: Lab, instance: Instance) -> float:
    before = instance.usage()
    done = _run(lab, instance, "bench.websocket", "load", "--connections", str(TUNNELS))
    return 1e6 * (instance.usage().cpu_s - before.cpu_s) / int(done["messages"])


# -- proofs


def _attempt(lab: Lab, section: str, instance: Instance, act: Callable[[], T]) -> T | None:
    """None, and a sentence in the results, when it failed; one that has failed is not asked again."""
    if (section, instance.name) in lab.results.absent:
        return None
    try:
        return act()
    except FAILURES as error:
        lab.results.refuse(section, instance.name, f"failed: {error}")
        return None


def _has_logged(instance: Instance) -> None:
    files = (instance.place.directory / "access.log", instance.place.directory / "output.log")
    if not any(file.exists() and file.read_bytes().count(PATH.encode()) > 100 for file in files):
        raise NotMeasured("the access log lacks the requests")


def _limits(instance: Instance) -> None:
    statuses = {fetch(instance.place.port, PATH)[0] for _ in range(5)}
    if 429 not in statuses:
        raise NotMeasured(f"more than the limit was answered {sorted(statuses)}, expected 429")


def _session(instance: Instance) -> str:
    """A client's cookie."""
    cookie = fetch_as(instance.place.port, PATH, "")[1]
    if not cookie.startswith("tidegate_session="):
        raise NotMeasured(f"no sticky cookie came, but {cookie[:60]!r}")
    return cookie


def _sticks(instance: Instance) -> None:
    """One client always comes to the same endpoint, many clients come to both."""
    port = instance.place.port
    first, cookie = fetch_as(port, "/whoami", "")
    others = {fetch_as(port, "/whoami", cookie)[0] for _ in range(20)}
    everybody = {fetch_as(port, "/whoami", "")[0] for _ in range(40)}
    if others != {first} or len(everybody) != 2:
        raise NotMeasured(f"a client with a cookie of {first} came to {others}, clients without one to {everybody}")


def _ejects(instance: Instance) -> None:
    """An endpoint that answers with errors is left out soon."""
    statuses = [fetch(instance.place.port, "/sick")[0] for _ in range(80)]
    if 500 not in statuses or 500 in statuses[-20:]:
        raise NotMeasured(f"of 80 requests {statuses.count(500)} met the sick endpoint, the last ones too or none")


def _hold_idle(lab: Lab, instance: Instance, wanted: int) -> None:
    """Open them, use each once, and see what they cost while nothing happens."""
    before = instance.memory_bytes()
    request = request_bytes(instance.place.port, PATH)
    with ExitStack() as stack:
        clients: list[socket.socket] = []
        for _ in range(wanted):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", instance.place.port), timeout=10))
            client.sendall(request)
            answer = client.recv(65536)
            if not (answer.startswith(OK) and answer.endswith(END)):
                raise NotMeasured(f"connection {len(clients) + 1} was answered {answer[:60]!r}")
            clients.append(client)
        after = instance.memory_bytes()
        for client in clients:
            client.settimeout(0)
            try:
                closed = client.recv(1) == b""
            except BlockingIOError:
                closed = False
            if closed:
                raise NotMeasured("it closed connections that it should keep")
    lab.results.add("idle.bytes", instance.name, 0, (after - before) / wanted / 1024)
    lab.results.add("idle.total", instance.name, 0, after / (1 << 20))
    lab.results.add("idle.opened", instance.name, 0, wanted)


def _identity(lab: Lab) -> Identity:
    """An ECDSA certificate for the day."""
    place = lab.place("identity", ())
    issued = trustme.CA().issue_cert("localhost", "127.0.0.1")
    certificate, private_key = place.directory / "certificate.pem", place.directory / "key.pem"
    issued.cert_chain_pems[0].write_to_path(str(certificate))
    issued.private_key_pem.write_to_path(str(private_key))
    return Identity(certificate, private_key)
