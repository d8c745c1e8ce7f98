"""Shares of transports: what makes sense, who takes which, and users of all kinds in one crowd."""

from __future__ import annotations

from collections import Counter

import aiohttp
import pytest

from core.environment import sockjs_beside
from core.errors import ScenarioError, UsageError
from core.load.crowd import Crowd
from core.load.scenario import Scenario, require_sense
from core.load.scenario_file import format_scenario, parse_scenario
from core.load.transports import PLAIN, TRANSPORTS, parse_shares, transport_of
from core.load.user import SimulatedUser, UserState
from server.instance import Instance
from server.settings.instance import InstanceSettings
from tests.support.instances import push
from tests.support.processes import until

MIXED = {"websocket": 40, "xhr-streaming": 20, "eventsource": 20, "xhr-polling": 20}


def test_users_are_dealt_out_exactly_and_evenly() -> None:
    users = [f"user-{number}" for number in range(1, 1001)]
    taken = [transport_of(user, MIXED) for user in users]
    assert Counter(taken) == {name: 10 * share for name, share in MIXED.items()}
    for begin in range(0, 1000, 5):
        assert Counter(taken[begin : begin + 5]) == {name: share // 20 for name, share in MIXED.items()}
    assert all(first != second for first, second in zip(taken[0::5], taken[1::5], strict=True))
    assert taken == [transport_of(user, dict(reversed(MIXED.items()))) for user in users], "in any order"


def test_shares_that_are_not_round_are_exact_over_their_sum() -> None:
    shares = {"websocket": 7, "sockjs-websocket": 3, "xhr-polling": 1, "eventsource": 0}
    taken = Counter(transport_of(f"user-{number}", shares) for number in range(1, 12))
    assert taken == {"websocket": 7, "sockjs-websocket": 3, "xhr-polling": 1}


def test_any_name_has_a_transport_and_keeps_it() -> None:
    for name in ("anna", "", "ü", "x9" * 40, "9" * 60):
        assert transport_of(name, MIXED) == transport_of(name, MIXED)
        assert transport_of(name, PLAIN) == "websocket"


def test_shares_as_they_are_written_on_the_command_line() -> None:
    assert parse_shares("websocket=40, xhr-streaming = 20") == {"websocket": 40, "xhr-streaming": 20}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot understand"),
        ("websocket", "cannot understand"),
        ("websocket=40%", "cannot understand"),
        ("websocket=-1", "cannot understand"),
        ("websocket=1.5", "cannot understand"),
        ("websocket=1,websocket=2", "twice"),
        ("xhr_streaming=1", "is no transport"),
        ("jsonp=1", "is no transport"),
        ("websocket=0,xhr-polling=0", "no transport a share"),
        ("websocket=1001", "between 0 and 1000"),
    ],
)
def test_mistakes_in_shares_are_named(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        parse_shares(text)
    assert caught.value.hint or "between" in words


def test_a_scenario_file_has_them_as_a_table_and_says_where_a_mistake_is() -> None:
    text = 'transports = { websocket = 40, "xhr-streaming" = 20, eventsource = 20, "xhr-polling" = 20 }\n'
    scenario = parse_scenario(text).scenario
    assert scenario.transports == MIXED
    assert parse_scenario(format_scenario(scenario)).scenario == scenario
    assert "transports" not in format_scenario(Scenario())
    for wrong, words in (
        ("transports = { xhr = 1 }", "xhr: is no transport"),
        ("transports = {}", "no transport a share"),
        ('transports = { websocket = "1" }', "whole number"),
        ("transports = 5", "transports"),
    ):
        with pytest.raises(ScenarioError, match=words) as caught:
            parse_scenario(f"users = 5\n{wrong}\n")
        assert caught.value.line == 2


def test_a_scenario_in_python_is_checked_too() -> None:
    require_sense(Scenario(transports=MIXED))
    with pytest.raises(UsageError, match=r"transports\.carrier-pigeon"):
        require_sense(Scenario(transports={"carrier-pigeon": 1}))


@pytest.mark.parametrize(
    ("websocket", "sockjs"),
    [
        ("ws://h:1/web-socket/ws?user={user}", "http://h:1/web-socket/ws?user={user}"),
        ("wss://h/app/ws/websocket", "https://h/app/ws"),
        ("ws://h", "http://h"),
    ],
)
def test_where_sockjs_is_follows_from_the_websocket(websocket: str, sockjs: str) -> None:
    assert sockjs_beside(websocket) == sockjs


class Sink:
    """Counts."""

    def __init__(self) -> None:
        self.states: list[tuple[str, UserState]] = []
        self.bodies: Counter[str] = Counter()

    def on_state(self, user: SimulatedUser, state: UserState, detail: str) -> None:
        self.states.append((user.name, state))

    def on_attempt_failed(self, user: SimulatedUser) -> None:
        pass

    def on_message(self, user: SimulatedUser, ps_id: str | None, body: bytes, received_ns: int) -> None:
        self.bodies[f"{user.transport} {body.decode()}"] += 1


async def test_users_of_all_transports_in_one_crowd() -> None:
    sink = Sink()
    shares: dict[str, int] = dict.fromkeys(TRANSPORTS, 1)
    async with Instance(InstanceSettings()) as instance:
        websocket_url = f"ws{instance.url.removeprefix('http')}/ws"
        crowd = Crowd(
            websocket_url, "/topic/greetings", sink, sockjs_url=f"{instance.url}/ws", transports=shares
        )
        async with crowd:
            crowd.add(f"user-{number}" for number in range(1, 11))
            await crowd.settled()
            assert crowd.counts["connected"] == 10
            async with aiohttp.ClientSession() as http:
                for name in crowd.users:
                    assert (await push(http, instance.url, user=name, payload="100% é"))[0] == 202
            await until(lambda: sink.bodies.total() == 10, "all pushes arrive")
            assert sink.bodies == {f"{name} 100% é": 2 for name in TRANSPORTS}
            crowd.disconnect(crowd.users)
            await until(lambda: instance.sessions == 0, "everybody has said goodbye")
    assert not any(state in ("failed", "reconnecting") for _, state in sink.states)
