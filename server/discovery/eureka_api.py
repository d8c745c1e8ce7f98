"""Eureka's REST API as a client asks it (docs/wire/discovery.md §2, §3), over one HTTP session."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
from yarl import URL

from core.reasons import reason_of

from .address import EurekaServer, EurekaTimes
from .eureka import DATA_CENTER, mapping
from .lines import LineDown
from .registry import Registered

#: Of a registry; Netflix's has some tens of thousands of instances, each about 1.5 KiB.
_LARGEST = 64 * 1024 * 1024
#: The time-outs of Eureka's own clients.
_CONNECT_S, _READ_S = 5, 8
#: Answers to ``/apps/delta`` of a server that has no deltas.
_NO_DELTA = (403, 404, 405)


class EurekaApi:
    """One server of Eureka, as an async context manager.

    All methods raise LineDown when it does not answer, or with something unexpected.
    """

    def __init__(self, server: EurekaServer) -> None:
        self._base = server.base
        headers = {"Accept": "application/json"}
        if server.authorization:
            headers["Authorization"] = server.authorization
        self._http = aiohttp.ClientSession(
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=60, sock_connect=_CONNECT_S, sock_read=_READ_S),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def register(self, instance: Registered, dirty_ms: int, times: EurekaTimes) -> None:
        """POST the instance."""
        document = registration_document(instance, dirty_ms, times)
        await self._ask("POST", f"/apps/{quote(instance.key[0], safe='')}", body=document)

    async def renew(self, instance: Registered, dirty_ms: int) -> bool:
        """A heartbeat; False: not known there, register again."""
        query = {"status": instance.status, "lastDirtyTimestamp": str(dirty_ms)}
        return await self._one("PUT", instance, "", query)

    async def cancel(self, instance: Registered) -> bool:
        """Say goodbye; False: not known there."""
        return await self._one("DELETE", instance, "", {})

    async def override(self, instance: Registered, status: str, dirty_ms: int) -> bool:
        """Set a status that holds whatever registrations say; False: not known there."""
        query = {"value": status, "lastDirtyTimestamp": str(dirty_ms)}
        return await self._one("PUT", instance, "/status", query)

    async def remove_override(self, instance: Registered, status: str, dirty_ms: int) -> bool:
        """Take that back, for ``status``; False: not known there."""
        query = {"value": status, "lastDirtyTimestamp": str(dirty_ms)}
        return await self._one("DELETE", instance, "/status", query)

    async def fetch(self) -> dict[str, Any]:
        """The whole registry: the value of ``applications``."""
        _, found = await self._ask("GET", "/apps/")
        return _applications(found, f"GET {self._base}/apps/")

    async def fetch_delta(self) -> dict[str, Any] | None:
        """What has changed lately; None: this server has no deltas."""
        status, found = await self._ask("GET", "/apps/delta", also=_NO_DELTA)
        return None if status in _NO_DELTA else _applications(found, f"GET {self._base}/apps/delta")

    async def _one(self, method: str, instance: Registered, path: str, query: dict[str, str]) -> bool:
        app, name = (quote(part, safe="") for part in instance.key)
        asked = f"?{urlencode(query)}" if query else ""
        status, _ = await self._ask(method, f"/apps/{app}/{name}{path}{asked}", also=(404,))
        return status != 404

    async def _ask(
        self, method: str, path: str, *, body: object = None, also: tuple[int, ...] = ()
    ) -> tuple[int, bytes]:
        url = URL(self._base + path, encoded=True)
        what = f"{method} {self._base}{path.partition('?')[0]}"
        data = None if body is None else msgspec.json.encode(body)
        headers = None if body is None else {"Content-Type": "application/json"}
        try:
            async with self._http.request(method, url, data=data, headers=headers) as answer:
                if answer.status >= 300 and answer.status not in also:
                    raise LineDown(f"{what}: HTTP {answer.status}{_advice(answer.status)}")
                found = bytearray()
                async for chunk in answer.content.iter_any():
                    found += chunk
                    if len(found) > _LARGEST:
                        raise LineDown(f"{what}: an answer of more than {_LARGEST} bytes")
                return answer.status, bytes(found)
        except (TimeoutError, aiohttp.ClientError) as error:
            raise LineDown(f"{what}: {reason_of(error)}") from error


def registration_document(instance: Registered, dirty_ms: int, times: EurekaTimes) -> dict[str, Any]:
    """What Eureka is told about an instance (docs/wire/discovery.md §3)."""
    name = instance.service.lower()
    host = f"[{instance.host}]" if ":" in instance.host else instance.host
    base = f"{'https' if instance.secure else 'http'}://{host}:{instance.port}"
    plain, secure = ("false", "true") if instance.secure else ("true", "false")
    return {
        "instance": {
            "instanceId": instance.id,
            "hostName": instance.host,
            "app": instance.key[0],
            "ipAddr": instance.host,
            "status": instance.status,
            "overriddenStatus": "UNKNOWN",
            "port": {"$": 80 if instance.secure else instance.port, "@enabled": plain},
            "securePort": {"$": instance.port if instance.secure else 443, "@enabled": secure},
            "countryId": 1,
            "dataCenterInfo": DATA_CENTER,
            "leaseInfo": {"renewalIntervalInSecs": times.renew_s, "durationInSecs": times.lease_s},
            "metadata": dict(instance.metadata),
            "homePageUrl": f"{base}/",
            "statusPageUrl": f"{base}/info",
            "healthCheckUrl": f"{base}/health",
            "vipAddress": name,
            "secureVipAddress": name,
            "isCoordinatingDiscoveryServer": "false",
            "lastUpdatedTimestamp": str(dirty_ms),
            "lastDirtyTimestamp": str(dirty_ms),
        }
    }


def _applications(found: bytes, what: str) -> dict[str, Any]:
    try:
        document = mapping(msgspec.json.decode(found))
    except (ValueError, RecursionError) as error:  # ValueError: msgspec's errors, and what is not UTF-8
        raise LineDown(f"{what}: not Eureka's JSON ({error})") from error
    if not isinstance(document.get("applications"), dict):
        raise LineDown(f"{what}: not Eureka's JSON (no applications)")
    return mapping(document["applications"])


def _advice(status: int) -> str:
    match status:
        case 401:
            return " (user and password: http://user:password@host:8761/eureka)"
        case 403:
            return " (not allowed, or the server has just started and is not ready)"
        case 404:
            return " (is the path right? Spring's is /eureka, Netflix's /eureka/v2)"
        case _:
            return ""
