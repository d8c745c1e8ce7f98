"""The article's configuration of an instance, as printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import UsageError
from server.roles.spring_file import load_spring_file, parse_spring_file

ARTICLE = """\
stomp.server: localhost
stomp.port: 61613
stomp.username: rabbitmq
stomp.password: rabbitmq
server:
  port: 8080
spring:
  application:
    name: web-socket
"""


def test_the_articles_configuration_as_printed(tmp_path: Path) -> None:
    file = tmp_path / "application.yml"
    file.write_text(ARTICLE, encoding="utf-8")
    found = load_spring_file(file)
    assert (found.port, found.service) == (8080, "web-socket")
    assert found.broker == "stomp://rabbitmq:rabbitmq@localhost:61613"
    assert (found.discovery, found.warnings) == (None, ())
    assert "rabbitmq" not in repr(found)


def test_what_means_nothing_is_named_with_its_line() -> None:
    found = parse_spring_file(f"{ARTICLE}logging:\n  level: debug\nlist:\n  - 1\n", "a.yml", {})
    assert found.warnings == (
        "a.yml:11: logging.level has no meaning for an instance and is ignored",
        "a.yml:13: list has no meaning for an instance and is ignored",
    )


def test_placeholders_spellings_and_eureka() -> None:
    text = """\
server.port: ${PORT:8081}
stomp: {server: "::1", username: a@b, password: "${stomp.secret}"}
eureka:
  client:
    service-url:
      default-zone: http://one:8761/eureka/,http://two:8761/eureka/
"""
    found = parse_spring_file(text, "a.yml", {"STOMP_SECRET": "p:w/"})
    assert found.port == 8081
    assert found.broker == "stomp://a%40b:p%3Aw%2F@[::1]:61613"
    assert found.discovery == "http://one:8761/eureka/,http://two:8761/eureka/"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("server.port: many", "a.yml:1: server.port is no port"),
        ("a: 1\nstomp.port: 70000", "a.yml:2: stomp.port is no port"),
        ("stomp.password: ${nothing}", "nothing fills ${nothing}"),
        ("a: [", "not YAML"),
    ],
)
def test_what_makes_no_sense_is_told_with_file_and_line(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_spring_file(text, "a.yml", {})
    assert words in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_spring_file(tmp_path / "none.yml")
