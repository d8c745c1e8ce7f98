"""Options of a role survive the way over a command line; secrets do not show up on it."""

from __future__ import annotations

import pytest

from core.errors import UsageError
from core.protocol import Prefixes
from server.access.tokens import TokenSettings
from server.roles.options import (
    BROKER_VARIABLE,
    BrokerOptions,
    DiscoveryOptions,
    GatewayOptions,
    InstanceOptions,
    Options,
    from_words,
    role_of,
    to_environment,
    to_words,
)
from server.roles.running import instance_settings
from server.settings.instance import InstanceSettings
from server.settings.sockjs import spring_settings
from server.settings.tokens import SECRET_VARIABLE


@pytest.mark.parametrize(
    "options",
    [
        BrokerOptions(),
        BrokerOptions(queue_messages=5, queue_bytes=100, queues=3, expires=0.5, peers=7),
        DiscoveryOptions(port=8761, or_free=True),
        GatewayOptions(port=7000, discovery="http://127.0.0.1:8761", service="push"),
        InstanceOptions(id="i2", strategy="none", default_user="a b=c", broker="stomp://u:secret@h:1/"),
        InstanceOptions(slow_consumer="conflate", queue_limit=2048, max_sessions=3),
        InstanceOptions(max_frame=1_000_000, max_message=2_000_000),
        InstanceOptions(tokens=TokenSettings(secret="secret" * 6, audience="a b", end_at_expiry=True)),
        InstanceOptions(tokens=TokenSettings(jwks_file="/a b", required=False), allowed_hosts="a *"),
        InstanceOptions(sockjs=spring_settings(heartbeat_s=0, websocket=False)),
        GatewayOptions(allowed_hosts="a.example b.example"),
        InstanceOptions(app_prefix="/a", broker_prefixes="/topic /exchange", user_prefix="/u/"),
        InstanceOptions(
            user_destination_broadcast="/topic/g", user_registry_broadcast="", allowed_exchanges="x"
        ),
        InstanceOptions(allowed_origins="https://*.a.org:[80,81] http://b", allowed_headers="x-max-*"),
    ],
)
def test_there_and_back(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    words = to_words(options)
    assert words[0] == role_of(options)
    assert "secret" not in " ".join(words)
    for name, value in to_environment(options).items():
        monkeypatch.setenv(name, value)
    assert from_words(words) == options


def test_a_secret_is_taken_only_where_tokens_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "secret" * 6)
    assert from_words(["instance", "--broker", "memory:"]) == InstanceOptions()
    by_file = InstanceOptions(tokens=TokenSettings(public_key_file="/k"))
    assert from_words([*to_words(by_file), "--broker", "memory:"]) == by_file
    found = from_words(["instance", "--broker", "memory:", "--tokens", "{}"])
    assert found == InstanceOptions(tokens=TokenSettings(secret="secret" * 6))


def test_defaults_need_no_words() -> None:
    assert to_words(InstanceOptions()) == ["instance"]


def test_a_value_after_an_equals_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(BROKER_VARIABLE, raising=False)
    assert from_words(["instance", "--port=8081", "--or-free"]) == InstanceOptions(port=8081, or_free=True)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], "no such role"),
        (["window"], "no such role: 'window'"),
        (["broker", "--discovery", "x"], "broker has no option --discovery"),
        (["gateway", "7000"], "gateway has no option 7000"),
        (["gateway", "--port", "many"], "port"),
        (["broker", "--queue-messages", "0"], "queue_messages"),
        (["instance", "--tokens", "x"], "--tokens is no JSON object"),
        (["instance", "--tokens", '{"leeway": 1}'], "leeway"),
        (["instance", "--sockjs", '{"dialect": "x"}'], "dialect"),
        (["broker", "--expires", "0"], "expires"),
        (["gateway", "--port"], "port"),
        (["instance", "--strategy", "hope"], "strategy"),
        (["instance", "--slow-consumer", "wait"], "slow_consumer"),
        (["instance", "--queue-limit", "10"], "queue_limit"),
        (["instance", "--max-sessions", "-1"], "max_sessions"),
        (["instance", "--max-frame", "10"], "max_frame"),
        (["instance", "--max-message", "much"], "max_message"),
    ],
)
def test_what_does_not_fit_is_named(words: list[str], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        from_words(words)


def test_every_option_of_an_instance_reaches_it() -> None:
    assert instance_settings(InstanceOptions()) == InstanceSettings(id="")
    told = instance_settings(
        InstanceOptions(
            app_prefix="/a",
            broker_prefixes="/topic /exchange",
            user_prefix="/u",
            user_destination_broadcast="/topic/g",
            user_registry_broadcast="/topic/g",
            allowed_origins="null http://localhost:*",
            allowed_exchanges="orders",
        )
    )
    assert told.prefixes == Prefixes("/a", ("/topic", "/exchange"), "/u/")
    assert (told.unresolved_destination, told.registry_destination) == ("/topic/g", "/topic/g")
    assert told.allowed_origins == ("null", "http://localhost:*")
    assert told.allowed_exchanges == ("amq.topic", "amq.direct", "amq.fanout", "orders")
