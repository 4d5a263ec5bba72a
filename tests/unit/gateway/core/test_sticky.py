"""Sessions stay where they are, and move only for a reason that is told."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.core.signing import Signer
from gateway.core import outcomes, reasons
from gateway.core.book import EndpointBook
from gateway.core.decision import decide
from gateway.core.gate import Endpoint
from gateway.core.snapshot import Forward, RoutingSnapshot
from gateway.core.sticky import Stay, World
from gateway.errors import ConnectFailed
from gateway.messages import OperatorState
from tests.harness.routing import head, routed, snapshot

SIGNER = Signer((b"k" * 32,))
WALL = 1_700_000_000.0
NAMES = tuple(f"{region}-{number}" for region in ("eu", "us", "ap") for number in (1, 2))
DRAINING = OperatorState(share=0.5, is_draining=True)
DRAINED = OperatorState(share=0.0, is_draining=True)


class Scene:
    """A service whose sessions stick, and clients of it."""

    def __init__(
        self,
        *routes: dict[str, Any],
        fallback: str = "any_available",
        names: tuple[str, ...] = NAMES,
        service: dict[str, Any] | None = None,
        **world: Any,
    ) -> None:
        self.routes = routes
        self.fallback = fallback
        self.names = names
        self.service = service or {}
        self.book = EndpointBook()
        self.rng = random.Random(1)
        self.now = 0.0
        self.put(**world)

    def put(self, **world: Any) -> None:
        """Another snapshot is in force."""
        names = world.pop("names", self.names)
        endpoints = [{"region": name[:2], "address": f"{name}:80"} for name in names]
        sticky = {"fallback": self.fallback}
        service = {"id": "api", "endpoints": endpoints, "sticky_session": sticky, **self.service}
        self.snapshot = snapshot(*(self.routes or (routed(),)), services=[service], signer=SIGNER, **world)
        plan = self.snapshot.routing.services["api"]
        self.book.adopt(
            "api",
            [each.id for each in plan.endpoints],
            breaker=plan.policies.breaker,
            outliers=plan.policies.outliers,
            takes_latency=False,
            now=self.now,
        )

    def world(self, current: RoutingSnapshot | None = None) -> World:
        return World(self.snapshot, current, self.book, self.rng, self.now)

    def begin(self, cookie: str = "", path: str = "/") -> tuple[Stay, Forward]:
        asked = head(path, fields=f"Cookie: {cookie}\r\n" if cookie else "")
        forward = decide(self.snapshot, asked, "public", lambda: None, "192.0.2.1")
        assert isinstance(forward, Forward)
        sticky = forward.service.sticky
        assert sticky is not None
        stay = Stay(sticky, asked, wall=WALL)
        return stay, stay.settle(forward, self.world(), "192.0.2.1")

    def ask(self, cookie: str = "", path: str = "/") -> tuple[str, str, str]:
        """The endpoint that answered, what became of the session, and the cookie that the client has then."""
        stay, forward = self.begin(cookie, path)
        endpoint = stay.next_endpoint(forward, self.world(), tried=())
        if endpoint is None:
            return "", stay.sentence, cookie
        line = stay.answered(endpoint, 200, wall=WALL, rng=self.rng).decode()
        return endpoint.host, stay.sentence, line[12:].partition(";")[0] or cookie

    def served(self) -> str:
        """Who answers a client that comes anew."""
        name, _, _ = self.ask()
        attempt = outcomes.begin(self.book, self.endpoint(name), self.now)
        outcomes.answered(self.book, attempt, 200, self.now)
        attempt.load.in_flight -= 1
        return name

    def session_at(self, name: str) -> str:
        """The cookie of a session there."""
        sticky = self.snapshot.routing.services["api"].sticky
        assert sticky is not None
        return sticky.line(7, self.endpoint(name), wall=WALL).decode()[12:].partition(";")[0]

    def endpoint(self, name: str) -> Endpoint:
        return next(each for each in self.snapshot.marked["api"].values() if each.host == name)

    def refuse_connections(self, name: str) -> None:
        endpoint = self.endpoint(name)
        attempt = outcomes.begin(self.book, endpoint, self.now)
        outcomes.failed(self.book, attempt, ConnectFailed("refused"), self.now)
        attempt.load.in_flight -= 1


@pytest.mark.parametrize("name", NAMES)
def test_a_session_stays_where_it_is_in_whatever_region_that_may_serve(name: str) -> None:
    scene = Scene()
    cookie = scene.session_at(name)
    assert [scene.ask(cookie) for _ in range(10)] == [(name, "session_kept", cookie)] * 10


def test_a_session_begins_at_the_service_s_own_choice_and_gets_a_cookie() -> None:
    scene = Scene(service={"load_balancing": {"algorithm": "round_robin"}})
    answers = [scene.ask() for _ in range(10)]
    assert Counter(name for name, _, _ in answers) == {"eu-1": 5, "eu-2": 5}
    assert {told for _, told, _ in answers} == {"session_begun: cookie_missing"}
    assert len({cookie for _, _, cookie in answers}) == 10
    assert [scene.ask(cookie)[0] for _, _, cookie in answers] == [name for name, _, _ in answers]


def test_a_forged_cookie_is_no_more_than_none() -> None:
    name, told, cookie = Scene().ask("tidegate_session=forged")
    assert name[:2] == "eu"
    assert told == "session_begun: cookie_refused"
    assert cookie != "tidegate_session=forged"


@pytest.mark.parametrize("fallback", ["any_available", "least_loaded"])
def test_a_session_whose_endpoint_is_down_moves_and_stays_where_it_moved(fallback: str) -> None:
    scene = Scene(fallback=fallback, down=("eu-1",))
    name, told, cookie = scene.ask(scene.session_at("eu-1"))
    assert (name, told) == ("eu-2", "session_moved: probe_down")
    scene.put()
    assert scene.ask(cookie) == ("eu-2", "session_kept", cookie)


def test_least_loaded_moves_to_the_endpoint_with_fewest_requests() -> None:
    names = ("eu-1", "eu-2", "eu-3", "eu-4")
    scene = Scene(fallback="least_loaded", names=names, down=("eu-1",))
    for name, count in (("eu-2", 3), ("eu-3", 1), ("eu-4", 2)):
        scene.book.load(scene.endpoint(name).id).in_flight = count
    assert {scene.ask(scene.session_at("eu-1"))[0] for _ in range(20)} == {"eu-3"}


def test_with_the_fallback_error_a_session_waits_for_its_endpoint_and_others_are_served() -> None:
    scene = Scene(fallback="error", down=("eu-1",))
    cookie = scene.session_at("eu-1")
    stay, forward = scene.begin(cookie)
    assert stay.next_endpoint(forward, scene.world(), tried=()) is None
    answer = stay.refusal(forward)
    assert answer is not None
    assert (answer.status, answer.reason, answer.proxy_status) == (
        503,
        reasons.STICKY_ENDPOINT_AWAY,
        "destination_unavailable",
    )
    assert "eu-1" not in answer.detail
    assert scene.ask()[0] == "eu-2"
    scene.put()
    assert scene.ask(cookie) == ("eu-1", "session_kept", cookie)


@pytest.mark.parametrize("fallback", ["any_available", "least_loaded", "error"])
@pytest.mark.parametrize(
    ("world", "why"),
    [
        ({"orders": {"eu-1": DRAINED}}, reasons.DRAINED),
        ({"orders": {"eu-1": DRAINING}}, reasons.DRAINING),
        ({"orders": {"eu": DRAINING}}, reasons.DRAINING),
        ({"orders": {"eu": DRAINED}}, reasons.DRAINED),
        ({"names": NAMES[1:]}, reasons.ENDPOINT_GONE),
    ],
)
def test_whatever_the_fallback_a_session_leaves_what_is_drained_or_gone(
    fallback: str, world: dict[str, Any], why: str
) -> None:
    scene = Scene(fallback=fallback)
    cookie = scene.session_at("eu-1")
    scene.put(**world)
    name, told, moved = scene.ask(cookie)
    assert told == f"session_moved: {why}"
    assert name == ("us-1" if "eu" in world.get("orders", {}) else "eu-2") or name in ("us-1", "us-2")
    assert scene.ask(moved) == (name, "session_kept", moved)


def test_where_all_is_drained_sessions_stay_as_long_as_they_can_and_none_begins() -> None:
    orders = dict.fromkeys(("eu", "us", "ap"), DRAINING)
    scene = Scene(orders=orders)
    cookie = scene.session_at("us-2")
    assert scene.ask(cookie) == ("us-2", f"session_kept: {reasons.DRAINING}", cookie)
    name, told, no_cookie = scene.ask()
    assert (name[:2], told, no_cookie) == ("eu", "session_begun: cookie_missing", "")


def test_no_session_begins_where_something_is_drained_and_the_others_share_them_evenly() -> None:
    scene = Scene(names=("eu-1", "eu-2", "eu-3"), service={"load_balancing": {"algorithm": "round_robin"}})
    scene.put(orders={"eu-1": DRAINING})
    assert Counter(scene.ask()[0] for _ in range(20)) == {"eu-2": 10, "eu-3": 10}


def test_no_cookie_leads_across_a_border_of_residency() -> None:
    scene = Scene(routed("/free/*", id="free"), routed(id="bound", data_types=["profile"]))
    cookie = scene.session_at("us-1")
    assert scene.ask(cookie, "/free/x")[0] == "us-1"
    name, told, moved = scene.ask(cookie)
    assert (name[:2], told) == ("eu", f"session_moved: {reasons.REGION_NOT_ALLOWED}")
    assert scene.ask(moved)[0] == name


def test_what_residency_forbids_in_the_middle_of_a_request_is_left_at_its_next_attempt() -> None:
    scene = Scene(routed(data_types=["open"]), residency={"rules": [{"data_type": "open", "allowed_regions": "*"}]})
    stay, forward = scene.begin(scene.session_at("us-1"))
    before = scene.snapshot
    scene.put(residency={"rules": [{"data_type": "open", "allowed_regions": ["eu"]}]})
    world = World(before, scene.snapshot, scene.book, scene.rng, 0.0)
    endpoint = stay.next_endpoint(forward, world, tried=())
    assert endpoint is not None
    assert endpoint.region == "eu"


def test_a_retry_leaves_the_endpoint_that_failed_unless_the_fallback_is_error() -> None:
    for fallback, then in (("any_available", "eu-2"), ("least_loaded", "eu-2"), ("error", "")):
        scene = Scene(fallback=fallback)
        stay, forward = scene.begin(scene.session_at("eu-1"))
        first = stay.next_endpoint(forward, scene.world(), tried=())
        assert first is not None
        other = stay.next_endpoint(forward, scene.world(), tried={first.id})
        assert (other.host if other else "") == then
        again = stay.next_endpoint(forward, scene.world(), tried=())
        assert again is first


def test_a_session_that_fails_or_ends_at_a_failing_endpoint_gets_no_cookie() -> None:
    scene = Scene()
    stay, forward = scene.begin()
    endpoint = stay.next_endpoint(forward, scene.world(), tried=())
    assert endpoint is not None
    assert stay.answered(endpoint, 500, wall=WALL, rng=scene.rng) == b""
    assert stay.number is None
    assert stay.answered(endpoint, 404, wall=WALL, rng=scene.rng) != b""


def test_a_moved_session_keeps_its_number() -> None:
    scene = Scene(down=("eu-1",))
    stay, forward = scene.begin(scene.session_at("eu-1"))
    endpoint = stay.next_endpoint(forward, scene.world(), tried=())
    assert endpoint is not None
    line = stay.answered(endpoint, 200, wall=WALL, rng=scene.rng).decode()
    moved, _ = scene.begin(line[12:].partition(";")[0])
    assert moved.number == stay.number == 7


def test_a_region_that_is_full_takes_its_own_sessions_and_counts_them() -> None:
    regions = [
        {"id": name, "name": name, "priority": number, **({"capacity": "10/s"} if name == "us" else {})}
        for number, name in enumerate(("eu", "us", "ap"), 1)
    ]
    scene = Scene(regions=regions, residency={"rules": []}, down=("eu-1",))
    cookie = scene.session_at("us-1")
    stay, forward = scene.begin(cookie)
    assert forward.regions[0].region == "us"
    endpoint = stay.next_endpoint(forward, scene.world(), tried=())
    assert endpoint is not None
    assert endpoint.host == "us-1"


def test_a_session_beyond_another_region_s_gateway_goes_there_and_its_cookie_is_left_to_that_gateway() -> None:
    regions = [
        {"id": name, "name": name, "priority": number, "gateway": f"http://{name}.gw:80", "reach": reach}
        for number, (name, reach) in enumerate((("eu", "direct"), ("us", "gateway"), ("ap", "direct")), 1)
    ]
    scene = Scene(regions=regions, residency={"rules": []})
    abroad = Scene().session_at("us-2")
    assert scene.ask(abroad) == ("us.gw", "session_kept", abroad)
    stay, forward = scene.begin(abroad)
    endpoint = stay.next_endpoint(forward, scene.world(), tried=())
    assert endpoint is not None
    assert endpoint.is_gateway
    assert stay.hop_line == f"Cookie: {abroad}\r\n".encode()
    assert stay.answered(endpoint, 200, wall=WALL, rng=scene.rng) == b""
    assert scene.ask()[0][:2] == "eu"


@pytest.mark.parametrize("fallback", ["any_available", "least_loaded", "error"])
def test_a_session_is_among_the_trials_of_its_own_endpoint(fallback: str) -> None:
    scene = Scene(fallback=fallback)
    cookie = scene.session_at("eu-1")
    scene.refuse_connections("eu-1")
    assert scene.ask(cookie)[0] == ("" if fallback == "error" else "eu-2")
    scene.now += 60.0
    assert scene.ask(cookie) == ("eu-1", "session_kept", cookie)


class Model:
    """What is known without any of our code: who is down, who is drained, where each session was last."""

    def __init__(self, fallback: str) -> None:
        self.scene = Scene(fallback=fallback)
        self.fallback = fallback
        self.down: set[str] = set()
        self.drained: set[str] = set()
        self.sessions: dict[int, tuple[str, str]] = {}

    def step(self, what: str, number: int) -> None:
        name = NAMES[number]
        if what == "refuse":
            self.scene.refuse_connections(name)
        elif what == "wait":
            self.scene.now += number
        elif what == "new":
            chosen, _, cookie = self.scene.ask()
            if cookie:
                self.sessions[number] = (chosen, cookie)
        elif what == "ask":
            if number in self.sessions:
                self.ask(number)
        else:
            marked = self.down if what in ("down", "up") else self.drained
            (marked.add if what in ("down", "drain") else marked.discard)(name)
            self.put()

    def put(self) -> None:
        self.scene.put(down=tuple(self.down), orders=dict.fromkeys(self.drained, DRAINING))

    def ask(self, number: int) -> None:
        was, cookie = self.sessions[number]
        load = self.scene.book.loads.get(f"api/{was[:2]}/{was}:80")
        is_away = was in self.down or (load is not None and load.is_unreachable and self.scene.now < load.trial_at)
        chosen, told, moved = self.scene.ask(cookie)
        if was not in self.drained and not is_away:
            assert (chosen, told) == (was, "session_kept")
        elif self.fallback == "error" and is_away:
            assert (chosen, told[:12]) == ("", "session_away")
        else:
            assert chosen != was or not {*NAMES} - self.down - self.drained
            assert chosen not in self.down
        if chosen:
            self.sessions[number] = (chosen, moved)


KINDS = ("down", "up", "drain", "undrain", "refuse", "wait", "ask", "ask", "ask", "new")


@settings(max_examples=150, deadline=None)
@given(
    fallback=st.sampled_from(["any_available", "least_loaded", "error"]),
    steps=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5)), max_size=40),
)
def test_against_a_naive_model_sessions_stay_where_they_may(fallback: str, steps: list[tuple[str, int]]) -> None:
    model = Model(fallback)
    for what, number in steps:
        model.step(what, number)


@settings(max_examples=60, deadline=None)
@given(
    fallback=st.sampled_from(["any_available", "least_loaded", "error"]),
    steps=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5)), max_size=40),
)
def test_every_endpoint_that_recovers_is_chosen_again(fallback: str, steps: list[tuple[str, int]]) -> None:
    """By its own sessions, for which nobody else may serve, and by those that come anew."""
    model = Model(fallback)
    for what, number in steps:
        model.step(what, number)
    model.down.clear()
    model.drained.clear()
    model.put()
    model.scene.now += 60.0
    for was, cookie in model.sessions.values():
        assert model.scene.ask(cookie)[:2] == (was, "session_kept")
    assert {model.scene.served() for _ in range(60)} == {"eu-1", "eu-2"}
