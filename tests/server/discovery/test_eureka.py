"""Eureka's JSON documents: lenient in, exact out."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.discovery.eureka import EurekaError, hash_code, parse_registration, render_instance
from server.discovery.eureka_xml import render_xml
from server.discovery.registry import Lease

CENTER = {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"}

WALL = {"registered": 1000, "renewed": 2000, "updated": 1000, "up": 1000}


def document(**changes: Any) -> bytes:
    info = {
        "instanceId": "h:push:8080",
        "hostName": "h",
        "app": "PUSH",
        "ipAddr": "10.0.0.1",
        "port": {"$": 8080, "@enabled": "true"},
        "dataCenterInfo": CENTER,
        **changes,
    }
    return json.dumps({"instance": {key: value for key, value in info.items() if value is not None}}).encode()


def test_what_a_java_client_says() -> None:
    said = parse_registration(
        "push",
        document(
            status="STARTING",
            leaseInfo={"renewalIntervalInSecs": 5, "durationInSecs": 15},
            metadata={"@class": "x", "management.port": "8080", "flag": True},
            lastDirtyTimestamp="1700000000000",
        ),
    )
    assert (said.instance.service, said.instance.id, said.instance.port) == ("PUSH", "h:push:8080", 8080)
    assert said.instance.status == "STARTING"
    assert said.instance.metadata == {"management.port": "8080", "flag": "true"}
    assert (said.lease_s, said.dirty_ms) == (15, 1700000000000)


def test_what_a_lazy_client_says() -> None:
    said = parse_registration(
        "PUSH", document(instanceId=None, hostName="127.0.0.1", ipAddr=None, port={"$": "9002"})
    )
    assert (said.instance.id, said.instance.port, said.instance.status) == ("127.0.0.1", 9002, "UP")
    assert (said.lease_s, said.dirty_ms, said.override) == (90, 0, None)


def test_whose_secure_port_is_enabled_is_reached_there() -> None:
    said = parse_registration("PUSH", document(securePort={"$": 8443, "@enabled": True}))
    assert (said.instance.port, said.instance.secure) == (8443, True)
    out = render_instance(Lease(said.instance, 30, 1, 2, 1, document=said.document), WALL, "ADDED")
    assert out["port"] == {"$": 8080, "@enabled": "true"}
    assert out["securePort"] == {"$": 8443, "@enabled": "true"}


def test_an_override_that_is_brought_along() -> None:
    assert (
        parse_registration("PUSH", document(overriddenstatus="OUT_OF_SERVICE")).override == "OUT_OF_SERVICE"
    )
    assert parse_registration("PUSH", document(overriddenStatus="UNKNOWN")).override is None


def test_a_status_that_nobody_knows() -> None:
    assert parse_registration("PUSH", document(status="FINE")).instance.status == "UNKNOWN"


@pytest.mark.parametrize("number", ["nan", "inf", "1e400", True, "x", [1]])
def test_numbers_that_are_none(number: object) -> None:
    said = parse_registration(
        "PUSH", document(leaseInfo={"durationInSecs": number}, lastDirtyTimestamp=number, countryId=number)
    )
    assert (said.lease_s, said.dirty_ms) == (90, 0)
    out = render_instance(Lease(said.instance, 30, 1, 2, 1, document=said.document), WALL, "ADDED")
    assert out["countryId"] == 1


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"instanceId": None, "hostName": None}, "Missing instanceId"),
        ({"hostName": None}, "Missing hostname"),
        ({"app": None}, "Missing appName"),
        ({"app": "other"}, "Mismatched appName, expecting PUSH but was OTHER"),
        ({"dataCenterInfo": None}, "Missing dataCenterInfo"),
        ({"dataCenterInfo": {"@class": "x"}}, "Missing dataCenterInfo Name"),
        ({"ipAddr": None}, "Missing ip address"),
        ({"port": {"$": 70000}}, "port 70000"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(EurekaError, match=text):
        parse_registration("PUSH", document(**changes))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<instance/>",
        b"<a>",
        b"<other><hostName>h</hostName></other>",
        b"[]",
        b'{"instance": 1}',
        b'{"instance": {}}',
        b'{"instance": {"hostName": "\xff"}}',
        b'{"instance":' * 10_000,
    ],
)
def test_bodies_that_are_none(body: bytes) -> None:
    with pytest.raises(EurekaError):
        parse_registration("PUSH", body)


def test_types_of_what_goes_out() -> None:
    said = parse_registration("PUSH", document(homePageUrl="http://h/home"))
    lease = Lease(said.instance, 30, 1, 2, 1, document=said.document)
    out = render_instance(lease, WALL, "ADDED")
    assert out["port"] == {"$": 8080, "@enabled": "true"}
    assert out["securePort"] == {"$": 443, "@enabled": "false"}
    assert out["leaseInfo"]["durationInSecs"] == 30
    assert out["leaseInfo"]["lastRenewalTimestamp"] == 2000
    assert (out["lastUpdatedTimestamp"], out["lastDirtyTimestamp"]) == ("1000", "1000")
    assert out["isCoordinatingDiscoveryServer"] == "false"
    assert out["metadata"] == {"@class": "java.util.Collections$EmptyMap"}
    assert (out["homePageUrl"], out["ipAddr"], out["vipAddress"]) == ("http://h/home", "10.0.0.1", "push")
    assert out["actionType"] == "ADDED"


def test_the_hash_code() -> None:
    assert hash_code([]) == ""
    assert hash_code(["UP", "DOWN", "UP", "UP"]) == "DOWN_1_UP_3_"


def test_what_says_nothing_is_left_out() -> None:
    said = parse_registration("PUSH", document(appGroupName=None, sid="", homePageUrl={"a": 1}))
    out = render_instance(Lease(said.instance, 30, 1, 2, 1, document=said.document), WALL, "ADDED")
    assert not {"appGroupName", "sid"} & out.keys()
    assert out["homePageUrl"] == "http://h:8080/"


FIELDS = [
    "hostName",
    "instanceId",
    "status",
    "overriddenstatus",
    "port",
    "securePort",
    "leaseInfo",
    "metadata",
    "homePageUrl",
    "vipAddress",
    "countryId",
    "lastDirtyTimestamp",
    "isCoordinatingDiscoveryServer",
]
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXT
    | st.sampled_from(["$", "@a b", "<", "]]>"]),
    lambda inner: st.lists(inner) | st.dictionaries(TEXT | st.sampled_from(["$", "@enabled", "@a b"]), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(FIELDS), ANYTHING), st.dictionaries(TEXT, ANYTHING))
def test_nothing_that_is_registered_spoils_what_others_read(changes: dict[str, Any], center: Any) -> None:
    try:
        said = parse_registration("PUSH", document(**changes, dataCenterInfo={**CENTER, **center}))
    except EurekaError:
        return
    lease = Lease(said.instance, said.lease_s, 1, 2, 1, document=said.document, dirty_ms=said.dirty_ms)
    shown = render_instance(lease, WALL, "ADDED")
    json.loads(json.dumps(shown, allow_nan=False))
    root = ElementTree.fromstring(render_xml("instance", shown))
    assert root.findtext("app") == "PUSH"
    center_shown = root.find("dataCenterInfo")
    assert center_shown is not None
    assert center_shown.get("class")
