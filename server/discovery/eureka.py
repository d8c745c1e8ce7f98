"""Eureka's documents: registrations in, instances and registries out (pure).

Lenient on what comes in, exact in what goes out: numbers for ports, countryId and leaseInfo,
strings for timestamps and flags, lists always. :mod:`.eureka_xml` has the same values as XML.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from .changes import Action
from .eureka_xml import XmlError, parse_xml
from .registry import STATUSES, Lease, Registered, is_host, unfit

#: Of a client that does not say how long its lease is, and how often it renews.
LEASE_S = 90
RENEWAL_S = 30

DATA_CENTER = {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"}
EMPTY_METADATA = {"@class": "java.util.Collections$EmptyMap"}

#: Texts that are shown as the client gave them.
_PASSED_ON = (
    "ipAddr",
    "countryId",
    "appGroupName",
    "homePageUrl",
    "statusPageUrl",
    "healthCheckUrl",
    "secureHealthCheckUrl",
    "vipAddress",
    "secureVipAddress",
    "asgName",
    "sid",
    "isCoordinatingDiscoveryServer",
)
#: What is kept, but shown in Eureka's form.
_NOT_AS_SAID = ("leaseInfo", "port", "securePort", "dataCenterInfo")
#: What ``X-Eureka-Accept: compact`` leaves out, as Netflix's server does.
_NOT_COMPACT = frozenset(
    (
        "appGroupName",
        "overriddenStatus",
        "sid",
        "countryId",
        "homePageUrl",
        "statusPageUrl",
        "healthCheckUrl",
        "secureHealthCheckUrl",
        "isCoordinatingDiscoveryServer",
        "lastDirtyTimestamp",
        "leaseInfo",
        "metadata",
    )
)


class EurekaError(ValueError):
    """A document that Eureka answers with 400; the text is Eureka's where it has one."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What a registration document says."""

    instance: Registered
    lease_s: float
    dirty_ms: int
    document: Mapping[str, object]
    override: str | None = None


def parse_registration(app: str, body: bytes, *, xml: bool = False) -> Registration:
    """Read the body of ``POST /apps/{app}``.

    Args:
        app: The application of the path.
        body: JSON, or XML if it begins like it.
        xml: Whether the content type says XML.

    Raises:
        EurekaError: with the text for the 400.
    """
    info = mapping(_decoded(body, xml=xml).get("instance"))
    if not info:
        raise EurekaError('Missing instance: the body is {"instance": {…}} or <instance>…</instance>')
    _check(app, info)
    lease = mapping(info.get("leaseInfo"))
    override = text(info.get("overriddenstatus") or info.get("overriddenStatus")).upper()
    instance = read_instance(info)
    _check_texts(info)
    return Registration(
        instance,
        lease_s=max(_number(lease.get("durationInSecs"), LEASE_S), 0) or LEASE_S,
        dirty_ms=int(_number(info.get("lastDirtyTimestamp"), 0)),
        document=_document(info),
        override=override if override in STATUSES and override != "UNKNOWN" else None,
    )


def read_instance(info: Mapping[str, Any]) -> Registered:
    """An instance as Eureka's documents have it.

    Whoever has its secure port enabled is reached there, as Spring's load balancer does it; a
    status that nobody knows is UNKNOWN.

    Raises:
        EurekaError: it has no host, or no port that one could connect to.
    """
    host = text(info.get("hostName"))
    if not host:
        raise EurekaError("Missing hostname")
    secure = _enabled(info.get("securePort"), default=False)
    status = (text(info.get("status")) or "UP").upper()
    found = Registered(
        id=text(info.get("instanceId")) or host,
        service=text(info.get("app")).upper(),
        host=host,
        port=_port(info.get("securePort"), 443) if secure else _port(info.get("port"), 80),
        status=status if status in STATUSES else "UNKNOWN",
        metadata=_plain(mapping(info.get("metadata"))),
        secure=secure,
    )
    if why := unfit(found):
        raise EurekaError(why)
    return found


def render_instance(lease: Lease, wall_ms: Mapping[str, int], action: Action) -> dict[str, Any]:
    """One instance as Eureka shows it.

    Args:
        lease: The instance.
        wall_ms: Milliseconds since 1970: ``registered``, ``renewed``, ``updated`` and ``up``.
        action: What happened to it last.
    """
    item, document = lease.instance, lease.document
    lease_info = mapping(document.get("leaseInfo"))
    base = f"{'https' if item.secure else 'http'}://{item.host}:{item.port}"
    said = {key: value for key, value in document.items() if key not in _NOT_AS_SAID}
    return {
        "instanceId": item.id,
        "hostName": item.host,
        "app": item.service.upper(),
        "ipAddr": item.host,
        "status": item.status,
        "overriddenStatus": lease.override or "UNKNOWN",
        "port": _shown_port(document.get("port"), item.port, default=not item.secure),
        "securePort": _shown_port(document.get("securePort"), 443, default=False),
        "homePageUrl": f"{base}/",
        "statusPageUrl": f"{base}/info",
        "healthCheckUrl": f"{base}/health",
        "vipAddress": item.service.lower(),
        "secureVipAddress": item.service.lower(),
        **said,
        "countryId": int(_number(said.get("countryId"), 1)),
        "dataCenterInfo": document.get("dataCenterInfo", DATA_CENTER),
        "leaseInfo": {
            "renewalIntervalInSecs": int(_number(lease_info.get("renewalIntervalInSecs"), RENEWAL_S)),
            "durationInSecs": int(lease.lease_s) or 1,
            "registrationTimestamp": wall_ms["registered"],
            "lastRenewalTimestamp": wall_ms["renewed"],
            "evictionTimestamp": 0,
            "serviceUpTimestamp": wall_ms["up"],
        },
        "metadata": _plain(item.metadata) or dict(EMPTY_METADATA),
        "isCoordinatingDiscoveryServer": text(said.get("isCoordinatingDiscoveryServer")) or "false",
        "lastUpdatedTimestamp": str(wall_ms["updated"]),
        "lastDirtyTimestamp": str(lease.dirty_ms or wall_ms["registered"]),
        "actionType": action,
    }


def render_applications(
    instances: Iterable[Mapping[str, Any]], version: int, statuses: Iterable[str]
) -> dict[str, Any]:
    """Instances grouped by application, with the hash of ``statuses``.

    Those are the statuses of the whole registry also where ``instances`` are what has changed.
    """
    apps: dict[str, list[Mapping[str, Any]]] = {}
    for instance in instances:
        apps.setdefault(instance["app"], []).append(instance)
    return {
        "versions__delta": str(version),
        "apps__hashcode": hash_code(statuses),
        "application": [{"name": name, "instance": members} for name, members in apps.items()],
    }


def compact(instance: Mapping[str, Any]) -> dict[str, Any]:
    """An instance without what ``X-Eureka-Accept: compact`` leaves out."""
    return {key: value for key, value in instance.items() if key not in _NOT_COMPACT}


def hash_code(statuses: Iterable[str]) -> str:
    """``STATUS_count_`` for each status in alphabetical order; "" for an empty registry."""
    counts: dict[str, int] = {}
    for status in statuses:
        counts[status] = counts.get(status, 0) + 1
    return "".join(f"{status}_{counts[status]}_" for status in sorted(counts))


def mapping(value: Any) -> dict[str, Any]:
    """``value`` if it is an object, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def text(value: object) -> str:
    """``value`` as Eureka writes it; "" for nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _decoded(body: bytes, *, xml: bool) -> dict[str, Any]:
    if xml or body.lstrip()[:1] == b"<":
        try:
            return parse_xml(body)
        except XmlError as error:
            raise EurekaError(str(error)) from error
    try:
        return mapping(msgspec.json.decode(body))
    except (ValueError, RecursionError) as error:  # ValueError: msgspec's errors, and what is not UTF-8
        raise EurekaError(f"the body is not JSON: {error}") from error


def _document(info: Mapping[str, Any]) -> dict[str, object]:
    """What is kept of a registration beyond :class:`Registered`: nothing that others could not read."""
    kept: dict[str, object] = {key: text(info[key]) for key in _PASSED_ON if _is_scalar(info.get(key))}
    center = mapping(info.get("dataCenterInfo"))
    shown: dict[str, object] = {
        "@class": text(center.get("@class")) or DATA_CENTER["@class"],
        "name": text(center.get("name")),
    }
    if metadata := _plain(mapping(center.get("metadata"))):  # Amazon's
        shown["metadata"] = metadata
    return kept | {key: info.get(key) for key in _NOT_AS_SAID} | {"dataCenterInfo": shown}


def _plain(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Metadata without what would be an attribute or the text of an element."""
    return {key: text(value) for key, value in metadata.items() if key[0:1] != "@" and key != "$"}


def _is_scalar(value: object) -> bool:
    return isinstance(value, (str, int, float)) and value != ""


def _check_texts(info: Mapping[str, Any]) -> None:
    """What is shown to others as it was said."""
    center = mapping(info.get("dataCenterInfo"))
    said = {key: text(info.get(key)) for key in _PASSED_ON}
    said |= {"dataCenterInfo": text(center.get("name")), "@class": text(center.get("@class"))}
    said |= {str(key): text(value) for key, value in mapping(center.get("metadata")).items()}
    for key, value in said.items():
        if not (key.isprintable() and value.isprintable()):
            raise EurekaError(f"{key[:80]!r} has characters that cannot be printed")
    if (address := said["ipAddr"]) and not is_host(address):
        raise EurekaError(f"ipAddr {address[:80]!r} is no address")


def _check(app: str, info: Mapping[str, Any]) -> None:
    host = text(info.get("hostName"))
    if not (text(info.get("instanceId")) or host):
        raise EurekaError("Missing instanceId")
    if not host:
        raise EurekaError("Missing hostname")
    # Eureka insists on it; a host name that is an address already says it.
    if not (text(info.get("ipAddr")) or _is_address(host)):
        raise EurekaError("Missing ip address")
    name = text(info.get("app"))
    if not name:
        raise EurekaError("Missing appName")
    if name.upper() != app.upper():
        raise EurekaError(f"Mismatched appName, expecting {app.upper()} but was {name.upper()}")
    center = mapping(info.get("dataCenterInfo"))
    if not center:
        raise EurekaError("Missing dataCenterInfo")
    if not center.get("name"):
        raise EurekaError("Missing dataCenterInfo Name")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.lower() == "localhost"
    return True


def _port(value: Any, default: int) -> int:
    raw = mapping(value).get("$") if isinstance(value, dict) else value
    port = int(_number(raw, default))
    if not 0 < port < 65536:
        raise EurekaError(f"port {port} is not between 1 and 65535")
    return port


def _enabled(value: Any, *, default: bool) -> bool:
    said = text(mapping(value).get("@enabled")).lower()
    return said == "true" if said else default


def _shown_port(said: Any, port: int, *, default: bool) -> dict[str, object]:
    enabled = _enabled(said, default=default)
    raw = mapping(said).get("$") if isinstance(said, dict) else said
    return {"$": int(_number(raw, port)), "@enabled": "true" if enabled else "false"}


def _number(value: object, default: float) -> float:
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = float(value)
        except ValueError:
            return default
        return number if abs(number) < 1e18 else default  # no infinity, no nan
    return default
