"""Which instance takes a connection or a request."""
