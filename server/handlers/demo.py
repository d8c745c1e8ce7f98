"""The article's application: ``/app/hello`` is logged and answered with ``hello``."""

from __future__ import annotations

import logging

from .marks import message_mapping, send_to_user

logger = logging.getLogger("pushscope.server")


@message_mapping("/hello")
@send_to_user("/topic/greetings")
def hello(message: str) -> str:
    """Log what was sent; its user gets ``hello`` on ``/user/topic/greetings``."""
    logger.info("message: %s", message)
    return "hello"


#: The handlers of an instance that is given no others.
DEMO_HANDLERS = (hello,)
