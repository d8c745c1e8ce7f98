"""Somebody's deployment as an environment: where users connect, and how each instance is asked to push."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from .clock import now
from .deployment import INSTANCE_NAME, Deployment
from .environment import Action, EnvironmentEvent, EnvironmentInfo, InstanceInfo, StartStep
from .errors import TargetUnreachable, UsageError
from .push_token import CHALLENGE, TOKEN_VARIABLE, push_headers
from .reasons import reason_of
from .redaction import without_tokens

_REACH_WITHIN: Final = 5.0

TLS_HINT: Final = (
    "name the file of its certificate authority by the environment variable SSL_CERT_FILE, "
    "or correct the host name to one that the certificate has"
)


class _Info(msgspec.Struct):
    id: str = ""
    guarded: bool = False


class AttachedEnvironment:
    """A deployment that is only talked to: nothing is started, stopped or killed.

    Args:
        deployment: Where it is.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._instances = [InstanceInfo(each.id, "starting", each.url) for each in deployment.instances]
        self._ended = asyncio.Event()

    def describe(self) -> EnvironmentInfo:
        """The addresses as they were given."""
        return EnvironmentInfo(
            name=self._deployment.title,
            kind="attached",
            websocket_url=self._deployment.websocket_url,
            gateway_url=self._deployment.gateway,
            instances=tuple(self._instances),
            strategy="unknown",
            broker="unknown",
            test_path=self._deployment.test_path,
            tokens=self._deployment.tokens,
            sockjs=self._deployment.sockjs,
        )

    async def start(self, progress: Callable[[StartStep], None]) -> None:
        """Make sure that somebody answers at every address.

        Raises:
            TargetUnreachable: nobody does; names the address.
            UsageError: the users' access tokens are not where they should be, or an instance wants
            ``PUSHSCOPE_TOKEN`` and it is not right.
        """
        begun = now()
        if self._deployment.tokens is not None:
            self._deployment.tokens.resolve()
        total = len(self._instances)
        progress(StartStep("gateway", "running", 0.0, 0, 1))
        await reach(self._deployment.websocket_url)
        progress(StartStep("gateway", "done", now() - begun, 1, 1))
        names: list[str] = []
        guarded: set[str] = set()
        for at, instance in enumerate(self._instances):
            progress(StartStep("instances", "running", now() - begun, at, total))
            await reach(instance.push_url)
            said = await _introduction(instance.push_url)
            names.append(said.id or instance.id)
            if said.guarded:
                guarded.add(instance.push_url)
        if len(set(names)) < total:  # two addresses of one instance: results are kept apart by name
            names = [each.id for each in self._deployment.instances]
        self._instances = [
            InstanceInfo(name, "ready", each.url, guarded=each.url in guarded)
            for name, each in zip(names, self._deployment.instances, strict=True)
        ]
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


async def _introduction(url: str) -> _Info:
    """What an instance calls itself in ``/info``, if it is one of ours: users see the same name.

    The token of ``PUSHSCOPE_TOKEN`` is told to those only that ask for it in our words.

    Raises:
        TargetUnreachable: what answers there does not speak HTTP.
        UsageError: the token is asked for, and is not set, not right, or no header.
    """
    tried = f"GET {url}/info"
    timeout = aiohttp.ClientTimeout(total=_REACH_WITHIN)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session:
            guarded, body = await _ask_info(session, url, {})
            if guarded:
                headers = push_headers()
                refused = not headers
                if headers:
                    refused, body = await _ask_info(session, url, headers)
                if refused:
                    raise _needs_token(url, tried, given=bool(headers))
    except aiohttp.ClientSSLError as error:
        raise _untrusted(url, error, tried) from error
    except TimeoutError as error:
        raise _unreachable(url, f"no answer within {_REACH_WITHIN:g} s", tried) from error
    except aiohttp.ClientError as error:
        raise _unreachable(url, f"no HTTP answer: {error or type(error).__name__}", tried) from error
    try:
        said = msgspec.json.decode(body, type=_Info).id
    except (ValueError, RecursionError):  # ValueError: msgspec's errors, and what is not UTF-8
        said = ""
    return _Info(said if INSTANCE_NAME.fullmatch(said) else "", guarded)


def _needs_token(url: str, tried: str, *, given: bool) -> UsageError:
    where = urlsplit(url).netloc
    return UsageError(
        f"{where} takes pushes with its token only, and "
        + (f"that of {TOKEN_VARIABLE} is another" if given else f"{TOKEN_VARIABLE} is not set"),
        tried=tried,
        hint=f"set {TOKEN_VARIABLE} to the one that the instance was started with",
    )


async def _ask_info(
    session: aiohttp.ClientSession, url: str, headers: Mapping[str, str]
) -> tuple[bool, bytes]:
    """Whether ``PUSHSCOPE_TOKEN`` is asked for, and what was answered."""
    async with session.get(f"{url}/info", headers=headers, allow_redirects=False) as response:
        asked = response.status == 401 and response.headers.get("WWW-Authenticate") == CHALLENGE
        return asked, await response.read()


async def reach(url: str) -> None:
    """Connect to a URL's host and port, no more.

    Raises:
        TargetUnreachable: nobody answers there.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme in ("https", "wss") else 80)
    try:
        async with asyncio.timeout(_REACH_WITHIN):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except OSError as error:  # a timeout is one as well
        raise _unreachable(url, reason_of(error, within=_REACH_WITHIN), f"connect to {url}") from error
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _untrusted(url: str, error: aiohttp.ClientSSLError, tried: str) -> TargetUnreachable:
    """Somebody is there; it is the certificate that is not taken."""
    said = getattr(error, "certificate_error", error)
    reason = reason_of(said)
    return TargetUnreachable(
        f"{urlsplit(url).netloc.rpartition('@')[2]}: TLS failed: {reason}",
        tried=without_tokens(tried),
        hint=TLS_HINT,
    )


def _unreachable(url: str, what: str, tried: str) -> TargetUnreachable:
    return TargetUnreachable(
        f"nobody answers at {urlsplit(url).netloc.rpartition('@')[2]}: {what}",
        tried=without_tokens(tried),
        hint="start the target, or correct the address",
    )
