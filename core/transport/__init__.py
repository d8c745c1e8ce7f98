"""Carriers of bytes: WebSocket on websockets' sans-IO protocol, and an in-memory pair."""

from .base import Carrier, CloseInfo, Connect, OnClose, OnData
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
    "connect_websocket",
    "memory_pair",
]
