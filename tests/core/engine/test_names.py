"""Users whom the server knows by other names than ours, or by none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from core.engine.headless import run
from core.engine.names import missing_names, other_names
from core.environment import Action, EnvironmentEvent, EnvironmentInfo, InstanceInfo, StartStep
from core.errors import ExitCode
from core.load.scenario import Scenario
from core.report.figures import UserRow
from core.report.result import Result
from core.report.summary import Facts, judge
from tests.support.results import facts_of, tally
from tests.support.stomp_peer import websocket_server


class Somebodys:
    """A deployment whose users connect at ``url`` and whose pushes go nowhere."""

    def __init__(self, url: str) -> None:
        self._url = url

    def describe(self) -> EnvironmentInfo:
        # A push to the discard port would be refused; none is to be made.
        instances = (InstanceInfo("a", "ready", "http://127.0.0.1:9"),)
        return EnvironmentInfo("somebody's", "attached", self._url, self._url, instances)

    async def start(self, progress: Callable[[StartStep], None]) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def control(self, action: Action, instance: str | None = None) -> str:
        raise AssertionError

    async def events(self) -> AsyncIterator[EnvironmentEvent]:
        return
        yield


async def result_with(name_of: Callable[[str], str], users: int = 4) -> Result:
    async with websocket_server() as (url, server):
        server.name_of = name_of
        scenario = Scenario(users=users, rate=20, duration=0.3)
        return await run(scenario, Somebodys(url), workers=0)


async def test_one_name_for_all_is_an_error_before_any_push() -> None:
    result = await result_with(lambda user: "alice")
    assert result.exit_code == ExitCode.UNREACHABLE
    assert result.summary.attempted == 0
    assert result.reason == (
        "the server knows 4 of 4 users by another name: 'user-1' as 'alice', 'user-2' as 'alice', "
        "'user-3' as 'alice', …; users of one name are sessions of one user (user-name of CONNECTED)"
    )


async def test_one_user_of_another_name_is_enough() -> None:
    result = await result_with(lambda user: "Anna" if user == "user-2" else user)
    assert (result.exit_code, result.summary.attempted) == (ExitCode.UNREACHABLE, 0)
    assert "knows 1 of 4 users by another name: 'user-2' as 'Anna' (user-name" in result.reason


async def test_users_without_names_are_pushed_to() -> None:
    result = await result_with(lambda user: "")
    assert result.summary.attempted > 0  # nobody answers there: what becomes of them is no matter


def row(number: int, known_as: str, connected_t: float = 1.0) -> UserRow:
    return UserRow(f"user-{number}", "connected", "i1", connected_t, 0, 0, known_as=known_as)


def test_names_that_are_missing_are_in_doubt() -> None:
    plain, mixed = {"websocket": 1}, {"websocket": 1, "xhr-polling": 1}
    assert missing_names([row(1, "user-1"), row(2, "user-2")], plain).words == ""
    assert missing_names([row(1, "", -1.0)], plain).words == ""  # it never was connected
    nobody = missing_names([row(1, ""), row(2, "")], mixed)
    assert nobody.words.startswith("the server names no user in CONNECTED")
    assert not nobody.always
    some = missing_names([row(1, "user-1"), row(2, ""), row(3, "user-3"), row(4, "")], mixed)
    assert some.always
    assert "names the users of websocket in CONNECTED (user-name) and not those of xhr-polling" in some.words


def test_names_are_told_without_control_characters() -> None:
    assert "as '\\x1b[2J'" in other_names([row(1, "\x1b[2J")], 1)


GOOD = tally("i1", "i1", 40, 1.0, 2.0)
BAD = tally("i1", "i1", 40, 1.0, lost=1)


@pytest.mark.parametrize(
    ("facts", "always", "said"),
    [
        (facts_of(GOOD), False, ""),
        (facts_of(GOOD), True, "; no names"),
        (facts_of(BAD), False, "; likely cause: no names"),
        (facts_of(BAD), True, "; likely cause: no names"),
    ],
)
def test_a_doubt_is_named_beside_losses(facts: Facts, always: bool, said: str) -> None:
    plain, code = judge(facts)
    doubted, same = judge(msgspec.structs.replace(facts, doubt="no names", doubt_always=always))
    assert (doubted.reason, same) == (plain.reason + said, code)
