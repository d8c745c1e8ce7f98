"""A client that asks and never reads an answer is not read either."""

import asyncio
import socket

import pytest

from server.instance import Instance, InstanceSettings

_BODY = b'{"user":"nobody","destination":"/topic/greetings","payload":"x"}'
_PUSH = (
    b"POST /push HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)
_MANY = 60_000  # 9 MB of answers, more than a kernel keeps for two small buffers


@pytest.mark.timeout(300)  # through a receive buffer of 4 KiB, on a machine that may be busy
async def test_pushes_wait_while_their_answers_are_not_read() -> None:
    """The instance stops reading; when the answers are taken all pushes are answered."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(280), Instance(InstanceSettings()) as instance:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            await loop.sock_connect(client, ("127.0.0.1", instance.port))
            sending = loop.create_task(loop.sock_sendall(client, _PUSH * _MANY))
            done, _ = await asyncio.wait([sending], timeout=1.5)
            assert not done, "the instance took every push, and keeps every answer"
            answered = 0
            tail = b""
            while answered < _MANY:
                data = tail + await loop.sock_recv(client, 1 << 20)
                assert len(data) > len(tail), f"ended after {answered} answers"
                answered += data.count(b"HTTP/1.1 202 ")
                tail = data[-12:]
            await sending
