"""Who is let in, and as whom, where no token is asked for."""

from __future__ import annotations

import pytest

from server.access.admission import Denied, Principal, Unproven


@pytest.mark.parametrize(
    ("query", "principal"),
    [
        (b"", None),
        (b"x=1", None),
        (b"user=", None),
        (b"user=ann", Principal("ann")),
        (b"x=1&user=J%C3%BCrgen+B", Principal("Jürgen B")),
        (b"user=ann&user=bob", Principal("ann")),
    ],
)
async def test_the_query_names_the_user(query: bytes, principal: Principal | None) -> None:
    assert await Unproven().admit({"query_string": query}) == principal


async def test_too_long_a_query_is_refused() -> None:
    with pytest.raises(Denied) as denied:
        await Unproven().admit({"query_string": b"user=ann" + b"&x=1" * 50})
    assert denied.value.status == 400
