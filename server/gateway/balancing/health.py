"""Active health checks: instances are asked in turns, and who does not answer well gets nothing new.

What an instance holds it keeps: tunnels go on, and requests of its sessions are still tried there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

import aiohttp

from core.push_token import push_headers
from core.reasons import reason_of

from ...access.provenance import is_loopback
from ..routing.routes import Upstream
from .balance import HealthCheck
from .balancer import Balancer
from .targets import Target

logger = logging.getLogger("pushscope.gateway")

_WELL: Final = 200


class HealthChecks:
    """Checks the instances of those services whose balancing asks for it. An async context manager.

    An instance counts as well until it has failed as often as ``fall`` says; one that leaves the registry
    and comes back counts as well, too.

    Args:
        balancer: Is told; says who there is to ask.
        services: Names of the services that there are routes to.

    Raises (constructing):
        UsageError: ``PUSHSCOPE_TOKEN``, which instances on this machine are told, cannot be a header.
    """

    def __init__(self, balancer: Balancer, services: Iterable[str]) -> None:
        self._balancer = balancer
        checks = {name: balancer.balancing.of(name).health for name in services}
        self._checks = {name: check for name, check in checks.items() if check is not None}
        #: Answers in a row that speak against what is thought of a target.
        self._against: dict[Target, int] = {}
        self._ill: set[Target] = set()
        self._session: aiohttp.ClientSession | None = None
        self._token = push_headers()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        if self._checks:
            connector = aiohttp.TCPConnector(limit=0, force_close=True)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._watch(*item)) for item in self._checks.items()]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _watch(self, service: str, check: HealthCheck) -> None:
        upstream = Upstream(service=service)
        asked: set[Target] = set()
        while True:
            targets = [target for target, state in self._balancer.states(upstream) if state != "down"]
            for target in asked.difference(targets):
                self._forget(target)
            asked = set(targets)
            answers = await asyncio.gather(*(self._ask(target, check) for target in targets))
            for target, trouble in zip(targets, answers, strict=True):
                self._judge(service, target, trouble, check)
            await asyncio.sleep(check.interval)

    async def _ask(self, target: Target, check: HealthCheck) -> str:
        """What is wrong with an instance, in words; "" if it is well."""
        assert self._session is not None
        url = f"{'https' if target.secure else 'http'}://{target.authority}{check.path}"
        # Services elsewhere may be anybody's; /health says enough without the token.
        headers = self._token if is_loopback(target.host) else None
        try:
            async with (
                asyncio.timeout(check.timeout),
                self._session.get(url, headers=headers, allow_redirects=False) as response,
            ):
                return "" if response.status == _WELL else f"answers {response.status}"
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: that is no host
            return reason_of(error, within=check.timeout)

    def _forget(self, target: Target) -> None:
        self._against.pop(target, None)
        if target in self._ill:
            self._ill.discard(target)
            self._balancer.mark(target, ill=False)

    def _judge(self, service: str, target: Target, trouble: str, check: HealthCheck) -> None:
        if bool(trouble) == (target in self._ill):
            self._against.pop(target, None)
            return
        count = self._against[target] = self._against.get(target, 0) + 1
        if count < (check.fall if trouble else check.rise):
            return
        del self._against[target]
        if trouble:
            self._ill.add(target)
            logger.warning("%s/%s gets no new connections: %s", service, target.id, trouble)
        else:
            self._ill.discard(target)
            logger.warning("%s/%s is well again", service, target.id)
        self._balancer.mark(target, ill=bool(trouble))
