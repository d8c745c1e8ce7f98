"""Connections that a role accepts: their limits and deadlines, and how they end in order."""
