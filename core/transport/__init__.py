"""Carriers of bytes: WebSocket on websockets' sans-IO protocol, an in-memory pair, and SockJS
(:mod:`core.transport.sockjs`, loaded when it is needed)."""

from .base import Carrier, CloseInfo, Connect, OnClose, OnData
from .choosing import connect_url
from .memory import MemoryCarrier, MemoryNetwork, memory_pair
from .reader import MAX_MESSAGE, MessageReader
from .websocket import STOMP_SUBPROTOCOLS, WebSocketCarrier, connect_websocket

__all__ = [
    "MAX_MESSAGE",
    "STOMP_SUBPROTOCOLS",
    "Carrier",
    "CloseInfo",
    "Connect",
    "MemoryCarrier",
    "MemoryNetwork",
    "MessageReader",
    "OnClose",
    "OnData",
    "WebSocketCarrier",
    "connect_url",
    "connect_websocket",
    "memory_pair",
]
