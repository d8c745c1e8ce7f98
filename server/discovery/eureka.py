"""Eureka's JSON: registration documents in, registry documents out (pure).

Lenient on what comes in, exact in what goes out: numbers for ports, countryId and leaseInfo,
strings for timestamps and flags, lists always.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from .registry import STATUSES, Lease, Registered

_DEFAULT_LEASE_S = 90.0
_EMPTY_METADATA = {"@class": "java.util.Collections$EmptyMap"}
_DATA_CENTER = {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"}
_PASSED_ON = (
    "ipAddr",
    "securePort",
    "countryId",
    "dataCenterInfo",
    "homePageUrl",
    "statusPageUrl",
    "healthCheckUrl",
    "secureHealthCheckUrl",
    "vipAddress",
    "secureVipAddress",
    "appGroupName",
)


class EurekaError(ValueError):
    """A registration that Eureka answers with 400; the text is Eureka's."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What a registration document says."""

    instance: Registered
    lease_s: float
    dirty_ms: int
    document: Mapping[str, object]


def parse_registration(app: str, body: bytes) -> Registration:
    """Read the body of ``POST /apps/{app}``.

    Raises:
        EurekaError: with the text for the 400.
    """
    try:
        outer: object = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise EurekaError(f"the body is not JSON: {error}") from error
    info = _mapping(_mapping(outer).get("instance"))
    if not info:
        raise EurekaError('Missing instance: the body is {"instance": {…}}')
    host = _text(info.get("hostName"))
    instance_id = _text(info.get("instanceId")) or host
    _check(app, info, host, instance_id)
    lease = _mapping(info.get("leaseInfo"))
    return Registration(
        Registered(
            id=instance_id,
            service=app.upper(),
            host=host,
            port=_port(info.get("port")),
            status=_status(info),
            metadata={
                key: _text(value) for key, value in _mapping(info.get("metadata")).items() if key != "@class"
            },
        ),
        lease_s=_number(lease.get("durationInSecs"), _DEFAULT_LEASE_S),
        dirty_ms=int(_number(info.get("lastDirtyTimestamp"), 0)),
        document={key: info[key] for key in _PASSED_ON if key in info} | {"leaseInfo": dict(lease)},
    )


def render_instance(lease: Lease, wall_ms: Mapping[str, int]) -> dict[str, Any]:
    """One instance as Eureka shows it; ``wall_ms`` has ``registered``, ``renewed``, ``updated``."""
    item, document = lease.instance, lease.document
    secure = _mapping(document.get("securePort"))
    lease_info = _mapping(document.get("leaseInfo"))
    base = f"http://{item.host}:{item.port}"
    return {
        "instanceId": item.id,
        "hostName": item.host,
        "app": item.service.upper(),
        "ipAddr": item.host,
        "status": item.status,
        "overriddenStatus": lease.override or "UNKNOWN",
        "countryId": 1,
        "dataCenterInfo": _DATA_CENTER,
        "homePageUrl": f"{base}/",
        "statusPageUrl": f"{base}/info",
        "healthCheckUrl": f"{base}/health",
        "vipAddress": item.service.lower(),
        "secureVipAddress": item.service.lower(),
        **{key: value for key, value in document.items() if key not in ("leaseInfo", "securePort")},
        "port": {"$": item.port, "@enabled": "true"},
        "securePort": {
            "$": int(_number(secure.get("$"), 443)),
            "@enabled": _text(secure.get("@enabled")).lower() or "false",
        },
        "leaseInfo": {
            "renewalIntervalInSecs": int(_number(lease_info.get("renewalIntervalInSecs"), 30)),
            "durationInSecs": int(lease.lease_s) or 1,
            "registrationTimestamp": wall_ms["registered"],
            "lastRenewalTimestamp": wall_ms["renewed"],
            "evictionTimestamp": 0,
            "serviceUpTimestamp": wall_ms["registered"],
        },
        "metadata": dict(item.metadata) or dict(_EMPTY_METADATA),
        "isCoordinatingDiscoveryServer": "false",
        "lastUpdatedTimestamp": str(wall_ms["updated"]),
        "lastDirtyTimestamp": str(lease.dirty_ms or wall_ms["registered"]),
        "actionType": "ADDED" if lease.updated_at == lease.registered_at else "MODIFIED",
    }


def render_applications(instances: Iterable[Mapping[str, Any]], version: int) -> dict[str, Any]:
    """All instances, grouped by application, with the hash of their statuses."""
    apps: dict[str, list[Mapping[str, Any]]] = {}
    for instance in instances:
        apps.setdefault(instance["app"], []).append(instance)
    statuses = [item["status"] for members in apps.values() for item in members]
    return {
        "applications": {
            "versions__delta": str(version),
            "apps__hashcode": hash_code(statuses),
            "application": [{"name": name, "instance": members} for name, members in apps.items()],
        }
    }


def hash_code(statuses: Iterable[str]) -> str:
    """``STATUS_count_`` for each status in alphabetical order; "" for an empty registry."""
    counts: dict[str, int] = {}
    for status in statuses:
        counts[status] = counts.get(status, 0) + 1
    return "".join(f"{status}_{counts[status]}_" for status in sorted(counts))


def _check(app: str, info: Mapping[str, Any], host: str, instance_id: str) -> None:
    if not instance_id:
        raise EurekaError("Missing instanceId")
    if not host:
        raise EurekaError("Missing hostname")
    name = _text(info.get("app"))
    if not name:
        raise EurekaError("Missing appName")
    if name.upper() != app.upper():
        raise EurekaError(f"Mismatched appName, expecting {app.upper()} but was {name.upper()}")
    center = _mapping(info.get("dataCenterInfo"))
    if not center:
        raise EurekaError("Missing dataCenterInfo")
    if not center.get("name"):
        raise EurekaError("Missing dataCenterInfo Name")


def _status(info: Mapping[str, Any]) -> str:
    status = _text(info.get("status")) or "UP"
    if status not in STATUSES:
        raise EurekaError(f"unknown status {status!r}: one of {', '.join(STATUSES)}")
    return status


def _port(value: Any) -> int:
    raw = _mapping(value).get("$") if isinstance(value, dict) else value
    port = int(_number(raw, 80))
    if not 0 < port < 65536:
        raise EurekaError(f"port {port} is not between 1 and 65535")
    return port


def _mapping(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _number(value: object, default: float) -> float:
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            return float(value)
        except ValueError:
            return default
    return default
