"""Which instance a request goes to: new ones, those of sessions, those nobody else can answer."""

from __future__ import annotations

from collections import Counter

import pytest

from core.errors import UsageError
from server.discovery import Registration
from server.gateway.balancing.balance import Balance, Balancing, HealthCheck
from server.gateway.balancing.balancer import Balancer
from server.gateway.balancing.strategies import StrategyName
from server.gateway.balancing.targets import StaticDirectory, Target
from server.gateway.routing.request import RouteRequest
from server.gateway.routing.routes import Upstream
from tests.support.requests import get

SERVICE = Upstream(service="s")
PAGE = get("/s/page")


class Listed:
    """A directory that says what a test tells it to."""

    def __init__(self, *ids: str) -> None:
        self.listed = tuple(instance(x) for x in ids)

    def everybody(self, service: str) -> tuple[Registration, ...]:
        """The same for every service."""
        return self.listed


class Hands:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def instance(id: str, status: str = "UP", **metadata: str) -> Registration:
    return Registration(id, "s", "h", int(id[1:]), status, metadata)


def ids(targets: tuple[Target, ...]) -> list[str]:
    return [target.id for target in targets]


def balancer(directory: Listed, strategy: StrategyName = "round-robin") -> Balancer:
    return Balancer(directory, Balancing(default=Balance(strategy=strategy)))


def session(name: str, transport: str = "xhr", **headers: str) -> str:
    return f"/s/ws/123/{name}/{transport}"


def test_instances_take_turns_and_the_others_are_the_reserve() -> None:
    balancer = Balancer(StaticDirectory({"s": ("h:1", "h:2", "h:3")}))
    upstream = Upstream(service="S")
    turns = [[target.port for target in balancer.candidates(upstream, PAGE)] for _ in range(4)]
    assert turns == [[1, 2, 3], [2, 3, 1], [3, 1, 2], [1, 2, 3]]
    assert balancer.candidates(Upstream(service="nobody"), PAGE) == ()
    fixed = balancer.candidates(Upstream(host="::1", port=443, secure=True), PAGE)
    assert [x.authority for x in fixed] == ["[::1]"]


def test_turns_go_on_when_the_list_changes() -> None:
    directory = Listed()
    picked: list[str] = []
    chooser = balancer(directory)
    for listed in (("i1", "i2"), ("i1", "i2"), ("i1",), ("i1", "i2"), ("i1", "i2")):
        directory.listed = tuple(instance(x) for x in listed)
        chooser.registry_changed()
        picked.append(chooser.candidates(SERVICE, PAGE)[0].id)
    assert picked == ["i1", "i2", "i1", "i1", "i2"]


@pytest.mark.parametrize("strategy", ["round-robin", "weighted", "sticky", "hash"])
def test_websockets_take_turns_of_their_own(strategy: StrategyName) -> None:
    """SockJS asks /info before each: in the same turns all WebSockets would meet on one instance."""
    chooser = balancer(Listed("i1", "i2"), strategy)
    upgrade = RouteRequest("GET", "/s/ws", headers=((b"upgrade", b"websocket"),))
    picked: list[str] = []
    for _ in range(4):
        chooser.candidates(SERVICE, get("/s/ws/info"))
        picked.append(ids(chooser.candidates(SERVICE, upgrade))[0])
    assert picked == ["i1", "i2", "i1", "i2"]


def test_several_gateways_agree_on_the_instance_of_a_session() -> None:
    one, other = balancer(Listed("i1", "i2", "i3")), balancer(Listed("i3", "i1", "i2"))
    first: Counter[str] = Counter()
    for number in range(300):
        asked = get(session(f"s{number}"))
        assert ids(one.candidates(SERVICE, asked)) == ids(other.candidates(SERVICE, asked))
        first[one.candidates(SERVICE, asked)[0].id] += 1
    assert min(first.values()) > 60


def test_only_the_sessions_of_the_instance_that_leaves_move() -> None:
    three, two = balancer(Listed("i1", "i2", "i3")), balancer(Listed("i1", "i3"))
    for number in range(100):
        asked = get(session(f"s{number}"))
        before = ids(three.candidates(SERVICE, asked))
        assert ids(two.candidates(SERVICE, asked)) == [x for x in before if x != "i2"]


@pytest.mark.parametrize(
    "transport",
    ["xhr_send", "xhr", "xhr_streaming", "eventsource", "htmlfile", "jsonp", "jsonp_send", "xhr/"],
)
def test_a_session_stays_where_it_began(transport: str) -> None:
    directory = Listed("i1", "i2", "i3")
    chooser = balancer(directory)
    began = get(session("abc"))
    last = chooser.candidates(SERVICE, began)[-1]
    assert chooser.reached(SERVICE, began, last) == ()  # the others could not be reached
    directory.listed = tuple(
        instance(x, "OUT_OF_SERVICE" if x == last.id else "UP") for x in ("i1", "i2", "i3")
    )
    chooser.registry_changed()
    later = get(f"/other-prefix/9/abc/{transport}")
    assert chooser.candidates(SERVICE, later)[0] == last
    assert len(chooser.candidates(SERVICE, later)) == 3
    others = [target.id for target in chooser.candidates(SERVICE, PAGE)]
    assert last.id not in others
    assert last.id not in ids(chooser.candidates(SERVICE, get(session("new"))))
    directory.listed = tuple(instance(x) for x in ("i1", "i2", "i3") if x != last.id)
    chooser.registry_changed()
    assert last.id not in ids(chooser.candidates(SERVICE, later))


@pytest.mark.parametrize(
    "path",
    ["/s/ws/info", "/s/ws/0/abc/websocket", "/s/ws/0.1/abc/xhr", "/s/ws/0/a.c/xhr", "/0/xhr", "/s/ws/0//xhr"],
)
def test_other_paths_take_turns(path: str) -> None:
    chooser = balancer(Listed("i1", "i2"))
    asked = get(path)
    turns = [chooser.candidates(SERVICE, asked)[0] for _ in range(4)]
    for target in turns:
        chooser.reached(SERVICE, asked, target)
    assert [x.id for x in turns] == ["i1", "i2", "i1", "i2"]
    assert len(chooser.holders) == 0


def test_who_could_not_be_reached_is_tried_last_for_a_while() -> None:
    clock = Hands()
    chooser = Balancer(Listed("i1", "i2", "i3"), clock=clock)
    bad = chooser.candidates(SERVICE, PAGE)[0]
    chooser.unreachable(bad)
    assert [chooser.candidates(SERVICE, PAGE)[-1] for _ in range(6)] == [bad] * 6
    assert dict(chooser.states(SERVICE))[bad] == "doubted"
    clock.now += 60
    assert {chooser.candidates(SERVICE, PAGE)[-1].id for _ in range(3)} == {"i1", "i2", "i3"}
    chooser.unreachable(bad)
    chooser.reached(SERVICE, PAGE, bad)
    assert {chooser.candidates(SERVICE, PAGE)[-1].id for _ in range(3)} == {"i1", "i2", "i3"}


def test_a_session_is_not_taken_from_its_instance_by_a_doubt() -> None:
    chooser = balancer(Listed("i1", "i2"))
    asked = get(session("abc"))
    holder = chooser.candidates(SERVICE, asked)[0]
    chooser.reached(SERVICE, asked, holder)
    chooser.unreachable(holder)
    assert chooser.candidates(SERVICE, asked)[0] == holder


def test_random_takes_everybody() -> None:
    chooser = balancer(Listed("i1", "i2", "i3"), "random")
    assert {chooser.candidates(SERVICE, PAGE)[0].id for _ in range(100)} == {"i1", "i2", "i3"}
    assert len(chooser.candidates(SERVICE, PAGE)) == 3


def test_weights_are_kept_and_mixed() -> None:
    directory = Listed()
    directory.listed = (instance("i1", weight="5"), instance("i2"), instance("i3", weight="nonsense"))
    chooser = balancer(directory, "weighted")
    picked = [chooser.candidates(SERVICE, PAGE)[0].id for _ in range(14)]
    assert picked[:7] == ["i1", "i1", "i2", "i1", "i3", "i1", "i1"]
    assert Counter(picked) == {"i1": 10, "i2": 2, "i3": 2}
    sessions = Counter(chooser.candidates(SERVICE, get(session(f"s{n}")))[0].id for n in range(700))
    assert sessions["i1"] > 400 > 200 > sessions["i2"]


def test_a_cookie_brings_back_to_the_instance() -> None:
    directory = Listed("i1", "i2")
    chooser = balancer(directory, "sticky")
    first = chooser.candidates(SERVICE, PAGE)[0]
    [(name, value)] = chooser.reached(SERVICE, PAGE, first)
    assert (name, value) == (b"set-cookie", b"sc-lb-instance-id=i1; Path=/; HttpOnly; SameSite=Lax")
    again = get("/s/page", cookie="a=b; sc-lb-instance-id=i1;c=d")
    assert [chooser.candidates(SERVICE, again)[0] for _ in range(3)] == [first] * 3
    assert chooser.reached(SERVICE, again, first) == ()
    began = [get(session(f"n{n}"), cookie="sc-lb-instance-id=i1") for n in range(20)]
    assert {chooser.candidates(SERVICE, x)[0].id for x in began} == {"i1"}
    directory.listed = (instance("i1", "OUT_OF_SERVICE"), instance("i2"))
    chooser.registry_changed()
    moved = chooser.candidates(SERVICE, again)
    assert ids(moved) == ["i2"]
    assert b"=i2;" in chooser.reached(SERVICE, again, moved[0])[0][1]


def test_ids_of_any_kind_fit_into_the_cookie() -> None:
    directory = Listed()
    odd = Registration('a;b", c:ü', "s", "h", 1)
    directory.listed = (odd, instance("i2"))
    chooser = balancer(directory, "sticky")
    target = chooser.candidates(SERVICE, PAGE)[0]
    pair = chooser.reached(SERVICE, PAGE, target)[0][1].split(b";")[0].decode()
    assert pair == "sc-lb-instance-id=a%3Bb%22%2C%20c:%C3%BC"
    assert chooser.candidates(SERVICE, get("/x", cookie=pair))[0] == target


def test_the_instance_is_told_its_own_cookie_where_that_is_wished() -> None:
    balance = Balance(strategy="sticky", cookie="where", tell_instance=True)
    chooser = Balancer(Listed("i1", "i2"), Balancing(services={"S": balance}))
    target = chooser.candidates(SERVICE, PAGE)[0]
    told = chooser.request_headers(SERVICE, target, [(b"cookie", b"a=b"), (b"x", b"y")])
    assert told == [(b"x", b"y"), (b"cookie", b"a=b; where=i1")]
    elsewhere = Upstream(service="other")
    assert chooser.request_headers(elsewhere, target, [(b"x", b"y")]) == [(b"x", b"y")]
    assert chooser.reached(elsewhere, PAGE, target) == ()


def test_hash_goes_by_the_session_also_for_websockets() -> None:
    chooser = balancer(Listed("i1", "i2", "i3"), "hash")
    for name in ("a", "b", "c", "d"):
        places = {
            chooser.candidates(SERVICE, get(session(name, transport)))[0].id
            for transport in ("websocket", "xhr", "eventsource")
        }
        assert len(places) == 1
    assert [chooser.candidates(SERVICE, PAGE)[0].id for _ in range(3)] == ["i1", "i2", "i3"]


def test_who_is_ill_or_down_gets_nothing_new() -> None:
    directory = Listed("i1", "i2", "i3")
    chooser = balancer(directory)
    ill = chooser.candidates(SERVICE, PAGE)[0]
    chooser.mark(ill, ill=True)
    directory.listed = (*directory.listed[:2], instance("i3", "DOWN"), instance("i4", "STARTING"))
    chooser.registry_changed()
    assert ids(chooser.candidates(SERVICE, PAGE)) == ["i2"]
    assert [state for _, state in chooser.states(SERVICE)] == ["ill", "up", "down", "waiting"]
    chooser.mark(ill, ill=False)
    assert sorted(ids(chooser.candidates(SERVICE, PAGE))) == ["i1", "i2"]


@pytest.mark.parametrize(
    ("balance", "words"),
    [
        (Balance(strategy="best"), "'best' is not known"),  # pyright: ignore[reportArgumentType]
        (Balance(cookie="a b"), "no name of a cookie"),
        (Balance(health=HealthCheck(path="health")), "is not a path"),
        (Balance(health=HealthCheck(interval=0)), "every 0 s"),
        (Balance(health=HealthCheck(fall=0)), "fall 0"),
    ],
)
def test_nonsense_is_refused(balance: Balance, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        Balancer(Listed(), Balancing(default=balance))
    assert caught.value.hint
