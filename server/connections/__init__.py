"""Plain WebSocket connections of clients, under our own protocol class and under any ASGI server."""
