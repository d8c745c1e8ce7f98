"""Secrets of URLs in texts that people read."""

from __future__ import annotations

import pytest

from core.client import StompClient
from core.errors import PushscopeError, TargetUnreachable
from core.redaction import without_tokens
from core.transport import connect_websocket

from ..support.processes import unused_port


def test_only_secrets_go() -> None:
    text = "GET /ws?user=joe&access_token=a.b-c_d&x=1 'http://h/?Token=x' ws://h?password=p /?tokens=1"
    assert without_tokens(text) == (
        "GET /ws?user=joe&access_token=***&x=1 'http://h/?Token=***' ws://h?password=*** /?tokens=1"
    )


def test_passwords_in_front_of_a_host_go() -> None:
    text = "ws://me:p@ss@h:1/ws?a=b:c@d http://h:80/x@y:z@ 'stomp://u:p@[::1]:61613' ws://me@h/ //h:1?@"
    assert without_tokens(text) == (
        "ws://me:***@h:1/ws?a=b:c@d http://h:80/x@y:z@ 'stomp://u:***@[::1]:61613' ws://me@h/ //h:1?@"
    )


@pytest.mark.parametrize("scheme", ["ws", "http", "bad"])
async def test_errors_of_clients_do_not_show_secrets(scheme: str) -> None:
    """Nobody there, and a URL that is none."""
    url = f"{scheme}://me:hidden@127.0.0.1:{unused_port()}/ws"
    with pytest.raises(PushscopeError) as caught:
        async with StompClient(url, user="joe", token="hidden.to.ken", within=5):
            pass
    assert "hidden" not in f"{caught.value} {caught.value.tried} {caught.value.hint}"
    with pytest.raises(TargetUnreachable) as unreachable:
        await connect_websocket(
            f"ws://127.0.0.1:{unused_port()}/?access_token=hidden", on_data=print, on_close=print
        )
    assert "hidden" not in f"{unreachable.value} {unreachable.value.tried}"
