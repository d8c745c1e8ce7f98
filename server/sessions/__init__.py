"""A client's connection, from its handshake to its end, and what its frames mean."""
