"""What a cluster is made of, and what is refused before anything starts."""

from __future__ import annotations

import socket
from typing import Any, cast

import pytest

from core.environment import ClusterSpec
from core.errors import PortTakenError, UsageError
from server.roles.options import DiscoveryOptions, GatewayOptions
from server.supervisor.plan import Plan, PreferredPorts, check_ports, without_login


def test_free_ports_unless_given() -> None:
    plan = Plan(ClusterSpec(instances=3, ports=(8080, 0)))
    ports = [plan.next_instance("memory:", "").port for _ in range(4)]
    assert ports == [8080, 0, 0, 0]
    assert plan.discovery() == DiscoveryOptions(port=0)
    assert plan.gateway("http://d") == GatewayOptions(port=0, discovery="http://d")


def test_preferred_ports_may_be_replaced_and_given_ones_not() -> None:
    plan = Plan(ClusterSpec(instances=2, gateway_port=7001), preferred=PreferredPorts())
    instances = [plan.next_instance("memory:", "") for _ in range(3)]
    assert [(each.port, each.or_free) for each in instances] == [(8080, True), (8081, True), (0, False)]
    assert (plan.discovery().port, plan.discovery().or_free) == (8761, True)
    assert (plan.gateway("").port, plan.gateway("").or_free) == (7001, False)


def test_ids_are_never_used_twice() -> None:
    plan = Plan(ClusterSpec(instances=2))
    assert [plan.next_instance("", "").id for _ in range(4)] == ["i1", "i2", "i3", "i4"]


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        (ClusterSpec(instances=0), "0 instances"),
        (ClusterSpec(instances=65), "65 instances"),
        (ClusterSpec(instances=1, ports=(1, 2)), "2 ports for 1 instances"),
        (ClusterSpec(instances=2, ports=(8080, 8080)), "same port twice"),
        (ClusterSpec(instances=2, ports=(8080,), gateway_port=8080), "same port twice"),
        (ClusterSpec(gateway_port=70000), "out of range"),
        (ClusterSpec(broker="kafka://u:secret@h"), "no such kind of broker: 'kafka://h'"),
        (ClusterSpec(broker="memory:"), "within one process"),
        (ClusterSpec(strategy=cast("Any", "hope")), "hope"),
        (ClusterSpec(instances=cast("Any", "2")), "instances"),
    ],
)
def test_what_cannot_be_is_refused(spec: ClusterSpec, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        Plan(spec)


def test_memory_is_fine_within_one_process() -> None:
    assert not Plan(ClusterSpec(broker="memory:"), in_process=True).embedded_broker


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError, match=str(port)) as caught:
            check_ports((0, port))
    assert caught.value.port == port
    check_ports((port,))


def test_nobody_reads_a_login() -> None:
    assert without_login("stomp://u:secret@h:61613/v") == "stomp://h:61613/v"
    assert without_login("stomp://h:61613") == "stomp://h:61613"
    assert without_login("embedded:") == "embedded:"
