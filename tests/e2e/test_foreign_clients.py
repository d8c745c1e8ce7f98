"""@stomp/stompjs on Node, a client that nobody here wrote, against a cluster of real processes."""

from __future__ import annotations

import os
import signal
import sys
import urllib.parse
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from server import LocalCluster
from server.instance import Instance
from server.settings.instance import InstanceSettings
from tests.support.processes import until
from tests.support.requirements import requires
from tests.support.stompjs import StompJs

pytestmark = [requires("stompjs", "ws"), pytest.mark.asyncio(loop_scope="module")]

GREETINGS = "/user/topic/greetings"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cluster() -> AsyncIterator[LocalCluster]:
    async with LocalCluster(instances=2) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def stompjs() -> AsyncIterator[StompJs]:
    async with StompJs() as client:
        yield client


def place(cluster: LocalCluster, where: str) -> str:
    """WebSocket address of the gateway's route, or of an instance."""
    info = cluster.describe()
    if where == "gateway":
        return f"ws{info.gateway_url.removeprefix('http')}/web-socket/ws"
    return next(f"ws{each.push_url.removeprefix('http')}/ws" for each in info.instances if each.id == where)


async def push(url: str, user: str) -> None:
    """The article's push."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{url}/test?username={urllib.parse.quote(user)}") as answer,
    ):
        assert (answer.status, await answer.text()) == (200, "")


def logged(cluster: LocalCluster, text: str) -> list[str]:
    """Ids of the instances that logged a line with this end."""
    ids = [each.id for each in cluster.describe().instances]
    return [id for id in ids if any(line.endswith(text) for line in cluster.log_of(id))]


# ---- the article's test ----------------------------------------------------------------------


@pytest.mark.parametrize("where", ["gateway", "i1", "i2"])
async def test_the_article_as_it_is(cluster: LocalCluster, stompjs: StompJs, where: str) -> None:
    connected = await stompjs.connect(place(cluster, where))
    assert connected["version"] == "1.2"
    assert connected["headers"]["user-name"] == "lijian"
    assert connected["headers"]["instance"] in ("i1", "i2")
    if where != "gateway":
        assert connected["headers"]["instance"] == where
    assert (await stompjs.expect("open"))["protocol"] == "v12.stomp"
    await stompjs.subscribe("sub-0", GREETINGS)

    for instance in cluster.describe().instances:
        await push(instance.push_url, "lijian")
        message = await stompjs.expect("message")
        assert message["body"] == "hello:lijian"
        assert message["headers"]["destination"] == GREETINGS
        assert message["headers"]["subscription"] == "sub-0"
        assert "simpOrigDestination" not in message["headers"]

    text = f"ssss to {where}"
    stompjs.do("publish", destination="/app/hello", body=text, receipt="said")
    assert (await stompjs.expect("message"))["body"] == "hello"
    assert (await stompjs.expect("receipt"))["id"] == "said"
    await until(lambda: bool(logged(cluster, f"message: {text}")), "the text is logged")
    assert logged(cluster, f"message: {text}") == [connected["headers"]["instance"]]

    stompjs.do("deactivate")
    assert (await stompjs.expect("disconnected"))["headers"]["receipt-id"].startswith("close-")
    assert (await stompjs.expect("closed"))["clean"] is True
    await stompjs.expect("deactivated")
    assert stompjs.events == []


async def test_a_push_through_either_instance_reaches_every_session_of_a_user(
    cluster: LocalCluster, stompjs: StompJs
) -> None:
    user = "two / devices & ümlaut"
    async with StompJs() as other:
        for client, where in ((stompjs, "i1"), (other, "i2")):
            url = f"{place(cluster, where)}?user={urllib.parse.quote(user)}"
            assert (await client.connect(url))["headers"]["user-name"] == user
            await client.subscribe("sub-0", GREETINGS)
        for instance in cluster.describe().instances:
            await push(instance.push_url, user)
            for client in (stompjs, other):
                assert (await client.expect("message"))["body"] == f"hello:{user}"
    assert [event["event"] for event in stompjs.events] == ["open"]


# ---- versions, headers, bodies ---------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
@pytest.mark.parametrize("subprotocols", [True, False])
async def test_versions(cluster: LocalCluster, stompjs: StompJs, version: str, subprotocols: bool) -> None:
    connected = await stompjs.connect(
        place(cluster, "gateway"),
        versions=[version],
        subprotocols=subprotocols,
        heartbeat=[10_000, 10_000],
        headers={"login": "not lijian", "passcode": "x"},
    )
    assert connected["version"] == version
    assert connected["headers"]["heart-beat"] == "10000,10000"
    protocol = f"v{version.replace('.', '')}.stomp" if subprotocols else ""
    assert (await stompjs.expect("open"))["protocol"] == protocol
    user = connected["headers"]["user-name"]
    assert user == "not lijian"
    await stompjs.subscribe("sub-0", GREETINGS)
    await push(cluster.describe().instances[0].push_url, user)
    assert (await stompjs.expect("message"))["body"] == "hello:not lijian"


@pytest.mark.parametrize(
    ("topic", "headers", "hex"),
    [
        ("plain", {"k": "v"}, b"text".hex()),
        ("empty", {}, ""),
        ("binary", {"content-type": "application/octet-stream"}, bytes(range(256)).hex()),
        ("not UTF-8", {"content-type": "text/plain"}, b"\xff\xfe".hex()),
        ("nul", {}, b"a\0b\n\n\0".hex()),
        # stompjs escapes values, not names
        ("escapes", {"a": "b:c\\d\ne:\r", "ü": "größe 🎈", "empty": ""}, "größe".encode().hex()),
        ("large", {}, (b"x" * 60_000).hex()),
    ],
)
async def test_any_message_arrives_as_it_was_sent(
    cluster: LocalCluster, stompjs: StompJs, topic: str, headers: dict[str, str], hex: str
) -> None:
    destination = f"/topic/test.{topic.replace(' ', '-')}"
    await stompjs.connect(place(cluster, "i1"))
    await stompjs.subscribe("sub-0", destination)
    async with StompJs() as sender:
        await sender.connect(place(cluster, "i2"))
        sender.do("publish", destination=destination, headers=headers, hex=hex, receipt="sent")
        await sender.expect("receipt")
    message = await stompjs.expect("message")
    assert message["hex"] == hex
    assert headers.items() <= message["headers"].items()
    assert message["headers"]["destination"] == destination
    assert "receipt" not in message["headers"]


async def test_receipts_and_unsubscribing(cluster: LocalCluster, stompjs: StompJs) -> None:
    destination = "/topic/test.unsubscribing"
    await stompjs.connect(place(cluster, "gateway"))
    await stompjs.subscribe("a", destination)
    await stompjs.subscribe("b", destination)
    stompjs.do("publish", destination=destination, body="1", receipt="first")
    got = {(await stompjs.expect("message"))["subscription"] for _ in "ab"}
    assert got == {"a", "b"}
    await stompjs.expect("receipt")
    stompjs.do("unsubscribe", id="a", receipt="left")
    assert (await stompjs.expect("receipt"))["id"] == "left"
    stompjs.do("publish", destination=destination, body="2")
    assert (await stompjs.expect("message"))["subscription"] == "b"
    # all that was sent before has been handled when this receipt comes
    stompjs.do("publish", destination=destination, body="3", receipt="last")
    await stompjs.expect("receipt")
    assert (await stompjs.expect("message"))["body"] == "3"
    assert [event for event in stompjs.events if event["event"] != "open"] == []


async def test_transactions(cluster: LocalCluster, stompjs: StompJs) -> None:
    destination = "/topic/test.transactions"
    await stompjs.connect(place(cluster, "i1"))
    await stompjs.subscribe("a", destination)
    for transaction, end in (("t1", "abort"), ("t2", "commit")):
        stompjs.do("begin", id=transaction)
        for number in "12":
            headers = {"transaction": transaction}
            stompjs.do("publish", destination=destination, body=f"{transaction} {number}", headers=headers)
        stompjs.do("publish", destination=destination, body=f"beside {transaction}")
        assert (await stompjs.expect("message"))["body"] == f"beside {transaction}"
        stompjs.do(end, id=transaction)
    assert [(await stompjs.expect("message"))["body"] for _ in range(2)] == ["t2 1", "t2 2"]


# ---- refusals and heart-beats ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("destination", "message"),
    [("/nowhere/x", "/nowhere/x"), ("/topic/simp-user-registry", "/topic/simp-user-registry")],
)
async def test_a_refused_subscription_is_an_error_that_says_why(
    cluster: LocalCluster, stompjs: StompJs, destination: str, message: str
) -> None:
    await stompjs.connect(place(cluster, "gateway"))
    stompjs.do("subscribe", id="1", destination=destination, receipt="r")
    error = await stompjs.expect("error")
    assert error["headers"]["receipt-id"] == "r"
    assert message in error["headers"]["message"] + error["body"]
    assert (await stompjs.expect("closed"))["code"] == 1002


@pytest_asyncio.fixture(loop_scope="module")
async def beating() -> AsyncIterator[Instance]:
    """An instance with quick heart-beats, in this loop."""
    async with Instance(InstanceSettings(heartbeat_ms=(1000, 1000), broker_url="memory:")) as instance:
        yield instance


async def test_heartbeats_in_both_directions(beating: Instance, stompjs: StompJs) -> None:
    url = f"ws://127.0.0.1:{beating.port}/ws"
    await stompjs.connect(url, heartbeat=[1000, 1000])
    for _ in range(2):
        await stompjs.expect("beat-sent")
        await stompjs.expect("beat-received")
    await stompjs.subscribe("0", GREETINGS)
    assert not [event for event in stompjs.events if event["event"] in ("closed", "error")]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
async def test_a_client_that_falls_silent_is_let_go(beating: Instance, stompjs: StompJs) -> None:
    await stompjs.connect(f"ws://127.0.0.1:{beating.port}/ws", heartbeat=[1000, 1000])
    assert beating.sessions == 1
    os.kill(stompjs.pid, signal.SIGSTOP)
    try:
        await until(lambda: beating.sessions == 0, "the silent client is let go")
    finally:
        os.kill(stompjs.pid, signal.SIGCONT)
    assert (await stompjs.expect("closed"))["code"] in (1002, 1006)  # 1006: its own patience may end first


# ---- acknowledgement -------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.1", "1.2"])
async def test_acknowledgement_of_a_queue(cluster: LocalCluster, stompjs: StompJs, version: str) -> None:
    queue = f"/queue/work-{version}"
    await stompjs.connect(place(cluster, "i1"), versions=[version])
    stompjs.do("subscribe", id="w", destination=queue, headers={"ack": "client-individual"}, receipt="sub")
    await stompjs.expect("receipt")
    for number in range(3):
        stompjs.do("publish", destination=queue, body=str(number))
    first, second, third = [await stompjs.expect("message") for _ in range(3)]
    assert ("ack" in first["headers"]) == (version == "1.2")
    stompjs.do("nack", number=second["number"])
    again = await stompjs.expect("message")
    assert (again["body"], again["headers"]["redelivered"]) == ("1", "true")
    stompjs.do("ack", number=third["number"], receipt="third")
    stompjs.do("ack", number=again["number"], receipt="again")
    assert [(await stompjs.expect("receipt"))["id"] for _ in range(2)] == ["third", "again"]
    async with StompJs() as other:
        await other.connect(place(cluster, "i2"))
        await other.subscribe("w", queue)
        stompjs.do("deactivate")  # what it holds goes to the other
        left = await other.expect("message")
        assert (left["body"], left["headers"]["redelivered"]) == ("0", "true")


async def test_a_cumulative_acknowledgement_in_a_transaction(cluster: LocalCluster, stompjs: StompJs) -> None:
    await stompjs.connect(place(cluster, "i1"))
    head = {"ack": "client", "prefetch-count": "2"}
    stompjs.do("subscribe", id="w", destination="/queue/cumulative", headers=head, receipt="sub")
    await stompjs.expect("receipt")
    for number in range(4):
        stompjs.do("publish", destination="/queue/cumulative", body=str(number))
    _, second = [await stompjs.expect("message") for _ in range(2)]
    stompjs.do("begin", id="t")
    stompjs.do("ack", number=second["number"], headers={"transaction": "t"}, receipt="held")
    await stompjs.expect("receipt")
    assert not [event for event in stompjs.events if event["event"] == "message"]
    stompjs.do("commit", id="t")
    assert [(await stompjs.expect("message"))["body"] for _ in range(2)] == ["2", "3"]


async def test_an_unknown_acknowledgement_ends_the_session(cluster: LocalCluster, stompjs: StompJs) -> None:
    await stompjs.connect(place(cluster, "i1"))
    stompjs.do("subscribe", id="a", destination="/queue/twice", headers={"ack": "client"})
    stompjs.do("publish", destination="/queue/twice", body="x")
    message = await stompjs.expect("message")
    stompjs.do("ack", number=message["number"])
    stompjs.do("ack", number=message["number"])
    error = await stompjs.expect("error")
    assert error["headers"]["message"] == "Subscription not found"
    assert (await stompjs.expect("closed"))["code"] == 1002
