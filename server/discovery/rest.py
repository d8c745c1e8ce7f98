"""Eureka's REST paths over the registry, below ``/eureka`` and ``/eureka/v2``.

JSON only; ``/apps/delta`` answers 403, which Eureka's clients understand as "deltas are
disabled" and take the full registry instead.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from ..access import AccessRule
from .eureka import EurekaError, parse_registration, render_applications, render_instance
from .registry import STATUSES, Lease
from .service import DiscoveryService

_BODY_LIMIT = 256 * 1024

Handler = Callable[[Request], Awaitable[Response]]


class EurekaRest:
    """The handlers; :meth:`routes` says where they live."""

    def __init__(self, service: DiscoveryService, rule: AccessRule) -> None:
        self._service = service
        self._rule = rule

    def routes(self) -> list[BaseRoute]:
        """All routes, most specific first."""
        found: list[BaseRoute] = []
        for base in ("/eureka/v2", "/eureka"):
            found += [
                Route(f"{base}/apps", self._read(self.all), methods=["GET"]),
                Route(f"{base}/apps/delta", self._read(self.delta), methods=["GET"]),
                Route(f"{base}/apps/{{app}}", self._write(self.register), methods=["POST"]),
                Route(f"{base}/apps/{{app}}", self._read(self.app), methods=["GET"]),
                Route(f"{base}/apps/{{app}}/{{id}}/status", self._write(self.status), methods=["PUT"]),
                Route(f"{base}/apps/{{app}}/{{id}}/status", self._write(self.unstatus), methods=["DELETE"]),
                Route(f"{base}/apps/{{app}}/{{id}}/metadata", self._write(self.metadata), methods=["PUT"]),
                Route(f"{base}/apps/{{app}}/{{id}}", self._write(self.renew), methods=["PUT"]),
                Route(f"{base}/apps/{{app}}/{{id}}", self._write(self.cancel), methods=["DELETE"]),
                Route(f"{base}/apps/{{app}}/{{id}}", self._read(self.instance), methods=["GET"]),
                Route(f"{base}/instances/{{id}}", self._read(self.by_id), methods=["GET"]),
                Route(f"{base}/vips/{{vip}}", self._read(self.vip), methods=["GET"]),
                Route(f"{base}/svips/{{vip}}", self._read(self.svip), methods=["GET"]),
            ]
        return found

    async def register(self, request: Request) -> Response:
        """POST /apps/{APP}: 204, or 400 with Eureka's text."""
        if int(request.headers.get("content-length", "0") or 0) > _BODY_LIMIT:
            return PlainTextResponse(f"a registration has {_BODY_LIMIT} bytes at most", 413)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _BODY_LIMIT:
                return PlainTextResponse(f"a registration has {_BODY_LIMIT} bytes at most", 413)
        try:
            said = parse_registration(request.path_params["app"], bytes(body))
        except EurekaError as error:
            return PlainTextResponse(str(error), 400)
        self._service.register(
            said.instance, lease_s=said.lease_s, dirty_ms=said.dirty_ms, document=said.document
        )
        return Response(status_code=204)

    async def renew(self, request: Request) -> Response:
        """PUT /apps/{APP}/{id}: 200, or 404: register again."""
        query = request.query_params
        dirty = query.get("lastDirtyTimestamp", "")
        status = query.get("status") or None
        if status is not None and status not in STATUSES:
            return PlainTextResponse(f"unknown status {status!r}: one of {', '.join(STATUSES)}", 400)
        lease = self._service.renew(
            request.path_params["app"],
            request.path_params["id"],
            status=status,
            dirty_ms=int(dirty) if dirty.isdigit() else 0,
        )
        return Response(status_code=200 if lease is not None else 404)

    async def cancel(self, request: Request) -> Response:
        """DELETE /apps/{APP}/{id}."""
        found = self._service.cancel(request.path_params["app"], request.path_params["id"])
        return Response(status_code=200 if found else 404)

    async def status(self, request: Request) -> Response:
        """PUT …/status?value=: an operator's status."""
        value = request.query_params.get("value", "")
        if value not in STATUSES:
            return PlainTextResponse(f"unknown status {value!r}: one of {', '.join(STATUSES)}", 500)
        found = self._service.override(request.path_params["app"], request.path_params["id"], value)
        return Response(status_code=200 if found else 404)

    async def unstatus(self, request: Request) -> Response:
        """DELETE …/status: take the operator's status back."""
        value = request.query_params.get("value", "UNKNOWN")
        if value not in STATUSES:
            return PlainTextResponse(f"unknown status {value!r}: one of {', '.join(STATUSES)}", 500)
        found = self._service.remove_override(request.path_params["app"], request.path_params["id"], value)
        return Response(status_code=200 if found else 404)

    async def metadata(self, request: Request) -> Response:
        """PUT …/metadata?k=v."""
        found = self._service.add_metadata(
            request.path_params["app"], request.path_params["id"], dict(request.query_params)
        )
        return Response(status_code=200 if found else 404)

    async def all(self, request: Request) -> Response:
        """GET /apps."""
        return self._applications(self._service.registry.leases())

    async def delta(self, request: Request) -> Response:
        """GET /apps/delta: disabled."""
        return PlainTextResponse("deltas are disabled; GET /apps", 403)

    async def app(self, request: Request) -> Response:
        """GET /apps/{APP}."""
        name = request.path_params["app"].upper()
        members = [self._document(x) for x in self._leases() if x.instance.key[0] == name]
        if not members:
            return Response(status_code=404)
        return _json({"application": {"name": name, "instance": members}})

    async def instance(self, request: Request) -> Response:
        """GET /apps/{APP}/{id}."""
        lease = self._service.registry.find(request.path_params["app"], request.path_params["id"])
        return _json({"instance": self._document(lease)}) if lease else Response(status_code=404)

    async def by_id(self, request: Request) -> Response:
        """GET /instances/{id}."""
        wanted = request.path_params["id"]
        lease = next((x for x in self._leases() if x.instance.id == wanted), None)
        return _json({"instance": self._document(lease)}) if lease else Response(status_code=404)

    async def vip(self, request: Request) -> Response:
        """GET /vips/{vip}."""
        return self._by_vip("vipAddress", request.path_params["vip"])

    async def svip(self, request: Request) -> Response:
        """GET /svips/{vip}."""
        return self._by_vip("secureVipAddress", request.path_params["vip"])

    def _by_vip(self, field: str, vip: str) -> Response:
        found = [x for x in self._leases() if vip in str(self._document(x)[field]).split(",")]
        return self._applications(found)

    def _leases(self) -> Iterable[Lease]:
        return self._service.registry.leases()

    def _applications(self, leases: Iterable[Lease]) -> Response:
        documents = [self._document(lease) for lease in leases]
        return _json(render_applications(documents, self._service.snapshot().version))

    def _document(self, lease: Lease) -> dict[str, Any]:
        wall = self._service.wall_ms
        return render_instance(
            lease,
            {
                "registered": wall(lease.registered_at),
                "renewed": wall(lease.renewed_at),
                "updated": wall(lease.updated_at),
            },
        )

    def _read(self, handler: Handler) -> Handler:
        return self._guarded(handler, write=False)

    def _write(self, handler: Handler) -> Handler:
        return self._guarded(handler, write=True)

    def _guarded(self, handler: Handler, *, write: bool) -> Handler:
        refuse = self._rule.refuse_write if write else self._rule.refuse_read

        async def guarded(request: Request) -> Response:
            reason = refuse(request.headers)
            return PlainTextResponse(reason, 403) if reason else await handler(request)

        return guarded


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
