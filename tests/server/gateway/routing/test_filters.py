"""Filters: what each makes of path and headers, in which order, and what is refused.

See docs/wire/gateway.md §3.
"""

from __future__ import annotations

import pytest

from server.gateway import RouteError, RouteSpec, RouteTable, route_spec
from server.gateway.heads import Header
from server.gateway.routing.definition import Part, with_defaults
from server.gateway.routing.retry import Backoff, Retry
from server.gateway.routing.routes import Route
from tests.support.requests import get

PATTERNS = ("Path=/red/{seg}/**", "Host={sub}.org")
ASKED = get("/red/a%2Fb/x/", host="www.org")


def route(*filters: str, predicates: tuple[str, ...] = PATTERNS) -> Route:
    return RouteTable([route_spec("r", "lb://a", predicates, filters)]).routes[0]


def long_form(name: str, **named: str) -> Route:
    parts = (Part.shortcut("Path=/**"),)
    return RouteTable([RouteSpec("r", "lb://a", parts, (Part(name, named=named),))]).routes[0]


@pytest.mark.parametrize(
    ("filters", "path"),
    [
        ((), "/red/a%2Fb/x/"),
        (("StripPrefix",), "/a%2Fb/x/"),
        (("StripPrefix=2",), "/x/"),
        (("PrefixPath=/my",), "/my/red/a%2Fb/x/"),
        (("PrefixPath=/{sub}/",), "/www/red/a%2Fb/x/"),
        (("PrefixPath=/1", "PrefixPath=/2"), "/1/red/a%2Fb/x/"),  # once per request
        (("StripPrefix=2", "PrefixPath=/my"), "/my/x/"),
        (("PrefixPath=/my", "StripPrefix=2"), "/a%2Fb/x/"),
        (("SetPath=/{seg}",), "/a%2Fb"),  # still encoded: decoded twice it would be another path
        (("SetPath=/{seg}/{sub}/y", "StripPrefix"), "/www/y"),
        ((r"RewritePath=/red/?(?<rest>.*), /$\{rest}",), "/a%2Fb/x/"),
        ((r"RewritePath=/(\w+)/([^/]+), /$2/$1", "StripPrefix"), "/red/x/"),
    ],
)
def test_paths(filters: tuple[str, ...], path: str) -> None:
    assert route(*filters).path_for(ASKED) == path


CAME: list[Header] = [(b"x-a", b"1"), (b"b", b"2"), (b"x-a", b"3"), (b"x-a", b"1")]


@pytest.mark.parametrize(
    ("filters", "headers"),
    [
        (("Add{}Header=X-A, 4",), [*CAME, (b"x-a", b"4")]),
        (("Add{}Header=X-New, {{seg}} of {{sub}}",), [*CAME, (b"x-new", b"a%2Fb of www")]),
        (("Add{}Header=X-New, grüße",), [*CAME, (b"x-new", "grüße".encode())]),
        (("Set{}Header=X-A, 4",), [(b"b", b"2"), (b"x-a", b"4")]),
        (("Set{}Header=X-New, {{seg}}",), [*CAME, (b"x-new", b"a%2Fb")]),
        (("Remove{}Header=X-A",), [(b"b", b"2")]),
        (("Remove{}Header=X-B",), CAME),
    ],
)
def test_headers_of_requests_and_of_answers(filters: tuple[str, ...], headers: list[Header]) -> None:
    requests = route(*(text.format("Request") for text in filters))
    answers = route(*(text.format("Response") for text in filters))
    assert requests.request_headers(ASKED, CAME) == headers
    assert requests.response_headers(ASKED, CAME) == CAME
    assert answers.response_headers(ASKED, CAME) == headers
    assert answers.request_headers(ASKED, CAME) == CAME


@pytest.mark.parametrize(
    ("arguments", "headers"),
    [
        ("X-A", [CAME[0], CAME[1]]),
        ("X-A, RETAIN_FIRST", [CAME[0], CAME[1]]),
        ("X-A, RETAIN_LAST", [CAME[1], CAME[3]]),
        ("X-A, RETAIN_UNIQUE", CAME[:3]),
        ("B X-A", [CAME[0], CAME[1]]),
        ("B", CAME),
    ],
)
def test_headers_that_are_there_twice(arguments: str, headers: list[Header]) -> None:
    assert route(f"DedupeResponseHeader={arguments}").response_headers(ASKED, CAME) == headers


def test_requests_meet_filters_in_their_order_and_answers_the_other_way_round() -> None:
    both = route(
        "SetRequestHeader=X, 1",
        "AddRequestHeader=X, 2",
        "AddResponseHeader=Y, 2",
        "SetResponseHeader=Y, 1",
    )
    assert both.request_headers(ASKED, []) == [(b"x", b"1"), (b"x", b"2")]
    assert both.response_headers(ASKED, []) == [(b"y", b"1"), (b"y", b"2")]


def test_default_filters_and_a_routes_own_are_merged_by_number() -> None:
    defaults, own = ([Part(name) for name in names] for names in (("d1", "d2", "d3"), ("o1",)))
    assert [part.name for part in with_defaults(defaults, own)] == ["d1", "o1", "d2", "d3"]
    assert [part.name for part in with_defaults(own, defaults)] == ["o1", "d1", "d2", "d3"]


def test_the_host_is_kept_where_that_is_wished() -> None:
    assert route("PreserveHostHeader").host_for(ASKED, "10.0.0.1:1") == b"www.org"
    assert route().host_for(ASKED, "10.0.0.1:1") == b"10.0.0.1:1"


@pytest.mark.parametrize(
    ("text", "retry"),
    [
        ("Retry", Retry()),
        ("Retry=2", Retry(retries=2)),
        (
            "Retry=3,INTERNAL_SERVER_ERROR,GET,10ms,50ms,2,false",
            Retry(statuses=frozenset((500,)), backoff=Backoff(0.01, 0.05, 2.0)),
        ),
        ("Retry=1,404", Retry(retries=1, statuses=frozenset((404,)))),
    ],
)
def test_retry(text: str, retry: Retry) -> None:
    assert route(text).retry == retry


def test_retry_in_the_long_form() -> None:
    found = long_form(
        "Retry",
        methods="GET,POST",
        **{
            "series.0": "CLIENT_ERROR",
            "statuses": "I_AM_A_TEAPOT, 502",
            "exceptions": "java.io.IOException",
            "backoff.firstBackoff": "1s",
        },
    ).retry
    assert found == Retry(
        statuses=frozenset((418, 502)),
        series=frozenset((4,)),
        methods=frozenset(("GET", "POST")),
        on_timeout=False,
        backoff=Backoff(1.0),
    )


def test_what_is_asked_again_and_when() -> None:
    retry = Retry(statuses=frozenset((404,)), backoff=Backoff(0.01, 0.05, 3.0))
    assert [status for status in (200, 404, 403, 500, 503) if retry.wants(status)] == [404, 500, 503]
    assert (retry.takes("GET"), retry.takes("POST"), Retry(retries=0).takes("GET")) == (True, False, False)
    assert [retry.delay(n) for n in (1, 2, 3, 9999)] == pytest.approx([0.01, 0.03, 0.05, 0.05])
    assert Retry().delay(1) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("StripPrefix=x", "parts takes a number"),
        ("StripPrefix=-1", "parts takes a number"),
        ("StripPrefix=1,2", "takes parts, not 2 values"),
        ("PrefixPath=my", "begins with a slash"),
        ("PrefixPath=/a?b", "is no part of a path"),
        ("PrefixPath=/grün", "is no part of a path"),
        ("SetPath=/{nobody}", "not every pattern of the route captures {nobody}"),
        ("SetPath=/{", "a brace begins or ends a variable"),
        ("SetPath=/a b", "is no part of a path"),
        ("RewritePath=/a", "separated by one comma"),
        ("RewritePath=/a, /b, /c", "takes regexp, replacement, not 3 values"),
        ("RewritePath=/a, /b#c", "is no part of a path"),
        ("AddRequestHeader=X", "needs value"),
        ("AddRequestHeader=X, {nobody}", "captures {nobody}"),
        ("AddRequestHeader=X, a\r\nY: b", "no control characters"),
        ("AddRequestHeader=X Y, a", "no name of a header"),
        ("AddRequestHeader=Content-Length, 1", "belongs to the connection"),
        ("SetRequestHeader=Host, a", "belongs to the connection"),
        ("SetRequestHeader=Transfer-Encoding, chunked", "belongs to the connection"),
        ("RemoveRequestHeader=Sec-WebSocket-Key", "belongs to the connection"),
        ("RemoveResponseHeader=Content-Length", "belongs to the connection"),
        ("RemoveResponseHeader", "needs name"),
        ("DedupeResponseHeader", "needs name"),
        ("DedupeResponseHeader=X, RETAIN_NONE", "strategy 'RETAIN_NONE' is not known"),
        ("PreserveHostHeader=yes", "takes no values"),
        ("Retry=many", "retries takes a number"),
        ("Retry=1,GONE_FISHING", "status 'GONE_FISHING' is not known"),
        ("Retry=1,500,get", "in upper case"),
        ("Retry=1,500,GET,soon", "takes a duration"),
        ("Retry=1,500,GET,-5ms", "is not negative"),
        ("Retry=1,500,GET,1,1,many", "factor takes a number"),
        ("CircuitBreaker=x", "is Spring's, but not offered here; known: AddRequestHeader"),
        ("RequestRateLimiter", "is Spring's, but not offered here"),
        ("Moon=full", "filter 'Moon' is not known here; known: AddRequestHeader"),
    ],
)
def test_what_is_wrong_names_route_and_filter(text: str, words: str) -> None:
    with pytest.raises(RouteError) as caught:
        route(text)
    assert str(caught.value).startswith("route 'r': ")
    assert text.partition("=")[0] in str(caught.value)
    assert words in str(caught.value)


def test_what_is_wrong_in_the_long_form() -> None:
    for name, named, words in (
        ("StripPrefix", {"part": "1"}, "argument 'part' is not known; known: parts"),
        ("Retry", {"series": "6XX"}, "series '6XX' is not known"),
        ("Retry", {"exceptions": "a.b.NullPointerException"}, "'NullPointerException' is not known"),
        ("SetPath", {"template.0": "/a", "template.1": "/b"}, "is a single value"),
    ):
        with pytest.raises(RouteError, match=words):
            long_form(name, **named)


def test_a_variable_is_one_that_every_pattern_has() -> None:
    with pytest.raises(RouteError, match=r"captures \{a\}"):
        route("SetPath=/{a}", predicates=("Path=/{a}, /b/{b}",))
    assert route("SetPath=/{a}", predicates=("Path=/{a}, /b/{a}",)).path_for(get("/b/1")) == "/1"


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        (Part.shortcut("StripPrefix"), "StripPrefix"),
        (Part.shortcut("AddRequestHeader=X-A,  b"), "AddRequestHeader=X-A, b"),
        (Part.shortcut("AddRequestHeader=Authorization, Bearer x"), "AddRequestHeader=Authorization, ***"),
        (Part.shortcut("Header=Authorization, Bearer .*"), "Header=Authorization, Bearer .*"),
        (Part("Retry", named={"retries": "1", "methods.0": "GET"}), "Retry=retries: 1, methods.0: GET"),
        (
            Part("SetRequestHeader", named={"name": "X-Api-Key", "value": "x"}),
            "SetRequestHeader=name: X-Api-Key, value: ***",
        ),
        (
            Part("SetRequestHeader", named={"value": "x", "name": "X-Api-Key"}),
            "SetRequestHeader=value: ***, name: X-Api-Key",
        ),
    ],
)
def test_how_parts_are_shown_without_secrets(part: Part, shown: str) -> None:
    assert str(part) == shown
