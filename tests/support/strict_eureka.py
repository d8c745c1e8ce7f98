"""A Eureka that takes nothing but what its documentation shows, and has no ``/watch``.

It keeps what it is told, records every request, and can be made to behave as real ones do: forget
everybody (a restart), have no deltas, lose a change from its deltas, or ask for a password.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from server.sockets.listener import Listener

_CENTER = {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"}


class StrictEureka:
    """The server's state; :func:`strict_eureka` runs it."""

    def __init__(self) -> None:
        self.url = ""
        self.instances: dict[tuple[str, str], dict[str, Any]] = {}
        self.changes: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.deltas = True
        self.password = ""

    def restart(self) -> None:
        """Forget everybody, as a new process would."""
        self.instances.clear()
        self.changes.clear()

    def put(self, **fields: Any) -> None:
        """Have an instance of somebody else."""
        info = {"ipAddr": "127.0.0.1", "hostName": "127.0.0.1", "status": "UP", **fields}
        self._change((info["app"], info["instanceId"]), info, "ADDED")

    def _change(self, key: tuple[str, str], info: dict[str, Any], action: str) -> None:
        self.instances[key] = info
        self.changes.append({**info, "actionType": action})

    async def apps(self, request: Request) -> Response:
        return self._listing(list(self.instances.values()))

    async def delta(self, request: Request) -> Response:
        return self._listing(self.changes) if self.deltas else Response(status_code=403)

    async def register(self, request: Request) -> Response:
        assert request.headers["content-type"] == "application/json"
        info = msgspec.json.decode(await request.body())["instance"]
        assert info["app"] == request.path_params["app"] == info["app"].upper()
        assert isinstance(info["port"]["$"], int)
        assert info["port"]["@enabled"] in ("true", "false")
        assert info["dataCenterInfo"] == _CENTER
        assert isinstance(info["leaseInfo"]["renewalIntervalInSecs"], int)
        assert isinstance(info["leaseInfo"]["durationInSecs"], int)
        assert info["lastDirtyTimestamp"].isdigit()
        assert all(info[field] for field in ("instanceId", "hostName", "ipAddr", "vipAddress", "status"))
        self._change((info["app"], info["instanceId"]), info, "ADDED")
        return Response(status_code=204)

    async def one(self, request: Request) -> Response:
        key = (request.path_params["app"], request.path_params["id"])
        info = self.instances.get(key)
        if info is None:
            return Response(status_code=404)
        if request.method == "DELETE":
            self._change(key, info, "DELETED")
            del self.instances[key]
        elif int(request.query_params["lastDirtyTimestamp"]) > int(info["lastDirtyTimestamp"]):
            return Response(status_code=404)
        return Response()

    async def status(self, request: Request) -> Response:
        key = (request.path_params["app"], request.path_params["id"])
        if key not in self.instances:
            return Response(status_code=404)
        self._change(key, {**self.instances[key], "status": request.query_params["value"]}, "MODIFIED")
        return Response()

    def _listing(self, infos: list[dict[str, Any]]) -> Response:
        apps: dict[str, list[dict[str, Any]]] = {}
        for info in infos:
            apps.setdefault(info["app"], []).append(info)
        statuses = [info["status"] for info in self.instances.values()]
        code = "".join(f"{each}_{statuses.count(each)}_" for each in sorted(set(statuses)))
        # As old servers write it: one element is no list.
        several = [{"name": name, "instance": of if len(of) > 1 else of[0]} for name, of in apps.items()]
        listing = {"versions__delta": "1", "apps__hashcode": code}
        if several:
            listing |= {"application": several if len(several) > 1 else several[0]}
        return Response(msgspec.json.encode({"applications": listing}), media_type="application/json")

    def guard(self, handler: Any) -> Any:
        async def guarded(request: Request) -> Response:
            self.requests.append(f"{request.method} {request.url.path}")
            wanted = "Basic " + base64.b64encode(self.password.encode()).decode()
            if self.password and request.headers.get("authorization") != wanted:
                return PlainTextResponse("who are you?", 401)
            return await handler(request)

        return guarded


@asynccontextmanager
async def strict_eureka(base: str = "/eureka") -> AsyncGenerator[StrictEureka]:
    """Run one; ``url`` is its address without a path."""
    eureka = StrictEureka()
    guard = eureka.guard
    app = Starlette(
        routes=[
            Route(f"{base}/apps/", guard(eureka.apps)),
            Route(f"{base}/apps/delta", guard(eureka.delta)),
            Route(f"{base}/apps/{{app}}", guard(eureka.register), methods=["POST"]),
            Route(f"{base}/apps/{{app}}/{{id}}", guard(eureka.one), methods=["PUT", "DELETE"]),
            Route(f"{base}/apps/{{app}}/{{id}}/status", guard(eureka.status), methods=["PUT", "DELETE"]),
        ]
    )
    async with Listener(app, grace_s=1) as listener:
        eureka.url = listener.url
        yield eureka
