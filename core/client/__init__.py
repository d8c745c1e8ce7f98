"""STOMP client: connection, subscriptions as async iterators, reconnect policy."""
