"""Where somebody's deployment is: environment files, of which every mistake is named, and options."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.deployment import Deployment, PushAddress, deployment_of, expand_braces, load_deployment
from core.environment import sockjs_beside
from core.errors import ExitCode, ScenarioError, UsageError

ROOT = Path(__file__).resolve().parents[2]
GATEWAY = "gateway = 'http://h:7000'\n"
INSTANCE = "[[instances]]\nid = 'a'\nurl = 'http://h:8080'\n"


def test_the_example_is_the_article() -> None:
    deployment = load_deployment(ROOT / "assets" / "environments" / "local.toml")
    assert deployment == Deployment(
        name="local",
        gateway="http://127.0.0.1:7000",
        websocket="ws://127.0.0.1:7000/web-socket/ws?user={user}",
        sockjs="http://127.0.0.1:7000/web-socket/ws?user={user}",
        instances=(
            PushAddress("8080", "http://127.0.0.1:8080"),
            PushAddress("8081", "http://127.0.0.1:8081"),
        ),
    )
    assert deployment.websocket == Deployment(deployment.gateway, ()).websocket_url
    assert deployment.sockjs == sockjs_beside(deployment.websocket)
    assert deployment.hosts == ("127.0.0.1",)


def test_what_is_left_out_follows_from_the_gateway(tmp_path: Path) -> None:
    (tmp_path / "env.toml").write_text(GATEWAY + INSTANCE, encoding="utf-8")
    deployment = load_deployment(tmp_path / "env.toml")
    assert deployment.title == "h:7000"
    assert deployment.websocket_url == "ws://h:7000/web-socket/ws?user={user}"
    assert deployment.test_path == "/test?username={user}"


@pytest.mark.parametrize(
    ("text", "line", "key", "message", "hint"),
    [
        ("gatway = 'http://h'\n" + INSTANCE, 1, "gatway", "unknown key", "did you mean 'gateway'?"),
        (
            GATEWAY + INSTANCE + "[[instances]]\nid = 'b'\nulr = 'http://h'\n",
            7,
            "instances[1].ulr",
            "unknown key",
            "did you mean 'url'?",
        ),
        (GATEWAY + "[cluster]\n" + INSTANCE, 2, "cluster", "unknown key", "known: gateway"),
        (GATEWAY + "name = 7\n" + INSTANCE, 2, "name", "expected a text in quotes, got a whole", ""),
        (GATEWAY + "[[instances]]\nid = 'a'\n", 2, "instances[0]", "lacks the key 'url'", ""),
        (INSTANCE, None, "", "lacks the key 'gateway'", ""),
        (
            GATEWAY + INSTANCE + "[tokens]\nfil = 'x'\n",
            5,
            "tokens",
            "has the unknown key 'fil'",
            "known: env, secret_env, file",
        ),
        ("instances = []\n" + GATEWAY, 1, "instances", "nobody to push through", "[[instances]]"),
        ("gateway = 'h:7000'\n" + INSTANCE, 1, "gateway", "is not an address", "http://HOST:PORT"),
        ("gateway = 'http://me:pw@h'\n" + INSTANCE, 1, "gateway", "holds a password", "leave it out"),
        (
            GATEWAY + INSTANCE.replace("8080", "80800"),
            4,
            "instances[0].url",
            "is not an address",
            "HOST:PORT",
        ),
        (GATEWAY + INSTANCE.replace("8080", "80/?a=b"), 4, "instances[0].url", "has a query", "test_path"),
        (GATEWAY + INSTANCE.replace("'a'", "'a.b'"), 3, "instances[0].id", "is no name", "letters"),
        (GATEWAY + INSTANCE + INSTANCE, 6, "instances[1].id", "two instances 'a'", ""),
        (GATEWAY + "websocket = 'http://h'\n" + INSTANCE, 2, "websocket", "is not an", "ws://HOST:PORT/PATH"),
        (GATEWAY + "sockjs = 'ws://h'\n" + INSTANCE, 2, "sockjs", "is not an", "http://HOST:PORT"),
        (GATEWAY + "sockjs = 'http://a:b@h'\n" + INSTANCE, 2, "sockjs", "holds a password", "leave it out"),
        (GATEWAY + "test_path = '/test'\n" + INSTANCE, 2, "test_path", "where {user} goes", "as in '/test"),
        (GATEWAY + "name = \n" + INSTANCE, 2, "", "Invalid value", "TOML"),
    ],
)
def test_a_mistake_names_file_key_and_line(
    tmp_path: Path, text: str, line: int | None, key: str, message: str, hint: str
) -> None:
    file = tmp_path / "env.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        load_deployment(file)
    error = caught.value
    assert (error.file, error.line, error.key) == (str(file), line, key)
    assert message in str(error)
    assert hint in error.hint
    assert error.exit_code is ExitCode.USAGE


def test_sockjs_elsewhere_is_a_host_that_is_talked_to() -> None:
    deployment = Deployment("http://h", (), sockjs="https://other:1/ws?user={user}")
    assert deployment.hosts == ("h", "other")


def test_a_password_is_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "env.toml"
    file.write_text("gateway = 'http://me:secret@h'\n" + INSTANCE, encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        load_deployment(file)
    assert "secret" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    ("template", "urls"),
    [
        ("http://h:1/t?u={user}", ["http://h:1/t?u={user}"]),
        ("http://h:{1,2}/t?u={user}", ["http://h:1/t?u={user}", "http://h:2/t?u={user}"]),
        ("http://{a, b}:{1,2}/{user}", [f"http://{h}:{p}/{{user}}" for h in ("a", "b") for p in (1, 2)]),
    ],
)
def test_braces(template: str, urls: list[str]) -> None:
    assert expand_braces(template) == urls


@pytest.mark.parametrize(
    ("gateway", "websocket"),
    [
        ("http://h:7000", "ws://h:7000/web-socket/ws?user={user}"),
        ("https://h/", "wss://h/web-socket/ws?user={user}"),
        ("ws://h/push/ws", "ws://h/push/ws?user={user}"),
        ("wss://h/ws?token=1&name={user}", "wss://h/ws?token=1&name={user}"),
    ],
)
def test_where_users_connect(gateway: str, websocket: str) -> None:
    deployment = deployment_of(gateway, "http://h:{8080,8081}/test?username={user}")
    assert deployment.websocket_url == websocket
    assert deployment.test_path == "/test?username={user}"
    assert [(each.id, each.url) for each in deployment.instances] == [
        ("8080", "http://h:8080"),
        ("8081", "http://h:8081"),
    ]


def test_instances_on_the_same_port_are_named_by_host_too() -> None:
    deployment = deployment_of("http://g", "http://{10.0.0.1,10.0.0.2}:80/t/{user}")
    assert [each.id for each in deployment.instances] == ["80", "10-0-0-2-80"]


@pytest.mark.parametrize(
    ("gateway", "push", "message"),
    [
        ("http://h:99999", "http://h/{user}", "--gateway http://h:99999: not an address"),
        ("ftp://h", "http://h/{user}", "--gateway ftp://h: not an address"),
        ("http://h", "http://h/test", "does not say where the user's name goes"),
        ("http://h", "h:80/{user}", "not an HTTP address"),
        ("http://h", "http://h/{a,b}/{user}", "differ in more than their address"),
    ],
)
def test_addresses_that_are_none(gateway: str, push: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        deployment_of(gateway, push)
