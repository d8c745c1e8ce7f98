"""Eureka's REST paths over the registry, below ``/eureka`` and ``/eureka/v2``.

See docs/wire/discovery.md §1, §2.

Answers are XML unless Accept says json, as Eureka's are; bodies are taken in either.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from ..access.rule import AccessRule, Refused
from .changes import Action
from .eureka import EurekaError, compact, parse_registration, render_applications, render_instance
from .eureka_xml import render_xml
from .registry import MOST_INSTANCES, STATUSES, Lease
from .service import DiscoveryService

_BODY_LIMIT = 256 * 1024
#: Answers to a peer, which then takes our record (docs/wire/discovery.md §5).
_REPLICATION = "x-netflix-discovery-replication"

Handler = Callable[[Request], Awaitable[Response]]


class EurekaRest:
    """The handlers; :meth:`routes` says where they live."""

    def __init__(self, service: DiscoveryService, rule: AccessRule) -> None:
        self._service = service
        self._rule = rule
        # As Eureka's response cache: many ask for the same between two changes. Only the times of
        # renewals in it are old then.
        self._cache: dict[tuple[str, bool, bool], tuple[object, bytes]] = {}

    def routes(self) -> list[BaseRoute]:
        """All routes, most specific first."""
        found: list[BaseRoute] = []
        for base in ("/eureka/v2", "/eureka"):
            one = f"{base}/apps/{{app}}/{{id}}"
            found += [
                Route(f"{base}/apps", self._read(self.all), methods=["GET"]),
                Route(f"{base}/apps/delta", self._read(self.delta), methods=["GET"]),
                Route(f"{base}/apps/{{app}}", self._write(self.register), methods=["POST"]),
                Route(f"{base}/apps/{{app}}", self._read(self.app), methods=["GET"]),
                Route(f"{one}/status", self._write(self.status), methods=["PUT"]),
                Route(f"{one}/status", self._write(self.unstatus), methods=["DELETE"]),
                Route(f"{one}/metadata", self._write(self.metadata), methods=["PUT"]),
                Route(one, self._write(self.renew), methods=["PUT"]),
                Route(one, self._write(self.cancel), methods=["DELETE"]),
                Route(one, self._read(self.instance), methods=["GET"]),
                Route(f"{base}/instances/{{id}}", self._read(self.by_id), methods=["GET"]),
                Route(f"{base}/vips/{{vip}}", self._read(self.vip), methods=["GET"]),
                Route(f"{base}/svips/{{vip}}", self._read(self.svip), methods=["GET"]),
            ]
        return found

    async def register(self, request: Request) -> Response:
        """POST /apps/{APP}: 204, or 400 with Eureka's text."""
        body = await _body(request)
        if body is None:
            return PlainTextResponse(f"a registration has {_BODY_LIMIT} bytes at most", 413)
        xml = "xml" in request.headers.get("content-type", "").lower()
        try:
            said = parse_registration(request.path_params["app"], body, xml=xml)
        except EurekaError as error:
            return PlainTextResponse(str(error), 400)
        registry = self._service.registry
        if len(registry) >= MOST_INSTANCES and registry.find(*said.instance.key) is None:
            return PlainTextResponse(f"the registry is full: {MOST_INSTANCES} instances", 503)
        self._service.register(
            said.instance,
            lease_s=said.lease_s,
            dirty_ms=said.dirty_ms,
            document=said.document,
            override=said.override,
        )
        return Response(status_code=204)

    async def renew(self, request: Request) -> Response:
        """PUT /apps/{APP}/{id}: 200, or 404: register again; 409 with our record for a peer's older one."""
        app, name = _key(request)
        dirty_ms = _dirty(request)
        status = request.query_params.get("status")
        lease = self._service.renew(
            app, name, status=status if status in STATUSES else None, dirty_ms=dirty_ms
        )
        if lease is None:
            return Response(status_code=404)
        if dirty_ms and dirty_ms < lease.dirty_ms and request.headers.get(_REPLICATION) == "true":
            return self._answer(request, "instance", self._document(lease), 409)
        return Response()

    async def cancel(self, request: Request) -> Response:
        """DELETE /apps/{APP}/{id}."""
        return _found(self._service.cancel(*_key(request)))

    async def status(self, request: Request) -> Response:
        """PUT …/status?value=: an operator's status."""
        value = request.query_params.get("value", "")
        if value not in STATUSES:
            return _unknown_status(value)
        return _found(self._service.override(*_key(request), value, dirty_ms=_dirty(request)))

    async def unstatus(self, request: Request) -> Response:
        """DELETE …/status: take the operator's status back."""
        value = request.query_params.get("value", "UNKNOWN")
        if value not in STATUSES:
            return _unknown_status(value)
        return _found(self._service.remove_override(*_key(request), value, dirty_ms=_dirty(request)))

    async def metadata(self, request: Request) -> Response:
        """PUT …/metadata?k=v."""
        lease = self._service.registry.find(*_key(request))
        known = lease.instance.metadata if lease is not None else {}
        if sum(len(key) + len(value) for key, value in known.items()) > _BODY_LIMIT:
            return PlainTextResponse(f"metadata has {_BODY_LIMIT} characters at most", 413)
        pairs = dict(request.query_params)
        if not all(text.isprintable() for pair in pairs.items() for text in pair):
            return PlainTextResponse("metadata has characters that cannot be printed", 400)
        return _found(self._service.add_metadata(*_key(request), pairs))

    async def all(self, request: Request) -> Response:
        """GET /apps."""
        registry = self._service.registry
        state = (self._service.snapshot().version, registry.delta_version)

        def listing() -> object:
            shown = [self._shown(request, lease) for lease in registry.leases()]
            return render_applications(shown, registry.delta_version, [item["status"] for item in shown])

        return self._cached(request, "all", state, listing)

    async def delta(self, request: Request) -> Response:
        """GET /apps/delta: what has changed in the last three minutes, and the hash of everything."""
        changes, version = self._service.delta()

        def listing() -> object:
            shown = [self._shown(request, change.subject, change.action) for change in changes]
            return render_applications(shown, version, [lease.instance.status for lease in self._leases()])

        return self._cached(request, "delta", version, listing)

    async def app(self, request: Request) -> Response:
        """GET /apps/{APP}."""
        name = request.path_params["app"].upper()
        members = [self._shown(request, x) for x in self._leases() if x.instance.key[0] == name]
        if not members:
            return Response(status_code=404)
        return self._answer(request, "application", {"name": name, "instance": members})

    async def instance(self, request: Request) -> Response:
        """GET /apps/{APP}/{id}."""
        return self._one(request, self._service.registry.find(*_key(request)))

    async def by_id(self, request: Request) -> Response:
        """GET /instances/{id}."""
        wanted = request.path_params["id"]
        return self._one(request, next((x for x in self._leases() if x.instance.id == wanted), None))

    async def vip(self, request: Request) -> Response:
        """GET /vips/{vip}."""
        return self._by_vip(request, "vipAddress")

    async def svip(self, request: Request) -> Response:
        """GET /svips/{vip}."""
        return self._by_vip(request, "secureVipAddress")

    def _by_vip(self, request: Request, field: str) -> Response:
        vip = request.path_params["vip"]
        found = [x for x in self._leases() if vip in str(self._document(x)[field]).split(",")]
        shown = [self._shown(request, lease) for lease in found]
        listing = render_applications(shown, -1, [item["status"] for item in shown])  # Eureka's version
        return self._answer(request, "applications", listing)

    def _one(self, request: Request, lease: Lease | None) -> Response:
        if lease is None:
            return Response(status_code=404)
        return self._answer(request, "instance", self._shown(request, lease))

    def _leases(self) -> Iterable[Lease]:
        return self._service.registry.leases()

    def _shown(self, request: Request, lease: Lease, action: Action = "ADDED") -> dict[str, Any]:
        document = self._document(lease, action)
        return compact(document) if _wants_compact(request) else document

    def _document(self, lease: Lease, action: Action = "ADDED") -> dict[str, Any]:
        wall = self._service.wall_ms
        moments = {
            "registered": wall(lease.registered_at),
            "renewed": wall(lease.renewed_at),
            "updated": wall(lease.updated_at),
            "up": wall(lease.up_at) if lease.up_at is not None else 0,
        }
        return render_instance(lease, moments, action)

    @staticmethod
    def _answer(request: Request, name: str, value: object, status: int = 200) -> Response:
        json = _wants_json(request)
        media = "application/json" if json else "application/xml"
        return Response(_encoded(name, value, json=json), status, media_type=media)

    def _cached(self, request: Request, what: str, state: object, make: Callable[[], object]) -> Response:
        json = _wants_json(request)
        key = (what, json, _wants_compact(request))
        kept = self._cache.get(key)
        if kept is None or kept[0] != state:
            kept = self._cache[key] = (state, _encoded("applications", make(), json=json))
        return Response(kept[1], media_type="application/json" if json else "application/xml")

    def _read(self, handler: Handler) -> Handler:
        return self._guarded(handler, write=False)

    def _write(self, handler: Handler) -> Handler:
        return self._guarded(handler, write=True)

    def _guarded(self, handler: Handler, *, write: bool) -> Handler:
        refuse = self._rule.refuse_write if write else self._rule.refuse_read

        async def guarded(request: Request) -> Response:
            refused = refuse(request.headers.raw)
            if refused is not None:
                return refused_answer(refused)
            try:
                return await handler(request)
            except ClientDisconnect:
                return Response(status_code=400)  # it left in the midst of its body: nobody hears this

        return guarded


def refused_answer(refused: Refused) -> Response:
    """The answer to somebody who may not."""
    answer = PlainTextResponse(refused.reason, refused.status)
    answer.raw_headers.extend(refused.headers)
    return answer


def _wants_json(request: Request) -> bool:
    return "json" in request.headers.get("accept", "").lower()


def _wants_compact(request: Request) -> bool:
    return request.headers.get("x-eureka-accept") == "compact"


def _encoded(name: str, value: object, *, json: bool) -> bytes:
    return msgspec.json.encode({name: value}) if json else render_xml(name, value)


async def _body(request: Request) -> bytes | None:
    """The body, or None when it is too long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_LIMIT:
            return None
    return bytes(body)


def _key(request: Request) -> tuple[str, str]:
    return request.path_params["app"], request.path_params["id"]


def _dirty(request: Request) -> int:
    dirty = request.query_params.get("lastDirtyTimestamp", "")
    return int(dirty) if dirty.isascii() and dirty.isdigit() and len(dirty) < 19 else 0


def _found(found: bool) -> Response:
    return Response(status_code=200 if found else 404)


def _unknown_status(value: str) -> Response:
    return PlainTextResponse(f"unknown status {value!r}: one of {', '.join(STATUSES)}", 500)
