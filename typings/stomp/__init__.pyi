"""The part of stomp.py that our tests use; stomp.py has no types of its own."""

from .connect import StompConnection10, StompConnection11, StompConnection12
from .listener import ConnectionListener as ConnectionListener

Connection10 = StompConnection10
Connection11 = StompConnection11
Connection12 = StompConnection12

__version__: str
