"""One keep-alive connection carries any number of pushes."""

import asyncio

from server.instance import Instance, InstanceSettings

_BODY = b'{"user":"nobody","destination":"/topic/greetings","payload":"%s"}' % (b"x" * 200)
_REQUEST = (
    b"POST /push HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)


async def test_many_pushes_on_one_connection_are_all_accepted() -> None:
    """The limit on a head's size counts one head, not the connection's bytes."""
    async with Instance(InstanceSettings()) as instance:
        reader, writer = await asyncio.open_connection("127.0.0.1", instance.port)
        for _ in range(400):  # 120 KB in all, twice the limit of a head
            writer.write(_REQUEST)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 202 ")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
        writer.close()
        await writer.wait_closed()
