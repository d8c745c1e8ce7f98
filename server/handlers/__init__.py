"""The application's side of an instance: what it does with messages to ``/app/…``."""

from .mapping import (
    Handlers,
    MessageContext,
    MessageHandler,
    message_mapping,
    send_to,
    send_to_user,
)

__all__ = ["Handlers", "MessageContext", "MessageHandler", "message_mapping", "send_to", "send_to_user"]
