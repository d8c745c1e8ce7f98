"""What the broker refuses ends the client who asked for it, in the broker's words, and nobody else."""

from __future__ import annotations

import pytest

from tests.support.instances import cluster
from tests.support.raw_stomp import joined, raw_stomp


@pytest.mark.parametrize("receipt", [{}, {"receipt": "r1"}], ids=["no receipt", "receipt"])
@pytest.mark.parametrize("command", ["SUBSCRIBE", "SEND"])
@pytest.mark.parametrize("kind", ["topic", "queue"])
async def test_a_destination_of_two_segments_ends_its_client_only(
    command: str, kind: str, receipt: dict[str, str]
) -> None:
    async with cluster(1) as found:
        (instance,) = found.instances
        async with joined(instance.url, "ann") as neighbour, raw_stomp(instance.url) as client:
            await client.connect()
            await client.send(command, {"destination": f"/{kind}/a/b", "id": "1", **receipt})
            error = await client.expect("ERROR")
            assert error.headers["message"] == "Invalid destination"
            assert error.body.decode() == f"'/a/b' is not a valid {kind} destination"
            assert error.headers.get("receipt-id") == receipt.get("receipt")
            assert (await client.closed())[0] == 1002
            assert (await found.push(instance, user="ann", payload="x"))[0] == 202
            assert (await neighbour.expect("MESSAGE")).body == b"x"
        assert instance.broker.available


async def test_a_push_to_such_a_destination_is_a_mistake_of_who_pushes() -> None:
    async with cluster(1) as found:
        (instance,) = found.instances
        status, answer = await found.push(instance, destination="/topic/a/b", payload="x")
        assert status == 400
        assert "is not a valid topic destination" in str(answer)
