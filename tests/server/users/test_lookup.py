"""Looking users up from any instance, in the program and over HTTP."""

from __future__ import annotations

from typing import Any

from server.instance import Instance

from ...support.instances import Cluster, cluster
from ...support.processes import until
from ...support.raw_stomp import joined, raw_stomp


async def info(found: Cluster, instance: Instance, query: str = "") -> dict[str, Any]:
    async with found.http.get(f"{instance.url}/info{query}") as response:
        return await response.json()


async def test_users_sessions_and_subscriptions_are_known_everywhere() -> None:
    async with cluster(2) as found:
        one, two = found.instances
        async with joined(one.url, "joe"), joined(two.url, "joe"), joined(two.url, "ann", "/topic/news"):
            joe = one.users.user("joe")
            assert joe is not None
            places = sorted((each.instance, each.here) for each in joe.sessions)
            assert places == [("i1", True), ("i2", False)]
            assert one.users.user("nobody") is None
            assert one.users.user_count == two.users.user_count == 3, "joe counts on both"
            assert {user.name for user in one.users.users()} == {"joe", "ann"}
            await until(
                lambda: len(one.users.find_subscriptions(lambda each: True)) == 3, "subscriptions are told"
            )
            (news,) = one.users.find_subscriptions(lambda each: each.destination == "/topic/news")
            assert (news.user, news.instance, news.id) == ("ann", "i2", "s0")
            session = one.users.session(news.session)
            assert session is not None and session.subscriptions == (news,)
        await until(lambda: not list(one.users.users()), "everybody has gone")


async def test_a_subscription_given_up_is_forgotten_by_the_peers() -> None:
    async with cluster(2) as found:
        one, two = found.instances
        async with joined(two.url, "joe") as joe:
            await joe.subscribe("/topic/more", "more")
            await until(lambda: len(one.users.find_subscriptions(lambda each: True)) == 2, "both are told")
            await joe.send("UNSUBSCRIBE", {"id": "s0"})
            await until(lambda: len(one.users.find_subscriptions(lambda each: True)) == 1, "one is left")


async def test_a_newcomer_learns_anonymous_sessions_and_subscriptions() -> None:
    async with cluster(1, default_user="") as found, raw_stomp(found.instances[0].url) as client:
        id = (await client.connect()).headers["session"]
        await client.subscribe("/user/topic/greetings")
        two = await found.add(default_user="")
        session = two.users.session(id)
        assert session is not None
        assert (session.user, session.instance) == ("", "i1")
        assert [each.destination for each in session.subscriptions] == ["/user/topic/greetings"]


async def test_info_tells_who_is_where_and_how_old_that_is() -> None:
    async with cluster(2) as found:
        one, two = found.instances
        async with joined(one.url, "joe"), joined(two.url, "ann"):
            told = await info(found, one)
            where = {user: list(sessions.values()) for user, sessions in told["where"].items()}
            assert where == {"joe": ["i1"], "ann": ["i2"]}
            assert told["where_left_out"] == 0
            registry = told["registry"]
            assert (registry["users"], registry["sessions"]) == (2, 2)
            (peer,) = registry["peers"]
            assert (peer["id"], peer["kind"], peer["sessions"]) == ("i2", "peer", 1)
            assert 0 <= peer["age_s"] < 60
            assert list((await info(found, one, "?user=ann"))["where"]) == ["ann"]
            (id,) = two.registry.local("ann")
            assert (await info(found, one, f"?user={id}"))["where"] == {id: {id: "i2"}}
            few = await info(found, one, "?users=1")
            assert (len(few["where"]), few["where_left_out"]) == (1, 1)
            assert len((await info(found, one, "?users=-3"))["where"]) == 2, "nonsense is the default"
            async with found.http.get(f"{one.url}/metrics") as response:
                text = await response.text()
            assert 'pushscope_registry_sessions{instance="i1",kind="peer",peer="i2"} 1.0' in text
