"""The application's side of an instance: what it does with messages to ``/app/…``.

::

    @message_mapping("/hello")
    @send_to_user("/topic/greetings")
    def hello(message: str) -> str:
        return "hello"


    Instance(settings, handlers=[hello], interceptors=[...])
"""

from .arguments import Header, Payload, Variable
from .conversion import MessageConversionError
from .interceptors import ClientFrame, Denied, Interceptor
from .invocation import Headers, MessageContext, SessionId, User
from .mapping import Handlers
from .marks import (
    message_exception_handler,
    message_mapping,
    send_to,
    send_to_user,
    subscribe_mapping,
)
from .rules import Allow, Deny, Rules
from .template import MessagingTemplate

__all__ = [
    "Allow",
    "ClientFrame",
    "Denied",
    "Deny",
    "Handlers",
    "Header",
    "Headers",
    "Interceptor",
    "MessageContext",
    "MessageConversionError",
    "MessagingTemplate",
    "Payload",
    "Rules",
    "SessionId",
    "User",
    "Variable",
    "message_exception_handler",
    "message_mapping",
    "send_to",
    "send_to_user",
    "subscribe_mapping",
]
