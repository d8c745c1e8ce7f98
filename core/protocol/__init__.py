"""Sans-IO protocols: bytes in, events out; commands in, bytes out. No input, output, time or randomness.

STOMP 1.0 to 1.2 in both roles (:class:`ServerSession`, :class:`ClientSession`, and below them
:class:`StompParser` and :func:`encode`), destinations, SockJS frames (module ``sockjs``), and
WebSocket frames of a server (module ``websocket``).
"""

from __future__ import annotations

from ..errors import HeartbeatLost
from . import sockjs, websocket
from .client_session import ClientSession
from .commands import CLIENT_COMMANDS, SERVER_COMMANDS, SUBPROTOCOLS, VERSIONS, WITH_BODY
from .destinations import (
    DEFAULT_PREFIXES,
    Prefixes,
    application_path,
    decode_user,
    encode_user,
    is_broker_destination,
    is_pattern,
    is_user_destination,
    send_form,
    split_user_destination,
    subscribe_form,
    subscribe_target,
    topic_matches,
    user_target,
)
from .encoder import HEARTBEAT_BYTES, encode, encode_frame
from .escaping import escape, unescape
from .events import (
    HEARTBEAT_RECEIVED,
    Abort,
    Ack,
    Begin,
    ClientEvent,
    Commit,
    Connect,
    Connected,
    Disconnect,
    ErrorReceived,
    FrameEvent,
    HeartbeatReceived,
    Malformed,
    Message,
    Nack,
    ReceiptReceived,
    Send,
    ServerEvent,
    Subscribe,
    Unsubscribe,
)
from .frames import HEARTBEAT, SECRET_HEADERS, Frame, Heartbeat
from .heartbeats import Heartbeats, parse_heartbeat
from .limits import BROKER_LIMITS, CLIENT_LIMITS, Limits
from .parser import StompParser
from .server_session import ServerSession
from .template import MessageTemplate, message_opening
from .violations import OWN_WORDING, RABBITMQ_WORDING, Violation, Wording
from .websocket import frame_header, server_frame

__all__ = [
    "BROKER_LIMITS",
    "CLIENT_COMMANDS",
    "CLIENT_LIMITS",
    "DEFAULT_PREFIXES",
    "HEARTBEAT",
    "HEARTBEAT_BYTES",
    "HEARTBEAT_RECEIVED",
    "OWN_WORDING",
    "RABBITMQ_WORDING",
    "SECRET_HEADERS",
    "SERVER_COMMANDS",
    "SUBPROTOCOLS",
    "VERSIONS",
    "WITH_BODY",
    "Abort",
    "Ack",
    "Begin",
    "ClientEvent",
    "ClientSession",
    "Commit",
    "Connect",
    "Connected",
    "Disconnect",
    "ErrorReceived",
    "Frame",
    "FrameEvent",
    "Heartbeat",
    "HeartbeatLost",
    "HeartbeatReceived",
    "Heartbeats",
    "Limits",
    "Malformed",
    "Message",
    "MessageTemplate",
    "Nack",
    "Prefixes",
    "ReceiptReceived",
    "Send",
    "ServerEvent",
    "ServerSession",
    "StompParser",
    "Subscribe",
    "Unsubscribe",
    "Violation",
    "Wording",
    "application_path",
    "decode_user",
    "encode",
    "encode_frame",
    "encode_user",
    "escape",
    "frame_header",
    "is_broker_destination",
    "is_pattern",
    "is_user_destination",
    "message_opening",
    "parse_heartbeat",
    "send_form",
    "server_frame",
    "sockjs",
    "split_user_destination",
    "subscribe_form",
    "subscribe_target",
    "topic_matches",
    "unescape",
    "user_target",
    "websocket",
]
