"""Predicates, one table for each; how they are written; who is never reached.

See docs/wire/gateway.md §1, §2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from server.gateway import RouteError, RouteSpec, RouteTable, route_spec
from server.gateway.routing.definition import Part
from server.gateway.routing.request import RouteRequest
from tests.support.requests import get

NOON = 1_484_959_367.789  # 2017-01-20T17:42:47.789-07:00


def table(*predicates: str, clock: Callable[[], float] = lambda: NOON) -> RouteTable:
    return RouteTable([route_spec("r", "lb://a", predicates)], clock)


def request(**headers: str) -> RouteRequest:
    return get("/", **headers)


@pytest.mark.parametrize(
    ("predicate", "asked", "takes"),
    [
        ("Method=GET", get("/"), True),
        ("Method=POST, GET", get("/"), True),
        ("Method=POST", get("/"), False),
        ("Header=X-Id", request(x_id=""), True),
        ("Header=X-Id", request(x_ids="1"), False),
        (r"Header=X-Id, \d+", request(x_id="12"), True),
        (r"Header=X-Id, \d+", request(x_id="12a"), False),
        (r"Header=x-ID, \d+", request(x_id="1"), True),
        (r"Header=X-Id, .*", request(x_id="x" * 9000), False),  # longer than any expression sees
        ("Query=a", get("/?a"), True),
        ("Query=a", get("/?b=a&a="), True),
        ("Query=a", get("/?b=a"), False),
        ("Query=a", get("/"), False),
        ("Query=a, x.", get("/?a=y&a=xy"), True),
        ("Query=a, x.", get("/?a=xyz"), False),
        ("Query=a, .*", get("/?a"), False),  # there, but without a value
        ("Query=ü, a b&c", get("/?%C3%BC=a+b%26c"), True),
        ("Query=ü, a", get("/?ü=a"), True),
        ("Cookie=c, ch.p", request(cookie="a=b; c=chip"), True),
        ("Cookie=c, ch.p", request(cookie='a=b;c="chip"'), True),
        ("Cookie=c, ch.p", request(cookie="c=chips"), False),
        ("Cookie=c, .*", request(cookie="cc=1; d"), False),
        ("Host=**.somehost.org", request(host="www.beta.somehost.org"), True),
        ("Host=**.somehost.org", request(host="somehost.org"), True),
        ("Host=**.somehost.org", request(host="WWW.SomeHost.Org"), True),
        ("Host=**.somehost.org", request(host="www.somehost.org:8080"), False),  # port and all
        ("Host=**.somehost.org:*", request(host="www.somehost.org:8080"), True),
        ("Host=*.somehost.org, a?c", request(host="abc"), True),
        ("Host=*.somehost.org", request(host="a.b.somehost.org"), False),
        ("Host=a.**", request(host="a"), True),
        ("Host=a.**.b", request(host="a.x.y.b"), True),
        ("Host=a.**.b", request(host="a.b"), True),
        ("Host=a.**.b", request(host="a.bb"), False),
        ("Host=**", request(host="a.b"), True),
        ("Host=**", get("/"), False),
        ("Host={sub}.x.org", request(host=".x.org"), False),
        ("Host=**", request(host="x" * 400), False),
        ("RemoteAddr=192.168.1.1/24", get("/", "192.168.1.77"), True),
        ("RemoteAddr=192.168.1.1", get("/", "192.168.1.2"), False),
        ("RemoteAddr=10.0.0.1, ::1", get("/", "::1"), True),
        ("RemoteAddr=10.0.0.0/8", get("/", "::ffff:10.1.2.3"), True),
        ("RemoteAddr=0.0.0.0/0", get("/", ""), False),
        ("RemoteAddr=10.0.0.1", get("/", "1.1.1.1", x_forwarded_for="10.0.0.1"), False),
        ("XForwardedRemoteAddr=10.0.0.1", get("/", "1.1.1.1", x_forwarded_for="9.9.9.9, 10.0.0.1"), True),
        ("XForwardedRemoteAddr=10.0.0.1", get("/", "1.1.1.1", x_forwarded_for="10.0.0.1, 9.9.9.9"), False),
        ("XForwardedRemoteAddr=10.0.0.1", get("/", "10.0.0.1"), True),
        ("XForwardedRemoteAddr=10.0.0.1", get("/", "1.1.1.1", x_forwarded_for="nonsense"), False),
        ("After=2017-01-20T17:42:47.788-07:00[America/Denver]", get("/"), True),
        ("After=2017-01-20T17:42:47.790-07:00[America/Denver]", get("/"), False),
        ("After=1484959367788", get("/"), True),
        ("Before=2017-01-21T00:42:48Z", get("/"), True),
        ("Before=2017-01-21T00:42Z", get("/"), False),
        ("Between=2017-01-20T17:42:47-07:00, 2017-01-21T00:42:48Z", get("/"), True),
        ("Between=1484959368000, 1484959369000", get("/"), False),
        ("Path=/red/{s},/blue/{s}", get("/blue/1/"), True),
        ("Path=/red/{s}, false", get("/red/1/"), False),
        ("Path=/red/{s}, true", get("/red/1/"), True),
    ],
)
def test_what_they_take(predicate: str, asked: RouteRequest, takes: bool) -> None:
    assert (table(predicate).find(asked) is not None) is takes


def test_several_forwarded_headers_are_not_believed() -> None:
    twice = RouteRequest("GET", "/", headers=[(b"x-forwarded-for", b"10.0.0.1")] * 2, client="1.1.1.1")
    assert table("XForwardedRemoteAddr=10.0.0.1").find(twice) is None


def test_the_index_of_what_is_trusted_is_in_the_long_form() -> None:
    part = Part("XForwardedRemoteAddr", named={"sources.0": "10.0.0.1", "maxTrustedIndex": "2"})
    two = RouteTable([RouteSpec("r", "lb://a", (part,))])
    assert two.find(get("/", x_forwarded_for="10.0.0.1, 9.9.9.9")) is not None
    assert two.find(get("/", x_forwarded_for="10.0.0.1")) is not None  # the first, if there are fewer


def test_all_must_hold_and_their_order_is_nobodys_business() -> None:
    for predicates in (("Path=/a", "Method=GET", "Query=q"), ("Query=q", "Path=/a", "Method=GET")):
        found = table(*predicates)
        assert found.find(get("/a?q")) is not None
        assert found.find(get("/b?q")) is None
        assert found.find(get("/a")) is None
        assert found.find(get("/a?q", method="POST")) is None


@pytest.mark.parametrize(
    ("predicate", "words"),
    [
        ("Method=", "takes methods"),
        ("Method=get", "in upper case"),
        ("Header=", "needs header"),
        ("Header=a b", "no name of a header"),
        ("Header=a, (", "regular expression"),
        ("Header=a, b, c", "takes header, regexp, not 3 values"),
        ("Cookie=c", "needs regexp"),
        ("Host=", "needs a pattern"),
        ("Host=a**", "whole segment"),
        ("Host={a}.{a}", "twice"),
        ("Host={a-b}", "is written {name}"),
        ("Host={a:b}", "is written {name}"),
        ("RemoteAddr=", "needs an address"),
        ("RemoteAddr=10.0.0.1/33", "no address"),
        ("RemoteAddr=localhost", "no address"),
        ("After=", "needs datetime"),
        ("After=2017-01-20T17:42:47", "is no time"),
        ("After=2017-13-20T17:42:47Z", "is no time"),
        ("After=tomorrow", "is no time"),
        ("Between=2, 1", "before the second"),
        ("Between=2", "needs datetime2"),
        ("Weight=g", "needs weight"),
        ("Weight=g, -1", "weight takes a number"),
        ("Path=/{a}/{a}", "twice"),
        ("Path=/{a:(}", "regular expression"),
        ("Path=/{a:(b)}", "no groups"),
        ("ReadBody=x", "is Spring's, but not offered here"),
        ("path=/a", "is not known here; known: After, Before"),
    ],
)
def test_what_is_wrong_names_route_and_predicate(predicate: str, words: str) -> None:
    with pytest.raises(RouteError) as caught:
        table(predicate)
    assert str(caught.value).startswith("route 'r': ")
    assert predicate.partition("=")[0] in str(caught.value)
    assert words in str(caught.value)


def weighted(*routes: tuple[str, str], chance: Callable[[], float]) -> RouteTable:
    specs = [route_spec(name, "lb://a", ["Path=/**", *more.split(";")]) for name, more in routes]
    return RouteTable(specs, chance=chance)


def test_weights_share_a_group() -> None:
    numbers = iter(x / 100 for x in range(100))
    found = weighted(
        ("high", "Weight=g,8"), ("low", "Weight=g,2"), ("none", "Weight=g,0"), chance=lambda: next(numbers)
    )
    picked = Counter(route.id if (route := found.find(get("/"))) else "" for _ in range(100))
    assert picked == {"high": 80, "low": 20}


def test_one_number_for_each_request_and_group() -> None:
    drawn: list[float] = []

    def chance() -> float:
        drawn.append(0.9)
        return 0.9

    found = weighted(
        ("a1", "Weight=a,1;Query=never"), ("a2", "Weight=a,1;Query=never"), ("b", "Weight=b,1"), chance=chance
    )
    assert (route := found.find(get("/"))) is not None
    assert route.id == "b"
    assert len(drawn) == 1  # of a group whose routes do not match otherwise none is drawn
    found = weighted(("a1", "Weight=a,1"), ("a2", "Weight=a,1"), chance=chance)
    assert (route := found.find(get("/"))) is not None
    assert (route.id, len(drawn)) == ("a2", 2)


def test_the_turn_of_a_route_that_does_not_match_goes_to_nobody() -> None:
    # As in Spring: the share is of all requests, whatever the other predicates say.
    found = weighted(("a", "Weight=g,1;Query=q"), ("b", "Weight=g,1"), chance=lambda: 0.1)
    assert found.find(get("/")) is None


def test_a_route_has_one_weight_in_a_group() -> None:
    with pytest.raises(RouteError, match="two weights"):
        weighted(("a", "Weight=g,1;Weight=g,2"), chance=lambda: 0)


@pytest.mark.parametrize(
    ("earlier", "later", "shadowed"),
    [
        (["Path=/a/**"], ["Path=/a/b"], True),
        (["Path=/a/**", "Method=GET"], ["Path=/a/b"], False),
        (["Path=/a/**", "Method=GET,POST"], ["Path=/a/b", "Method=GET"], True),
        (["Path=/a/**"], ["Path=/a/b", "Header=X"], True),
        (["Path=/a/**", "Header=X"], ["Path=/a/b", "Header=x, 1"], True),
        (["Path=/a/**", "Header=X, 1"], ["Path=/a/b", "Header=X"], False),
        (["Query=q, 1"], ["Query=q, 1", "Path=/a"], True),
        (["Cookie=c, 1"], ["Cookie=c, 2"], False),
        (["Cookie=c, 1"], ["Cookie=c, 1"], True),
        (["Path=/**"], ["Host=a"], True),
        (["Host=**.x.org"], ["Host=a.x.org", "Path=/a"], True),
        (["Host=**.x.org"], ["Host=ax.org"], False),
        (["Host=a"], ["Path=/a"], False),
        (["RemoteAddr=10.0.0.0/8"], ["RemoteAddr=10.1.0.0/16,10.2.0.0/16"], True),
        (["RemoteAddr=10.0.0.0/8"], ["RemoteAddr=10.1.0.0/16,::1"], False),
        (["XForwardedRemoteAddr=10.0.0.1"], ["XForwardedRemoteAddr=10.0.0.1"], True),
        (["After=2000-01-01T00:00Z"], ["Path=/a"], True),
        (["After=2100-01-01T00:00Z"], ["Path=/a"], False),
        (["After=2100-01-01T00:00Z"], ["After=2101-01-01T00:00Z"], True),
        (["Before=2100-01-01T00:00Z"], ["Path=/a"], False),
        (["Path=/**", "Weight=g,1"], ["Path=/a"], False),
        (["Weight=g,1"], ["Weight=g,1"], False),
        (["Path=/a, false"], ["Path=/a"], False),
        (["Path=/a"], ["Path=/a, false"], True),
        (["Path=/a,/b"], ["Path=/b"], True),
        (["Path=/b"], ["Path=/a,/b"], False),
    ],
)
def test_who_is_never_reached(earlier: list[str], later: list[str], shadowed: bool) -> None:
    specs = [route_spec("first", "lb://a", earlier), route_spec("second", "lb://b", later)]
    warnings = RouteTable(specs, clock=lambda: NOON).warnings
    assert bool(warnings) is shadowed
    if shadowed:
        assert "route 'second' is never reached: 'first' before it" in warnings[0]


def test_a_route_whose_time_is_over_is_warned_about() -> None:
    for predicate in ("Before=1", "Between=1, 2"):
        assert table(predicate).warnings == ("route 'r' is never reached: its time is over",)
    assert table("Before=2100-01-01T00:00Z").warnings == ()


def test_a_repetition_of_a_repetition_is_warned_about() -> None:
    found = table(r"Header=X, (a+)+b", "Query=q, (ab?)+", "Path=/a+/{x:(?:b*)+}")
    assert len(found.warnings) == 2
    assert "Header: '(a+)+b' repeats a repetition" in found.warnings[0]
    assert "Path: '(?:b*)+' repeats a repetition" in found.warnings[1]
