"""Broker URLs: TLS, several nodes, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import UsageError
from server.brokers.addresses import Tls, parse_stomp_url
from server.brokers.dialing import tls_context
from server.brokers.stomp import StompBroker


def test_several_hosts_are_nodes_of_one_broker() -> None:
    address = parse_stomp_url("stomp://joe:a%2Cb@one:1,[::1]:2,three/shop")
    places = [(node.host, node.port) for node in address.nodes]
    assert places == [("one", 1), ("::1", 2), ("three", 61613)]
    assert {(node.login, node.passcode, node.host_header) for node in address.nodes} == {
        ("joe", "a,b", "shop")
    }
    assert address.public_url == "stomp://one:1,[::1]:2,three:61613/shop"
    assert address.nodes[1].public_url == "stomp://[::1]:2/shop"


def test_stomps_is_tls_and_verifies() -> None:
    address = parse_stomp_url("stomps://h")
    assert (address.port, address.tls, address.public_url) == (61614, Tls(), "stomps://h:61614")
    assert parse_stomp_url("stomp://h").tls is None


def test_the_files_of_tls_are_parameters_and_not_shown() -> None:
    address = parse_stomp_url(
        "stomps://h/v?cafile=/a%20b/ca.pem&certfile=c.pem&keyfile=k.pem&no_verify_ssl=1"
    )
    assert address.tls == Tls("/a b/ca.pem", "c.pem", "k.pem", verify=False)
    assert address.host_header == "v"
    assert address.public_url == "stomps://h:61614/v"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("stomp://joe:secret@h?cafile=ca.pem", "'cafile'"),
        ("stomps://joe:secret@h?cafiel=ca.pem", "'cafiel'"),
        ("stomps://joe:secret@h?keyfile=k.pem", "certfile"),
        ("stomp://joe:secret@a,,b", "no host"),
        ("stomp://joe:secret@a:1:2", "no host"),
        ("stomp://joe:secret@a:0", "0 is no port"),
        ("stomp://joe:secret@a:65536", "65536 is no port"),
        ("stomp://joe:secret@a#b", "not understood"),
        ("stomp://" + ",".join(["joe"] * 33), "32 hosts"),
        ("kafka://joe:secret@h", "'kafka'"),
    ],
)
def test_what_is_wrong_is_named_and_the_password_is_not(url: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        parse_stomp_url(url)
    assert "secret" not in str(refused.value) + refused.value.hint


def test_files_that_are_not_what_they_should_be_are_refused_at_once(tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    with pytest.raises(UsageError, match=r"gone\.pem cannot be read"):
        StompBroker(f"stomps://h?cafile={tmp_path}/gone.pem")
    with pytest.raises(UsageError, match="holds no certificate"):
        tls_context(Tls(cafile=str(nonsense)))
    with pytest.raises(UsageError, match="our certificate"):
        tls_context(Tls(certfile=str(nonsense)))
