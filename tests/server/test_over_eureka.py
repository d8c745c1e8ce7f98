"""A whole cluster that finds itself by Eureka's REST API alone, as with a real Eureka."""

from __future__ import annotations

from server.discovery import Discovery
from server.gateway import Gateway, GatewaySettings, route_spec

from ..support.instances import cluster
from ..support.processes import until
from ..support.raw_stomp import joined

#: Eureka's own 30, 90 and 30 s, made short.
TIMES = "renew=1&lease=2&fetch=0.1"


async def test_users_are_routed_pushed_to_and_moved_when_an_instance_dies() -> None:
    route = route_spec("push", "lb://web-socket", ["Path=/**"])
    async with Discovery() as discovery:
        url = f"eureka+{discovery.url}/eureka?{TIMES}"
        async with (
            cluster(2, discovery_url=url) as pair,
            Gateway(GatewaySettings(discovery_url=url, routes=(route,))) as gateway,
        ):
            one, two = pair.instances

            def serving() -> list[str]:
                return [item.id for item in gateway.everybody("web-socket") if item.status == "UP"]

            await until(lambda: serving() == ["i1", "i2"], "the gateway knows both")
            async with joined(gateway.url, "joe") as client:
                for instance in (one, two):
                    _, answer = await pair.push(instance, user="joe", payload="x")
                    assert answer["sessions"] == 1
                    assert (await client.expect("MESSAGE")).body == b"x"
            two.abort()  # no goodbye: its lease has to run out
            await until(lambda: serving() == ["i1"], "the gateway has dropped it")
            async with joined(gateway.url, "joe") as client:
                await pair.push(one, user="joe", payload="y")
                assert (await client.expect("MESSAGE")).body == b"y"
