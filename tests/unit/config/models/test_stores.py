"""Every mistake in stores, discovery and geo is told by its place, what was found and what was expected."""

from __future__ import annotations

import pytest

from config.models import SecretReference
from tests.unit.config.written import accepted, complaints, file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            file(rest="stores: {state: {kind: etcd}}"),
            [
                't.yaml:10:24 stores.state.kind: found "etcd", expected one of embedded, redis, postgres',
            ],
            id="an unknown kind of store",
        ),
        pytest.param(
            file(rest="stores: {state: {}}"),
            [
                "t.yaml:10:17 stores.state.kind: found nothing, expected a value for kind, which is required",
            ],
            id="a store without a kind",
        ),
        pytest.param(
            file(rest='stores: {state: {kind: redis, urls: ["redis://:hunter2@10.0.0.5"]}}'),
            [
                (
                    "t.yaml:10:38 stores.state.urls[0]: found a URL with credentials in it, expected a URL "
                    "such as redis://10.0.0.5:6379/0, or a reference (env:NAME, file:path) when it has a password"
                ),
            ],
            id="a redis url with a password",
        ),
        pytest.param(
            file(rest='stores: {state: {kind: redis, urls: ["http://10.0.0.5"]}}'),
            [
                (
                    't.yaml:10:38 stores.state.urls[0]: found "http://10.0.0.5", expected a URL such as '
                    "redis://10.0.0.5:6379/0, or a reference (env:NAME, file:path) when it has a password"
                ),
            ],
            id="a redis url of another scheme",
        ),
        pytest.param(
            file(rest='stores: {data: {kind: postgres, dsn: "postgres://u:hunter2@h/db"}}'),
            [
                (
                    "t.yaml:10:38 stores.data.dsn: found a literal value, expected a reference, env:NAME or "
                    "file:path, because a secret must not stand in the file itself"
                ),
            ],
            id="a literal dsn",
        ),
        pytest.param(
            file(rest="stores: {state: {kind: embedded, urls: []}}"),
            [
                "t.yaml:10:34 stores.state.urls: found an unknown key, expected kind",
            ],
            id="a key of another kind",
        ),
        pytest.param(
            file(rest="discovery: {resolvers: [ns1.example.com]}"),
            [
                (
                    't.yaml:10:24 discovery.resolvers: found "ns1.example.com", which names no port, '
                    "expected system, or a list of addresses such as 10.0.0.53 or 10.0.0.53:53"
                ),
            ],
            id="a resolver by name",
        ),
        pytest.param(
            file(rest="discovery: {resolvers: []}"),
            [
                (
                    "t.yaml:10:24 discovery.resolvers: found an empty list, expected system, or a list of "
                    "addresses such as 10.0.0.53 or 10.0.0.53:53"
                ),
            ],
            id="no resolvers",
        ),
        pytest.param(
            file(rest="geo: {database: 5}"),
            [
                "t.yaml:10:17 geo.database: found 5, expected bundled, or the path of an .mmdb file",
            ],
            id="a database that is a number",
        ),
        pytest.param(
            file(rest='geo: {country_header: "CF Country"}'),
            [
                (
                    't.yaml:10:23 geo.country_header: found "CF Country", expected a header\'s name, such as '
                    "X-Preferred-Region"
                ),
            ],
            id="a country header that is none",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: list[str]) -> None:
    assert complaints(text) == said


def test_everything_is_kept_in_the_node_by_default() -> None:
    stores = accepted(file()).stores
    assert (stores.state.kind, stores.data.kind, stores.limits.kind) == ("embedded", "embedded", "local")


def test_a_redis_url_with_a_password_is_named_by_reference() -> None:
    text = file(rest="stores: {limits: {kind: redis, region: 'env:R', global: 'redis://10.0.0.5:6379/0'}}")
    limits = accepted(text, environ={"R": "redis://:secret@10.0.0.6"}).stores.limits
    assert limits.kind == "redis"
    assert (limits.region, limits.global_) == (SecretReference("env", "R"), "redis://10.0.0.5:6379/0")


def test_name_servers_may_carry_a_port() -> None:
    assert accepted(file(rest="discovery: {resolvers: [10.0.0.53, '10.0.0.54:5353']}")).discovery.resolvers == (
        "10.0.0.53",
        "10.0.0.54:5353",
    )
