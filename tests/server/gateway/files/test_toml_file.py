"""Our TOML: the same power as Spring's YAML; errors with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.gateway import Compression, RouteError, RouteTable, load_gateway_file, parse_toml
from tests.support.requests import get

TOML = r"""
port = 7000
connect_timeout = 1.5
response_timeout = 0
trusted_proxies = '10\..*'
default_filters = ["AddResponseHeader=X-By, us"]

[compression]
min_size = 10

[[routes]]
id = "a"
uri = "lb://a"
order = 1
connect_timeout = 0.2
response_timeout = 3
idle_timeout = 90
metadata = { team = "push", on = true }
predicates = [
  "Path=/a/**",
  { name = "Header", args = { header = "X-A", regexp = "a, b" } },
]
filters = ["RewritePath=/a/(?<x>.*), /$\\{x}", { name = "Retry", args = { statuses = [502, "NOT_FOUND"] } }]

[[routes]]
uri = "lb://b"
predicates = ["Path=/b"]

[[routes]]
uri = "lb://b"
predicates = ["Path=/b", "Method=GET"]

[[routes]]
id = "off"
enabled = false
uri = "lb://b"
predicates = ["Path=/b"]
"""


def test_all_of_it(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(TOML, "utf-8")
    read = load_gateway_file(file)
    assert (read.port, read.connect_timeout_s, read.response_timeout_s) == (7000, 1.5, 0.0)
    assert (read.trusted_proxies, read.compression) == (r"10\..*", Compression(enabled=True, min_size=10))
    assert read.warnings == (f"{file}:33: route 'off' is disabled",)
    table = RouteTable(read.routes)
    assert [route.id for route in table.routes] == ["route-1", "route-2", "a"]
    assert table.warnings[0].startswith(f"{file}:29: route 'route-2' is never reached: 'route-1' (line 25)")
    route = table.find(get("/a/x", x_a="a, b"))
    assert route is not None
    assert (route.id, route.path_for(get("/a/x"))) == ("a", "/x")
    assert (route.timeouts.connect_s, route.timeouts.response_s, route.idle_timeout) == (0.2, 3.0, 90.0)
    assert route.spec.metadata == {"team": "push", "on": "true"}
    assert route.retry is not None
    assert route.retry.statuses == {502, 404}
    assert route.response_headers(get("/"), []) == [(b"x-by", b"us")]


ROUTE = "\n[[routes]]\nid = 'r'\nuri = 'lb://a'\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x", r"^gateway\.toml: not TOML"),
        ("x = " + "[" * 5000, r"^gateway\.toml: is nested too deeply"),
        ("x = 1" + "0" * 5000, r"^gateway\.toml: not TOML"),
        ("moon = 1", r"^gateway\.toml: has the unknown key 'moon'"),
        ("routes = 1", r"^gateway\.toml: routes: expected a list, got a whole number"),
        ("port = 70000", r"^gateway\.toml: port: expected a whole number <= 65535"),
        ("connect_timeout = 0", r"^gateway\.toml: connect_timeout: expected a number"),
        ("trusted_proxies = '('", r"^gateway\.toml: trusted_proxies"),
        ("default_filters = ['Moon']", r"^gateway\.toml:1: default-filters: filter 'Moon'"),
        (ROUTE, r"^gateway\.toml:2: route 'r': .*predicates"),
        (ROUTE + "predicates = ['Moon=1']", r"^gateway\.toml:5: route 'r': predicate 'Moon'"),
        (ROUTE + "predicates = [\n 'Path=/a',\n {name='Moon'}\n]", r"^gateway\.toml:7: route 'r': .*'Moon'"),
        (ROUTE + "predicates = [{names='Path'}]", r"^gateway\.toml:2: route 'r': .*names"),
        (ROUTE + "predicates = []\nmoon = 1", r"^gateway\.toml:2: route 'r': has the unknown key 'moon'"),
        (ROUTE + "predicates = []", r"^gateway\.toml:2: route 'r': has no predicate"),
        (ROUTE + "idle_timeout = -1\npredicates = []", r"^gateway\.toml:2: route 'r': .*idle_timeout"),
        ("routes = [{uri='lb://a', predicates=['A=1']}]", r"^gateway\.toml: route 'route-0': predicate 'A'"),
    ],
)
def test_errors_name_route_and_line(text: str, words: str) -> None:
    with pytest.raises(RouteError, match=words):
        parse_toml(text)


@pytest.mark.parametrize("name", ["docs/deployment.md", "docs/zh-CN/deployment.md"])
def test_the_example_of_the_documentation(name: str) -> None:
    text = (Path(__file__).parents[4] / name).read_text("utf-8")
    example = next(x for x in text.split("```toml\n") if "[[routes]]" in x).partition("```")[0]
    (route,) = RouteTable(parse_toml(example).routes).routes
    asked = get("/push/blue/x", x_beta="yes")
    assert (route.matches(asked), route.path_for(asked), route.idle_timeout) == (True, "/x", 90.0)
    assert route.request_headers(asked, []) == [(b"x-room", b"blue")]
