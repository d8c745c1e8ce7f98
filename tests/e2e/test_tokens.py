"""Access tokens through a gateway with two instances, as processes; and nowhere in what all of it writes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from websockets.exceptions import InvalidStatus

from core import Scenario, run
from core.client import StompClient
from core.engine.idle import IdleFinding, check_idle
from core.environment import ClusterSpec
from core.errors import HandshakeRefused, ServerError, UsageError
from core.launch import self_command
from core.tokens import with_token
from server.settings.tokens import SECRET_VARIABLE
from server.supervisor import LocalCluster

from ..support.raw_stomp import raw_stomp
from ..support.tokens import SECRET, jwk, rsa_key, token, write_jwks

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="signals"),
    pytest.mark.timeout(120),
]

#: Transports of SockJS by HTTP, with the method that opens a session.
BY_HTTP = {"xhr": "post", "xhr_streaming": "post", "eventsource": "get", "htmlfile": "get", "jsonp": "get"}


@asynccontextmanager
async def served(folder: Path, *flags: str, **variables: str) -> AsyncGenerator[dict[str, Any]]:
    """``pushscope serve`` with two instances; its log is a file of the folder."""
    command = self_command(
        "serve", "--json", "--ports", "0,0", "--gateway-port", "0", "--discovery-port", "0", *flags
    )
    with (folder / "serve.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=PIPE, stderr=log, env={**os.environ, **variables}
        )
        try:
            assert process.stdout is not None
            yield json.loads(await process.stdout.readline())
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()


async def pushscope(*words: str, **variables: str) -> tuple[int | None, bytes]:
    process = await asyncio.create_subprocess_exec(
        *self_command(*words), stdout=PIPE, stderr=PIPE, env={**os.environ, **variables}
    )
    out, err = await process.communicate()
    return process.returncode, out + err


async def test_a_cluster_lets_in_by_token_and_writes_none_of_them(tmp_path: Path) -> None:
    good, bad, expired = token("joe"), token("eve", key=SECRET * 2), token("late", lasts=-60)
    seen: list[str] = []
    async with (
        served(tmp_path, PUSHSCOPE_JWT_SECRET=SECRET) as cluster,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http,
    ):
        gateway, path = cluster["gateway"], "/web-socket/ws"
        await _refuses(gateway, path, http, seen, bad, expired)
        await _lets_in(gateway, path, http, good)
        async with StompClient(f"ws{gateway[4:]}{path}", token=good) as joe:
            greetings = await joe.subscribe("/user/topic/greetings")
            for instance in cluster["instances"]:
                async with http.get(f"{instance['url']}/test?username=joe") as response:
                    assert response.status == 200
                assert (await anext(greetings)).body == b"hello:joe"
            for url in (gateway, *(instance["url"] for instance in cluster["instances"])):
                for page in ("/info", "/metrics", "/health", "/routes", "/nothing"):
                    async with http.get(with_token(url + page, good)) as response:
                        seen.append(f"{response.headers} {await response.text()}")
        seen += await _measured(tmp_path, cluster)
        for process in psutil.process_iter():
            seen.append(" ".join(_command_of(process)))
    seen += _written(tmp_path)
    everything = "\n".join(seen)
    assert "access_token=***" in everything and "refused" in everything
    for secret in (good, bad, expired, SECRET):
        assert secret not in everything
        assert secret.rpartition(".")[2] not in everything


async def _refuses(
    gateway: str, path: str, http: aiohttp.ClientSession, seen: list[str], bad: str, expired: str
) -> None:
    """401 with the reason, before anything is upgraded, on every transport."""
    for given, error in ((bad, "invalid_token"), (expired, "invalid_token")):
        for way in ("", "/websocket", "/000/a/websocket"):
            for query, headers in (
                (f"?access_token={given}", {}),
                ("", {"Authorization": f"Bearer {given}"}),
            ):
                with pytest.raises(InvalidStatus) as caught:
                    async with raw_stomp(gateway, path + way + query, headers=headers):
                        pass
                answer = caught.value.response
                assert answer.status_code == 401
                assert (f'error="{error}"' in answer.headers["WWW-Authenticate"]) is bool(error)
                seen.append(f"{answer.headers} {answer.body}")
        for transport, method in BY_HTTP.items():
            url = with_token(f"{gateway}{path}/000/b/{transport}?c=a", given)
            async with http.request(method, url) as response:
                assert response.status == 401, transport
                assert "Bearer" in response.headers["WWW-Authenticate"]
                seen.append(f"{response.headers} {await response.text()}")
    for given in ({}, {"token": bad}, {"Authorization": f"Bearer {expired}"}):
        async with raw_stomp(gateway, path) as client:
            await client.send("CONNECT", {"accept-version": "1.2", **given})
            seen.append(f"{dict((await client.expect('ERROR')).headers)} {await client.closed()}")
    with pytest.raises(HandshakeRefused) as refused:
        async with StompClient(f"ws{gateway[4:]}{path}", token=bad):
            pass
    assert refused.value.status == 401
    seen.append(f"{refused.value} {refused.value.tried} {refused.value.hint}")
    async with http.get(f"{gateway}{path}/info") as response:
        assert response.status == 200


async def _lets_in(gateway: str, path: str, http: aiohttp.ClientSession, good: str) -> None:
    for way, headers in (
        (f"?access_token={good}&user=root", {}),
        ("?user=root", {"Authorization": f"Bearer {good}"}),
    ):
        async with raw_stomp(gateway, path + way, headers=headers) as client:
            assert (await client.connect(login="root")).headers["user-name"] == "joe"
    for name, value in (("Authorization", f"Bearer {good}"), ("access_token", good), ("token", good)):
        async with raw_stomp(gateway, path) as client:
            welcome = await client.connect(**{name: value, "login": "root"})
            assert welcome.headers["user-name"] == "joe"
    async with raw_stomp(gateway, f"{path}/000/c/websocket?access_token={good}") as client:
        assert await client.socket.recv() == "o"
    for transport, method in BY_HTTP.items():
        url = f"{gateway}{path}/000/d-{transport}/{transport}?c=a"
        for whole, headers in ((with_token(url, good), {}), (url, {"Authorization": f"Bearer {good}"})):
            async with http.request(
                method, whole.replace("d-", f"{len(headers)}-"), headers=headers
            ) as response:
                assert response.status == 200, transport
                assert await response.content.read(1)


async def _measured(folder: Path, cluster: dict[str, Any]) -> list[str]:
    """A run whose users have tokens of their own, on several transports; one whose users have bad ones."""
    tables = [f'[[instances]]\nid = "{each["id"]}"\nurl = "{each["url"]}"\n' for each in cluster["instances"]]
    text = f'gateway = "{cluster["gateway"]}"\n{"".join(tables)}[tokens]\nsecret_env = "SHOP_SECRET"\n'
    (folder / "env.toml").write_text(text)
    words = ["run", "--env", str(folder / "env.toml"), "--users", "8", "--rate", "20", "--duration", "1"]
    words += ["--transports", "websocket=1,sockjs-websocket=1,xhr-streaming=1,xhr-polling=1"]
    code, said = await pushscope(*words, "--out", str(folder / "good"), SHOP_SECRET=SECRET)
    assert code == 0, said
    summary = json.loads((folder / "good" / "summary.json").read_text())
    assert (summary["delivered"], summary["lost"]) == (20, 0)
    code, refused = await pushscope(*words, "--out", str(folder / "bad"), SHOP_SECRET=SECRET * 2)
    assert code == 20, refused
    return [said.decode(), refused.decode()]


def _written(folder: Path) -> list[str]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return [file.read_text(encoding="utf-8", errors="replace") for file in files]


def _command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


async def test_keys_of_an_identity_provider(tmp_path: Path) -> None:
    """A JWKS file, rules and SockJS settings by flags."""
    jwks = write_jwks(tmp_path / "jwks.json", jwk(rsa_key(0), "a"), jwk(rsa_key(1), "b"))
    flags = ["--jwt-jwks", jwks, "--jwt-audience", "push", "--jwt-user-claim", "name", "--jwt-optional"]
    flags += ["--sockjs", "spring", "--no-sockjs-websocket", "--sockjs-heartbeat", "1"]
    async with served(tmp_path, *flags) as cluster, aiohttp.ClientSession() as http:
        for url in (f"{cluster['gateway']}/web-socket", cluster["instances"][1]["url"]):
            base, slash, prefix = url.partition("/web-socket")
            path = f"{slash}{prefix}/ws"
            given = token(key=rsa_key(1), kid="b", aud="push", name="ann")
            async with raw_stomp(base, f"{path}?access_token={given}") as ann:
                assert (await ann.connect()).headers["user-name"] == "ann"
            async with raw_stomp(base, path) as nobody:
                assert "user-name" not in (await nobody.connect(login="root")).headers
            for wrong in (
                token(key=rsa_key(1), kid="a", aud="push", name="ann"),
                token(key=rsa_key(0), kid="a"),
            ):
                with pytest.raises(InvalidStatus):
                    async with raw_stomp(base, f"{path}?access_token={wrong}"):
                        pass
            async with http.get(f"{base}{path}/info") as response:
                assert list(await response.json()) == ["entropy", "origins", "cookie_needed", "websocket"]
                assert (await response.json())["websocket"] is False


def test_a_cluster_with_tokens_needs_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    with pytest.raises(UsageError, match="PUSHSCOPE_JWT_SECRET is not set"):
        LocalCluster.from_spec(ClusterSpec(tokens=True))


async def test_a_cluster_in_python_and_its_simulated_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret is in the environment of both; then nothing more needs to be said."""
    monkeypatch.setenv(SECRET_VARIABLE, SECRET)
    scenario = Scenario(users=4, rate=20, duration=1, transports={"websocket": 1, "xhr-polling": 1})
    spec = ClusterSpec(instances=2, tokens=True)
    async with LocalCluster.from_spec(spec, in_process=True) as cluster:
        with pytest.raises(ServerError, match="access token is needed"):
            async with StompClient(cluster.describe().websocket_url):
                pass
        result = await run(scenario, cluster)
        assert (result.summary.delivered, result.lost) == (20, 0)
        shown: list[IdleFinding] = []
        await check_idle(cluster.describe(), 0.1, show=shown.append)
        assert {(each.kind, each.lost) for each in shown} == {
            ("silent", False),
            ("stomp", False),
            ("sockjs", False),
        }
        assert "refused" not in {each.fate for each in shown}
