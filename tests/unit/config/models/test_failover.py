"""Every mistake in failover, recovery and election is told by its place, what was found and what was expected."""

from __future__ import annotations

import pytest

from tests.unit.config.written import accepted, complaints, file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            file(rest="failover: {trigger: sometimes}"),
            [
                't.yaml:10:21 failover.trigger: found "sometimes", expected one of hybrid, automatic, manual',
            ],
            id="an unknown trigger",
        ),
        pytest.param(
            file(rest="failover: {quorum: {kind: witness}}"),
            [
                ("t.yaml:10:27 failover.quorum.kind: found kind: witness without witness, expected the witness's URL"),
            ],
            id="a witness that is not named",
        ),
        pytest.param(
            file(rest="failover: {dns: {server: 10.0.0.53, zone: example.com, name: 'a..b'}}"),
            [
                't.yaml:10:62 failover.dns.name: found "a..b", expected a name inside the zone, such as api, or @ for '
                "the zone itself",
            ],
            id="a name that is none",
        ),
        pytest.param(
            file(rest="disaster_recovery: {drill: {schedule: '0 4 * *', region: eu-west}}"),
            [
                (
                    't.yaml:10:39 disaster_recovery.drill.schedule: found "0 4 * *", expected five fields as '
                    'cron has them, such as "0 4 * * 0"'
                ),
            ],
            id="a schedule of four fields",
        ),
        pytest.param(
            file(rest="disaster_recovery: {drill: {schedule: '0 25 * * 0', region: eu-west}}"),
            [
                't.yaml:10:39 disaster_recovery.drill.schedule: found "25" as the hour, expected 0 to 23',
            ],
            id="a schedule at the 25th hour",
        ),
        pytest.param(
            file(rest="disaster_recovery: {drill: {schedule: '0 4 30 2 *', region: eu-west}}"),
            [
                't.yaml:10:39 disaster_recovery.drill.schedule: found "0 4 30 2 *" (bad day-of-month), expected a '
                "date that comes",
            ],
            id="a schedule for the 30th of February",
        ),
        pytest.param(
            file(rest="disaster_recovery: {drill: {schedule: '0 4 * * SUN', region: eu-west}}"),
            [
                (
                    't.yaml:10:39 disaster_recovery.drill.schedule: found "SUN", expected five fields as '
                    'cron has them, such as "0 4 * * 0"'
                ),
            ],
            id="a schedule in words",
        ),
        pytest.param(
            file(rest="disaster_recovery: {backup: {schedule: '0 * * * *', encryption_key: hunter2, path: b}}"),
            [
                (
                    "t.yaml:10:69 disaster_recovery.backup.encryption_key: found a literal value, expected a "
                    "reference, env:NAME or file:path, because a secret must not stand in the file itself"
                ),
            ],
            id="a literal key",
        ),
        pytest.param(
            file(rest="election: {acceptors: some}"),
            [
                't.yaml:10:23 election.acceptors: found "some", expected auto, or a list',
            ],
            id="acceptors in words",
        ),
        pytest.param(
            file(rest="election: {acceptors: []}"),
            [
                "t.yaml:10:23 election.acceptors: found an empty list, expected auto, or at least 1 in the list",
            ],
            id="no acceptors",
        ),
        pytest.param(
            file(rest="election: {lease: 500ms}"),
            [
                "t.yaml:10:19 election.lease: found 500ms, expected 1s to 1h",
            ],
            id="a lease below a second",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: list[str]) -> None:
    assert complaints(text) == said


def test_failover_is_off_unless_the_file_says_so() -> None:
    config = accepted(file())
    assert (config.failover, config.disaster_recovery, config.election) == (None, None, None)


def test_failover_has_the_values_of_the_contract() -> None:
    config = accepted(file(rest="failover: {}\ndisaster_recovery: {}\nelection: {}"))
    assert config.failover is not None
    assert (config.failover.trigger, config.failover.failback, config.failover.quorum.kind) == (
        "hybrid",
        "manual",
        "majority",
    )
    assert (config.failover.detection.interval, config.failover.detection.timeout) == (1.0, 5.0)
    assert config.disaster_recovery is not None
    assert (config.disaster_recovery.rto, config.disaster_recovery.rpo) == (60.0, 5.0)
    assert config.election is not None
    assert (config.election.lease, config.election.renew, config.election.acceptors) == (10.0, 3.0, "auto")


@pytest.mark.parametrize("schedule", ["0 4 * * 0", "*/5 * * * *", "0,30 8-18/2 1 1-6 1-5", "59 23 31 12 7"])
def test_a_schedule_is_what_cron_takes(schedule: str) -> None:
    rest = f"disaster_recovery: {{drill: {{schedule: '{schedule}', region: eu-west}}}}"
    assert complaints(file(rest=rest)) == []


def test_an_acceptor_with_a_password_is_refused_without_repeating_it() -> None:
    (said,) = complaints(file(rest="election: {acceptors: [{url: 'redis://:hunter2@10.0.0.5'}]}"))
    assert said.startswith("t.yaml:10:30 election.acceptors[0].url: found a URL with credentials in it, expected a URL")
    assert "hunter2" not in said
