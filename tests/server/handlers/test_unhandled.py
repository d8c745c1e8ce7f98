"""What nobody handles is receipted, counted, and told once: the client cannot see that it went nowhere."""

from __future__ import annotations

import pytest

from ...support.instances import one_instance
from ...support.raw_stomp import raw_stomp


async def test_each_destination_without_a_handler_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async with one_instance() as instance, raw_stomp(instance.url) as client:
        await client.connect(login="joe")
        for number in range(6):
            destination = ("/app/nothere", "/app/neither")[number % 2]
            await client.send("SEND", {"destination": destination, "receipt": str(number)}, b"x")
            assert (await client.expect("RECEIPT")).headers["receipt-id"] == str(number)
        await client.subscribe("/app/nothere")
        assert instance.counters.unroutable == 7
    told = [record.getMessage() for record in caplog.records if "nobody handles" in record.getMessage()]
    assert [text.partition(", first")[0] for text in told] == [
        "nobody handles SEND '/app/nothere'",
        "nobody handles SEND '/app/neither'",
        "nobody handles SUBSCRIBE '/app/nothere'",
    ]
    assert all(record.levelname == "WARNING" for record in caplog.records if "nobody" in record.getMessage())


async def test_a_client_cannot_fill_the_log_with_them(caplog: pytest.LogCaptureFixture) -> None:
    async with one_instance() as instance, raw_stomp(instance.url) as client:
        await client.connect(login="joe")
        for number in range(150):
            await client.send("SEND", {"destination": f"/app/{number}\\c{'x' * 900}"}, b"x")
        await client.nothing_before_receipt()
        assert instance.counters.unroutable == 150
    told = [record.getMessage() for record in caplog.records if "nobody handles" in record.getMessage()]
    assert len(told) == 100 and all(len(text) < 500 for text in told)
    assert told[-1].endswith("and so are further destinations")
