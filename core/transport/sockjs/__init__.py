"""SockJS clients: four transports under one contract, chosen as sockjs-client does."""

from .connecting import SockJsConnector, connect_sockjs
from .http import HttpPool
from .options import TRANSPORTS, SockJs, SockJsTransport

__all__ = ["TRANSPORTS", "HttpPool", "SockJs", "SockJsConnector", "SockJsTransport", "connect_sockjs"]
