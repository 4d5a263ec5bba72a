"""The mesh on paper: its places, and the links between them."""

from __future__ import annotations

from chaos.mesh.plan import BACKENDS, HOME, REGIONS, Setting, backend_name, backend_of, endpoint, links, name_of


def test_every_pair_of_regions_has_a_link_of_its_own_in_each_direction() -> None:
    peers = {(one.source, one.target) for one in links(Setting()) if one.kind == "peers"}
    assert peers == {(source, target) for source in REGIONS for target in REGIONS}
    assert len({one.name for one in links(Setting())}) == len([*links(Setting())])


def test_all_regions_call_a_region_by_one_name_and_a_link_leads_to_where_it_is() -> None:
    found = {one.listen for one in links(Setting()) if one.target == "us-east" and one.kind == "peers"}
    assert found == {f"{name_of('us-east')}:9443"}


def test_there_are_links_to_those_databases_only_that_are_used() -> None:
    settings = {one.state: one for one in (Setting("embedded"), Setting("redis"), Setting("postgres"))}
    kinds = {kind: {one.kind for one in links(setting)} for kind, setting in settings.items()}
    assert kinds["embedded"] == {"clients", "peers", "backends"}
    assert kinds["redis"] - kinds["embedded"] == {"redis"}
    assert kinds["postgres"] - kinds["embedded"] == {"postgres"}


def test_each_region_reaches_its_own_database_for_data_and_no_other() -> None:
    found = {(one.source, one.target) for one in links(Setting(data="postgres")) if one.kind == "postgres"}
    assert found == {(region, region) for region in REGIONS}


def test_an_endpoint_is_the_same_backend_in_every_service() -> None:
    found = {backend_of(endpoint("us-east", BACKENDS[1], service=service)) for service in ("api", "kept")}
    assert found == {backend_name("us-east", BACKENDS[1])}


def test_what_is_within_a_region_is_not_between_regions() -> None:
    between = [one for one in links(Setting()) if one.is_between_regions]
    assert all(one.source not in {one.target, "clients"} for one in between)
    assert set(HOME) < set(REGIONS)
