"""Somebody's deployment as an environment: where users connect, and how each instance is asked to push."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
from collections.abc import AsyncIterator, Callable
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from .clock import now
from .environment import Action, EnvironmentEvent, EnvironmentInfo, InstanceInfo, StartStep
from .errors import TargetUnreachable, UsageError

_BRACES: Final = re.compile(r"\{([^{}]*,[^{}]*)\}")
_NAME: Final = re.compile(r"[\w-]{1,40}")  # no dots: ids are split at them
_REACH_WITHIN: Final = 5.0

#: Where the article's gateway has its WebSocket endpoint.
_USUAL_PATH: Final = "/web-socket/ws"


class _Info(msgspec.Struct):
    id: str = ""


def expand_braces(template: str) -> list[str]:
    """``http://h:{8080,8081}/x`` as a shell expands it; ``{user}`` has no comma and stays."""
    pieces = _BRACES.split(template)
    choices = [
        [word.strip() for word in piece.split(",")] if at % 2 else [piece] for at, piece in enumerate(pieces)
    ]
    return ["".join(chosen).strip() for chosen in itertools.product(*choices)]


class AttachedEnvironment:
    """A deployment that is only talked to: nothing is started, stopped or killed.

    Args:
        gateway: URL of the gateway (http or ws). Without a path, the article's ``/web-socket/ws``
            is taken for the WebSocket endpoint.
        push: URL template that makes an instance push to ``{user}``; alternatives in braces name
            the instances: ``http://h:{8080,8081}/test?username={user}``.

    Raises:
        UsageError: one of the two is no such URL.
    """

    def __init__(self, gateway: str, push: str) -> None:
        self._gateway = gateway
        self._websocket = _websocket_url(gateway)
        self._instances: list[InstanceInfo] = []
        self._test_path = ""
        self._ended = asyncio.Event()
        self._take_push(push)

    def _take_push(self, template: str) -> None:
        if "{user}" not in template:
            raise UsageError(
                f"--push {template}: does not say where the user's name goes",
                hint="as in 'http://localhost:{8080,8081}/test?username={user}'",
            )
        names: set[str] = set()
        for url in expand_braces(template):
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise UsageError(f"--push {url}: not an HTTP address", hint="write http://HOST:PORT/PATH")
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            if self._test_path not in ("", path):
                raise UsageError(f"--push {template}: instances differ in more than their address")
            self._test_path = path
            name = _instance_name(parts.hostname, parts.port, names)
            names.add(name)
            self._instances.append(InstanceInfo(name, "starting", f"{parts.scheme}://{parts.netloc}"))

    def describe(self) -> EnvironmentInfo:
        """The addresses as they were given."""
        return EnvironmentInfo(
            name=urlsplit(self._gateway).netloc,
            kind="attached",
            websocket_url=self._websocket,
            gateway_url=self._gateway,
            instances=tuple(self._instances),
            strategy="unknown",
            broker="unknown",
            test_path=self._test_path,
        )

    async def start(self, progress: Callable[[StartStep], None]) -> None:
        """Make sure that somebody answers at every address.

        Raises:
            TargetUnreachable: nobody does; names the address.
        """
        begun = now()
        total = len(self._instances)
        progress(StartStep("gateway", "running", 0.0, 0, 1))
        await _reach(self._websocket)
        progress(StartStep("gateway", "done", now() - begun, 1, 1))
        for at, instance in enumerate(self._instances):
            progress(StartStep("instances", "running", now() - begun, at, total))
            await _reach(instance.push_url)
            name = await _own_name(instance.push_url) or instance.id
            self._instances[at] = InstanceInfo(name, "ready", instance.push_url)
        progress(StartStep("instances", "done", now() - begun, total, total))

    async def stop(self) -> None:
        """Let go of it."""
        self._ended.set()

    async def control(self, action: Action, instance: str | None = None) -> str:
        """Not possible here.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f"cannot {action}: this is somebody's deployment", hint="faults need a cluster of our own"
        )

    async def events(self) -> AsyncIterator[EnvironmentEvent]:
        """Nothing is known of a deployment but what users and pushes see."""
        await self._ended.wait()
        return
        yield


def _websocket_url(gateway: str) -> str:
    parts = urlsplit(gateway)
    schemes = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
    if parts.scheme not in schemes or not parts.hostname:
        raise UsageError(f"--gateway {gateway}: not an address", hint="write http://HOST:PORT or ws://…/PATH")
    path = parts.path if parts.path not in ("", "/") else _USUAL_PATH
    query = f"?{parts.query}" if parts.query else "?user={user}"
    return f"{schemes[parts.scheme]}://{parts.netloc}{path}{query}"


def _instance_name(host: str, port: int | None, taken: set[str]) -> str:
    """The port names an instance; with its host where ports repeat. No dots: ids are split at them."""
    plain = str(port or host).replace(".", "-")
    return plain if plain not in taken else f"{host.replace('.', '-')}-{port or ''}"


async def _own_name(url: str) -> str:
    """What an instance calls itself in ``/info``, if it is one of ours: users see the same name."""
    timeout = aiohttp.ClientTimeout(total=_REACH_WITHIN)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"{url}/info") as response:
            said = msgspec.json.decode(await response.read(), type=_Info).id
    except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError):
        return ""
    return said if _NAME.fullmatch(said) else ""


async def _reach(url: str) -> None:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme in ("https", "wss") else 80)
    try:
        async with asyncio.timeout(_REACH_WITHIN):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except OSError as error:  # a timeout is one as well
        what = error.strerror or str(error) or f"no connection within {_REACH_WITHIN:g} s"
        raise TargetUnreachable(
            f"nobody answers at {parts.hostname}:{port}: {what}",
            tried=f"connect to {url}",
            hint="start the target, or correct the address",
        ) from error
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
