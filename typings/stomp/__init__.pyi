"""The part of stomp.py that our tests use; stomp.py has no types of its own."""

from .connect import StompConnection10 as Connection10
from .connect import StompConnection11 as Connection11
from .connect import StompConnection12 as Connection12
from .listener import ConnectionListener as ConnectionListener

__version__: str
