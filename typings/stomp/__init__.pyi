"""The part of stomp.py that our tests use; stomp.py has no types of its own."""

from .listener import ConnectionListener as ConnectionListener

__version__: str
