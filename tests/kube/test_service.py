"""The cluster of the RayService `retail-api`: replicas and nodes follow the load, and every request is answered."""

from typing import Any

import pytest

from tests.kube.conftest import Played


@pytest.fixture(scope="module")
def service(played: Played) -> Any:
    return played.section("service")


def test_load_takes_replicas_and_nodes_to_three(service: Any) -> None:
    assert service["replicas"] == [1, 3]
    assert service["grown"] == {"replicas": 3, "nodes": 3}


def test_calm_brings_both_back_to_one(service: Any) -> None:
    assert service["last"] == 1
    assert service["last_nodes"] == 1


def test_no_request_fails(service: Any) -> None:
    """Asked were the proxies of worker pods, as long as their own health check lets them take requests."""
    assert service["failed"] == []
    assert service["sent"] == service["answers"]["200"] == sum(service["by_pod"].values())
    assert service["sent"] > 100
    assert len(service["by_pod"]) >= 3


def test_the_bounds_are_never_left(played: Played, service: Any) -> None:
    sizes = played.section("service_sizes")
    assert sizes["rounds"] > 20
    assert sizes["bounds"]["serve"] == [1, 3]
    for group, (least, most) in sizes["bounds"].items():
        assert least <= sizes["least"][group] <= sizes["most"][group] <= most
        assert sizes["most_asked"][group] <= most
    assert max(service["seen"]) == 3


def test_the_head_keeps_its_tables_in_valkey(service: Any) -> None:
    assert service["kept_in_valkey"] > 0
