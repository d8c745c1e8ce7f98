"""Balancing as Spring's files, ours and the command line say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import UsageError
from server.gateway import Balance, Balancing, Gateway, HealthCheck, RouteError, parse_spring_yaml, parse_toml
from server.gateway.files.balance_file import with_strategies
from server.roles.options import GatewayOptions, from_words
from server.roles.running import open_role

_ROUTE = """
spring:
  cloud:
    gateway:
      routes:
        - {id: a, uri: "lb://a", predicates: [Path=/**]}
"""


def spring(*lines: str) -> Balancing:
    """What these keys behind ``spring.cloud.loadbalancer.`` come to."""
    keys = "".join(f"---\nspring.cloud.loadbalancer.{line}\n" for line in lines)
    file = parse_spring_yaml(_ROUTE + keys, "a.yml")
    assert not file.warnings
    return file.balancing


def test_nothing_said_is_round_robin() -> None:
    assert spring() == Balancing(default=Balance(strategy="round-robin"))
    assert parse_toml("").balancing == Balancing()


def test_springs_sticky_session() -> None:
    assert spring(
        "sticky-session.instance-id-cookie-name: where",
        "configurations: request-based-sticky-session",
        "sticky-session.add-service-instance-cookie: true",
    ) == Balancing(default=Balance(strategy="sticky", cookie="where", tell_instance=True))


def test_springs_settings_of_one_service() -> None:
    assert spring("configurations: weighted", "clients.push.configurations: default") == Balancing(
        default=Balance(strategy="weighted"), services={"PUSH": Balance(strategy="round-robin")}
    )


def test_springs_health_check() -> None:
    found = spring(
        "configurations: health-check", "health-check.interval: 500ms", "health-check.path.push: /up"
    )
    every = HealthCheck(path="/actuator/health", interval=0.5, timeout=0.5, fall=1, rise=1)
    assert found.of("other").health == every
    assert found.of("push").health == HealthCheck(path="/up", interval=0.5, timeout=0.5, fall=1, rise=1)
    iso = spring("configurations: health-check", "health-check.interval: PT1.5S").default.health
    assert iso is not None
    assert iso.interval == 1.5
    of_one = spring("clients.push.configurations: health-check", "clients.push.health-check.path.default: /x")
    assert of_one.default.health is None
    pushes = of_one.of("PUSH").health
    assert pushes is not None
    assert (pushes.path, pushes.interval) == ("/x", 25)


@pytest.mark.parametrize(
    ("line", "words", "hint"),
    [
        ("configurations: zone-preference", "'zone-preference' is not known here", "weighted"),
        ("health-check.interval: soon", "takes a duration such as 500ms or 5s, not 'soon'", ""),
        ("health-check.interval: 1", "every 0.001 s", "0.1"),
        ("sticky-session.add-service-instance-cookie: perhaps", "is true or false, not 'perhaps'", ""),
    ],
)
def test_mistakes_name_file_and_line(line: str, words: str, hint: str) -> None:
    with pytest.raises(RouteError, match=words) as caught:
        spring(line)
    assert str(caught.value).startswith("a.yml:8: spring.cloud.loadbalancer.")
    assert hint in caught.value.hint


def test_keys_without_a_meaning_here_are_warned_of() -> None:
    file = parse_spring_yaml(_ROUTE + "---\nspring.cloud.loadbalancer.cache.ttl: 5s\n", "a.yml")
    assert file.warnings == (
        "a.yml:8: spring.cloud.loadbalancer.cache.ttl has no meaning here and is ignored",
    )


def test_our_table() -> None:
    file = parse_toml(
        """
        [balance]
        strategy = "random"
        [balance.health]
        interval = 1
        [balance.services.orders]
        strategy = "sticky"
        cookie = "where"
        """
    )
    health = HealthCheck(interval=1)
    assert file.balancing == Balancing(
        default=Balance(strategy="random", health=health),
        services={"ORDERS": Balance(strategy="sticky", cookie="where", health=health)},
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("balance = 1", "balance: expected a table"),
        ("[balance]\nstrategie = 'x'", "balance: has the unknown key 'strategie'"),
        ("[balance.health]\npfad = 'x'", "balance: health: has the unknown key 'pfad'"),
        ("[balance]\nstrategy = 'best'", "'best' is not known"),
        ("[balance.services.a.health]\npath = 'x'", "'x' is not a path"),
    ],
)
def test_mistakes_in_our_table(text: str, words: str) -> None:
    with pytest.raises(RouteError, match=words) as caught:
        parse_toml(text, "g.toml")
    assert str(caught.value).startswith("g.toml: ")
    assert caught.value.hint


def test_the_command_line_wins() -> None:
    said = Balancing(default=Balance(strategy="random", cookie="where"))
    assert with_strategies(said, "") == said
    assert with_strategies(said, "weighted orders=sticky") == Balancing(
        default=Balance(strategy="weighted", cookie="where"),
        services={"ORDERS": Balance(strategy="sticky", cookie="where")},
    )
    with pytest.raises(UsageError, match="'best' is not known") as caught:
        with_strategies(said, "orders=best")
    assert "round-robin, random, weighted, sticky, hash" in caught.value.hint


async def test_a_gateways_options_win_over_its_file(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(
        '[balance]\nstrategy = "random"\ncookie = "where"\n[balance.services.a]\nstrategy = "hash"\n'
    )
    options = from_words(["gateway", "--routes", str(file), "--balance", "sticky"])
    async with open_role(options) as role:
        assert isinstance(role, Gateway)
        assert role.settings.balancing.default == Balance(strategy="sticky", cookie="where")
        assert role.settings.balancing.of("a").strategy == "hash"
    with pytest.raises(UsageError, match="'best' is not known"):
        async with open_role(GatewayOptions(balance="best")):
            pass
