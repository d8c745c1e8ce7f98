from collections.abc import Mapping, Sequence

from .listener import ConnectionListener

class _Connection:
    def __init__(
        self,
        host_and_ports: Sequence[tuple[str, int]] | None = None,
        *,
        reconnect_attempts_max: int = 3,
        timeout: float | None = None,
        heartbeats: tuple[int, int] = (0, 0),
        vhost: str | None = None,
        auto_decode: bool = True,
        encoding: str = "utf-8",
        auto_content_length: bool = True,
    ) -> None: ...
    def set_listener(self, name: str, listener: ConnectionListener | None) -> None: ...
    def remove_listener(self, name: str) -> None: ...
    def is_connected(self) -> bool: ...
    def connect(
        self,
        username: str | None = None,
        passcode: str | None = None,
        wait: bool = False,
        headers: Mapping[str, str] | None = None,
        with_connect_command: bool = False,
    ) -> None: ...
    def disconnect(self, receipt: str | None = None, headers: Mapping[str, str] | None = None) -> None: ...
    def send(
        self,
        destination: str,
        body: str | bytes,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        **keyword_headers: str,
    ) -> None: ...
    def subscribe(
        self,
        destination: str,
        id: str | int,
        ack: str = "auto",
        headers: Mapping[str, str] | None = None,
        **keyword_headers: str,
    ) -> None: ...
    def unsubscribe(self, id: str | int, headers: Mapping[str, str] | None = None) -> None: ...
    def begin(self, transaction: str | None = None, headers: Mapping[str, str] | None = None) -> str: ...
    def commit(self, transaction: str, headers: Mapping[str, str] | None = None) -> None: ...
    def abort(self, transaction: str, headers: Mapping[str, str] | None = None) -> None: ...

class StompConnection10(_Connection):
    def ack(self, id: str, transaction: str | None = None, receipt: str | None = None) -> None: ...

class StompConnection11(_Connection):
    def ack(
        self, id: str, subscription: str, transaction: str | None = None, receipt: str | None = None
    ) -> None: ...
    def nack(
        self, id: str, subscription: str, transaction: str | None = None, receipt: str | None = None
    ) -> None: ...

class StompConnection12(_Connection):
    def ack(self, id: str, transaction: str | None = None, receipt: str | None = None) -> None: ...
    def nack(self, id: str, transaction: str | None = None, receipt: str | None = None) -> None: ...
