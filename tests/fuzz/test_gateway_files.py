"""Configuration files of a gateway with anything in them: understood or a RouteError, nothing else."""

from __future__ import annotations

import contextlib

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.gateway import RouteError, RouteTable, parse_spring_yaml, parse_toml, route_spec
from server.gateway.routing.java_regex import compile_java
from server.gateway.routing.request import RouteRequest

ARTICLE = r"""spring.cloud.gateway:
  default-filters: [AddResponseHeader=X, 1]
  httpclient: {connect-timeout: 1, response-timeout: 5s}
  routes:
  - id: web-socket
    uri: lb://web-socket
    order: 1
    metadata: {idle-timeout: 5}
    predicates:
    - Path=/web-socket/{a}/**
    - name: Header
      args: {header: X, regexp: '\d+'}
    filters:
    - RewritePath=/web-socket/(?<path>.*), /$\{path}
    - Retry=3,BAD_GATEWAY
server.compression.mime-types: a/b
"""

TOML = r"""port = 1
default_filters = ["Retry=1"]
[compression]
min_size = 1
[[routes]]
id = "a"
uri = "lb://a"
predicates = ["Path=/a/**", { name = "Header", args = { header = "X" } }]
filters = ['RewritePath=/a/(?<x>.*), /$\{x}']
"""

NAMES = (  # noqa: SIM905
    "Path Host Method Header Query Cookie RemoteAddr XForwardedRemoteAddr Weight After Before Between "
    "RewritePath StripPrefix PrefixPath SetPath AddRequestHeader SetResponseHeader RemoveRequestHeader "
    "DedupeResponseHeader PreserveHostHeader Retry CircuitBreaker Moon"
).split()
bits = st.sampled_from(
    [
        *"/*?{}()[]:;,.=+-$\\|^&#%",
        "**",
        "{a}",
        "{*r}",
        "a",
        "b",
        "1",
        "-1",
        "GET",
        "true",
        "(?<n>",
        "${n}",
        "é",
        " ",
    ]
)
words = st.one_of(st.lists(bits, max_size=8).map("".join), st.text(max_size=12))


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    """A file with pieces cut out, doubled or replaced."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        text = text[:start] + draw(st.one_of(words, st.just(text[start:end] * 2))) + text[end:]
    return text


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(damaged(ARTICLE))
def test_yaml(text: str) -> None:
    with contextlib.suppress(RouteError):
        parse_spring_yaml(text)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(damaged(TOML))
def test_toml(text: str) -> None:
    with contextlib.suppress(RouteError):
        parse_toml(text)


@given(st.text(max_size=80))
def test_anything_at_all(text: str) -> None:
    for parse in (parse_spring_yaml, parse_toml):
        with contextlib.suppress(RouteError):
            parse(text)


requests = st.builds(
    RouteRequest,
    st.sampled_from(["GET", "POST"]),
    st.lists(st.sampled_from([*"/ab;%2.-\xff", "//", "{a}"]), max_size=8).map(
        lambda found: "/" + "".join(found)
    ),
    st.binary(max_size=8),
    st.lists(
        st.tuples(st.sampled_from([b"host", b"cookie", b"x-forwarded-for", b"a"]), st.binary(max_size=8)),
        max_size=4,
    ),
    st.sampled_from(["", "10.0.0.1", "::1%eth0", "nonsense"]),
)


@given(st.sampled_from(NAMES), st.lists(words, max_size=3), st.sampled_from(NAMES), words, requests)
def test_routes_that_can_be_built_can_be_asked(
    predicate: str, arguments: list[str], name: str, argument: str, request: RouteRequest
) -> None:
    predicates = [f"{predicate}={','.join(arguments)}"]
    try:
        table = RouteTable([route_spec("r", "lb://a", predicates, [f"{name}={argument}"])])
    except RouteError:
        return
    if (route := table.find(request)) is not None:
        assert route.path_for(request).encode("latin-1").startswith(b"/")
        route.request_headers(request, [])
        route.response_headers(request, [])


@given(words)
def test_expressions(text: str) -> None:
    with contextlib.suppress(ValueError):
        compile_java(text)
